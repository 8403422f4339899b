#include "pipelines/rtsp/rtsp_path.h"

#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/core/ids.h"

enum { PARAMETER_MAX = 2048, REASON_BYTES_MAX = 500 };

static const char track_mark[] = "trackID=";

/* The path within `uri`, which may be absolute or a path alone. */
static char *path_start (char *uri)
{
  gsize scheme = g_ascii_strncasecmp (uri, "rtsps://", 8) == 0 ? 8 : 7;
  if (scheme == 7 && g_ascii_strncasecmp (uri, "rtsp://", 7) != 0)
    return uri;
  char *slash = strchr (uri + scheme, '/');
  return slash != NULL ? slash : uri + strlen (uri);
}

/* Cuts "/trackID=N" off. Clients append it to the path, or, when they ignore Content-Base, to the query. */
static gboolean take_track (char *text, int *track)
{
  char *mark = strstr (text, "/trackID=");
  guint64 number;
  if (mark == NULL)
    return TRUE;
  if (!g_ascii_string_to_unsigned (mark + strlen ("/") + strlen (track_mark), 10, 0, 255, &number, NULL))
    return FALSE;
  *track = (int) number;
  *mark = '\0';
  return TRUE;
}

/* The value of a parameter, decoded; NULL: it isn't there. */
static char *take_parameter (const char *query, const char *name)
{
  g_auto (GStrv) parameters = g_strsplit (query, "&", 16);
  gsize length = strlen (name);
  for (char **parameter = parameters; *parameter != NULL; parameter++)
    if (strncmp (*parameter, name, length) == 0 && (*parameter)[length] == '=' && strlen (*parameter) < PARAMETER_MAX)
      return g_uri_unescape_string (*parameter + length + 1, NULL);
  return NULL;
}

/* What the register has room for. */
static char *take_reason (const char *query)
{
  g_autofree char *text = take_parameter (query, "reason");
  g_autofree char *valid = text != NULL ? g_utf8_make_valid (text, -1) : NULL;
  if (valid == NULL || *g_strstrip (valid) == '\0')
    return NULL;
  gsize length = strlen (valid);
  for (length = MIN (length, REASON_BYTES_MAX); (valid[length] & 0xc0) == 0x80;)
    length--;
  return g_strndup (valid, length);
}

/* FALSE when there is something that is no time. */
static gboolean take_time (const char *query, const char *name, gint64 *time_us)
{
  g_autofree char *text = take_parameter (query, name);
  return text == NULL || (time_from_rfc3339 (text, time_us) && *time_us >= 0);
}

static gboolean read_segments (const char *text, RtspPath *path)
{
  g_auto (GStrv) segments = g_strsplit (text, "/", 6); /* "", "live", CAMERA, "sub"? */
  guint count = g_strv_length (segments);
  while (count > 3 && *segments[count - 1] == '\0')
    count--;
  if (count < 3 || count > 4 || *segments[0] != '\0' || !site_id_is_valid (segments[2]))
    return FALSE;
  path->is_playback = strcmp (segments[1], "playback") == 0;
  if (!path->is_playback && strcmp (segments[1], "live") != 0)
    return FALSE;
  if (count == 4 && strcmp (segments[3], "sub") != 0)
    return FALSE;
  path->camera = g_strdup (segments[2]);
  path->stream = count == 4 ? "sub" : "main";
  return TRUE;
}

gboolean rtsp_path_parse (const char *uri, RtspPath *path)
{
  *path = (RtspPath){ .track = -1, .from_us = -1, .to_us = -1 };
  g_autofree char *copy = g_strdup (uri);
  char *query = strchr (copy, '?');
  if (query != NULL)
    *query++ = '\0';
  char *text = path_start (copy);
  if (!take_track (text, &path->track) || (query != NULL && !take_track (query, &path->track))
      || !read_segments (text, path)
      || (query != NULL && (!take_time (query, "from", &path->from_us) || !take_time (query, "to", &path->to_us)))) {
    rtsp_path_clear (path);
    return FALSE;
  }
  if (query != NULL) {
    path->token = take_parameter (query, "token");
    path->reason = take_reason (query);
  }
  gsize length = strlen (copy);
  while (length > 0 && copy[length - 1] == '/')
    length--;
  path->base = g_strndup (copy, length);
  return TRUE;
}

void rtsp_path_clear (RtspPath *path)
{
  g_free (path->camera);
  g_free (path->token);
  g_free (path->reason);
  g_free (path->base);
  *path = (RtspPath){ .track = -1 };
}
