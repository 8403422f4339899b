#include <gst/rtsp/gstrtsptransport.h>
#include <string.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "pipelines/rtsp/rtsp_client_private.h"
#include "pipelines/rtsp/sdp.h"

enum {
  ANSWER_TIMEOUT_US = 10 * G_USEC_PER_SEC,
  SESSION_TIMEOUT_DEFAULT = 60, /* seconds, RFC 2326 12.37 */
  LOGIN_TRIES = 3,   /* of one request: without login, with it, with a fresh nonce */
  REDIRECTS_MAX = 5,
};

/* ---- requests ---- */

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

static const char *url_for (const RtspClient *client, GstRTSPMethod method)
{
  if (method == GST_RTSP_SETUP)
    return client->tracks->tracks[client->set_up].control;
  if (method == GST_RTSP_DESCRIBE || method == GST_RTSP_OPTIONS || client->tracks == NULL)
    return client->url.text;
  return client->tracks->control;
}

static char *transport_for (const RtspClient *client, guint16 port)
{
  if (client->is_udp)
    return g_strdup_printf ("RTP/AVP;unicast;client_port=%u-%u", port, port + 1);
  return g_strdup_printf ("RTP/AVP/TCP;unicast;interleaved=%u-%u", 2 * client->set_up, 2 * client->set_up + 1);
}

/* FALSE when there are no ports for it: it has failed. */
static gboolean prepare_setup (RtspClient *client, GstRTSPMessage *request)
{
  g_autoptr (GError) error = NULL;
  guint16 port = 0;
  if (client->is_udp && client->udp == NULL)
    client->udp = udp_input_new (client->loop, client->receiver, client->wire.fd, client->settings->name, &error);
  if (client->is_udp
      && (client->udp == NULL
          || !udp_input_open_track (client->udp, client->set_up, client->tracks->tracks[client->set_up].clock_rate, &port,
                                    &error))) {
    client_fail (client, "protocol", "%s", error->message);
    return FALSE;
  }
  add_header (request, GST_RTSP_HDR_TRANSPORT, transport_for (client, port));
  return TRUE;
}

static void send_request (RtspClient *client, GstRTSPMethod method)
{
  if (method != client->method || !client->waits_for_answer)
    client->login_tries = 0;
  client->method = method;
  client->waits_for_answer = TRUE;

  g_autoptr (GstRTSPMessage) request = request_new (client, method, url_for (client, method));
  if (method == GST_RTSP_DESCRIBE)
    add_header (request, GST_RTSP_HDR_ACCEPT, g_strdup ("application/sdp"));
  if (method == GST_RTSP_SETUP && !prepare_setup (client, request))
    return;
  if (method == GST_RTSP_PLAY)
    add_header (request, GST_RTSP_HDR_RANGE, g_strdup ("npt=0.000-"));
  client_send (client, request);
  client_set_timer (client, ANSWER_TIMEOUT_US);
}

void dialog_begin (RtspClient *client)
{
  if (client->visited->len == 0)
    g_ptr_array_add (client->visited, g_strdup (client->url.text));
  send_request (client, GST_RTSP_OPTIONS);
}

void dialog_end (RtspClient *client)
{
  if (client->reason == NULL && client->session != NULL)
    send_request (client, GST_RTSP_TEARDOWN);
}

void dialog_reset (RtspClient *client)
{
  g_clear_pointer (&client->udp, udp_input_free);
  g_clear_pointer (&client->challenge, digest_challenge_free);
  g_clear_pointer (&client->tracks, track_list_free);
  g_clear_pointer (&client->session, g_free);
  client->waits_for_answer = client->is_set_up = client->is_playing = FALSE;
  client->login_tries = client->set_up = client->session_timeout = 0;
  client->keep_alive = 0;
}

/* ---- where it leads elsewhere ---- */

/* A loop is told as such. The login goes nowhere but to the host that it is for: handle_unauthorized sees to it. */
static gboolean check_redirect (RtspClient *client, const RtspUrl *next)
{
  if (client->url.is_encrypted && !next->is_encrypted)
    client_fail (client, "protocol", "the camera redirects from rtsps to %s, which is not encrypted", next->text);
  else if (g_ptr_array_find_with_equal_func (client->visited, next->text, g_str_equal, NULL))
    client_fail (client, "protocol", "the camera redirects in a circle, to %s again", next->text);
  else if (client->visited->len > REDIRECTS_MAX)
    client_fail (client, "protocol", "the camera redirects more than %d times, last to %s", REDIRECTS_MAX, next->text);
  return client->reason == NULL;
}

