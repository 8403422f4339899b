#include "pipelines/live/live_viewer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "pipelines/live/websocket.h"

enum { VECTORS_MAX = 32, READ_BYTES = 4096, PONGS_QUEUED_MAX = 16 };

struct LiveViewer {
  Loop *loop;
  char *id;
  int fd;
  LoopWatch *watch;
  gboolean wants_write, is_gone;
  LiveViewerGone gone;
  LiveViewerListener listener;
  gpointer data;

  GQueue queue;       /* of GBytes, whole frames */
  gsize head_sent;    /* bytes of the first that are out */
  gsize queued_bytes, burst_bytes;
  gboolean wants_init, wants_key;
  gint64 progress_us; /* when the socket last took something, or had taken everything */
  gboolean is_clogged; /* what waited was skipped, and the socket has taken nothing since */
  gint64 started_us;  /* wall */
  guint64 sent_bytes;
  guint64 mark_bytes; /* what will have been sent when the mark is passed: a place in the queue, and since when it waits */
  gint64 mark_us;     /* 0: nothing waits */
  guint skips, pongs;
  WebSocketParser parser;
};

static void leave (LiveViewer *viewer, const char *reason)
{
  if (viewer->is_gone)
    return;
  viewer->is_gone = TRUE;
  viewer->gone (viewer, reason, viewer->data);
}

static void set_mark (LiveViewer *viewer)
{
  viewer->mark_us = loop_now_us (viewer->loop);
  viewer->mark_bytes = viewer->sent_bytes + viewer->queued_bytes - viewer->head_sent;
}

static void push_frame (LiveViewer *viewer, GBytes *frame)
{
  if (viewer->queue.length == 0 && !viewer->is_clogged)
    viewer->progress_us = loop_now_us (viewer->loop);
  g_queue_push_tail (&viewer->queue, g_bytes_ref (frame));
  viewer->queued_bytes += g_bytes_get_size (frame);
  if (viewer->mark_us == 0)
    set_mark (viewer);
}

static void hear (WebSocketOpcode opcode, const guint8 *bytes, gsize size, gpointer data)
{
  LiveViewer *viewer = data;
  if (viewer->is_gone)
    return;
  if (opcode == WEBSOCKET_CLOSE) {
    leave (viewer, "closed");
  } else if (opcode == WEBSOCKET_PING && viewer->pongs < PONGS_QUEUED_MAX) {
    g_autoptr (GBytes) pong = websocket_frame (WEBSOCKET_PONG, bytes, size);
    viewer->pongs++;
    push_frame (viewer, pong);
  } else if (opcode == WEBSOCKET_TEXT && viewer->listener.said != NULL) {
    viewer->listener.said ((const char *) bytes, size, viewer->data);
  }
}

static void take_bytes (LiveViewer *viewer, const guint8 *bytes, gsize size)
{
  if (websocket_parser_push (&viewer->parser, bytes, size, hear, viewer) != 0)
    leave (viewer, "protocol");
}

