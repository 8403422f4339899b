#include "gateway/http/http_path.h"

#include <string.h>

#include "gateway/core/error.h"

/* NULL when an escape is broken or the result isn't clean text. */
static char *decode (const char *text, gsize length, gboolean plus_is_space)
{
  g_autoptr (GString) out = g_string_sized_new (length);
  for (gsize i = 0; i < length; i++) {
    char byte = text[i];
    if (byte == '%') {
      if (i + 2 >= length || !g_ascii_isxdigit (text[i + 1]) || !g_ascii_isxdigit (text[i + 2]))
        return NULL;
      byte = (char) (g_ascii_xdigit_value (text[i + 1]) << 4 | g_ascii_xdigit_value (text[i + 2]));
      i += 2;
    } else if (byte == '+' && plus_is_space) {
      byte = ' ';
    }
    if ((guchar) byte < 0x20 || byte == 0x7f)
      return NULL;
    g_string_append_c (out, byte);
  }
  return g_utf8_validate (out->str, (gssize) out->len, NULL) ? g_string_free (g_steal_pointer (&out), FALSE) : NULL;
}

static gboolean parse_segments (const char *text, gsize length, HttpPath *path, GError **error)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  guint count = 0;
  gsize at = 1; /* after the first slash */
  while (at < length) {
    const char *slash = memchr (text + at, '/', length - at);
    gsize end = slash != NULL ? (gsize) (slash - text) : length;
    g_autofree char *segment = decode (text + at, end - at, FALSE);
    if (segment == NULL)
      return error_set (error, ERROR_REFUSE, "the path has a broken escape, a control character or no valid UTF-8");
    if (segment[0] == '\0' || g_str_equal (segment, ".") || g_str_equal (segment, ".."))
      return error_set (error, ERROR_REFUSE, "the path has an empty or a dot segment");
    if (++count > PATH_SEGMENTS_MAX)
      return error_set (error, ERROR_REFUSE, "the path has more than %d segments", PATH_SEGMENTS_MAX);
    g_strv_builder_add (builder, segment);
    at = end + 1;
  }
  path->segments = g_strv_builder_end (builder);
  return TRUE;
}

static gboolean parse_query (const char *text, HttpPath *path, GError **error)
{
  path->query = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  while (text != NULL && *text != '\0') {
    gsize length = strcspn (text, "&");
    const char *equals = memchr (text, '=', length);
    gsize name_length = equals != NULL ? (gsize) (equals - text) : length;
    g_autofree char *name = decode (text, name_length, TRUE);
    g_autofree char *value = equals != NULL ? decode (equals + 1, length - name_length - 1, TRUE) : g_strdup ("");
    if (name == NULL || value == NULL)
      return error_set (error, ERROR_REFUSE, "the query has a broken escape, a control character or no valid UTF-8");
    if (length > 0) {
      if (g_hash_table_size (path->query) >= QUERY_FIELDS_MAX)
        return error_set (error, ERROR_REFUSE, "the query has more than %d fields", QUERY_FIELDS_MAX);
      if (g_hash_table_contains (path->query, name))
        return error_set (error, ERROR_REFUSE, "the query names %s twice", name);
      g_hash_table_insert (path->query, g_steal_pointer (&name), g_steal_pointer (&value));
    }
    text += length + (text[length] == '&');
  }
  return TRUE;
}

gboolean http_path_parse (const char *target, HttpPath *path, GError **error)
{
  gsize length = strlen (target);
  gsize path_length = strcspn (target, "?#");
  *path = (HttpPath){ 0 };
  if (target[0] != '/')
    return error_set (error, ERROR_REFUSE, "the request target must begin with a slash");
  if (length > TARGET_BYTES_MAX)
    return error_set (error, ERROR_REFUSE, "the request target is longer than %d bytes", TARGET_BYTES_MAX);
  if (memchr (target, '#', length) != NULL)
    return error_set (error, ERROR_REFUSE, "a request target has no fragment");
  if (parse_segments (target, path_length, path, error)
      && parse_query (target[path_length] == '?' ? target + path_length + 1 : NULL, path, error))
    return TRUE;
  http_path_clear (path);
  return FALSE;
}

void http_path_clear (HttpPath *path)
{
  g_clear_pointer (&path->segments, g_strfreev);
  g_clear_pointer (&path->query, g_hash_table_unref);
}

const char *http_path_query (const HttpPath *path, const char *name)
{
  return path->query != NULL ? g_hash_table_lookup (path->query, name) : NULL;
}

/* Digits up to `*text`'s first other character. FALSE without any, or on overflow. */
static gboolean take_number (const char **text, guint64 *number)
{
  const char *at = *text;
  for (*number = 0; g_ascii_isdigit (*at); at++)
    if (*number > (G_MAXINT64 - 9) / 10)
      return FALSE;
    else
      *number = *number * 10 + (guint64) (*at - '0');
  gboolean has_any = at != *text;
  *text = at;
  return has_any;
}

RangeKind http_range_parse (const char *header, guint64 size, guint64 *first, guint64 *length)
{
  guint64 last;
  if (header == NULL || g_ascii_strncasecmp (header, "bytes=", 6) != 0)
    return RANGE_NONE;
  const char *at = header + 6;
  if (*at == '-') { /* the last so many bytes */
    at++;
    if (!take_number (&at, &last) || *at != '\0')
      return RANGE_NONE;
    if (last == 0 || size == 0)
      return RANGE_UNSATISFIABLE;
    *length = MIN (last, size);
    *first = size - *length;
    return RANGE_ONE;
  }
  if (!take_number (&at, first) || *at++ != '-')
    return RANGE_NONE;
  if (*at == '\0')
    last = G_MAXINT64;
  else if (!take_number (&at, &last) || *at != '\0' || last < *first)
    return RANGE_NONE;
  if (*first >= size)
    return RANGE_UNSATISFIABLE;
  *length = MIN (last, size - 1) - *first + 1;
  return RANGE_ONE;
}
