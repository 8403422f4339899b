#include "pipelines/rtsp/rtsp_client.h"

#include <errno.h>
#include <fcntl.h>
#include <gst/rtsp/gstrtsptransport.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "pipelines/rtsp/digest.h"
#include "pipelines/rtsp/sdp.h"

enum {
  CONNECT_TIMEOUT_US = 5 * G_USEC_PER_SEC, /* an address */
  ANSWER_TIMEOUT_US = 10 * G_USEC_PER_SEC, /* a request */
  SESSION_TIMEOUT_DEFAULT = 60, /* seconds, RFC 2326 12.37 */
  LOGIN_TRIES = 3, /* of one request: without login, with it, with a fresh nonce */
};

struct RtspClient {
  Loop *loop;
  Receiver *receiver;
  const RtspClientSettings *settings;
  RtspClientFailed failed;
  gpointer data;

  char *host, *request_url;
  guint16 port;
  Lookup *lookup;
  struct addrinfo *addresses, *address; /* all, the one that is tried */
  Wire wire;
  LoopWatch *watch;
  LoopTimer *timer;
  gboolean is_connected;
  GString *unsent;

  GstRTSPMethod method; /* that waits for its answer, or was answered last */
  gboolean waits_for_answer;
  guint sequence, login_tries;
  DigestChallenge *challenge;
  TrackList *tracks;
  guint set_up; /* tracks */
  gboolean is_set_up, is_playing, has_get_parameter;
  char *session;
  guint session_timeout; /* seconds */

  const char *reason; /* set: it has failed */
  char *detail;
};

static void G_GNUC_PRINTF (3, 4) fail (RtspClient *client, const char *reason, const char *format, ...)
{
  if (client->reason != NULL)
    return;
  va_list arguments;
  va_start (arguments, format);
  client->reason = reason;
  client->detail = g_strdup_vprintf (format, arguments);
  va_end (arguments);
}

/* At the end of each entry from the loop: what failed is told once, outside of the receiver. */
static void leave (RtspClient *client)
{
  if (client->reason != NULL)
    client->failed (client->reason, client->detail, client->data);
}

