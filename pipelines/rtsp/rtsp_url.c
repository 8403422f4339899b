#include "pipelines/rtsp/rtsp_url.h"

#include <string.h>

static gboolean take (RtspUrl *url, GUri *uri)
{
  const char *scheme = g_uri_get_scheme (uri), *host = g_uri_get_host (uri), *query = g_uri_get_query (uri);
  int port = g_uri_get_port (uri);
  gboolean is_encrypted = g_strcmp0 (scheme, "rtsps") == 0;
  if ((!is_encrypted && g_strcmp0 (scheme, "rtsp") != 0) || host == NULL || *host == '\0' || port == 0 || port > 65535)
    return FALSE;
  gboolean is_ipv6 = strchr (host, ':') != NULL;
  url->is_encrypted = is_encrypted;
  url->host = g_strdup (host);
  url->port = (guint16) (port > 0 ? port : is_encrypted ? RTSPS_PORT : RTSP_PORT);
  url->root = g_strdup_printf ("%s://%s%s%s:%u", scheme, is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", url->port);
  url->text = g_strconcat (url->root, g_uri_get_path (uri), query != NULL ? "?" : "", query, NULL);
  return TRUE;
}

gboolean rtsp_url_read (RtspUrl *url, const char *text)
{
  g_autoptr (GUri) uri = g_uri_parse (text, G_URI_FLAGS_ENCODED, NULL);
  *url = (RtspUrl){ 0 };
  return uri != NULL && take (url, uri);
}

gboolean rtsp_url_resolve (RtspUrl *url, const RtspUrl *base, const char *text)
{
  g_autoptr (GUri) from = g_uri_parse (base->text, G_URI_FLAGS_ENCODED, NULL);
  g_autoptr (GUri) uri = g_uri_parse_relative (from, text, G_URI_FLAGS_ENCODED, NULL);
  *url = (RtspUrl){ 0 };
  return uri != NULL && take (url, uri);
}

gboolean rtsp_url_is_same_host (const RtspUrl *a, const RtspUrl *b)
{
  return g_ascii_strcasecmp (a->host, b->host) == 0;
}

const char *rtsp_url_path (const char *text)
{
  if (g_ascii_strncasecmp (text, "rtsp://", 7) != 0 && g_ascii_strncasecmp (text, "rtsps://", 8) != 0)
    return NULL;
  const char *path = strchr (text, ':') + 1;
  while (g_str_has_prefix (path, "//")) /* "rtsp://rtsp://host/path" is what some say */
    path += 2 + strcspn (path + 2, "/?");
  return path;
}

void rtsp_url_clear (RtspUrl *url)
{
  g_free (url->host);
  g_free (url->root);
  g_free (url->text);
  *url = (RtspUrl){ 0 };
}