static void handle_redirect (RtspClient *client, const GstRTSPMessage *response, int status)
{
  const char *location = rtsp_message_header (response, GST_RTSP_HDR_LOCATION);
  g_auto (RtspUrl) next = { 0 };
  if (location == NULL || !rtsp_url_resolve (&next, &client->url, location)) {
    client_fail (client, "protocol", "the camera redirects (%d) to %s, which is no rtsp:// address", status,
                 location != NULL ? location : "nowhere");
    return;
  }
  if (!check_redirect (client, &next))
    return;
  g_ptr_array_add (client->visited, g_strdup (next.text));
  client->is_udp &= !next.is_encrypted;
  rtsp_url_clear (&client->url);
  client->url = next;
  next = (RtspUrl){ 0 };
  client->begins_anew = TRUE;
}

static void fall_back_to_tcp (RtspClient *client, const char *why)
{
  log_notice ("%s: %s: RTP comes over the RTSP connection instead of UDP", client->settings->name, why);
  client->is_udp = FALSE;
  client->begins_anew = TRUE;
}

/* ---- answers ---- */

static void handle_unauthorized (RtspClient *client, GstRTSPMessage *response)
{
  g_autoptr (GError) error = NULL;
  if (client->settings->username == NULL) {
    client_fail (client, "unauthorized", "the camera asks for a login and none is configured: set username and password_file");
    return;
  }
  if (!rtsp_url_is_same_host (&client->url, &client->home)) {
    client_fail (client, "unauthorized", "%s, to which the camera redirects, asks for a login; it is sent to %s only: set the "
                 "url to where the camera really is", client->url.root, client->home.host);
    return;
  }
  DigestChallenge *challenge = digest_challenge_read (response, &error);
  gboolean had_answered = client->login_tries > 0 && client->challenge != NULL;
  gboolean is_stale = challenge != NULL && challenge->is_stale;
  digest_challenge_free (client->challenge);
  client->challenge = challenge;
  if (challenge == NULL)
    client_fail (client, "protocol", "the camera asks for a login %s", error->message);
  else if ((had_answered && !is_stale) || ++client->login_tries >= LOGIN_TRIES)
    client_fail (client, "unauthorized", "the camera refuses the user %s with this password", client->settings->username);
  else
    send_request (client, client->method);
}

static void handle_failure (RtspClient *client, int status)
{
  const char *method = gst_rtsp_method_as_text (client->method);
  if (status == GST_RTSP_STS_FORBIDDEN)
    client_fail (client, "unauthorized", "the camera forbids %s to this login (403)", method);
  else if (status == GST_RTSP_STS_NOT_FOUND && client->method == GST_RTSP_DESCRIBE)
    client_fail (client, "not_found", "the camera has no stream at this path (404): check the url");
  else if (status == GST_RTSP_STS_NOT_ENOUGH_BANDWIDTH)
    client_fail (client, "protocol", "the camera serves no more clients (453): close others, or raise its limit");
  else
    client_fail (client, "protocol", "the camera answers %s with %d", method, status);
}

/* Some cameras offer OPTIONS only badly; nothing depends on it but the way to keep a session alive. */
static void handle_options (RtspClient *client, const GstRTSPMessage *response)
{
  const char *offered = rtsp_message_header (response, GST_RTSP_HDR_PUBLIC);
  client->keep_alive = offered == NULL                         ? GST_RTSP_OPTIONS
                       : strstr (offered, "GET_PARAMETER") != NULL ? GST_RTSP_GET_PARAMETER
                       : strstr (offered, "SET_PARAMETER") != NULL ? GST_RTSP_SET_PARAMETER
                                                                   : GST_RTSP_OPTIONS;
  send_request (client, GST_RTSP_DESCRIBE);
}

/* What controls are relative to: as the camera says, but always where we reach it. Behind a router it names an address of its
 * own, which doesn't exist here. */
static char *content_base (const RtspClient *client, const GstRTSPMessage *response)
{
  static const GstRTSPHeaderField fields[] = { GST_RTSP_HDR_CONTENT_BASE, GST_RTSP_HDR_CONTENT_LOCATION };
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++) {
    const char *base = rtsp_message_header (response, fields[i]);
    const char *path = base == NULL ? NULL : *base == '/' ? base : rtsp_url_path (base);
    if (path != NULL && strchr (path, ' ') == NULL)
      return g_strconcat (client->url.root, path, NULL);
  }
  return g_strdup (client->url.text);
}

