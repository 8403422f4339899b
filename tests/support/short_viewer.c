#include "tests/support/short_viewer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/support/test.h"

enum { PATIENCE_S = 30, BUFFER = 64 * 1024, WEBSOCKET_BINARY_FRAME = 0x82, FRAME_HEAD_MAX = 10 };
enum { NAL_SEI = 6, NAL_DELIMITER = 9, NAL_STAP_A = 24, NAL_FU_A = 28 }; /* H.264 table 7-1, RFC 6184 table 1 */

struct ShortViewer {
  int fd, udp_fds[2]; /* RTP and RTCP; -1: over TCP */
  gboolean is_rtsp;
  char *address, *session; /* of RTSP */
  guint sequence;
};

static int room_bytes;

void short_viewer_set_room (int bytes)
{
  room_bytes = bytes;
}

static ShortViewer *viewer_connect (int port, gboolean is_rtsp)
{
  ShortViewer *viewer = g_new0 (ShortViewer, 1);
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((guint16) port), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  const struct timeval patience = { .tv_sec = PATIENCE_S };
  viewer->is_rtsp = is_rtsp;
  viewer->udp_fds[0] = viewer->udp_fds[1] = -1;
  viewer->fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt (viewer->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (room_bytes > 0)
    setsockopt (viewer->fd, SOL_SOCKET, SO_RCVBUF, &room_bytes, sizeof room_bytes);
  assert_int_equal (connect (viewer->fd, (struct sockaddr *) &address, sizeof address), 0);
  return viewer;
}

static void viewer_free (ShortViewer *viewer)
{
  close (viewer->fd);
  for (gsize i = 0; i < G_N_ELEMENTS (viewer->udp_fds); i++)
    if (viewer->udp_fds[i] >= 0)
      close (viewer->udp_fds[i]);
  g_free (viewer->address);
  g_free (viewer->session);
  g_free (viewer);
}

static void say (const ShortViewer *viewer, const void *bytes, gsize size)
{
  assert_int_equal (send (viewer->fd, bytes, size, MSG_NOSIGNAL), size);
}

/* A head up to its empty line, byte by byte, so that nothing behind it is taken. */
static char *read_head (const ShortViewer *viewer)
{
  GString *head = g_string_new (NULL);
  char byte;
  while (!g_str_has_suffix (head->str, "\r\n\r\n")) {
    if (head->len > BUFFER || recv (viewer->fd, &byte, 1, 0) != 1)
      fail_msg ("no whole answer came: %s", head->str);
    g_string_append_c (head, byte);
  }
  return g_string_free (head, FALSE);
}

static void read_exactly (const ShortViewer *viewer, guint8 *bytes, gsize size)
{
  for (gsize done = 0; done < size;) {
    gssize count = recv (viewer->fd, bytes + done, size - done, 0);
    if (count <= 0)
      fail_msg ("the connection ended or fell silent");
    done += (gsize) count;
  }
}

static void peek_exactly (const ShortViewer *viewer, guint8 *bytes, gsize size)
{
  if (recv (viewer->fd, bytes, size, MSG_PEEK | MSG_WAITALL) != (gssize) size)
    fail_msg ("no media came");
}

/* ---- RTSP ---- */

static void ask (ShortViewer *viewer, const char *method, const char *track, const char *header)
{
  g_auto (GStrv) parts = g_strsplit (viewer->address, "?", 2);
  g_autofree char *request = g_strdup_printf ("%s %s%s?%s RTSP/1.0\r\nCSeq: %u\r\n%s%s%s%s\r\n", method, parts[0], track, parts[1],
                                              ++viewer->sequence, header, viewer->session != NULL ? "Session: " : "",
                                              viewer->session != NULL ? viewer->session : "", viewer->session != NULL ? "\r\n" : "");
  say (viewer, request, strlen (request));
}

/* "PROTOCOL STATUS …" */
static int status_of (const char *head)
{
  const char *space = strchr (head, ' ');
  return space != NULL ? atoi (space) : 0;
}

/* Reads an answer and returns its status. */
static int next_status (ShortViewer *viewer)
{
  g_autofree char *head = read_head (viewer);
  const char *length = strcasestr (head, "\r\nContent-Length:"), *session = strcasestr (head, "\r\nSession:");
  if (session != NULL && viewer->session == NULL) {
    session += strlen ("\r\nSession:");
    session += strspn (session, " ");
    viewer->session = g_strndup (session, strcspn (session, ";\r"));
  }
  gsize size = length != NULL ? (gsize) atoi (length + strlen ("\r\nContent-Length:")) : 0;
  g_autofree guint8 *body = g_malloc (size + 1);
  read_exactly (viewer, body, size);
  return status_of (head);
}

static void expect_ok (ShortViewer *viewer)
{
  int status = next_status (viewer);
  if (status != 200)
    fail_msg ("%s answered %d", viewer->address, status);
}

static ShortViewer *describe (int port, const char *camera, const char *token)
{
  ShortViewer *viewer = viewer_connect (port, TRUE);
  viewer->address = g_strdup_printf ("rtsp://127.0.0.1:%d/live/%s?token=%s", port, camera, token);
  ask (viewer, "DESCRIBE", "", "");
  expect_ok (viewer);
  return viewer;
}

static const char over_tcp[] = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";

ShortViewer *short_viewer_join_rtsp (int port, const char *camera, const char *token)
{
  guint8 media[16];
  ShortViewer *viewer = describe (port, camera, token);
  ask (viewer, "SETUP", "/trackID=0", over_tcp);
  expect_ok (viewer);
  ask (viewer, "PLAY", "", "");
  expect_ok (viewer);
  peek_exactly (viewer, media, sizeof media);
  assert_int_equal (media[0], '$');
  return viewer;
}

int short_viewer_try_rtsp (int port, const char *camera, const char *token)
{
  ShortViewer *viewer = describe (port, camera, token);
  ask (viewer, "SETUP", "/trackID=0", over_tcp);
  int status = next_status (viewer);
  viewer_free (viewer);
  return status;
}

/* ---- over UDP ---- */

static guint16 open_udp (ShortViewer *viewer, gsize index)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  const struct timeval patience = { .tv_sec = PATIENCE_S };
  socklen_t size = sizeof address;
  int fd = viewer->udp_fds[index] = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  assert_int_equal (bind (fd, (struct sockaddr *) &address, size), 0);
  assert_int_equal (getsockname (fd, (struct sockaddr *) &address, &size), 0);
  return ntohs (address.sin_port);
}

