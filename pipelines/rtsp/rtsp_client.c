#include "pipelines/rtsp/rtsp_client.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "pipelines/rtp/interleaved.h"
#include "pipelines/rtsp/rtsp_client_private.h"

enum {
  CONNECT_TIMEOUT_US = 5 * G_USEC_PER_SEC, /* an address; and its TLS handshake */
  LOOKUP_TIMEOUT_US = 10 * G_USEC_PER_SEC,
  ANSWER_TIMEOUT_S = 10,
  CONTROL_MAX = 2 * (RTSP_HEAD_MAX + RTSP_BODY_MAX),
};

void client_fail (RtspClient *client, const char *reason, const char *format, ...)
{
  if (client->reason != NULL)
    return;
  va_list arguments;
  va_start (arguments, format);
  client->reason = reason;
  client->detail = g_strdup_vprintf (format, arguments);
  va_end (arguments);
}

/* ---- reaching it ---- */

static void try_next_address (RtspClient *client, const char *problem);
static void on_ready (guint32 events, gpointer data);

static void close_socket (RtspClient *client)
{
  g_clear_pointer (&client->watch, loop_watch_remove);
  wire_finish (&client->wire);
  if (client->wire.fd >= 0)
    close (client->wire.fd);
  wire_init (&client->wire, -1);
}

