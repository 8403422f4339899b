/* media_link_private.h: the insides of the link to media, shared by media_link.c (what media tells, and the life of it),
 * media_link_site.c (the desired state) and media_link_calls.c (what media is asked).
 *
 * thread: main, but for what says otherwise. */
#pragma once

#include "gateway/link/media_link.h"

/* media's main thread may be busy for long, with hundreds of torn files for one; what waits in its socket then is not sent twice. */
#define MEDIA_LINK_STATE_TIMEOUT_US (10 * 60 * G_USEC_PER_SEC)
enum { MEDIA_LINK_AGAIN_S = 2 };

/* Why a viewer is refused. */
enum { REFUSAL_VIEWERS, REFUSAL_MEMORY, REFUSAL_LOAD, REFUSALS };

/* What media says of an export's end; the last two are ours. */
enum { EXPORT_COMPLETE, EXPORT_CLOSED, EXPORT_TOO_SLOW, EXPORT_ERROR, EXPORT_ENDED, EXPORT_REFUSED, EXPORT_OUTCOMES };

struct MediaLink {
  LinkEndpoint *endpoint;
  MediaHandlers handlers;
  EventBus *events;
  Site *site;            /* main thread */
  GHashTable *present;   /* main thread: ids of the viewers that media has told of since it was met */
  gint64 met_us;         /* main thread: wall */
  guint again;           /* main thread: timer until the site is sent again; 0: it is not due */
  guint greets_again;    /* main thread: timer until HELLO is asked again; 0: it is not due */
  GQueue unsent;         /* main thread: of LinkMessage, what is left of this round of the desired state */
  guint unanswered;      /* main thread: how many of its messages are under way */
  gboolean is_due;       /* main thread: another round follows this one */
  GMutex mutex;          /* over what follows */
  gboolean is_connected;
  GHashTable *cameras;   /* "camera/stream" → CameraStatus */
  int strain;            /* of the refusals; -1: none */
  gint64 refused_rtsp[REFUSALS], refused_browsers[REFUSALS];
  gint64 exports[EXPORT_OUTCOMES];
  GPtrArray *holds;      /* of MediaHold */
  json_t *recording;     /* camera, or "" → the last RECORDING_STATE */
};

/* Sends the whole desired state, if media is there: at once, or when the round that is under way has ended. What media could not
 * take is sent again soon. */
void media_link_send_site (MediaLink *link);

/* Nothing more is sent: media is away, and gets all of it when it is met. */
void media_link_forget_again (MediaLink *link);

/* An export has ended. */
void media_link_count_export (MediaLink *link, const char *outcome);