ShortViewer *short_viewer_join_udp (int port, const char *camera, const char *token)
{
  guint8 packet[16];
  ShortViewer *viewer = describe (port, camera, token);
  guint16 rtp = open_udp (viewer, 0), rtcp = open_udp (viewer, 1);
  g_autofree char *transport = g_strdup_printf ("Transport: RTP/AVP;unicast;client_port=%u-%u\r\n", rtp, rtcp);
  ask (viewer, "SETUP", "/trackID=0", transport);
  expect_ok (viewer);
  ask (viewer, "PLAY", "", "");
  expect_ok (viewer);
  if (recv (viewer->udp_fds[0], packet, sizeof packet, 0) < 12)
    fail_msg ("no packet of %s came", viewer->address);
  return viewer;
}

/* ---- watching ---- */

typedef struct {
  guint16 sequence;
  guint8 nal_type;
} Packet;

/* RFC 6184 5.4: of a fragment that of the whole, of an aggregate that of the first. */
static guint8 nal_type (const guint8 *payload)
{
  guint8 type = payload[0] & 0x1f;
  return type == NAL_FU_A ? payload[1] & 0x1f : type == NAL_STAP_A ? payload[3] & 0x1f : type;
}

/* The next one of the video, which is read whole. */
static Packet next_packet (const ShortViewer *viewer)
{
  for (;;) {
    guint8 head[4];
    read_exactly (viewer, head, sizeof head);
    assert_int_equal (head[0], '$');
    gsize size = (gsize) head[2] << 8 | head[3];
    g_autofree guint8 *packet = g_malloc0 (size + 4); /* a payload may be shorter than what its type is read from */
    read_exactly (viewer, packet, size);
    if (head[1] == 0 && size > 12)
      return (Packet){ (guint16) (packet[2] << 8 | packet[3]), nal_type (packet + 12) };
  }
}

ShortViewerSeen short_viewer_watch (ShortViewer *viewer, int seconds)
{
  ShortViewerSeen seen = { 0 };
  gint64 now = g_get_monotonic_time (), until = now + seconds * G_USEC_PER_SEC, last = now;
  guint16 expected = 0;
  while (now < until) {
    Packet packet = next_packet (viewer);
    now = g_get_monotonic_time ();
    seen.missing += seen.packets > 0 ? (guint16) (packet.sequence - expected) : 0;
    seen.longest_silence_us = MAX (seen.longest_silence_us, now - last);
    seen.packets++;
    expected = (guint16) (packet.sequence + 1);
    last = now;
  }
  return seen;
}

