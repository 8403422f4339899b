#include "gateway/link/link_endpoint_private.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"

/* A full socket: what waits beyond this is refused, so that a stopped peer can't grow us. */
enum { BACKLOG_MAX = 4096, TURN_MS = 200, REQUEST_TIMEOUT_US = 10 * G_USEC_PER_SEC };

typedef struct {
  LinkReplied replied;
  gpointer data;
  gint64 deadline_us; /* 0: it could not be sent */
} Pending;

struct LinkEndpoint {
  GMainContext *context;
  char *path;
  gboolean is_listener;
  int listen_fd, fd;
  gint peer_pid; /* atomic */
  GSource *listen_source, *read_source, *write_source, *timer;
  GQueue backlog;      /* of LinkMessage, until the socket takes them */
  GHashTable *pending; /* serial → Pending */
  gint64 last_serial;
  LinkReceived received;
  LinkChanged changed;
  gpointer data;
};

static void source_clear (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static GSource *source_add_fd (LinkEndpoint *endpoint, int fd, GIOCondition condition, GUnixFDSourceFunc callback)
{
  GSource *source = g_unix_fd_source_new (fd, condition);
  g_source_set_callback (source, G_SOURCE_FUNC (callback), endpoint, NULL);
  g_source_attach (source, endpoint->context);
  return source;
}

void link_endpoint_invoke (LinkEndpoint *endpoint, GSourceFunc function, gpointer data)
{
  GSource *source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, function, data, g_free);
  g_source_attach (source, endpoint->context);
  g_source_unref (source);
}

static gboolean address_fill (struct sockaddr_un *address, const char *path, GError **error)
{
  memset (address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (strlen (path) >= sizeof address->sun_path)
    return error_set (error, ERROR_RECONFIGURE, "the link socket's path %s is over %zu bytes: choose a shorter runtime_dir",
                      path, sizeof address->sun_path - 1);
  strcpy (address->sun_path, path);
  return TRUE;
}

static void fail_pending (LinkEndpoint *endpoint, const char *reason)
{
  g_autoptr (GHashTable) pending = g_steal_pointer (&endpoint->pending);
  endpoint->pending = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);

  g_autoptr (GError) error = g_error_new_literal (GRIDGATE_ERROR, ERROR_RETRY, reason);
  GHashTableIter iterator;
  gpointer value;
  g_hash_table_iter_init (&iterator, pending);
  while (g_hash_table_iter_next (&iterator, NULL, &value)) {
    Pending *one = value;
    one->replied (NULL, error, one->data);
  }
}

static void disconnect (LinkEndpoint *endpoint)
{
  if (endpoint->fd < 0)
    return;
  source_clear (&endpoint->read_source);
  source_clear (&endpoint->write_source);
  close (endpoint->fd);
  endpoint->fd = -1;
  g_atomic_int_set (&endpoint->peer_pid, 0);
  g_queue_clear_full (&endpoint->backlog, (GDestroyNotify) link_message_free);
  fail_pending (endpoint, "the other process is away");
  if (endpoint->changed != NULL)
    endpoint->changed (endpoint, FALSE, endpoint->data);
}

