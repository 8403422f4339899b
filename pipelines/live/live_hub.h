/* live_hub.h: one camera's stream for browsers: fragments made once, shared by all who watch.
 *
 * While there are viewers it is a sink of the stream's assembler. Each viewer gets a text message with the type, the init
 * segment, and fragments of a picture or, for many viewers, at most 100 ms from the newest key frame on, at once.
 *
 * thread: the stream's loop. */
#pragma once

#include "pipelines/live/assembler.h"

/* While few watch, each picture is a fragment: the tenth of a second that a fragment may last is delay for all its pictures. */
enum { LIVE_FRAGMENT_US = 100 * 1000, LIVE_PROMPT_VIEWERS = 8, LIVE_VIEWERS_MAX = 256 };

typedef struct LiveHub LiveHub;

/* `reason`: "closed" "error" "protocol" "slow" "tracks_changed" "removed", or what live_hub_end_viewer was given. */
typedef struct {
  void (*started) (LiveHub *hub, const char *viewer, gint64 at_us, gpointer data); /* wall time */
  void (*ended) (LiveHub *hub, const char *viewer, guint64 sent_bytes, const char *reason, gpointer data);
  void (*described) (LiveHub *hub, gpointer data); /* live_hub_mime has changed */
  gpointer data;
} LiveEvents;

typedef struct {
  guint viewers;
  guint64 skips, drops; /* of all viewers ever: to the next key frame; of those too slow for that */
} LiveCounts;

LiveHub *live_hub_new (Assembler *assembler, const LiveEvents *events);

/* Takes `socket_fd`, also on failure. ERROR_RETRY when there are too many. */
gboolean live_hub_add_viewer (LiveHub *hub, const char *id, int socket_fd, const guint8 *extra, gsize extra_size,
                              GError **error);

/* FALSE when there is no such viewer. */
gboolean live_hub_end_viewer (LiveHub *hub, const char *id, const char *reason);

/* Who watches now, and since when (wall time). */
void live_hub_each_viewer (LiveHub *hub, void (*visit) (LiveHub *hub, const char *viewer, gint64 at_us, gpointer data),
                           gpointer data);

LiveCounts live_hub_counts (const LiveHub *hub);

/* The type that viewers are told; NULL while unknown. */
const char *live_hub_mime (const LiveHub *hub);

/* Ends all viewers with the reason "removed". NULL is taken. */
void live_hub_free (LiveHub *hub);
