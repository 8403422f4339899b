/* media_control.h: what gridgate tells the media process, and what it is told: the link's messages on one side, loops,
 * streams and servers on the other.
 *
 * One table says which function handles which kind of message; recording, live viewers and pictures add their rows and
 * register a MediaPart to hear of streams that come and go.
 *
 * thread: main, where a function says nothing else. */
#pragma once

#include "gateway/link/link_endpoint.h"
#include "pipelines/record/recording_pins.h"
#include "pipelines/rtsp/rtsp_server.h"

typedef struct Media Media;
typedef struct MediaStream MediaStream;
typedef struct MediaPart MediaPart;

/* One stream of the desired state. The main thread owns it; `stream` and `source` belong to `loop`. */
struct MediaStream {
  Media *media;
  char *camera, *name; /* "main" or "sub" */
  Loop *loop;
  Stream *stream;
  CameraSource *source;
  CameraSettings settings;
  char *record;        /* "continuous" "event" "off" */
  gint64 pre_roll_us;
  gboolean is_on_demand;
  gint64 retain_us, keep_at_least_us; /* -1: as the site says */
  gint64 max_bytes;    /* of the camera; 0: no limit of its own */
  gboolean is_put;     /* since SITE_BEGIN */
  guint64 last_received_bytes; /* loop: at the last statistics */
  gint64 last_statistics_us;
  guint64 told_idle;           /* loop: how often it had become idle at the last statistics */
  gboolean is_logged;          /* loop: the state that the log knows of, if any */
  CameraState logged_state;
  guint viewers_websocket;     /* loop: the live part keeps these three */
  guint64 websocket_skips, websocket_drops;
  char *mime;                  /* loop: of the WebSocket's text message; NULL while unknown */
};

/* What SITE_BEGIN said. */
typedef struct {
  char *gateway, *data_dir;
  gint64 segment_us, retain_us, keep_at_least_us, max_bytes, min_free_bytes;
  guint min_free_percent;
} MediaSite;

/* Where the RTSP server listens; kept by media_rtsp. */
typedef struct {
  char *listen, *tls_listen; /* NULL: it doesn't */
  gint64 udp_port;
  Refusal told_strain; /* to gridgate, as is what follows */
  gint told_refused[REFUSALS];
} MediaRtsp;

/* A part of the process that follows the desired state. Any function may be NULL. */
struct MediaPart {
  void (*site_changed) (Media *media, const MediaSite *site, gpointer data);
  void (*stream_opened) (MediaStream *stream, gpointer data);  /* before its source starts */
  void (*stream_changed) (MediaStream *stream, gpointer data); /* `record`, `pre_roll_us` or `is_on_demand` did */
  void (*stream_closing) (MediaStream *stream, gpointer data); /* let go of it: it is freed next */
  gboolean (*end_viewer) (Media *media, const char *viewer, const char *reason, gpointer data);
  void (*site_ended) (Media *media, json_t *reply, gpointer data); /* adds fields to the reply */
  void (*tell_viewers) (MediaStream *stream, GPtrArray *bodies, gpointer data); /* adds a VIEWER_STARTED for each */
  gpointer data;
};

struct MediaDemand;
struct MediaPlayback;

struct Media {
  char *runtime_dir;
  LinkEndpoint *link;
  Loop **loops;
  guint loop_count;
  Resolver *resolver;
  Directory *directory;
  RtspServer *server;
  MediaRtsp rtsp;
  MediaSite site;
  GHashTable *streams; /* "camera/stream" → MediaStream */
  GPtrArray *holds;    /* of RetentionHold: put since SITE_BEGIN */
  RecordingPins *pins; /* what is played and exported */
  GArray *parts;       /* of MediaPart */
  struct MediaDemand *demand; /* recording, browsers, clips, pictures */
  struct MediaPlayback *playback; /* recordings out again */
  gint64 started_at;   /* wall */
  guint statistics_timer, load_timer;
  gboolean is_ending;  /* what the link still brings is dropped */
};

/* Starts loops and server and listens on RUNTIME_DIR/media.sock. */
Media *media_new (const char *runtime_dir, GError **error);

/* Before the first message comes in. */
void media_add_part (Media *media, const MediaPart *part);

/* NULL when there is no such stream. */
MediaStream *media_find_stream (Media *media, const char *camera, const char *name);

/* thread: any. Sends an event to gridgate; takes `body`. Lost when gridgate is away. */
void media_send_event (Media *media, LinkKind kind, json_t *body);

/* thread: the stream's loop. Tells its state again: something in it, such as `mime`, has changed. */
void media_send_state (MediaStream *stream);

/* thread: the stream's loop. The CameraChanged of a stream, which is `data`. */
void media_camera_changed (CameraSource *source, gpointer data);

/* Tells what has been counted of each stream. */
void media_send_statistics (Media *media);

/* thread: any. The body of a VIEWER_STARTED; `at_us` is when it began. */
json_t *media_viewer_body (const char *viewer, const MediaStream *stream, const char *protocol, gint64 at_us);

/* thread: any. The body of a VIEWER_ENDED, now. `watched` NULL: it was nothing recorded. */
json_t *media_viewer_ended_body (const char *viewer, guint64 sent_bytes, const char *reason, const char *watched);

/* Answers a request; both take `request`. */
void media_reply (Media *media, LinkMessage *request, json_t *body);
void media_reply_error (Media *media, LinkMessage *request, const GError *error);

void media_free (Media *media);