/* 1: sent, 0: the socket is full, -1: the peer is gone or the message can't be sent at all. */
static int send_now (LinkEndpoint *endpoint, const LinkMessage *message)
{
  g_autoptr (GError) error = NULL;
  gsize size;
  char *text = link_message_encode (message, &size, &error);
  if (text == NULL) {
    log_error ("%s", error->message);
    return -1;
  }
  union {
    char bytes[CMSG_SPACE (sizeof (int) * LINK_FDS_MAX)];
    struct cmsghdr aligned;
  } control = { 0 };
  struct iovec part = { text, size };
  struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
  if (message->fd_count > 0) {
    header.msg_control = control.bytes;
    header.msg_controllen = CMSG_SPACE (sizeof (int) * message->fd_count);
    struct cmsghdr *rights = CMSG_FIRSTHDR (&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN (sizeof (int) * message->fd_count);
    memcpy (CMSG_DATA (rights), message->fds, sizeof (int) * message->fd_count);
  }
  gssize sent = sendmsg (endpoint->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  int send_errno = errno;
  free (text);
  if (sent >= 0)
    return 1;
  return send_errno == EAGAIN || send_errno == EINTR ? 0 : -1;
}

static gboolean on_writable (gint fd, GIOCondition condition, gpointer data)
{
  (void) fd, (void) condition;
  LinkEndpoint *endpoint = data;
  LinkMessage *message;
  while ((message = g_queue_peek_head (&endpoint->backlog)) != NULL) {
    if (send_now (endpoint, message) == 0)
      return G_SOURCE_CONTINUE;
    link_message_free (g_queue_pop_head (&endpoint->backlog));
  }
  g_clear_pointer (&endpoint->write_source, g_source_unref);
  return G_SOURCE_REMOVE;
}

/* Keeps `message` for later when the socket is full. */
static gboolean send_or_queue (LinkEndpoint *endpoint, LinkMessage *message)
{
  int sent = endpoint->fd < 0 ? -1 : endpoint->backlog.length > 0 ? 0 : send_now (endpoint, message);
  if (sent != 0 || endpoint->backlog.length >= BACKLOG_MAX) {
    link_message_free (message);
    return sent > 0;
  }
  g_queue_push_tail (&endpoint->backlog, message);
  if (endpoint->write_source == NULL)
    endpoint->write_source = source_add_fd (endpoint, endpoint->fd, G_IO_OUT, on_writable);
  return TRUE;
}

static void handle_reply (LinkEndpoint *endpoint, LinkMessage *reply)
{
  gpointer key, value;
  if (!g_hash_table_steal_extended (endpoint->pending, &reply->serial, &key, &value))
    return; /* it had timed out */
  g_autofree Pending *pending = value;
  g_autoptr (GError) error = NULL;
  g_free (key);
  if (link_message_failed (reply, &error))
    pending->replied (NULL, error, pending->data);
  else
    pending->replied (reply, NULL, pending->data);
}

/* Reads one packet. FALSE when the connection is over. */
static gboolean receive_one (LinkEndpoint *endpoint)
{
  static _Thread_local char buffer[LINK_MESSAGE_MAX + 1];
  union {
    char bytes[CMSG_SPACE (sizeof (int) * LINK_FDS_MAX)];
    struct cmsghdr aligned;
  } control;
  struct iovec part = { buffer, sizeof buffer };
  struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes };

  gssize size = recvmsg (endpoint->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0)
    return errno == EAGAIN || errno == EINTR;
  if (size == 0)
    return FALSE;

  g_autoptr (GError) error = NULL;
  LinkMessage *message = link_message_decode (buffer, (gsize) size, &error);
  for (struct cmsghdr *rights = CMSG_FIRSTHDR (&header); rights != NULL; rights = CMSG_NXTHDR (&header, rights)) {
    int fds[LINK_FDS_MAX];
    gsize count = (rights->cmsg_len - CMSG_LEN (0)) / sizeof (int);
    memcpy (fds, CMSG_DATA (rights), count * sizeof (int));
    for (gsize i = 0; i < count; i++)
      if (message != NULL)
        link_message_add_fd (message, fds[i]);
      else
        close (fds[i]);
  }
  if (message == NULL) {
    log_limited (LOG_LEVEL_ERROR, "%s; the connection ends", error->message);
    return FALSE;
  }
  if (message->is_reply) {
    handle_reply (endpoint, message);
    link_message_free (message);
  } else {
    endpoint->received (endpoint, message, endpoint->data);
  }
  return TRUE;
}

static gboolean on_readable (gint fd, GIOCondition condition, gpointer data)
{
  (void) fd, (void) condition;
  LinkEndpoint *endpoint = data;
  if (receive_one (endpoint))
    return G_SOURCE_CONTINUE;
  disconnect (endpoint);
  return G_SOURCE_REMOVE;
}

static int pid_of_peer (int fd)
{
  struct ucred peer;
  socklen_t size = sizeof peer;
  return getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

static void adopt (LinkEndpoint *endpoint, int fd)
{
  disconnect (endpoint);
  endpoint->fd = fd;
  g_atomic_int_set (&endpoint->peer_pid, pid_of_peer (fd));
  endpoint->read_source = source_add_fd (endpoint, fd, G_IO_IN, on_readable);
  if (endpoint->changed != NULL)
    endpoint->changed (endpoint, TRUE, endpoint->data);
}

static gboolean on_connection (gint fd, GIOCondition condition, gpointer data)
{
  (void) condition;
  int peer = accept4 (fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (peer >= 0)
    adopt (data, peer);
  return G_SOURCE_CONTINUE;
}

static int connect_now (const char *path, GError **error)
{
  struct sockaddr_un address;
  if (!address_fill (&address, path, error))
    return -1;
  int fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0 && connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  error_set_errno (error, errno, "cannot connect to %s", path);
  if (fd >= 0)
    close (fd);
  return -1;
}

static const char *expiry (const Pending *pending)
{
  return pending->deadline_us > 0 ? "the other process did not answer in time" : "the other process is away or too busy";
}

static void expire_pending (LinkEndpoint *endpoint)
{
  gint64 now = g_get_monotonic_time ();
  g_autoptr (GPtrArray) expired = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iterator;
  gpointer key, value;

  g_hash_table_iter_init (&iterator, endpoint->pending);
  while (g_hash_table_iter_next (&iterator, &key, &value)) {
    if (((Pending *) value)->deadline_us > now)
      continue;
    g_hash_table_iter_steal (&iterator);
    g_free (key);
    g_ptr_array_add (expired, value);
  }
  for (guint i = 0; i < expired->len; i++) {
    Pending *one = expired->pdata[i];
    g_autoptr (GError) error = g_error_new_literal (GRIDGATE_ERROR, ERROR_RETRY, expiry (one));
    one->replied (NULL, error, one->data);
  }
}

static gboolean on_timer (gpointer data)
{
  LinkEndpoint *endpoint = data;
  if (!endpoint->is_listener && endpoint->fd < 0) {
    int fd = connect_now (endpoint->path, NULL);
    if (fd >= 0)
      adopt (endpoint, fd);
  }
  expire_pending (endpoint);
  return G_SOURCE_CONTINUE;
}

static LinkEndpoint *endpoint_new (const char *path, LinkReceived received, LinkChanged changed, gpointer data)
{
  LinkEndpoint *endpoint = g_new0 (LinkEndpoint, 1);
  /* Serials go on over a restart: an answer to the gateway that was killed must not pass for one to its successor. */
  endpoint->last_serial = g_get_real_time ();
  endpoint->context = g_main_context_ref_thread_default ();
  endpoint->path = g_strdup (path);
  endpoint->listen_fd = endpoint->fd = -1;
  g_queue_init (&endpoint->backlog);
  endpoint->pending = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  endpoint->received = received;
  endpoint->changed = changed;
  endpoint->data = data;
  endpoint->timer = g_timeout_source_new (TURN_MS);
  g_source_set_callback (endpoint->timer, on_timer, endpoint, NULL);
  g_source_attach (endpoint->timer, endpoint->context);
  return endpoint;
}

static int listen_now (const char *path, GError **error)
{
  struct sockaddr_un address;
  if (!address_fill (&address, path, error))
    return -1;
  int probe = connect_now (path, NULL);
  if (probe >= 0) {
    close (probe);
    error_set (error, ERROR_RETRY, "another process listens on %s already", path);
    return -1;
  }
  unlink (path);
  int fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0 && bind (fd, (struct sockaddr *) &address, sizeof address) == 0 && listen (fd, 4) == 0)
    return fd;
  error_set_errno (error, errno, "cannot listen on %s", path);
  if (fd >= 0)
    close (fd);
  return -1;
}

LinkEndpoint *link_endpoint_listen (const char *path, LinkReceived received, LinkChanged changed, gpointer data,
                                    GError **error)
{
  int fd = listen_now (path, error);
  if (fd < 0)
    return NULL;
  LinkEndpoint *endpoint = endpoint_new (path, received, changed, data);
  endpoint->is_listener = TRUE;
  endpoint->listen_fd = fd;
  endpoint->listen_source = source_add_fd (endpoint, fd, G_IO_IN, on_connection);
  return endpoint;
}

LinkEndpoint *link_endpoint_connect (const char *path, LinkReceived received, LinkChanged changed, gpointer data)
{
  LinkEndpoint *endpoint = endpoint_new (path, received, changed, data);
  g_source_set_ready_time (endpoint->timer, 0);
  return endpoint;
}

gboolean link_endpoint_is_connected (const LinkEndpoint *endpoint)
{
  return endpoint->fd >= 0;
}

gboolean link_endpoint_send (LinkEndpoint *endpoint, LinkMessage *message)
{
  return send_or_queue (endpoint, message);
}

void link_endpoint_request (LinkEndpoint *endpoint, LinkMessage *message, gint64 timeout_us, LinkReplied replied,
                            gpointer data)
{
  gint64 serial = message->serial = ++endpoint->last_serial;
  Pending *pending = g_new (Pending, 1);
  *pending = (Pending){ replied, data, 0 };
  if (send_or_queue (endpoint, message))
    pending->deadline_us = g_get_monotonic_time () + (timeout_us ? timeout_us : REQUEST_TIMEOUT_US);
  else
    g_source_set_ready_time (endpoint->timer, 0);
  g_hash_table_insert (endpoint->pending, g_memdup2 (&serial, sizeof serial), pending);
}

int link_endpoint_peer_pid (const LinkEndpoint *endpoint)
{
  return g_atomic_int_get (&endpoint->peer_pid);
}

void link_endpoint_free (LinkEndpoint *endpoint)
{
  if (endpoint == NULL)
    return;
  endpoint->changed = NULL;
  disconnect (endpoint);
  fail_pending (endpoint, "the link is closing");
  source_clear (&endpoint->timer);
  source_clear (&endpoint->listen_source);
  if (endpoint->listen_fd >= 0) {
    close (endpoint->listen_fd);
    unlink (endpoint->path);
  }
  g_hash_table_unref (endpoint->pending);
  g_main_context_unref (endpoint->context);
  g_free (endpoint->path);
  g_free (endpoint);
}
