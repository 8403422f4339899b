#include "pipelines/rtsp/rtsp_message.h"

#include <string.h>

#include "gateway/core/error.h"

/* Position after the empty line that ends the head; 0: it isn't there. Bare line feeds are taken too: cameras send them. */
static gsize head_size (const guint8 *bytes, gsize size)
{
  const guint8 *end = bytes + MIN (size, RTSP_HEAD_MAX);
  for (const guint8 *feed = memchr (bytes, '\n', (gsize) (end - bytes)); feed != NULL;
       feed = memchr (feed + 1, '\n', (gsize) (end - feed - 1))) {
    const guint8 *next = feed + 1;
    if (next < end && *next == '\r')
      next++;
    if (next < end && *next == '\n')
      return (gsize) (next + 1 - bytes);
  }
  return 0;
}

/* The next line of `*text`, which it takes; the line ends are cut off. NULL: no line, or one that isn't bounded text. */
static char *take_line (char **text)
{
  char *line = *text;
  char *feed = strchr (line, '\n');
  if (feed == NULL || feed - line > RTSP_LINE_MAX)
    return NULL;
  *text = feed + 1;
  if (feed > line && feed[-1] == '\r')
    feed--;
  *feed = '\0';
  for (const char *c = line; *c; c++)
    if ((guchar) *c < ' ' && *c != '\t')
      return NULL;
  return line;
}

static gboolean parse_version (const char *text, GstRTSPVersion *version)
{
  if (strcmp (text, "RTSP/1.0") == 0)
    *version = GST_RTSP_VERSION_1_0;
  else if (strcmp (text, "RTSP/2.0") == 0)
    *version = GST_RTSP_VERSION_2_0;
  else
    return FALSE;
  return TRUE;
}

static gboolean parse_status (char *line, GstRTSPMessage *message)
{
  char *code = strchr (line, ' ');
  GstRTSPVersion version;
  if (code == NULL)
    return FALSE;
  *code++ = '\0';
  char *reason = NULL;
  guint64 status = g_ascii_strtoull (code, &reason, 10);
  if (!parse_version (line, &version) || reason != code + 3 || status < 100 || (*reason != ' ' && *reason != '\0'))
    return FALSE;
  gst_rtsp_message_init_response (message, (GstRTSPStatusCode) status, *reason ? reason + 1 : "", NULL);
  message->type_data.response.version = version;
  return TRUE;
}

static gboolean parse_request (char *line, GstRTSPMessage *message)
{
  char *uri = strchr (line, ' ');
  char *version_text = uri != NULL ? strchr (uri + 1, ' ') : NULL;
  GstRTSPVersion version;
  if (version_text == NULL)
    return FALSE;
  *uri++ = *version_text++ = '\0';
  if (*uri == '\0' || !parse_version (version_text, &version))
    return FALSE;
  gst_rtsp_message_init_request (message, gst_rtsp_find_method (line), uri);
  message->type_data.request.version = version;
  return TRUE;
}

static gboolean is_token (const char *name)
{
  for (const char *c = name; *c; c++)
    if (!g_ascii_isalnum (*c) && strchr ("!#$%&'*+-.^_`|~", *c) == NULL)
      return FALSE;
  return *name != '\0';
}

static gboolean parse_header (char *line, GstRTSPMessage *message)
{
  char *colon = strchr (line, ':');
  if (colon == NULL)
    return FALSE;
  *colon = '\0';
  g_strchomp (line);
  if (!is_token (line))
    return FALSE;
  char *value = g_strdup (g_strstrip (colon + 1));
  GstRTSPHeaderField field = gst_rtsp_find_header_field (line);
  if (field == GST_RTSP_HDR_INVALID)
    gst_rtsp_message_take_header_by_name (message, line, value);
  else
    gst_rtsp_message_take_header (message, field, value);
  return TRUE;
}

