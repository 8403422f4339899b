#include "gateway/http/http_head.h"

#include <string.h>

/* RFC 9110 5.6.2 */
static gboolean is_token (const char *text)
{
  if (*text == '\0')
    return FALSE;
  for (; *text; text++)
    if (!g_ascii_isalnum (*text) && strchr ("!#$%&'*+-.^_`|~", *text) == NULL)
      return FALSE;
  return TRUE;
}

static gboolean is_clean_value (const char *text)
{
  for (; *text; text++)
    if (((guchar) *text < 0x20 && *text != '\t') || *text == 0x7f)
      return FALSE;
  return TRUE;
}

gboolean http_host_is_valid (const char *host)
{
  gsize length = strlen (host);
  if (length == 0 || length > 255)
    return FALSE;
  for (const char *at = host; *at; at++)
    if (!g_ascii_isalnum (*at) && strchr ("-._:[]%~", *at) == NULL)
      return FALSE;
  return TRUE;
}

static const char *check_content_length (HttpHead *head, const char *value)
{
  if (++head->content_lengths > 1)
    return "Content-Length comes twice";
  gsize length = strlen (value);
  if (length == 0 || length > 18 || strspn (value, "0123456789") != length)
    return "Content-Length is no number";
  head->content_length = g_ascii_strtoull (value, NULL, 10);
  return NULL;
}

void http_head_add (HttpHead *head, const char *name, const char *value)
{
  const char *fault = NULL;
  if (value == NULL)
    value = "";
  if (!is_token (name))
    fault = "a header's name has characters that no name may have";
  else if (!is_clean_value (value))
    fault = "a header's value has control characters";
  else if (g_ascii_strcasecmp (name, "Host") == 0 && (++head->hosts > 1 || !http_host_is_valid (value)))
    fault = head->hosts > 1 ? "Host comes twice" : "Host is no host name";
  else if (g_ascii_strcasecmp (name, "Content-Length") == 0)
    fault = check_content_length (head, value);
  else if (g_ascii_strcasecmp (name, "Transfer-Encoding") == 0
           && (++head->transfer_encodings > 1 || g_ascii_strcasecmp (value, "chunked") != 0))
    fault = "Transfer-Encoding must be chunked, once, or absent";
  if (head->fault == NULL)
    head->fault = fault;
}

const char *http_head_check (HttpHead *head, const char *version)
{
  if (head->fault != NULL)
    return head->fault;
  if (head->content_lengths > 0 && head->transfer_encodings > 0)
    return "Content-Length and Transfer-Encoding came together";
  if (!g_str_equal (version, "HTTP/1.1") && !g_str_equal (version, "HTTP/1.0"))
    return "the HTTP version must be 1.1 or 1.0";
  if (g_str_equal (version, "HTTP/1.1") && head->hosts == 0)
    return "Host is missing";
  if (g_str_equal (version, "HTTP/1.0") && head->transfer_encodings > 0)
    return "HTTP/1.0 has no Transfer-Encoding";
  return NULL;
}
