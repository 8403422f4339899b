/* view.h: the viewing register (Order 799 Art. 16): who of which unit looked at what, from when to when, from where, why.
 *
 * A row is written before a browser's viewer gets its first byte, and when media reports that an RTSP viewer plays; it is
 * closed when media reports the end. Looks at evidence and pictures are rows that begin and end at once.
 *
 * thread: any but the store's; the functions marked "main" don't wait. */
#pragma once

#include "gateway/access/access.h"
#include "gateway/link/link_message.h"

/* Borrowed strings. */
typedef struct {
  const char *id; /* the viewer's id on the link; ULID */
  const Actor *actor;
  const char *camera, *stream;
  const char *kind;    /* "live" "playback" "export" "picture" "evidence" */
  const char *subject; /* the evidence or incident; of playback and export the recorded time, "FROM/TO"; or NULL */
  const char *address;
  const char *reason; /* the purpose that was given, or NULL */
  const char *credential; /* of a view that lasts: access_credential; NULL: nobody can vouch for it later */
} View;

/* The right that `caller` came with, as the register keeps it; free with g_free. */
char *access_credential (const Caller *caller);

/* The subject of a look at recordings; `to_us` 0: open. Free with g_free. */
char *view_recorded_time (gint64 from_us, gint64 to_us);

/* Waits until it is on disk. */
gboolean access_view_open (Access *access, const View *view, GError **error);
/* The same for a look that is over at once; makes the id. */
gboolean access_view_note (Access *access, const View *view, GError **error);

/* main. What media reports. A viewer that is unknown is entered as such: the register misses nobody. `watched`: of recordings, the time
 * that was sent, "FROM/TO, FROM/TO"; or NULL. */
void access_view_started (Access *access, const LinkMessage *started);
void access_view_ended (Access *access, const char *viewer, gint64 at_us, const char *reason, const char *watched);

/* main. After media was met (anew): closes, at `at_us`, the views that were open before `before_us` and that it does not
 * serve. `present`: ids of those that it does; NULL: it serves none, for it was started after them. */
void access_views_repair (Access *access, const char *const *present, gint64 before_us, gint64 at_us);

/* main. May this RTSP client play? Has the form of MediaPlayAsk; `access` is the Access. 200, 401, 403 or 404. */
int access_play (const LinkMessage *request, gint64 *until_us, gpointer access);

/* thread: any. Looks again at the right of each open view, live or recorded, by the site and the accounts of now, and ends those that
 * may not go on: session, account or token ended, or grant taken away. An open view counts as use of its session: a wall
 * of cameras that nobody touches stays, for twelve hours at most. */
void access_views_recheck (Access *access);

/* {"items":[{id,who,role,unit,camera,stream,kind,subject,watched:[{from,to}],live,from,to,reason,address}],"next"}, newest first;
 * `watched` is null where media told none. `camera`
 * and `who` NULL: any; `to_us` 0: no end; `cursor` is the last id of the page before. */
json_t *view_list (Database *database, const char *camera, const char *who, gint64 from_us, gint64 to_us,
                   const char *cursor, guint limit, GError **error);
