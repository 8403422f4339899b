/* http_path.h: what a request's target and its Range header mean, byte by byte.
 *
 * Paths are split before they are decoded, so that %2F stays inside its segment; whatever could mean two things to two
 * programs (NUL, control characters, "." and "..", empty segments, broken escapes, bad UTF-8) is refused.
 *
 * thread: any; pure functions. */
#pragma once

#include <glib.h>

enum { PATH_SEGMENTS_MAX = 16, QUERY_FIELDS_MAX = 32, TARGET_BYTES_MAX = 4096 };

typedef struct {
  GStrv segments;    /* decoded; "/" has none */
  GHashTable *query; /* name → value, decoded; a name comes once */
} HttpPath;

/* `target` is the raw request target ("/a/b?x=1"). FALSE with ERROR_REFUSE. */
gboolean http_path_parse (const char *target, HttpPath *path, GError **error);
void http_path_clear (HttpPath *path);

const char *http_path_query (const HttpPath *path, const char *name); /* NULL: not there */

typedef enum { RANGE_NONE, RANGE_ONE, RANGE_UNSATISFIABLE } RangeKind;

/* A single byte range of a body of `size` bytes (RFC 9110 14); several ranges and other units count as none, as the RFC
 * lets a server do. `header` may be NULL. */
RangeKind http_range_parse (const char *header, guint64 size, guint64 *first, guint64 *length);
