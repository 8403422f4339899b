/* rtsp_client_private.h: what the two files of a camera's connection share: how it is reached (rtsp_client.c), and what is
 * said on it (rtsp_dialog.c).
 *
 * thread: the loop. */
#pragma once

#include "pipelines/rtp/udp_input.h"
#include "pipelines/rtp/wire.h"
#include "pipelines/rtsp/digest.h"
#include "pipelines/rtsp/rtsp_client.h"
#include "pipelines/rtsp/rtsp_url.h"

typedef enum { PHASE_LOOKUP, PHASE_CONNECT, PHASE_HANDSHAKE, PHASE_OPEN } ClientPhase;

struct RtspClient {
  Loop *loop;
  Receiver *receiver;
  Resolver *resolver;
  const RtspClientSettings *settings;
  RtspClientFailed failed;
  gpointer data;

  RtspUrl url, home;  /* where it is, and where it was sent to at first */
  GPtrArray *visited; /* texts of URLs, home first: redirects lead to none of them */
  Lookup *lookup;
  struct addrinfo *addresses, *address; /* all, the one that is tried next */
  ClientPhase phase;
  Wire wire;
  LoopWatch *watch;
  LoopTimer *timer;
  GString *unsent;
  gboolean begins_anew; /* once the receiver has returned: `url` has changed, or how RTP is to come */

  GstRTSPMethod method; /* that waits for its answer, or was answered last */
  gboolean waits_for_answer;
  guint sequence, login_tries;
  DigestChallenge *challenge;
  TrackList *tracks;
  guint set_up; /* tracks */
  gboolean is_set_up, is_playing;
  GstRTSPMethod keep_alive;
  char *session;
  guint session_timeout; /* seconds */

  gboolean is_udp;     /* RTP is asked for, or comes, by UDP */
  UdpInput *udp;       /* NULL: no track is being set up by UDP */
  GByteArray *control; /* by UDP: what came on the connection, which the receiver doesn't read then */

  const char *reason; /* set: it has failed */
  char *detail;
};

/* ---- rtsp_client.c ---- */

/* Told once, outside of the receiver. */
void client_fail (RtspClient *client, const char *reason, const char *format, ...) G_GNUC_PRINTF (3, 4);

void client_send (RtspClient *client, const GstRTSPMessage *message);
void client_set_timer (RtspClient *client, gint64 from_now_us);

/* ---- rtsp_dialog.c ---- */

/* The connection is open: begins to ask. */
void dialog_begin (RtspClient *client);

/* Says that it leaves, if there is a session. */
void dialog_end (RtspClient *client);

/* It plays: shows that it is still there. */
void dialog_keep_alive (RtspClient *client);

/* Nothing more comes of an answer whose body is shorter than it says: takes it as it is. FALSE when there is none. */
gboolean dialog_take_short_answer (RtspClient *client, const guint8 *bytes, gsize size);

/* Forgets what was said. */
void dialog_reset (RtspClient *client);