static gboolean start_connect (RtspClient *client, const struct addrinfo *address)
{
  int on = 1;
  client->phase = PHASE_CONNECT;
  client->wire.fd = socket (address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (client->wire.fd < 0)
    return FALSE;
  setsockopt (client->wire.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect (client->wire.fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS)
    return FALSE;
  client->watch = loop_watch_add (client->loop, client->wire.fd, EPOLLIN | EPOLLOUT, on_ready, client);
  return client->watch != NULL;
}

static void try_next_address (RtspClient *client, const char *problem)
{
  g_autofree char *last_problem = g_strdup (problem);
  close_socket (client);
  while (client->address != NULL) {
    const struct addrinfo *address = client->address;
    client->address = address->ai_next;
    if (start_connect (client, address)) {
      client_set_timer (client, CONNECT_TIMEOUT_US);
      return;
    }
    g_free (last_problem);
    last_problem = g_strdup (g_strerror (errno));
    close_socket (client);
  }
  client_fail (client, "unreachable", "%s:%u: %s", client->url.host, client->url.port, last_problem);
}

/* At the end of each entry from the loop: what failed is told, what must begin anew does. */
static void leave (RtspClient *client);

static void on_addresses (struct addrinfo *addresses, const char *problem, gpointer data)
{
  RtspClient *client = data;
  client->lookup = NULL;
  client->addresses = client->address = addresses;
  try_next_address (client, problem);
  leave (client);
}

static void look_up (RtspClient *client)
{
  client->phase = PHASE_LOOKUP;
  client->lookup = resolver_start (client->resolver, client->loop, client->url.host, client->url.port, on_addresses, client);
  client_set_timer (client, LOOKUP_TIMEOUT_US);
}

static void begin_anew (RtspClient *client)
{
  client->begins_anew = FALSE;
  dialog_end (client); /* cameras serve few sessions, and keep one that nobody ends for a minute */
  client->reason = NULL; /* whether it could still be told or not */
  g_clear_pointer (&client->detail, g_free);
  close_socket (client);
  dialog_reset (client);
  g_string_truncate (client->unsent, 0);
  g_byte_array_set_size (client->control, 0);
  receiver_reset (client->receiver);
  g_clear_pointer (&client->addresses, freeaddrinfo);
  client->address = NULL;
  look_up (client);
}

static void leave (RtspClient *client)
{
  if (client->reason != NULL)
    client->failed (client->reason, client->detail, client->data);
  else if (client->begins_anew)
    begin_anew (client);
}

/* The context is made for each connection: a file that was replaced counts from the next one on. */
static gboolean start_tls (RtspClient *client, GError **error)
{
  WireContext *context = wire_context_new_client (client->settings->ca_file, client->settings->fingerprint, error);
  gboolean is_started = context != NULL && wire_start_client (&client->wire, context, client->url.host, error);
  wire_context_unref (context);
  return is_started;
}

static void shake_hands (RtspClient *client)
{
  g_autoptr (GError) error = NULL;
  WireState state = wire_handshake (&client->wire, &error);
  if (state == WIRE_OPEN) {
    client->phase = PHASE_OPEN;
    dialog_begin (client);
  } else if (state != WIRE_BROKEN) {
    loop_watch_change (client->watch, state == WIRE_WAITS_TO_WRITE ? EPOLLOUT : EPOLLIN);
  } else if (error_is (error, ERROR_RETRY)) {
    try_next_address (client, error->message);
  } else {
    client_fail (client, "tls", "%s:%u: %s", client->url.host, client->url.port, error->message);
  }
}

static void finish_connect (RtspClient *client)
{
  g_autoptr (GError) error = NULL;
  int problem = 0;
  socklen_t size = sizeof problem;
  if (getsockopt (client->wire.fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0 || problem != 0) {
    try_next_address (client, g_strerror (problem != 0 ? problem : errno));
    return;
  }
  client->phase = PHASE_HANDSHAKE;
  client_set_timer (client, CONNECT_TIMEOUT_US);
  if (client->url.is_encrypted && !start_tls (client, &error))
    client_fail (client, "tls", "%s", error->message);
  else
    shake_hands (client); /* without TLS there are no hands to shake */
}

/* ---- the open connection ---- */

static void flush (RtspClient *client)
{
  gssize sent = client->unsent->len > 0 ? wire_send (&client->wire, client->unsent->str, client->unsent->len) : 0;
  if (sent < 0 && errno != EAGAIN && errno != EINTR)
    client_fail (client, "closed", "%s", wire_problem (&client->wire));
  g_string_erase (client->unsent, 0, MAX (sent, 0));
  if (client->watch != NULL)
    loop_watch_change (client->watch, client->unsent->len > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void client_send (RtspClient *client, const GstRTSPMessage *message)
{
  GString *text = rtsp_message_serialise (message);
  g_string_append_len (client->unsent, text->str, (gssize) text->len);
  g_string_free (text, TRUE);
  flush (client);
}

void client_set_timer (RtspClient *client, gint64 from_now_us)
{
  loop_timer_set (client->timer, loop_now_us (client->loop) + from_now_us);
}

/* How many of the bytes belong to what stands there first; 0: it isn't whole. Packets have no business here. */
static gssize control_step (RtspClient *client)
{
  gsize size;
  switch (interleaved_next (client->control->data, client->control->len, &size)) {
  case INTERLEAVED_MORE:
    return 0;
  case INTERLEAVED_MESSAGE:
    return rtsp_client_message (client, client->control->data, client->control->len);
  case INTERLEAVED_FRAME:
  case INTERLEAVED_GARBAGE:
    break;
  }
  return (gssize) size;
}

/* Where RTP comes by UDP, the blocks belong to its packets alone. */
static void read_control (RtspClient *client)
{
  guint8 bytes[WIRE_READ_MIN];
  gssize size = wire_read (&client->wire, bytes, sizeof bytes);
  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (size <= 0) {
    client_fail (client, "closed", "%s", size == 0 ? "the other side closed the connection" : wire_problem (&client->wire));
    return;
  }
  g_byte_array_append (client->control, bytes, (guint) size);
  gssize used = 1;
  while (client->control->len > 0 && (used = control_step (client)) > 0)
    g_byte_array_remove_range (client->control, 0, (guint) used);
  if (client->control->len > CONTROL_MAX)
    client_fail (client, "protocol", "the camera sends no end of what is neither RTSP nor packets");
}

static void read_some (RtspClient *client)
{
  g_autoptr (GError) error = NULL;
  if (client->is_udp) {
    read_control (client);
    return;
  }
  if (!receiver_read (client->receiver, &client->wire, &error) && error != NULL)
    client_fail (client, "closed", "%s", error->message);
  loop_watch_set_patient (client->watch, receiver_may_wait (client->receiver) && client->is_playing);
}

static void on_ready (guint32 events, gpointer data)
{
  RtspClient *client = data;
  if (client->phase == PHASE_CONNECT) {
    finish_connect (client);
  } else if (client->phase == PHASE_HANDSHAKE) {
    shake_hands (client);
  } else {
    if (events & EPOLLOUT)
      flush (client);
    if (events & ~(guint32) EPOLLOUT && client->reason == NULL)
      read_some (client);
  }
  leave (client);
}

/* TRUE when there was one. */
static gboolean take_short_answer (RtspClient *client)
{
  gsize size = client->control->len;
  const guint8 *bytes = client->is_udp ? client->control->data : receiver_rest (client->receiver, &size);
  if (!dialog_take_short_answer (client, bytes, size))
    return FALSE;
  g_byte_array_set_size (client->control, 0);
  receiver_skip_rest (client->receiver);
  return TRUE;
}

static void on_timer (gpointer data)
{
  RtspClient *client = data;
  if (client->is_playing)
    dialog_keep_alive (client);
  else if (client->phase == PHASE_OPEN && take_short_answer (client))
    ; /* it goes on */
  else if (client->phase == PHASE_OPEN)
    client_fail (client, "unreachable", "the camera takes the connection and does not answer %s in %d s",
                 gst_rtsp_method_as_text (client->method), ANSWER_TIMEOUT_S);
  else
    try_next_address (client, client->phase == PHASE_LOOKUP      ? "its name could not be looked up in time"
                              : client->phase == PHASE_HANDSHAKE ? "it takes the connection and does not shake hands in TLS"
                                                                 : "no answer");
  leave (client);
}

/* ---- its life ---- */

static void on_invalid (gpointer data)
{
  leave (data);
}

RtspClient *rtsp_client_new (Loop *loop, Receiver *receiver, const RtspClientSettings *settings, Resolver *resolver,
                             RtspClientFailed failed, gpointer data)
{
  RtspClient *client = g_new0 (RtspClient, 1);
  client->loop = loop;
  client->receiver = receiver;
  client->resolver = resolver;
  client->settings = settings;
  client->failed = failed;
  client->data = data;
  wire_init (&client->wire, -1);
  client->is_udp = settings->is_udp;
  client->unsent = g_string_new (NULL);
  client->control = g_byte_array_new ();
  client->visited = g_ptr_array_new_with_free_func (g_free);
  gboolean is_valid = rtsp_url_read (&client->url, settings->url) && rtsp_url_read (&client->home, settings->url);
  client->timer = loop_timer_new (loop, is_valid ? on_timer : on_invalid, client);
  if (is_valid) {
    look_up (client);
  } else {
    client_fail (client, "unreachable", "%s is no rtsp:// or rtsps:// address", settings->url);
    client_set_timer (client, 0); /* told from there */
  }
  return client;
}

const TrackList *rtsp_client_tracks (const RtspClient *client)
{
  return client->is_set_up ? client->tracks : NULL;
}

gboolean rtsp_client_is_playing (const RtspClient *client)
{
  return client->is_playing;
}

gboolean rtsp_client_is_udp (const RtspClient *client)
{
  return client->is_udp;
}

gboolean rtsp_client_is_over (const RtspClient *client)
{
  return client->udp != NULL && udp_input_is_over (client->udp);
}

static void release (gpointer data)
{
  RtspClient *client = data;
  dialog_reset (client);
  if (client->addresses != NULL)
    freeaddrinfo (client->addresses);
  g_string_free (client->unsent, TRUE);
  g_byte_array_unref (client->control);
  g_ptr_array_unref (client->visited);
  rtsp_url_clear (&client->url);
  rtsp_url_clear (&client->home);
  g_free (client->detail);
  g_free (client);
}

void rtsp_client_free (RtspClient *client)
{
  if (client == NULL)
    return;
  dialog_end (client);
  lookup_cancel (client->lookup);
  close_socket (client);
  g_clear_pointer (&client->udp, udp_input_free);
  loop_timer_free (client->timer);
  loop_free_later (client->loop, client, release);
}
