#include "tests/bench/bench_cameras.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  FRAME_US = 40 * 1000, SPREAD_US = 20 * 1000, GROUP = 50,
  KEY_BYTES = 60 * 1000, OTHER_BYTES = 8980, /* a group of 50: 2.0 Mb/s */
  PACKET = 1400, FRAME_BUFFER = 80 * 1024, PACKETS_MAX = 64, REQUEST_MAX = 2048,
  RTP_HEADER = 12, STAMP_AT = RTP_HEADER + 4, STAMP_BYTES = BENCH_RTP_HEAD - STAMP_AT, FRAGMENT_A = 28,
};

/* SPS and PPS of 1920x1080, High profile. */
static const guint8 sps[] = { 0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5, 0xc0, 0x44, 0x00, 0x00,
                              0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x60, 0xc6, 0x58 };
static const guint8 pps[] = { 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0 };

static const char description[] = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=bench\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                                  "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets="
                                  "Z2QAKKzZQHgCJ+XARAAAAwAEAAADAMg8YMZY,aOvjyyLA\r\na=control:trackID=0\r\n";

typedef struct {
  int fd;
  guint camera;
  gboolean plays, is_paced;
  char request[REQUEST_MAX];
  gsize request_size;
  gint64 next_frame_us;
  guint frame;
  guint16 sequence;
  guint8 bytes[FRAME_BUFFER]; /* of the current frame */
  gsize ends[PACKETS_MAX];    /* of its packets */
  guint packets, stamped; /* of them */
  gsize size, sent;
  gint64 group_bytes; /* since its key frame */
} Connection;

typedef struct {
  BenchShared *shared;
  int epoll_fd, listen_fd;
  GPtrArray *connections;
} Cameras;

static struct sockaddr_in loopback (guint16 port)
{
  return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons (port), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
}

static int listen_on_free_port (guint16 *port)
{
  struct sockaddr_in address = loopback (0);
  socklen_t size = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  g_assert (bind (fd, (struct sockaddr *) &address, sizeof address) == 0 && listen (fd, 1024) == 0);
  getsockname (fd, (struct sockaddr *) &address, &size);
  *port = ntohs (address.sin_port);
  return fd;
}

static gboolean is_free (guint16 port, int type)
{
  struct sockaddr_in address = loopback (port);
  int fd = socket (AF_INET, type, 0);
  gboolean is_free_now = bind (fd, (struct sockaddr *) &address, sizeof address) == 0;
  close (fd);
  return is_free_now;
}

/* Below the range that connections take theirs from: one of hundreds could take it before the server listens. */
static guint16 next_port (guint16 port)
{
  return (guint16) (port < 12000 || port >= 30000 ? 12000 + getpid () % 8000 * 2 : port + 2);
}

guint16 bench_free_port (void)
{
  static guint16 port;
  do
    port = next_port (port);
  while (!is_free (port, SOCK_STREAM));
  return port;
}

guint16 bench_free_udp_pair (void)
{
  static guint16 port;
  do
    port = next_port (port);
  while (!is_free (port, SOCK_DGRAM) || !is_free ((guint16) (port + 1), SOCK_DGRAM));
  return port;
}