static void handle_describe (RtspClient *client, const GstRTSPMessage *response)
{
  g_autoptr (GError) error = NULL;
  guint8 *body = NULL;
  guint size = 0;
  g_autofree char *base = content_base (client, response);
  gst_rtsp_message_get_body (response, &body, &size);
  client->tracks = sdp_read ((const char *) body, size, base, &error);
  if (client->tracks == NULL)
    client_fail (client, error_is (error, ERROR_GIVE_UP) ? "unsupported_codec" : "no_sdp", "%s", error->message);
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
  const char *timeout = strcasestr (header, "timeout=");
  guint64 seconds = timeout != NULL ? g_ascii_strtoull (timeout + 8, NULL, 10) : SESSION_TIMEOUT_DEFAULT;
  client->session = g_strndup (header, MIN (length, 256));
  client->session_timeout = (guint) CLAMP (seconds, 2, 600);
}

/* What the camera has chosen; NULL when it can't be read. Free with gst_rtsp_transport_free. */
static GstRTSPTransport *read_transport (const char *header)
{
  GString *text = g_string_new (header);
  g_string_replace (text, " ", "", 0); /* GStreamer drops what stands after a space */
  g_string_truncate (text, strcspn (text->str, ","));
  GstRTSPTransport *transport = NULL;
  gst_rtsp_transport_new (&transport);
  GstRTSPResult result = gst_rtsp_transport_parse (text->str, transport);
  g_string_free (text, TRUE);
  if (result == GST_RTSP_OK)
    return transport;
  gst_rtsp_transport_free (transport);
  return NULL;
}

static void set_up_next (RtspClient *client)
{
  if (client->set_up < client->tracks->count) {
    send_request (client, GST_RTSP_SETUP);
    return;
  }
  if (client->tracks->count == 0) {
    client_fail (client, "protocol", "the camera sets no track up");
    return;
  }
  g_free (client->tracks->sdp);
  client->tracks->sdp = sdp_write (client->tracks, NULL);
  client->is_set_up = TRUE;
  receiver_set_tracks (client->receiver, client->tracks);
  send_request (client, GST_RTSP_PLAY);
}

static gboolean is_channel (int channel)
{
  return channel >= 0 && channel <= 255;
}

/* The channels that the camera chose, or those that were asked for. FALSE when it insists on something else. */
static gboolean take_channels (RtspClient *client, const GstRTSPTransport *transport)
{
  guint8 channel = (guint8) (2 * client->set_up);
  int rtp = channel, rtcp = channel + 1;
  if (transport != NULL && transport->lower_transport != GST_RTSP_LOWER_TRANS_TCP && transport->interleaved.min < 0)
    return FALSE; /* some say the channels and forget /TCP */
  if (transport != NULL && transport->interleaved.min >= 0) {
    rtp = transport->interleaved.min;
    rtcp = transport->interleaved.max >= 0 ? transport->interleaved.max : MIN (rtp + 1, 255);
  }
  if (!is_channel (rtp) || !is_channel (rtcp))
    return FALSE;
  if (receiver_is_mapped (client->receiver, (guint8) rtp)) { /* some say 0-1 of every track, and send as they were asked to */
    rtp = channel;
    rtcp = channel + 1;
  }
  receiver_map (client->receiver, (guint8) rtcp, channel + 1);
  receiver_map (client->receiver, (guint8) rtp, channel);
  return TRUE;
}

/* FALSE when the camera sends by other ways than UDP to us alone. */
static gboolean take_ports (RtspClient *client, const GstRTSPTransport *transport)
{
  guint8 channel = (guint8) (2 * client->set_up);
  if (transport != NULL && transport->lower_transport != GST_RTSP_LOWER_TRANS_UDP)
    return FALSE;
  if (transport != NULL)
    udp_input_set_peer (client->udp, client->set_up, transport->source, transport->server_port.min, transport->server_port.max);
  receiver_map (client->receiver, channel, channel);
  receiver_map (client->receiver, channel + 1, channel + 1);
  return TRUE;
}