static gboolean parse_head (char *text, GstRTSPMessage *message, GError **error)
{
  char *line = take_line (&text);
  if (line == NULL || !(g_str_has_prefix (line, "RTSP/") ? parse_status (line, message) : parse_request (line, message)))
    return error_set (error, ERROR_REFUSE, "an RTSP start line is malformed");
  for (guint count = 0; (line = take_line (&text)) != NULL && *line != '\0'; count++)
    if (count >= RTSP_HEADERS_MAX || !parse_header (line, message))
      return error_set (error, ERROR_REFUSE, "an RTSP header is malformed, or there are over %d", RTSP_HEADERS_MAX);
  if (line == NULL)
    return error_set (error, ERROR_REFUSE, "an RTSP header is over %d bytes or not text", RTSP_LINE_MAX);
  return TRUE;
}

const char *rtsp_message_header (const GstRTSPMessage *message, GstRTSPHeaderField field)
{
  char *value = NULL;
  return gst_rtsp_message_get_header (message, field, &value, 0) == GST_RTSP_OK ? value : NULL;
}

static gboolean body_size (const GstRTSPMessage *message, gsize body_max, gsize *size, GError **error)
{
  const char *text = rtsp_message_header (message, GST_RTSP_HDR_CONTENT_LENGTH);
  guint64 length = 0;
  *size = 0;
  if (text != NULL && !g_ascii_string_to_unsigned (text, 10, 0, body_max, &length, NULL))
    return error_set (error, ERROR_REFUSE, "the Content-Length %.20s is no number up to %zu", text, body_max);
  *size = (gsize) length;
  return TRUE;
}

static RtspParse more_or_broken (gsize size, GError **error)
{
  if (size < RTSP_HEAD_MAX)
    return RTSP_MORE;
  error_set (error, ERROR_REFUSE, "an RTSP head is over %d bytes", RTSP_HEAD_MAX);
  return RTSP_BROKEN;
}

RtspParse rtsp_message_parse (const guint8 *bytes, gsize size, gsize body_max, GstRTSPMessage **message, gsize *used,
                              GError **error)
{
  gsize blank = 0, body;
  *message = NULL;
  while (blank < size && (bytes[blank] == '\r' || bytes[blank] == '\n'))
    blank++;
  *used = blank;
  if (blank == size || bytes[blank] == '$')
    return blank > 0 ? RTSP_WHOLE : RTSP_MORE;

  gsize head = head_size (bytes + blank, size - blank);
  if (head == 0)
    return more_or_broken (size - blank, error);
  g_autofree char *text = g_strndup ((const char *) bytes + blank, head);
  g_autoptr (GstRTSPMessage) parsed = NULL;
  gst_rtsp_message_new (&parsed);
  if (!parse_head (text, parsed, error) || !body_size (parsed, body_max, &body, error))
    return RTSP_BROKEN;
  if (size - blank - head < body)
    return RTSP_MORE;
  if (body > 0)
    gst_rtsp_message_set_body (parsed, bytes + blank + head, (guint) body);
  *used = blank + head + body;
  *message = g_steal_pointer (&parsed);
  return RTSP_WHOLE;
}

GString *rtsp_message_serialise (const GstRTSPMessage *message)
{
  GString *text = g_string_new (NULL);
  guint8 *body = NULL;
  guint size = 0;
  if (message->type == GST_RTSP_MESSAGE_REQUEST)
    g_string_append_printf (text, "%s %s RTSP/1.0\r\n", gst_rtsp_method_as_text (message->type_data.request.method),
                            message->type_data.request.uri);
  else
    g_string_append_printf (text, "RTSP/1.0 %d %s\r\n", message->type_data.response.code, message->type_data.response.reason);
  gst_rtsp_message_append_headers (message, text);
  gst_rtsp_message_get_body (message, &body, &size);
  if (size > 0)
    g_string_append_printf (text, "Content-Length: %u\r\n", size);
  g_string_append (text, "\r\n");
  if (size > 0)
    g_string_append_len (text, (const char *) body, size);
  return text;
}