BenchShared *bench_shared_new (void)
{
  return mmap (NULL, sizeof (BenchShared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* ---- what a camera sends ---- */

static void add_packet (Connection *connection, const guint8 *head, gsize head_size, const guint8 *payload, gsize payload_size,
                        gboolean is_last)
{
  gsize size = 12 + head_size + payload_size;
  guint8 *packet = connection->bytes + connection->size;
  guint32 timestamp = connection->frame * 3600u;
  guint16 sequence = connection->sequence++;
  const guint8 header[] = { '$', 0, (guint8) (size >> 8), (guint8) size, 0x80, (guint8) (is_last ? 0xe0 : 0x60),
                            (guint8) (sequence >> 8), (guint8) sequence, (guint8) (timestamp >> 24), (guint8) (timestamp >> 16),
                            (guint8) (timestamp >> 8), (guint8) timestamp, 0, 0, 0, (guint8) connection->camera };
  memcpy (packet, header, sizeof header);
  memcpy (packet + sizeof header, head, head_size);
  if (payload != NULL)
    memcpy (packet + sizeof header + head_size, payload, payload_size);
  else
    memset (packet + sizeof header + head_size, (int) (connection->frame & 0x7f) + 1, payload_size);
  connection->size += 4 + size;
  connection->ends[connection->packets++] = connection->size;
}

static void make_frame (BenchShared *shared, Connection *connection)
{
  gboolean is_key = connection->frame % GROUP == 0;
  if (is_key && connection->frame > 0)
    shared->group_bytes = connection->group_bytes;
  if (is_key)
    connection->group_bytes = 0;
  gsize left = is_key ? KEY_BYTES : OTHER_BYTES;
  connection->size = connection->sent = connection->packets = connection->stamped = 0;
  if (is_key) {
    add_packet (connection, sps, sizeof sps, NULL, 0, FALSE);
    add_packet (connection, pps, sizeof pps, NULL, 0, FALSE);
  }
  for (gboolean is_first = TRUE; left > 0; is_first = FALSE) {
    gsize size = MIN (left, PACKET);
    left -= size;
    guint8 type = is_key ? 5 : 1;
    guint8 fragment[] = { 0x7c, (guint8) (type | (is_first ? 0x80 : 0) | (left == 0 ? 0x40 : 0)), is_key ? 0x88 : 0x9a, 0x84 };
    add_packet (connection, fragment, sizeof fragment, NULL, size, left == 0);
  }
  connection->group_bytes += (gint64) connection->size;
  connection->frame++;
}

static void send_up_to (Cameras *cameras, Connection *connection, gsize end)
{
  while (connection->sent < end) {
    gssize sent = send (connection->fd, connection->bytes + connection->sent, end - connection->sent, MSG_NOSIGNAL);
    if (sent <= 0)
      return;
    connection->sent += (gsize) sent;
    cameras->shared->sent_bytes += sent;
  }
}

/* Packets of the frame that are due. */
static guint due_packets (const Connection *connection, gint64 since_us)
{
  if (!connection->is_paced)
    return connection->packets;
  gint64 due = since_us * connection->packets / SPREAD_US + 1;
  return (guint) CLAMP (due, 1, (gint64) connection->packets);
}

/* Seven bits a byte, the eighth set: a start code can't come about in the middle of a picture. */
static void stamp (guint8 *packet, gint64 now)
{
  for (int i = 0; i < STAMP_BYTES; i++)
    packet[STAMP_AT + i] = (guint8) (0x80 | (now >> (7 * (STAMP_BYTES - 1 - i)) & 0x7f));
}

gint64 bench_stamp_us (const guint8 *packet)
{
  gint64 at = 0;
  if ((packet[RTP_HEADER] & 0x1f) != FRAGMENT_A)
    return 0;
  for (int i = 0; i < STAMP_BYTES; i++)
    at = at << 7 | (packet[STAMP_AT + i] & 0x7f);
  return at;
}

gboolean bench_is_key (const guint8 *packet)
{
  guint type = packet[RTP_HEADER] & 0x1f;
  return type == 7 || type == 8 || type == 5 || (type == FRAGMENT_A && (packet[RTP_HEADER + 1] & 0x1f) == 5);
}

static void send_packets (Cameras *cameras, Connection *connection, guint due)
{
  gint64 now = g_get_monotonic_time ();
  for (; connection->stamped < due; connection->stamped++) {
    guint8 *packet = connection->bytes + (connection->stamped > 0 ? connection->ends[connection->stamped - 1] : 0) + 4;
    if ((packet[RTP_HEADER] & 0x1f) == FRAGMENT_A)
      stamp (packet, now);
  }
  send_up_to (cameras, connection, connection->ends[due - 1]);
}

static void send_due (Cameras *cameras, Connection *connection, gint64 now)
{
  if (now >= connection->next_frame_us) {
    if (connection->sent < connection->size)
      cameras->shared->late_frames++; /* the relay does not take it: this would skew the result */
    else
      make_frame (cameras->shared, connection);
    connection->next_frame_us += FRAME_US;
  }
  if (connection->sent < connection->size)
    send_packets (cameras, connection, due_packets (connection, now - (connection->next_frame_us - FRAME_US)));
}

/* ---- how it is asked for ---- */

static const char *header_of (const char *request, const char *name)
{
  const char *found = strstr (request, name);
  return found != NULL ? found + strlen (name) : "0";
}

static void play (Cameras *cameras, Connection *connection)
{
  connection->plays = TRUE;
  connection->is_paced = connection->camera % 2 == 1 || g_atomic_int_get (&cameras->shared->is_all_paced);
  connection->next_frame_us = g_get_monotonic_time () + connection->camera * FRAME_US / 40;
  connection->frame = 0;
  g_atomic_int_inc (&cameras->shared->playing);
}

static void answer (Cameras *cameras, Connection *connection)
{
  const char *request = connection->request, *path = strstr (request, "/cam/");
  connection->camera = path != NULL ? (guint) atoi (path + 5) : 0;
  if (g_str_has_prefix (request, "RAW")) {
    play (cameras, connection);
    return;
  }
  gboolean is_describe = g_str_has_prefix (request, "DESCRIBE");
  g_autofree char *response = g_strdup_printf (
    "RTSP/1.0 200 OK\r\nCSeq: %d\r\nSession: 1\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER\r\n%s"
    "Content-Length: %zu\r\n\r\n%s", atoi (header_of (request, "CSeq: ")),
    g_str_has_prefix (request, "SETUP") ? "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n" : "",
    is_describe ? strlen (description) : 0, is_describe ? description : "");
  if (send (connection->fd, response, strlen (response), MSG_NOSIGNAL) < 0)
    return;
  if (g_str_has_prefix (request, "PLAY"))
    play (cameras, connection);
}

static void drop (Cameras *cameras, Connection *connection)
{
  if (connection->plays)
    g_atomic_int_add (&cameras->shared->playing, -1);
  close (connection->fd);
  g_ptr_array_remove_fast (cameras->connections, connection);
}

static void read_request (Cameras *cameras, Connection *connection)
{
  gssize size = recv (connection->fd, connection->request + connection->request_size,
                      REQUEST_MAX - 1 - connection->request_size, 0);
  if (size <= 0) {
    if (size == 0 || errno != EAGAIN)
      drop (cameras, connection);
    return;
  }
  connection->request_size += (gsize) size;
  connection->request[connection->request_size] = '\0';
  if (strstr (connection->request, "\r\n\r\n") == NULL && connection->request_size < REQUEST_MAX - 1)
    return;
  answer (cameras, connection);
  connection->request_size = 0;
}

static void take_connection (Cameras *cameras)
{
  int on = 1;
  int fd = accept4 (cameras->listen_fd, NULL, NULL, SOCK_NONBLOCK);
  if (fd < 0)
    return;
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Connection *connection = g_new0 (Connection, 1);
  connection->fd = fd;
  g_ptr_array_add (cameras->connections, connection);
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
  epoll_ctl (cameras->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void run_cameras (BenchShared *shared, int listen_fd)
{
  Cameras cameras = { shared, epoll_create1 (0), listen_fd, g_ptr_array_new_with_free_func (g_free) };
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL }, ready;
  epoll_ctl (cameras.epoll_fd, EPOLL_CTL_ADD, listen_fd, &event);
  for (;;) {
    while (epoll_wait (cameras.epoll_fd, &ready, 1, 0) > 0)
      if (ready.data.ptr == NULL)
        take_connection (&cameras);
      else
        read_request (&cameras, ready.data.ptr);
    gint64 now = g_get_monotonic_time ();
    for (guint i = 0; i < cameras.connections->len; i++) {
      Connection *connection = cameras.connections->pdata[i];
      if (connection->plays)
        send_due (&cameras, connection, now);
    }
    g_usleep (1000);
  }
}

pid_t bench_cameras_start (BenchShared *shared, guint16 *port)
{
  int listen_fd = listen_on_free_port (port);
  pid_t pid = fork ();
  if (pid == 0) {
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    run_cameras (shared, listen_fd);
  }
  close (listen_fd);
  return pid;
}