static void handle_setup (RtspClient *client, const GstRTSPMessage *response)
{
  const char *header = rtsp_message_header (response, GST_RTSP_HDR_TRANSPORT);
  GstRTSPTransport *transport = header != NULL ? read_transport (header) : NULL;
  gboolean is_unread = header != NULL && transport == NULL;
  gboolean fits = !is_unread && (client->is_udp ? take_ports (client, transport) : take_channels (client, transport));
  if (transport != NULL)
    gst_rtsp_transport_free (transport);
  take_session (client, response);
  if (!fits && client->is_udp) {
    fall_back_to_tcp (client, "the camera does not set UDP up though it was asked to");
  } else if (!fits) {
    client_fail (client, "protocol", "the camera does not send RTP over the RTSP connection (TCP interleaved)");
  } else {
    client->set_up++;
    set_up_next (client);
  }
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

/* ---- keeping it alive ---- */

static void set_keep_alive (RtspClient *client)
{
  guint seconds = client->session != NULL ? client->session_timeout : SESSION_TIMEOUT_DEFAULT;
  client_set_timer (client, MIN (seconds / 2, 30) * G_USEC_PER_SEC);
}

/* Whether the last one was answered or not: it plays, silence is no fault while packets come, and some cameras that answer
 * none still end a session without them. One that doesn't read either gets no more. */
void dialog_keep_alive (RtspClient *client)
{
  client->waits_for_answer = FALSE;
  if (client->unsent->len < RTSP_HEAD_MAX)
    send_request (client, client->keep_alive != 0 ? client->keep_alive : GST_RTSP_OPTIONS);
  set_keep_alive (client);
}

/* Cameras offer GET_PARAMETER and refuse it: OPTIONS has no reason to fail. A camera that dislikes that too still plays. */
static void handle_keep_alive_refused (RtspClient *client)
{
  client->keep_alive = GST_RTSP_OPTIONS;
  if (client->method != GST_RTSP_OPTIONS)
    dialog_keep_alive (client);
  else
    set_keep_alive (client);
}

/* ---- what comes ---- */

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

/* Cameras answer without a number, or with one that was never asked; one that was asked before is an answer that comes late
 * or twice. */
static gboolean is_awaited (const RtspClient *client, const GstRTSPMessage *response)
{
  const char *text = rtsp_message_header (response, GST_RTSP_HDR_CSEQ);
  guint64 sequence = text != NULL ? g_ascii_strtoull (text, NULL, 10) : 0;
  return client->waits_for_answer && (sequence == 0 || sequence >= client->sequence);
}

static gboolean is_redirect (int status)
{
  return status == GST_RTSP_STS_MOVED_PERMANENTLY || status == GST_RTSP_STS_MOVE_TEMPORARILY
         || status == GST_RTSP_STS_SEE_OTHER || status == GST_RTSP_STS_USE_PROXY;
}

static void handle_refusal (RtspClient *client, const GstRTSPMessage *response, int status)
{
  client->waits_for_answer = FALSE;
  if (client->is_playing)
    handle_keep_alive_refused (client);
  else if (is_redirect (status))
    handle_redirect (client, response, status);
  else if (client->method == GST_RTSP_OPTIONS)
    send_request (client, GST_RTSP_DESCRIBE);
  else if (client->method == GST_RTSP_SETUP && client->is_udp && client->set_up == 0
           && status == GST_RTSP_STS_UNSUPPORTED_TRANSPORT)
    fall_back_to_tcp (client, "the camera does not offer UDP (461)");
  else if (client->method != GST_RTSP_SETUP || !leave_track_out (client))
    handle_failure (client, status);
}

static void handle_response (RtspClient *client, GstRTSPMessage *response)
{
  int status = response->type_data.response.code;
  if (status < 200 || !is_awaited (client, response))
    return;
  if (status < 300)
    handle_success (client, response);
  else if (status == GST_RTSP_STS_UNAUTHORIZED)
    handle_unauthorized (client, response);
  else
    handle_refusal (client, response, status);
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
    client_send (client, response);
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
    client_fail (client, "protocol", "%s", error->message);
    return RECEIVER_STOP;
  case RTSP_WHOLE:
    break;
  }
  if (message != NULL && message->type == GST_RTSP_MESSAGE_RESPONSE)
    handle_response (client, message);
  else if (message != NULL)
    handle_request (client, message);
  return client->reason != NULL || client->begins_anew ? RECEIVER_STOP : (gssize) used;
}

gboolean dialog_take_short_answer (RtspClient *client, const guint8 *bytes, gsize size)
{
  g_autoptr (GstRTSPMessage) message = NULL;
  g_autoptr (GByteArray) padded = g_byte_array_new ();
  gsize used;
  if (client->method != GST_RTSP_DESCRIBE || !client->waits_for_answer || size == 0)
    return FALSE;
  g_byte_array_append (padded, bytes, (guint) size);
  g_byte_array_set_size (padded, (guint) (size + RTSP_BODY_MAX));
  memset (padded->data + size, '\n', RTSP_BODY_MAX); /* empty lines mean nothing in a description */
  if (rtsp_message_parse (padded->data, padded->len, RTSP_BODY_MAX, &message, &used, NULL) != RTSP_WHOLE || message == NULL
      || message->type != GST_RTSP_MESSAGE_RESPONSE)
    return FALSE;
  handle_response (client, message);
  return TRUE;
}
