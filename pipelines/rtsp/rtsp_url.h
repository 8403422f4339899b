/* rtsp_url.h: a camera's address, taken apart (RFC 2326 3.2).
 *
 * thread: any. */
#pragma once

#include <glib.h>

enum { RTSP_PORT = 554, RTSPS_PORT = 322 };

typedef struct {
  gboolean is_encrypted; /* rtsps */
  char *host;            /* a name or an address, IPv6 without brackets */
  guint16 port;
  char *root; /* "rtsp://host:port" */
  char *text; /* root, path and query: what requests name */
} RtspUrl;

/* "rtsp[s]://host[:port][/path][?query]"; a user name in it is left out. FALSE when it is no such thing. */
gboolean rtsp_url_read (RtspUrl *url, const char *text);

/* What `text` means seen from `base`: absolute, "/path" or "path" (RFC 3986 5.2). */
gboolean rtsp_url_resolve (RtspUrl *url, const RtspUrl *base, const char *text);

gboolean rtsp_url_is_same_host (const RtspUrl *a, const RtspUrl *b);

/* The path and query of an absolute rtsp or rtsps URL, from its first "/"; "" when it has none; NULL when it is none. */
const char *rtsp_url_path (const char *text);

void rtsp_url_clear (RtspUrl *url);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RtspUrl, rtsp_url_clear)
