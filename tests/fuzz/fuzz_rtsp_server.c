/* What a client may say to the RTSP server from its first byte on, while a camera sends: requests in any order, half ones, reports
 * between them, garbage. Everybody is admitted. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "pipelines/rtsp/rtsp_server.h"
#include "tests/fuzz/fuzz_target.h"

enum { PATIENCE_S = 15, UNITS = 3, PORTS_USED = 10000, ADDRESSES = 200 };

typedef struct {
  Loop *loop;
  Directory *directory;
  RtspServer *server;
  Stream *stream;
  guint16 sequence;
} Site;

static void ask (const RtspAsk *question, Loop *loop, RtspVerdict verdict, gpointer verdict_data, gpointer data)
{
  (void) question, (void) loop, (void) data;
  verdict (200, 0, verdict_data);
}

static void on_viewer_started (const char *viewer, Stream *stream, gint64 at_us, gpointer data)
{
  (void) viewer, (void) stream, (void) at_us, (void) data;
}

static void on_viewer_ended (const char *viewer, guint64 sent_bytes, const char *reason, const char *watched, gpointer data)
{
  (void) viewer, (void) sent_bytes, (void) reason, (void) watched, (void) data;
}

static void on_changed (CameraSource *source, gpointer data)
{
  (void) source, (void) data;
}

/* A camera of sound alone, which needs no parameter sets; what its source would do, publish_units does. */
static void open_stream (gpointer data)
{
  Site *site = data;
  CameraSettings settings = { .url = (char *) "rtsp://127.0.0.1:1/", .on_demand = TRUE };
  Track track = { MEDIUM_AUDIO, CODEC_PCMA, 8, 8000, 1, (char *) "PCMA", (char *) "", (char *) "" };
  TrackList tracks = { .count = 1, .tracks = { track }, .control = (char *) "*", .sdp = (char *) "v=0\r\nm=audio 0 RTP/AVP 8\r\n" };
  site->stream = stream_new (site->loop, "a", "main");
  CameraSource *source = camera_source_new (site->stream, &settings, NULL, on_changed, NULL);
  stream_set_wanted (site->stream, NULL, NULL);
  stream_begin (site->stream, track_list_copy (&tracks));
  DirectoryEntry entry = { site->loop, site->stream, source };
  directory_put (site->directory, &entry);
}

static Site *site_new (void)
{
  static const RtspServerHandlers handlers = { ask, on_viewer_started, on_viewer_ended };
  Site *site = g_new0 (Site, 1);
  site->loop = loop_new (NULL);
  site->directory = directory_new ();
  site->server = rtsp_server_new (&site->loop, 1, site->directory, &handlers, NULL);
  loop_call (site->loop, open_stream, site);
  g_assert (rtsp_server_listen (site->server, "127.0.0.1:0", NULL) && rtsp_server_open_udp (site->server, 0, NULL));
  return site;
}

static void publish_units (gpointer data)
{
  Site *site = data;
  for (guint i = 0; i < UNITS; i++) {
    guint16 sequence = ++site->sequence;
    const guint8 frame[] = { '$', 0, 0, 16, 0x80, 8, (guint8) (sequence >> 8), (guint8) sequence, 0, 0, 0, 1, 1, 2, 3, 4, 5, 5, 5, 5 };
    Unit unit = { .block = block_new (loop_blocks (site->loop)), .size = sizeof frame, .packets = 1, .is_random_access = TRUE };
    memcpy (unit.block->bytes, frame, sizeof frame);
    stream_publish (site->stream, &unit);
    block_unref (unit.block);
  }
}

/* From another address after so many: closed connections keep their ports for a minute. */
static void bind_to_next_address (int fd)
{
  static guint count;
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK + ++count / PORTS_USED % ADDRESSES) };
  g_assert (bind (fd, (struct sockaddr *) &address, sizeof address) == 0);
}

/* -1 with errno set. */
static int try_to_connect (guint16 port)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons (port), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  struct timeval patience = { .tv_sec = PATIENCE_S };
  int fd = socket (AF_INET, SOCK_STREAM, 0);
  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  bind_to_next_address (fd);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  int problem = errno;
  close (fd);
  errno = problem;
  return -1;
}

/* libFuzzer's alarm interrupts now and then. */
static int connect_to (guint16 port)
{
  int fd;
  while ((fd = try_to_connect (port)) < 0)
    g_assert (errno == EINTR);
  return fd;
}

/* Until the server has closed: it does when it has read to the end. */
static void read_all (int fd)
{
  static guint8 bytes[64 * 1024];
  gssize size;
  do
    size = recv (fd, bytes, sizeof bytes, 0);
  while (size > 0 || (size < 0 && errno == EINTR));
  g_assert (size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK));
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  static Site *site;
  if (site == NULL)
    site = site_new ();
  int fd = connect_to (rtsp_server_port (site->server));
  if (send (fd, bytes, size, MSG_NOSIGNAL) == (gssize) size)
    shutdown (fd, SHUT_WR);
  loop_call (site->loop, publish_units, site);
  read_all (fd);
  close (fd);
  loop_call (site->loop, publish_units, site);
  return 0;
}
