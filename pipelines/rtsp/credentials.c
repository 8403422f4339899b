#include "pipelines/rtsp/credentials.h"

#include <string.h>

/* RFC 7230 3.2.6, without the equals sign, and what else of token68 (RFC 7235 2.1). */
static gsize token_length (const char *text)
{
  gsize length = 0;
  while (g_ascii_isalnum (text[length]) || (text[length] != '\0' && strchr ("!#$%&'*+-.^_`|~/:@", text[length]) != NULL))
    length++;
  return length;
}

/* With both quotes; 0 when the second is missing. */
static gsize quoted_length (const char *text)
{
  gsize length = 1;
  while (text[length] != '"') {
    length += text[length] == '\\' ? 1 : 0;
    if (text[length] == '\0')
      return 0;
    length++;
  }
  return length + 1;
}

/* Behind a name: `=value`, or `==` that ends a token68, or nothing. -1 when it is something else. */
static gssize value_length (const char *text)
{
  if (*text != '=')
    return 0;
  gsize signs = strspn (text, "=");
  const char *value = text + signs;
  gsize length = *value == '"' ? quoted_length (value) : token_length (value);
  if (*value == '"' && length == 0)
    return -1;
  return value[length] == '\0' || value[length] == ',' || (length > 0 && value[length] == ' ') ? (gssize) (signs + length) : -1;
}

gboolean credentials_are_well_formed (const char *text)
{
  for (text += strspn (text, " ,"); *text != '\0'; text += strspn (text, " ,")) {
    gsize name = token_length (text);
    gssize value = name > 0 ? value_length (text + name) : -1;
    if (value < 0)
      return FALSE;
    text += name + (gsize) value;
    if (*text != '\0' && *text != ' ' && *text != ',')
      return FALSE;
  }
  return TRUE;
}

GstRTSPAuthCredential **credentials_read (GstRTSPMessage *message, GstRTSPHeaderField field)
{
  char *text;
  for (int i = 0; gst_rtsp_message_get_header (message, field, &text, i) == GST_RTSP_OK;)
    if (credentials_are_well_formed (text))
      i++;
    else
      gst_rtsp_message_remove_header (message, field, i);
  return gst_rtsp_message_parse_auth_credentials (message, field);
}
