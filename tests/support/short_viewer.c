#include "tests/support/short_viewer.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/support/test.h"

enum { PATIENCE_S = 30, BUFFER = 64 * 1024, WEBSOCKET_BINARY_FRAME = 0x82, FRAME_HEAD_MAX = 10 };

struct ShortViewer {
  int fd;
  gboolean is_rtsp;
  char *address, *session; /* of RTSP */
  guint sequence;
};

static ShortViewer *viewer_connect (int port, gboolean is_rtsp)
{
  ShortViewer *viewer = g_new0 (ShortViewer, 1);
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((guint16) port), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  const struct timeval patience = { .tv_sec = PATIENCE_S };
  viewer->is_rtsp = is_rtsp;
  viewer->fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt (viewer->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  assert_int_equal (connect (viewer->fd, (struct sockaddr *) &address, sizeof address), 0);
  return viewer;
}

static void viewer_free (ShortViewer *viewer)
{
  close (viewer->fd);
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

static void expect_ok (ShortViewer *viewer)
{
  g_autofree char *head = read_head (viewer);
  if (!g_str_has_prefix (head, "RTSP/1.0 200"))
    fail_msg ("%s answered %s", viewer->address, head);
  const char *length = strcasestr (head, "\r\nContent-Length:"), *session = strcasestr (head, "\r\nSession:");
  if (session != NULL && viewer->session == NULL) {
    session += strlen ("\r\nSession:");
    session += strspn (session, " ");
    viewer->session = g_strndup (session, strcspn (session, ";\r"));
  }
  gsize size = length != NULL ? (gsize) atoi (length + strlen ("\r\nContent-Length:")) : 0;
  g_autofree guint8 *body = g_malloc (size + 1);
  read_exactly (viewer, body, size);
}

static ShortViewer *describe (int port, const char *camera, const char *token)
{
  ShortViewer *viewer = viewer_connect (port, TRUE);
  viewer->address = g_strdup_printf ("rtsp://127.0.0.1:%d/live/%s?token=%s", port, camera, token);
  ask (viewer, "DESCRIBE", "", "");
  expect_ok (viewer);
  return viewer;
}

ShortViewer *short_viewer_join_rtsp (int port, const char *camera, const char *token)
{
  guint8 media[16];
  ShortViewer *viewer = describe (port, camera, token);
  ask (viewer, "SETUP", "/trackID=0", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n");
  expect_ok (viewer);
  ask (viewer, "PLAY", "", "");
  expect_ok (viewer);
  peek_exactly (viewer, media, sizeof media);
  assert_int_equal (media[0], '$');
  return viewer;
}

ShortViewerSeen short_viewer_watch (ShortViewer *viewer, int seconds)
{
  ShortViewerSeen seen = { 0 };
  gint64 now = g_get_monotonic_time (), until = now + seconds * G_USEC_PER_SEC, last = now;
  guint16 expected = 0;
  for (; now < until; now = g_get_monotonic_time ()) {
    guint8 head[4];
    read_exactly (viewer, head, sizeof head);
    assert_int_equal (head[0], '$');
    gsize size = (gsize) head[2] << 8 | head[3];
    g_autofree guint8 *packet = g_malloc (size + 1);
    read_exactly (viewer, packet, size);
    if (head[1] != 0 || size < 12)
      continue;
    now = g_get_monotonic_time ();
    guint16 sequence = (guint16) (packet[2] << 8 | packet[3]);
    seen.missing += seen.packets > 0 ? (guint16) (sequence - expected) : 0;
    seen.longest_silence_us = MAX (seen.longest_silence_us, now - last);
    seen.packets++;
    expected = (guint16) (sequence + 1);
    last = now;
  }
  return seen;
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

ShortViewer *short_viewer_join_websocket (int port, const char *camera, const char *secret)
{
  ShortViewer *viewer = viewer_connect (port, FALSE);
  g_autofree char *request = g_strdup_printf (
    "GET /api/v1/cameras/%s/live HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer %s\r\n\r\n", camera, port, secret);
  say (viewer, request, strlen (request));
  g_autofree char *head = read_head (viewer);
  if (!g_str_has_prefix (head, "HTTP/1.1 101"))
    fail_msg ("the WebSocket of %s answered %s", camera, head);
  while (read_frame (viewer) != WEBSOCKET_BINARY_FRAME)
    ;
  return viewer;
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

void short_viewer_vanish (ShortViewer *viewer)
{
  viewer_free (viewer);
}