guint8 short_viewer_read_to_gap (ShortViewer *viewer)
{
  Packet packet = next_packet (viewer);
  guint16 expected;
  do {
    expected = (guint16) (packet.sequence + 1);
    packet = next_packet (viewer);
  } while (packet.sequence == expected);
  while (packet.nal_type == NAL_SEI || packet.nal_type == NAL_DELIMITER)
    packet = next_packet (viewer);
  return packet.nal_type;
}

void short_viewer_only_ask (int port, const char *camera, const char *token)
{
  viewer_free (describe (port, camera, token));
}

/* ---- WebSocket ---- */

static guint8 read_frame (const ShortViewer *viewer)
{
  guint8 head[FRAME_HEAD_MAX];
  read_exactly (viewer, head, 2);
  gsize size = head[1] & 0x7f, more = size == 126 ? 2 : size == 127 ? 8 : 0;
  read_exactly (viewer, head + 2, more);
  if (more > 0)
    size = 0;
  for (gsize i = 0; i < more; i++)
    size = size << 8 | head[2 + i];
  g_autofree guint8 *body = g_malloc (size + 1);
  read_exactly (viewer, body, size);
  return head[0];
}

static char *shake_hands (ShortViewer *viewer, int port, const char *path, const char *secret)
{
  g_autofree char *request = g_strdup_printf (
    "GET /api/v1/cameras/%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer %s\r\n\r\n", path, port, secret);
  say (viewer, request, strlen (request));
  return read_head (viewer);
}

int short_viewer_try_websocket (int port, const char *camera, const char *secret)
{
  ShortViewer *viewer = viewer_connect (port, FALSE);
  g_autofree char *path = g_strconcat (camera, "/live", NULL), *head = shake_hands (viewer, port, path, secret);
  viewer_free (viewer);
  return status_of (head);
}

static ShortViewer *join_websocket (int port, const char *path, const char *secret)
{
  ShortViewer *viewer = viewer_connect (port, FALSE);
  g_autofree char *head = shake_hands (viewer, port, path, secret);
  if (status_of (head) != 101)
    fail_msg ("the WebSocket of %s answered %s", path, head);
  while (read_frame (viewer) != WEBSOCKET_BINARY_FRAME)
    ;
  return viewer;
}

ShortViewer *short_viewer_join_websocket (int port, const char *camera, const char *secret)
{
  g_autofree char *path = g_strconcat (camera, "/live", NULL);
  return join_websocket (port, path, secret);
}

ShortViewer *short_viewer_join_playback (int port, const char *camera, const char *query, const char *secret)
{
  g_autofree char *path = g_strconcat (camera, "/playback?", query, NULL);
  return join_websocket (port, path, secret);
}

/* ---- leaving ---- */

void short_viewer_leave (ShortViewer *viewer)
{
  static const guint8 close_frame[] = { 0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8 }; /* masked, with the key 0: 1000 */
  static guint8 bytes[BUFFER];
  if (viewer->is_rtsp)
    ask (viewer, "TEARDOWN", "", "");
  else
    say (viewer, close_frame, sizeof close_frame);
  gssize count;
  do
    count = recv (viewer->fd, bytes, sizeof bytes, 0);
  while (count > 0 && !(viewer->is_rtsp && memmem (bytes, (gsize) count, "RTSP/1.0 200", strlen ("RTSP/1.0 200")) != NULL));
  if (count < 0 && !viewer->is_rtsp)
    fail_msg ("a close frame was not answered in %d s", PATIENCE_S);
  viewer_free (viewer);
}

gboolean short_viewer_is_ended (ShortViewer *viewer, int seconds)
{
  static guint8 bytes[BUFFER];
  const struct timeval patience = { .tv_sec = seconds };
  setsockopt (viewer->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  gssize count;
  do
    count = recv (viewer->fd, bytes, sizeof bytes, 0);
  while (count > 0);
  gboolean is_ended = count == 0 || errno == ECONNRESET;
  viewer_free (viewer);
  return is_ended;
}

void short_viewer_vanish (ShortViewer *viewer)
{
  viewer_free (viewer);
}
