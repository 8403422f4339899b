/* rtsp_bench.h: an RTSP server with one camera on the second of two loops, gridgate's verdicts, and a client that speaks to it. */
#pragma once

#include <openssl/ssl.h>

#include "pipelines/rtsp/rtsp_server.h"
#include "tests/support/test.h"
#include "tests/unit/media/scripted_camera.h"

enum { LOOPS = 2 };

typedef struct {
  Clock *clock; /* a fake one, that the loops go by; NULL: the machine's */
  Loop *loops[LOOPS];
  Resolver *resolver;
  Directory *directory;
  RtspServer *server;
  ScriptedCamera *camera;
  CameraSettings settings;
  Stream *stream;
  CameraSource *source;
  gint verdict; /* what gridgate would say */
  gint started, ended;
  GMutex mutex;
  char *asked;       /* "METHOD camera stream token username" of the last question */
  char *viewer;      /* of the last one that started */
  char *end_reason;
  char *asked_time;  /* of a playback: "FROM TO REASON", in seconds */
  char *watched;     /* of the last one that ended; NULL: it was live */
} Bench;

typedef struct {
  int fd;
  SSL *tls; /* NULL: plain */
  guint sequence;
  char input[64 * 1024];
  gsize filled;
} Client;

/* Where packets over UDP come to. */
typedef struct {
  int fd;
  guint16 port;
} UdpClient;

/* For cmocka: the state is a Bench. */
int rtsp_bench_setup (void **state);
int rtsp_bench_setup_with_clock (void **state);
int rtsp_bench_teardown (void **state);

/* Tasks for loop_call: removes the camera, whose loop it is; does nothing, so that a turn has passed. */
void rtsp_bench_close_stream (gpointer data);
void rtsp_bench_turn (gpointer data);

/* The last question was "METHOD camera stream token username". */
void assert_asked (Bench *bench, const char *expected);

void assert_asked_time (Bench *bench, const char *expected);
void assert_watched (Bench *bench, const char *expected); /* by the last viewer that ended */

/* ---- a client ---- */

#define TRANSPORT "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"

void client_connect (Client *client, guint16 port);
void client_open (Client *client, Bench *bench); /* to the plain port */
void say (Client *client, const char *text);
void request (Client *client, const char *method, const char *path, const char *headers);

/* FALSE when the server has closed. */
gboolean receive (Client *client);

/* The next answer, with packets before it left out; g_free. NULL when the server has closed. */
char *next_answer (Client *client);
void assert_answer (Client *client, int status, const char *contains); /* `contains` may be NULL */
void assert_closed (Client *client);

UdpClient udp_client_open (void); /* the caller closes it */

/* DESCRIBE, SETUP, PLAY. */
void play (Client *client);

/* The next media packet; the client keeps what follows. */
void assert_next_packet (Client *client, guint8 channel, guint8 nal);
void assert_report (Client *client, guint8 channel); /* the sender report that comes before the first packet */
