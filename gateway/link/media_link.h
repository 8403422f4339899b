/* media_link.h: gridgate's side of the link to gridgate-media: desired state, camera states, viewers, clips, pictures.
 *
 * thread: made, fed with sites and freed on the main thread. The functions that say "any" may be called from any thread
 * but the main one where they wait for an answer of the media process (at most ten seconds). */
#pragma once

#include "gateway/core/event_bus.h"
#include "gateway/link/link_endpoint.h"
#include "gateway/model/site.h"

typedef struct MediaLink MediaLink;

enum { CAMERA_STATES = 6 };
extern const char *const camera_states[CAMERA_STATES]; /* idle connecting live stalled backing_off failed */

/* What is known of a camera's stream. Strings are owned by the copy. */
typedef struct {
  char *camera, *stream;
  char *state, *reason, *detail; /* state: idle connecting live stalled backing_off failed */
  gint64 since_us;
  char *codec, *audio, *mime; /* NULL while unknown */
  char *audio_note;           /* what becomes of the sound in recordings and browsers, where it is not carried as it is */
  json_t *repairs;            /* {kind: count} of what was put right in its times; NULL while unknown */
  int width, height;          /* 0 while unknown */
  gint64 bitrate;             /* bits a second */
  gint64 received_bytes, received_packets, lost_packets, malformed_packets, repaired_timestamps, connects;
  gint64 key_frame_interval_us, first_frame_us, clock_skew_us;
  gint64 viewers_rtsp, viewers_websocket, viewer_skips, viewer_drops, spared_packets;
  gint64 transitions[CAMERA_STATES]; /* how often it came into each state */
} CameraStatus;

void camera_status_free (CameraStatus *status);

/* An RTSP client wants to play: answer 200, 401, 403 or 404 and, in `until_us`, when the permission ends (0: never).
 * Called on the main thread; `request` is the link's PLAY_ASK. */
typedef int (*MediaPlayAsk) (const LinkMessage *request, gint64 *until_us, gpointer data);

/* Events for the wiring, on the main thread. `message` is borrowed. */
typedef void (*MediaEvent) (const LinkMessage *message, gpointer data);

typedef struct {
  MediaPlayAsk play_ask;
  MediaEvent camera_state, viewer_started, viewer_ended, recording_state, clip_done;
  void (*connected) (gboolean is_connected, gpointer data);
  /* recording_state only when it began to stop, or runs again. After the site was sent: of the views that were open before `before_us`, media serves `present` (NULL: none) and no
   * others; those ended at `at_us`. */
  void (*viewers_known) (const char *const *present, gint64 before_us, gint64 at_us, gpointer data);
  gpointer data;
} MediaHandlers;

MediaLink *media_link_new (const char *runtime_dir, const MediaHandlers *handlers, EventBus *events);

/* The desired state from now on; sent at once, and again whenever the process is met anew. */
void media_link_set_site (MediaLink *link, Site *site);

/* thread: any. A copy; NULL when the camera has no such stream. */
CameraStatus *media_link_camera (MediaLink *link, const char *camera, const char *stream);
gboolean media_link_is_connected (MediaLink *link);

/* thread: any but main; waits. Takes `socket_fd`. `extra`: bytes read beyond the HTTP request. */
gboolean media_link_view (MediaLink *link, const char *viewer, const char *camera, const char *stream, int socket_fd,
                          const void *extra, gsize extra_size, GError **error);

/* A legal hold on recordings, in force. */
typedef struct {
  char *camera;
  gint64 from_us, to_us, until_us; /* until_us 0: without end */
} MediaHold;

void media_hold_free (MediaHold *hold);

/* thread: any. All that are in force, from now on; takes the array (of MediaHold). media heeds them with its desired state. */
void media_link_set_holds (MediaLink *link, GPtrArray *holds);

/* thread: any but main; waits. What retention took of a camera: DELETIONS_LIST's rows, whole. */
json_t *media_link_deletions (MediaLink *link, const char *camera, gint64 from_us, gint64 to_us, GError **error);

/* thread: main. What it took on the first day in [from_day, before_day), of the cameras behind `after`: DELETIONS_DAY. */
void media_link_deletions_day (MediaLink *link, gint64 from_day, gint64 before_day, const char *after, LinkReplied replied,
                               gpointer data);

/* thread: any. What media last said of recording, of one camera or ("") of all: RECORDING_STATE's fields; the caller's. NULL:
 * nothing, or media is away. */
json_t *media_link_recording (MediaLink *link, const char *camera);

/* thread: any but main; waits. {"spans":[[from,to],…],"gaps":[[from,to,"reason"],…]} in wall microseconds, whole. */
json_t *media_link_recordings (MediaLink *link, const char *camera, const char *stream, gint64 from_us, gint64 to_us,
                               GError **error);

typedef struct {
  const char *viewer, *camera, *stream;
  gint64 from_us, to_us;
  gboolean is_check; /* only what would come is asked: nothing is sent, and it is no look */
  LinkLook look;     /* called meanwhile: closing the other end of the pipe makes it an error soon; or NULL */
  gpointer data;
} MediaExport;

/* thread: any but main; waits, up to two minutes: where the samples are is read first. Takes `pipe_fd`, the write end. Returns
 * how many bytes of MP4 will come, -1 with an error; `*spans` (the caller's): [[from,to],…] that they hold. */
gint64 media_link_export (MediaLink *link, const MediaExport *export, int pipe_fd, json_t **spans, GError **error);

/* thread: any. Exports since this process started, by what became of them: {"complete":N,"closed":N,"too_slow":N,"ended":N,"error":N,
 * "refused":N}. */
json_t *media_link_exports (MediaLink *link);

/* thread: any but main; waits. As media_link_view, from recordings; `to_us` 0: as far as there is any. */
typedef struct {
  const char *viewer, *camera, *stream;
  gint64 from_us, to_us;
  double speed;
} MediaPlaybackView;
gboolean media_link_play_back (MediaLink *link, const MediaPlaybackView *view, int socket_fd, const void *extra,
                               gsize extra_size, GError **error);

/* thread: any but main; waits. A memfd with one key access unit in Annex B, and its codec (g_free); -1 with an error. */
int media_link_picture (MediaLink *link, const char *camera, const char *stream, gint64 at_us, char **codec,
                        gint64 *taken_at_us, GError **error);

/* thread: any. Tells media to end a viewer. */
void media_link_end_viewer (MediaLink *link, const char *viewer, const char *reason);

/* thread: any but main; waits until it is accepted. Takes `file_fd`. The clip_done handler follows. */
gboolean media_link_clip (MediaLink *link, const char *clip, const char *camera, const char *stream, gint64 from_us,
                          gint64 to_us, int file_fd, GError **error);

/* Number of WebSocket and RTSP viewers that media knows of, over all cameras. thread: any. */
guint media_link_viewers (MediaLink *link);

/* thread: any. May one more viewer come, with so many at a time? NULL, or why not ("viewers" "memory" "load"), counted. */
const char *media_link_refuses_viewer (MediaLink *link, guint viewers_max);

/* thread: any. {"viewers":N,"memory":N,"load":N}: who was refused, over RTSP and in browsers, since either process started. */
json_t *media_link_refused_viewers (MediaLink *link);

/* thread: any. The worker's process id; 0 while it is away. */
int media_link_pid (MediaLink *link);

void media_link_free (MediaLink *link);
