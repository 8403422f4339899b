/* rtsp_server.h: serves /live/CAMERA and /live/CAMERA/sub, and /playback/CAMERA from recordings, over RTSP, by TCP interleaved and UDP, and over RTSPS by TCP alone
 * (there is no SRTP in this version), to whom gridgate admits.
 *
 * A connection starts on the first loop and moves to its camera's with the first request that names one. Each DESCRIBE and
 * each first SETUP is put to `ask`; without an answer the client gets 503. Connections, heads, waiting bytes and times are
 * bounded.
 *
 * thread: made, listening and stopped on the main thread, while the loops run. */
#pragma once

#include "pipelines/rtp/admission.h"
#include "pipelines/rtp/outlet.h"
#include "pipelines/rtsp/digest.h"
#include "pipelines/rtsp/directory.h"
#include "pipelines/rtsp/rtsp_recordings.h"

typedef struct RtspServer RtspServer;

/* May this client play? Strings live until `ask` returns. */
typedef struct {
  const char *viewer, *camera, *stream, *address, *user_agent; /* user_agent may be NULL */
  const char *method;
  const char *purpose;        /* "live" "playback" */
  const char *reason;         /* of a playback that was given one; or NULL */
  gint64 from_us, to_us;      /* of a playback: the recorded time that is asked for; to_us -1: without end */
  const char *token;          /* or NULL */
  const DigestAnswer *answer; /* or NULL */
} RtspAsk;

/* Call on the loop that asked, once. `status` is 200, 401, 403, 404 or 503; `until_us` wall time, 0: without end. */
typedef void (*RtspVerdict) (int status, gint64 until_us, gpointer data);

/* All are called on loops. */
typedef struct {
  void (*ask) (const RtspAsk *ask, Loop *loop, RtspVerdict verdict, gpointer verdict_data, gpointer data);
  void (*viewer_started) (const char *viewer, Stream *stream, gint64 at_us, gpointer data);
  /* `watched`: of recordings, the time that was sent: "FROM/TO, FROM/TO"; or NULL */
  void (*viewer_ended) (const char *viewer, guint64 sent_bytes, const char *reason, const char *watched, gpointer data);
  /* With rtsp_server_set_recordings only. */
  void (*recording_started) (const char *viewer, const char *camera, const char *stream, gint64 at_us, gpointer data);
} RtspServerHandlers;

RtspServer *rtsp_server_new (Loop *const *loops, guint loop_count, Directory *directory, const RtspServerHandlers *handlers,
                             gpointer data);

/* Serves recordings as well, at /playback/CAMERA. `recordings` must outlive the server. Before the first client. */
void rtsp_server_set_recordings (RtspServer *server, const RtspRecordings *recordings);

/* thread: main. Who plays recordings now. */
typedef void (*RtspRecordedVisit) (const char *viewer, const char *camera, const char *stream, gint64 at_us, gpointer data);
void rtsp_server_each_recorded (RtspServer *server, RtspRecordedVisit visit, gpointer data);

/* Listens on "host:port" instead of where it did; present connections stay. An error leaves it as it was. */
gboolean rtsp_server_listen (RtspServer *server, const char *address, GError **error);

/* RTSP in TLS (RTSPS): listens on `address` instead of where it did, and shows new clients the certificate of `tls`, which is
 * used on; with another certificate, where it listens; not any more. Present connections stay. */
gboolean rtsp_server_listen_tls (RtspServer *server, const char *address, WireContext *tls, GError **error);
void rtsp_server_present (RtspServer *server, WireContext *tls);
void rtsp_server_end_tls (RtspServer *server);

/* So many may have a session at a time (1,000 unless set; 0 sets that); more get 453. Present ones stay. thread: any. */
void rtsp_server_set_viewers_max (RtspServer *server, guint count);

/* Who may come now, who was refused. thread: any. */
Admission *rtsp_server_admission (RtspServer *server);

/* The port that it listens on; 0: none. */
guint16 rtsp_server_port (const RtspServer *server);
guint16 rtsp_server_tls_port (const RtspServer *server);

/* After rtsp_server_listen, on the same host: offers UDP as well, from `port` (RTP, even) and the one above (RTCP), 0: any two.
 * Present viewers go on. With an error UDP is refused, and clients take TCP. */
gboolean rtsp_server_open_udp (RtspServer *server, guint16 port, GError **error);

/* thread: any. */
void rtsp_server_end_viewer (RtspServer *server, const char *viewer, const char *reason);

/* thread: the stream's loop. Ends all its viewers; the stream may then be freed. */
void rtsp_server_end_stream (RtspServer *server, Stream *stream, const char *reason);

/* thread: the stream's loop. Who plays now, and since when (wall time). */
void rtsp_server_each_viewer (RtspServer *server, Stream *stream,
                              void (*visit) (const char *viewer, gint64 at_us, gpointer data), gpointer data);

/* thread: the stream's loop. */
typedef struct {
  guint viewers;
  guint64 skips, drops; /* since the process started */
} RtspServerCounts;
RtspServerCounts rtsp_server_counts (RtspServer *server, Stream *stream);

/* Closes the listeners and all connections. Questions that are still put may be answered until rtsp_server_free. */
void rtsp_server_stop (RtspServer *server);

/* After rtsp_server_stop, when no question waits for its verdict any more. NULL is taken. */
void rtsp_server_free (RtspServer *server);
