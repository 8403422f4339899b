/* rtsp_connection_private.h: what the files of a client's connection share: its bytes (rtsp_connection.c), its requests and
 * session (rtsp_session.c), the same on recordings (rtsp_recorded.c), the packets' way (rtsp_session_transport.c), and whether it may
 * play (rtsp_admission.c).
 *
 * thread: the loop that the connection is on. */
#pragma once

#include "pipelines/rtsp/digest_nonce.h"
#include "pipelines/rtsp/rtsp_connection.h"
#include "pipelines/rtsp/rtsp_path.h"
#include "pipelines/rtsp/rtsp_transport.h"
#include "pipelines/rtsp/udp_ports.h"

enum { SESSION_TIMEOUT_S = 60 };

typedef struct {
  RtspConnection *connection; /* NULL once that is closed */
  RtspServerShared *shared;
} PendingAsk;

struct RtspConnection {
  RtspServerLoop *place;
  GList link;
  Wire wire;
  LoopWatch *watch;
  char *address;
  GByteArray *input;
  gsize discard; /* bytes of a client's interleaved packet still to come */
  Outlet outlet;

  char *viewer;
  DigestNonce nonce;
  char *session;  /* NULL: no track is set up */
  char *token;    /* that a DESCRIBE was admitted with */
  gint64 until_us; /* wall, of the permission; 0: without end */
  Player player;
  UdpPorts *udp_ports;           /* NULL: it doesn't play over UDP */
  UdpOutlet *udp;                /* the player or what plays recordings sends by it; NULL: over TCP */
  UdpPeer udp_peers[TRACKS_MAX]; /* one for each track that is set up over UDP */
  gint64 played_us;    /* wall, when it began to */
  guint64 sent_before; /* what the outlet had sent when it began to play */

  GstRTSPMessage *request; /* that waits for the verdict or for the camera */
  PendingAsk *ask;
  StreamTap wait_tap;
  Stream *wait_stream; /* NULL: no DESCRIBE waits */
  gint64 wait_since_us;

  struct {
    gpointer session;   /* of rtsp_recordings.h; NULL: none */
    char *camera, *reason; /* what was asked for last; reason NULL: none was given */
    const char *stream; /* static */
    gint64 from_us, to_us;
    gint64 play_to_us;  /* of the newest PLAY */
    gboolean waits;     /* `request` waits for it */
    gboolean is_playing;
  } recorded;

  gint64 last_request_us, input_since_us;
  gboolean views; /* the register knows of it */
  gboolean shakes_hands; /* of TLS */
  gboolean is_put_off;   /* its handshake is: others took all the time that there is for them */
  gboolean had_request, is_closed;
};

static inline void add_header (GstRTSPMessage *message, GstRTSPHeaderField field, char *value)
{
  gst_rtsp_message_take_header (message, field, value);
}

/* ---- rtsp_connection.c ---- */

RtspServerShared *connection_shared (RtspConnection *connection);
gint64 connection_now_us (const RtspConnection *connection);

/* Reads unless something is waited for; writes while something waits. */
void connection_watch_again (RtspConnection *connection);

/* What was waited for is there: goes on with what has been read. */
void connection_resume (RtspConnection *connection);

GstRTSPMessage *connection_response_new (RtspConnection *connection, const GstRTSPMessage *request, GstRTSPStatusCode status);
void connection_send (RtspConnection *connection, GstRTSPMessage *taken); /* may close the connection */
void connection_respond (RtspConnection *connection, const GstRTSPMessage *request, GstRTSPStatusCode status);
void connection_respond_unauthorized (RtspConnection *connection, const GstRTSPMessage *request, gboolean is_stale);

/* ---- rtsp_session.c ---- */

void session_handle (RtspConnection *connection, GstRTSPMessage *request);
gboolean session_find_entry (RtspConnection *connection, const RtspPath *path, DirectoryEntry *entry);

/* The client was admitted: waits for the camera and answers; sets a track up. */
void session_start_describe (RtspConnection *connection, const DirectoryEntry *entry);
void session_set_up (RtspConnection *connection, const GstRTSPMessage *request, const RtspPath *path,
                     const DirectoryEntry *entry);

/* Answers the DESCRIBE that waits, if it can be; `is_late`: with whatever there is by now. */
void session_try_describe (RtspConnection *connection, gboolean is_late);
void session_stop_waiting (RtspConnection *connection);
void session_end (RtspConnection *connection, const char *reason);
void session_count_skips (RtspConnection *connection); /* since the last call; of a live view */

/* ---- rtsp_session_transport.c ---- */

/* All tracks of a session go the same way. */
RtspTakes transport_takes (RtspConnection *connection);

/* Fills in what the client left to us. `channels`: of the track's packets; over UDP our own, which the outlet knows the ports of.
 * A first track that is refused later: transport_end. */
GstRTSPStatusCode transport_set_up (RtspConnection *connection, guint track, RtspTransport *transport, guint8 channels[2]);

/* `ssrc` NULL: not known yet. */
void transport_add_answer (RtspConnection *connection, GstRTSPMessage *response, const RtspTransport *transport,
                           const guint32 *ssrc);
void transport_end (RtspConnection *connection);

/* ---- rtsp_recorded.c ---- */

/* The client was admitted. Takes `request`: a DESCRIBE, or a SETUP. */
void recorded_open (RtspConnection *connection, GstRTSPMessage *request, const RtspPath *path);
gboolean recorded_is_open_for (const RtspConnection *connection, const RtspPath *path);

/* Whether the DESCRIBE or SETUP before was of this camera's stream. */
gboolean recorded_is_of (const RtspConnection *connection, const RtspPath *path);

/* What `path` asks for; one that names no time means what was asked for before: clients set tracks up without the query. */
void recorded_remember (RtspConnection *connection, const RtspPath *path);
gboolean recorded_waits (const RtspConnection *connection);
void recorded_play (RtspConnection *connection, GstRTSPMessage *request);
void recorded_pause (RtspConnection *connection, GstRTSPMessage *request);
void recorded_resume (RtspConnection *connection); /* the outlet is empty */
void recorded_close (RtspConnection *connection);
void recorded_end (RtspConnection *connection, const char *reason); /* of a session that has begun */

/* ---- rtsp_admission.c ---- */

/* Puts a DESCRIBE, or the SETUP of a session's first track, to gridgate. */
void admission_ask (RtspConnection *connection, GstRTSPMessage *request);

/* The connection closes: the verdict will find nobody. */
void admission_cancel (RtspConnection *connection);