static void read_client (LiveViewer *viewer)
{
  guint8 bytes[READ_BYTES];
  gssize size = recv (viewer->fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (size > 0)
    take_bytes (viewer, bytes, (gsize) size);
  else if (size == 0)
    leave (viewer, "closed");
  else if (errno != EAGAIN && errno != EINTR)
    leave (viewer, errno == ECONNRESET ? "closed" : "error");
}

static void ready (guint32 events, gpointer data)
{
  LiveViewer *viewer = data;
  if (viewer->is_gone)
    return;
  if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
    read_client (viewer);
  if (events & EPOLLOUT)
    viewer->is_clogged = FALSE;
  if (!viewer->is_gone)
    live_viewer_flush (viewer);
}

/* A browser whose machine vanished is noticed within 20 s, watched or not. */
static void set_options (int fd)
{
  int on = 1, idle_s = 10, interval_s = 5, probes = 2, unacknowledged_ms = 20000;
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt (fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  setsockopt (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
}

LiveViewer *live_viewer_new (Loop *loop, const char *id, int socket_fd, const guint8 *extra, gsize extra_size,
                             LiveViewerGone gone, gpointer data, GError **error)
{
  LiveViewer *viewer = g_new0 (LiveViewer, 1);
  viewer->loop = loop;
  viewer->id = g_strdup (id);
  viewer->started_us = g_get_real_time ();
  viewer->fd = socket_fd;
  viewer->gone = gone;
  viewer->data = data;
  viewer->wants_init = viewer->wants_key = TRUE;
  g_queue_init (&viewer->queue);
  set_options (socket_fd);
  viewer->watch = loop_watch_add (loop, socket_fd, EPOLLIN, ready, viewer);
  if (viewer->watch == NULL) {
    error_set_errno (error, errno, "viewer %s: epoll", id);
    live_viewer_free (viewer, 0);
    return NULL;
  }
  viewer->is_gone = TRUE; /* what the first bytes say is told by the result, not by the callback */
  viewer->is_gone = extra_size > 0 && websocket_parser_push (&viewer->parser, extra, extra_size, hear, viewer) != 0;
  if (viewer->is_gone) {
    error_set (error, ERROR_REFUSE, "viewer %s sent what is no WebSocket frame", id);
    live_viewer_free (viewer, WEBSOCKET_CLOSE_PROTOCOL);
    return NULL;
  }
  return viewer;
}

/* Forgets what waits, but for a frame that is half out. */
static void skip_to_next_key (LiveViewer *viewer)
{
  GBytes *head = viewer->head_sent > 0 ? g_queue_pop_head (&viewer->queue) : NULL;
  g_queue_clear_full (&viewer->queue, (GDestroyNotify) g_bytes_unref);
  viewer->queued_bytes = 0;
  viewer->burst_bytes = 0;
  viewer->pongs = 0;
  if (head != NULL) {
    g_queue_push_tail (&viewer->queue, head);
    viewer->queued_bytes = g_bytes_get_size (head);
  }
  viewer->wants_init = viewer->wants_key = TRUE;
  viewer->skips++;
  viewer->is_clogged = TRUE;
  viewer->mark_us = 0;
}

void live_viewer_push_init (LiveViewer *viewer, GBytes *text, GBytes *init)
{
  push_frame (viewer, text);
  push_frame (viewer, init);
  viewer->wants_init = FALSE;
}

void live_viewer_push (LiveViewer *viewer, GBytes *fragment, gboolean is_key, gboolean is_burst)
{
  if (viewer->is_gone || (viewer->wants_key && !is_key))
    return;
  if (viewer->queue.length > 0 && loop_now_us (viewer->loop) - viewer->progress_us > LIVE_STUCK_US) {
    leave (viewer, "slow");
    return;
  }
  gsize size = g_bytes_get_size (fragment);
  if (is_burst)
    viewer->burst_bytes += size;
  else if (viewer->queued_bytes + size > LIVE_BACKLOG_BYTES + viewer->burst_bytes
           || (viewer->mark_us != 0 && loop_now_us (viewer->loop) - viewer->mark_us > LIVE_BEHIND_US)) {
    skip_to_next_key (viewer);
    return;
  }
  viewer->wants_key = FALSE;
  push_frame (viewer, fragment);
}

void live_viewer_set_listener (LiveViewer *viewer, const LiveViewerListener *listener)
{
  viewer->listener = *listener;
}

void live_viewer_push_frame (LiveViewer *viewer, GBytes *frame)
{
  if (!viewer->is_gone)
    push_frame (viewer, frame);
}

gsize live_viewer_waiting_bytes (const LiveViewer *viewer)
{
  return viewer->queued_bytes - MIN (viewer->head_sent, viewer->queued_bytes);
}

gboolean live_viewer_wants_init (const LiveViewer *viewer)
{
  return viewer->wants_init;
}

static void drop_sent (LiveViewer *viewer, gsize sent)
{
  viewer->sent_bytes += sent;
  viewer->progress_us = loop_now_us (viewer->loop);
  viewer->is_clogged = FALSE;
  sent += viewer->head_sent;
  while (viewer->queue.length > 0 && sent >= g_bytes_get_size (viewer->queue.head->data)) {
    GBytes *frame = g_queue_pop_head (&viewer->queue);
    sent -= g_bytes_get_size (frame);
    viewer->queued_bytes -= g_bytes_get_size (frame);
    g_bytes_unref (frame);
  }
  viewer->head_sent = sent;
  if (viewer->queue.length == 0)
    viewer->mark_us = 0;
  else if (viewer->sent_bytes >= viewer->mark_bytes)
    set_mark (viewer);
  if (viewer->queue.length == 0)
    viewer->pongs = 0;
}

static gssize send_some (LiveViewer *viewer)
{
  struct iovec vectors[VECTORS_MAX];
  guint count = 0;
  for (GList *link = viewer->queue.head; link != NULL && count < VECTORS_MAX; link = link->next, count++) {
    gsize size, skipped = count == 0 ? viewer->head_sent : 0;
    const guint8 *bytes = g_bytes_get_data (link->data, &size);
    vectors[count] = (struct iovec){ (guint8 *) bytes + skipped, size - skipped };
  }
  struct msghdr message = { .msg_iov = vectors, .msg_iovlen = count };
  return sendmsg (viewer->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void live_viewer_flush (LiveViewer *viewer)
{
  while (!viewer->is_gone && viewer->queue.length > 0) {
    gssize sent = send_some (viewer);
    if (sent >= 0)
      drop_sent (viewer, (gsize) sent);
    else if (errno == EAGAIN)
      break;
    else if (errno != EINTR)
      leave (viewer, "closed");
  }
  gboolean wants_write = viewer->queue.length > 0;
  if (viewer->is_gone || wants_write == viewer->wants_write)
    return;
  viewer->wants_write = wants_write;
  loop_watch_change (viewer->watch, EPOLLIN | (wants_write ? EPOLLOUT : 0));
  if (!wants_write && viewer->listener.drained != NULL)
    viewer->listener.drained (viewer->data);
}

gint64 live_viewer_started_us (const LiveViewer *viewer)
{
  return viewer->started_us;
}

const char *live_viewer_id (const LiveViewer *viewer)
{
  return viewer->id;
}

guint64 live_viewer_sent_bytes (const LiveViewer *viewer)
{
  return viewer->sent_bytes;
}

guint live_viewer_skips (const LiveViewer *viewer)
{
  return viewer->skips;
}

static void release (gpointer data)
{
  LiveViewer *viewer = data;
  g_free (viewer->id);
  g_free (viewer);
}

void live_viewer_free (LiveViewer *viewer, guint16 code)
{
  if (viewer == NULL)
    return;
  viewer->is_gone = TRUE;
  if (code != 0 && viewer->head_sent == 0) {
    gsize size;
    g_autoptr (GBytes) frame = websocket_close_frame (code);
    const void *bytes = g_bytes_get_data (frame, &size);
    (void) !send (viewer->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  loop_watch_remove (viewer->watch);
  close (viewer->fd);
  g_queue_clear_full (&viewer->queue, (GDestroyNotify) g_bytes_unref);
  loop_free_later (viewer->loop, viewer, release);
}