static void flush (RtspClient *client)
{
  gssize sent = wire_send (&client->wire, client->unsent->str, client->unsent->len);
  if (sent < 0 && errno != EAGAIN && errno != EINTR)
    fail (client, "closed", "%s", wire_problem (&client->wire));
  g_string_erase (client->unsent, 0, MAX (sent, 0));
  if (client->watch != NULL)
    loop_watch_change (client->watch, client->unsent->len > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void send_message (RtspClient *client, const GstRTSPMessage *message)
{
  GString *text = rtsp_message_serialise (message);
  g_string_append_len (client->unsent, text->str, (gssize) text->len);
  g_string_free (text, TRUE);
  flush (client);
}

static void add_header (GstRTSPMessage *message, GstRTSPHeaderField field, char *value)
{
  gst_rtsp_message_take_header (message, field, value);
}

static GstRTSPMessage *request_new (RtspClient *client, GstRTSPMethod method, const char *url)
{
  GstRTSPMessage *request = NULL;
  gst_rtsp_message_new_request (&request, method, url);
  add_header (request, GST_RTSP_HDR_CSEQ, g_strdup_printf ("%u", ++client->sequence));
  add_header (request, GST_RTSP_HDR_USER_AGENT, g_strdup ("gridgate/" GRIDGATE_VERSION));
  if (client->session != NULL)
    add_header (request, GST_RTSP_HDR_SESSION, g_strdup (client->session));
  if (client->challenge != NULL)
    add_header (request, GST_RTSP_HDR_AUTHORIZATION,
                digest_challenge_answer (client->challenge, client->settings->username,
                                         client->settings->password ? client->settings->password : "",
                                         gst_rtsp_method_as_text (method), url));
  return request;
}

static const char *aggregate_url (const RtspClient *client)
{
  return client->tracks != NULL ? client->tracks->control : client->request_url;
}

static void send_request (RtspClient *client, GstRTSPMethod method)
{
  const char *url = method == GST_RTSP_SETUP                                     ? client->tracks->tracks[client->set_up].control
                    : method == GST_RTSP_OPTIONS || method == GST_RTSP_DESCRIBE ? client->request_url
                                                                                : aggregate_url (client);
  if (method != client->method || !client->waits_for_answer)
    client->login_tries = 0;
  client->method = method;
  client->waits_for_answer = TRUE;

  g_autoptr (GstRTSPMessage) request = request_new (client, method, url);
  if (method == GST_RTSP_DESCRIBE)
    add_header (request, GST_RTSP_HDR_ACCEPT, g_strdup ("application/sdp"));
  if (method == GST_RTSP_SETUP)
    add_header (request, GST_RTSP_HDR_TRANSPORT,
                g_strdup_printf ("RTP/AVP/TCP;unicast;interleaved=%u-%u", 2 * client->set_up, 2 * client->set_up + 1));
  if (method == GST_RTSP_PLAY)
    add_header (request, GST_RTSP_HDR_RANGE, g_strdup ("npt=0.000-"));
  send_message (client, request);
  loop_timer_set (client->timer, loop_now_us (client->loop) + ANSWER_TIMEOUT_US);
}

/* ---- answers ---- */

static void handle_unauthorized (RtspClient *client, GstRTSPMessage *response)
{
  if (client->settings->username == NULL) {
    fail (client, "unauthorized", "the camera asks for a login and none is configured: set username and password_file");
    return;
  }
  DigestChallenge *challenge = digest_challenge_read (response);
  gboolean had_answered = client->login_tries > 0 && client->challenge != NULL;
  gboolean is_stale = challenge != NULL && challenge->is_stale;
  digest_challenge_free (client->challenge);
  client->challenge = challenge;
  if (challenge == NULL)
    fail (client, "protocol", "the camera asks for a login in a way that is neither Digest (MD5, SHA-256) nor Basic");
  else if ((had_answered && !is_stale) || ++client->login_tries >= LOGIN_TRIES)
    fail (client, "unauthorized", "the camera refuses the user %s with this password", client->settings->username);
  else
    send_request (client, client->method);
}

static void handle_failure (RtspClient *client, int status)
{
  const char *method = gst_rtsp_method_as_text (client->method);
  if (status == GST_RTSP_STS_FORBIDDEN)
    fail (client, "unauthorized", "the camera forbids %s to this login (403)", method);
  else if (status == GST_RTSP_STS_NOT_FOUND && client->method == GST_RTSP_DESCRIBE)
    fail (client, "not_found", "the camera has no stream at this path (404): check the url");
  else
    fail (client, "protocol", "the camera answers %s with %d", method, status);
}

/* Some cameras offer OPTIONS only badly; nothing depends on it but the way to keep a session alive. */
static void handle_options (RtspClient *client, const GstRTSPMessage *response)
{
  const char *offered = rtsp_message_header (response, GST_RTSP_HDR_PUBLIC);
  client->has_get_parameter = offered != NULL && strstr (offered, "GET_PARAMETER") != NULL;
  send_request (client, GST_RTSP_DESCRIBE);
}

static void handle_describe (RtspClient *client, const GstRTSPMessage *response)
{
  g_autoptr (GError) error = NULL;
  guint8 *body = NULL;
  guint size = 0;
  const char *base = rtsp_message_header (response, GST_RTSP_HDR_CONTENT_BASE);
  if (base == NULL || *base == '\0')
    base = rtsp_message_header (response, GST_RTSP_HDR_CONTENT_LOCATION);
  if (base == NULL || g_ascii_strncasecmp (base, "rtsp", 4) != 0)
    base = client->request_url;
  gst_rtsp_message_get_body (response, &body, &size);
  client->tracks = sdp_read ((const char *) body, size, base, &error);
  if (client->tracks == NULL)
    fail (client, error_is (error, ERROR_GIVE_UP) ? "unsupported_codec" : "no_sdp", "%s", error->message);
  else
    send_request (client, GST_RTSP_SETUP);
}

/* "id;timeout=60" */
static void take_session (RtspClient *client, const GstRTSPMessage *response)
{
  const char *header = rtsp_message_header (response, GST_RTSP_HDR_SESSION);
  if (header == NULL || client->session != NULL)
    return;
  gsize length = strcspn (header, "; \t");
  const char *timeout = strstr (header, "timeout=");
  guint64 seconds = timeout != NULL ? g_ascii_strtoull (timeout + 8, NULL, 10) : SESSION_TIMEOUT_DEFAULT;
  client->session = g_strndup (header, MIN (length, 256));
  client->session_timeout = (guint) CLAMP (seconds, 2, 600);
}

/* The channels that the camera chose; FALSE when it insists on something else than interleaving. */
static gboolean take_transport (const GstRTSPMessage *response, guint8 *rtp, guint8 *rtcp)
{
  const char *header = rtsp_message_header (response, GST_RTSP_HDR_TRANSPORT);
  if (header == NULL)
    return TRUE;
  GString *text = g_string_new (header);
  g_string_replace (text, " ", "", 0); /* GStreamer drops what stands after a space */
  g_string_truncate (text, strcspn (text->str, ","));
  GstRTSPTransport *transport = NULL;
  gst_rtsp_transport_new (&transport);
  gboolean fits = gst_rtsp_transport_parse (text->str, transport) == GST_RTSP_OK
                  && transport->lower_transport == GST_RTSP_LOWER_TRANS_TCP;
  GstRTSPRange channels = transport->interleaved;
  gst_rtsp_transport_free (transport);
  g_string_free (text, TRUE);
  if (!fits || channels.min > 255 || channels.max > 255)
    return FALSE;
  if (channels.min >= 0) {
    *rtp = (guint8) channels.min;
    *rtcp = (guint8) (channels.max >= 0 ? channels.max : MIN (channels.min + 1, 255));
  }
  return TRUE;
}

static void set_up_next (RtspClient *client)
{
  if (client->set_up < client->tracks->count) {
    send_request (client, GST_RTSP_SETUP);
    return;
  }
  if (client->tracks->count == 0) {
    fail (client, "protocol", "the camera sets no track up");
    return;
  }
  g_free (client->tracks->sdp);
  client->tracks->sdp = sdp_write (client->tracks, NULL);
  client->is_set_up = TRUE;
  receiver_set_tracks (client->receiver, client->tracks);
  send_request (client, GST_RTSP_PLAY);
}

static void handle_setup (RtspClient *client, const GstRTSPMessage *response)
{
  guint8 rtp = (guint8) (2 * client->set_up), rtcp = (guint8) (rtp + 1);
  guint8 channel = rtp;
  if (!take_transport (response, &rtp, &rtcp)) {
    fail (client, "protocol", "the camera does not send RTP over the RTSP connection (TCP interleaved)");
    return;
  }
  take_session (client, response);
  receiver_map (client->receiver, rtcp, channel + 1);
  receiver_map (client->receiver, rtp, channel);
  client->set_up++;
  set_up_next (client);
}

/* A track other than video that can't be set up is left out. */
static gboolean leave_track_out (RtspClient *client)
{
  Track *track = &client->tracks->tracks[client->set_up];
  if (track->medium == MEDIUM_VIDEO)
    return FALSE;
  g_free (track->encoding);
  g_free (track->format);
  g_free (track->control);
  client->tracks->count--;
  memmove (track, track + 1, (client->tracks->count - client->set_up) * sizeof *track);
  set_up_next (client);
  return TRUE;
}

static void set_keep_alive (RtspClient *client)
{
  guint seconds = client->session != NULL ? client->session_timeout : SESSION_TIMEOUT_DEFAULT;
  loop_timer_set (client->timer, loop_now_us (client->loop) + MIN (seconds / 2, 30) * G_USEC_PER_SEC);
}

static void handle_success (RtspClient *client, const GstRTSPMessage *response)
{
  client->waits_for_answer = FALSE;
  if (client->is_playing)
    set_keep_alive (client);
  else if (client->method == GST_RTSP_OPTIONS)
    handle_options (client, response);
  else if (client->method == GST_RTSP_DESCRIBE)
    handle_describe (client, response);
  else if (client->method == GST_RTSP_SETUP)
    handle_setup (client, response);
  else if (client->method == GST_RTSP_PLAY) {
    client->is_playing = TRUE;
    set_keep_alive (client);
  }
}

static gboolean is_awaited (const RtspClient *client, const GstRTSPMessage *response)
{
  const char *sequence = rtsp_message_header (response, GST_RTSP_HDR_CSEQ);
  return client->waits_for_answer
         && (sequence == NULL || g_ascii_strtoull (sequence, NULL, 10) == client->sequence);
}

static void handle_response (RtspClient *client, GstRTSPMessage *response)
{
  int status = response->type_data.response.code;
  if (status < 200 || !is_awaited (client, response))
    return;
  if (status < 300) {
    handle_success (client, response);
    return;
  }
  if (status == GST_RTSP_STS_UNAUTHORIZED) {
    handle_unauthorized (client, response);
    return;
  }
  client->waits_for_answer = FALSE;
  if (client->is_playing)
    set_keep_alive (client); /* a camera that dislikes how it is kept alive still plays */
  else if (client->method == GST_RTSP_OPTIONS)
    send_request (client, GST_RTSP_DESCRIBE);
  else if (client->method != GST_RTSP_SETUP || !leave_track_out (client))
    handle_failure (client, status);
}

/* Cameras may ask too (OPTIONS, SET_PARAMETER, ANNOUNCE): each request gets an answer. */
static void handle_request (RtspClient *client, const GstRTSPMessage *request)
{
  g_autoptr (GstRTSPMessage) response = NULL;
  gboolean is_options = request->type_data.request.method == GST_RTSP_OPTIONS;
  GstRTSPStatusCode status = is_options ? GST_RTSP_STS_OK : GST_RTSP_STS_NOT_IMPLEMENTED;
  gst_rtsp_message_new_response (&response, status, gst_rtsp_status_as_text (status), NULL);
  const char *sequence = rtsp_message_header (request, GST_RTSP_HDR_CSEQ);
  if (sequence != NULL)
    add_header (response, GST_RTSP_HDR_CSEQ, g_strdup (sequence));
  if (client->unsent->len < RTSP_HEAD_MAX) /* a camera that asks and never reads gets no more */
    send_message (client, response);
}

gssize rtsp_client_message (RtspClient *client, const guint8 *bytes, gsize size)
{
  g_autoptr (GstRTSPMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  gsize used;
  switch (rtsp_message_parse (bytes, size, RTSP_BODY_MAX, &message, &used, &error)) {
  case RTSP_MORE:
    return 0;
  case RTSP_BROKEN:
    fail (client, "protocol", "%s", error->message);
    return RECEIVER_STOP;
  case RTSP_WHOLE:
    break;
  }
  if (message != NULL && message->type == GST_RTSP_MESSAGE_RESPONSE)
    handle_response (client, message);
  else if (message != NULL)
    handle_request (client, message);
  return client->reason != NULL ? RECEIVER_STOP : (gssize) used;
}

/* ---- the connection ---- */

static void try_next_address (RtspClient *client, const char *problem);

static void finish_connect (RtspClient *client)
{
  int problem = 0;
  socklen_t size = sizeof problem;
  if (getsockopt (client->wire.fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0 || problem != 0) {
    try_next_address (client, g_strerror (problem != 0 ? problem : errno));
    return;
  }
  client->is_connected = TRUE;
  send_request (client, GST_RTSP_OPTIONS);
}

static void on_ready (guint32 events, gpointer data)
{
  RtspClient *client = data;
  g_autoptr (GError) error = NULL;
  if (!client->is_connected) {
    finish_connect (client);
  } else {
    if (events & EPOLLOUT)
      flush (client);
    if (events & ~(guint32) EPOLLOUT && client->reason == NULL && !receiver_read (client->receiver, &client->wire, &error)
        && error != NULL)
      fail (client, "closed", "%s", error->message);
  }
  leave (client);
}

static void close_socket (RtspClient *client)
{
  g_clear_pointer (&client->watch, loop_watch_remove);
  wire_finish (&client->wire);
  if (client->wire.fd >= 0)
    close (client->wire.fd);
  client->wire.fd = -1;
}

static gboolean start_connect (RtspClient *client, const struct addrinfo *address)
{
  int on = 1;
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
      loop_timer_set (client->timer, loop_now_us (client->loop) + CONNECT_TIMEOUT_US);
      return;
    }
    g_free (last_problem);
    last_problem = g_strdup (g_strerror (errno));
    close_socket (client);
  }
  fail (client, "unreachable", "%s:%u: %s", client->host, client->port, last_problem);
}

static void on_addresses (struct addrinfo *addresses, const char *problem, gpointer data)
{
  RtspClient *client = data;
  client->lookup = NULL;
  client->addresses = client->address = addresses;
  try_next_address (client, problem);
  leave (client);
}

/* Whether the last one was answered or not: it plays, silence is no fault while packets come, and some cameras that answer
 * none still end a session without them. One that doesn't read either gets no more. */
static void keep_alive (RtspClient *client)
{
  client->waits_for_answer = FALSE;
  if (client->unsent->len < RTSP_HEAD_MAX)
    send_request (client, client->has_get_parameter ? GST_RTSP_GET_PARAMETER : GST_RTSP_OPTIONS);
  set_keep_alive (client);
}

static void on_timer (gpointer data)
{
  RtspClient *client = data;
  if (client->is_playing)
    keep_alive (client);
  else if (client->is_connected)
    fail (client, "unreachable", "the camera takes the connection and does not answer %s in %d s", gst_rtsp_method_as_text (client->method),
          (int) (ANSWER_TIMEOUT_US / G_USEC_PER_SEC));
  else
    try_next_address (client, client->lookup != NULL ? "its name could not be looked up in time" : "no answer");
  leave (client);
}

/* "rtsp://host[:port]/path?query"; no credentials. */
static gboolean read_url (RtspClient *client)
{
  g_autoptr (GUri) uri = g_uri_parse (client->settings->url, G_URI_FLAGS_ENCODED, NULL);
  if (uri == NULL || g_strcmp0 (g_uri_get_scheme (uri), "rtsp") != 0 || g_uri_get_host (uri) == NULL
      || *g_uri_get_host (uri) == '\0')
    return FALSE;
  const char *host = g_uri_get_host (uri), *query = g_uri_get_query (uri);
  int port = g_uri_get_port (uri);
  if (port == 0 || port > 65535)
    return FALSE;
  gboolean is_ipv6 = strchr (host, ':') != NULL;
  client->host = g_strdup (host);
  client->port = (guint16) (port < 0 ? 554 : port);
  client->request_url = g_strdup_printf ("rtsp://%s%s%s:%u%s%s%s", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "",
                                         client->port, g_uri_get_path (uri), query ? "?" : "", query ? query : "");
  return TRUE;
}

RtspClient *rtsp_client_new (Loop *loop, Receiver *receiver, const RtspClientSettings *settings, Resolver *resolver,
                             RtspClientFailed failed, gpointer data)
{
  RtspClient *client = g_new0 (RtspClient, 1);
  client->loop = loop;
  client->receiver = receiver;
  client->settings = settings;
  client->failed = failed;
  client->data = data;
  wire_init (&client->wire, -1);
  client->unsent = g_string_new (NULL);
  client->timer = loop_timer_new (loop, on_timer, client);
  if (read_url (client)) {
    client->lookup = resolver_start (resolver, loop, client->host, client->port, on_addresses, client);
    loop_timer_set (client->timer, loop_now_us (loop) + ANSWER_TIMEOUT_US);
  } else {
    fail (client, "unreachable", "%s is no rtsp:// address", settings->url);
    loop_timer_set (client->timer, loop_now_us (loop)); /* told from there */
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

static void release (gpointer data)
{
  RtspClient *client = data;
  if (client->addresses != NULL)
    freeaddrinfo (client->addresses);
  g_string_free (client->unsent, TRUE);
  digest_challenge_free (client->challenge);
  track_list_free (client->tracks);
  g_free (client->session);
  g_free (client->host);
  g_free (client->request_url);
  g_free (client->detail);
  g_free (client);
}

void rtsp_client_free (RtspClient *client)
{
  if (client == NULL)
    return;
  if (client->reason == NULL && client->session != NULL)
    send_request (client, GST_RTSP_TEARDOWN);
  lookup_cancel (client->lookup);
  close_socket (client);
  loop_timer_free (client->timer);
  loop_free_later (client->loop, client, release);
}
