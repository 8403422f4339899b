/* json_path.h: the part of JSONPath (RFC 9535) that names values by where they stand: `$.a.b[0]['c d']`, indexes from the
 * end `[-1]`, and wildcards `.*` `[*]` over the members of an object or the items of an array.
 *
 * thread: any; immutable once parsed. */
#pragma once

#include <glib.h>
#include <jansson.h>

enum { JSON_PATH_STEPS_MAX = 32, JSON_PATH_WILDCARDS_MAX = 4 };

typedef struct JsonPath JsonPath;

/* Which member each wildcard stood for, in the order of the path. */
typedef struct {
  guint count;
  gsize member[JSON_PATH_WILDCARDS_MAX];
} JsonPlace;

/* ERROR_RECONFIGURE says which character is wrong; `*at`, when not NULL, is its offset in bytes. */
JsonPath *json_path_parse (const char *text, gsize *at, GError **error);

const char *json_path_text (const JsonPath *path);
guint json_path_wildcards (const JsonPath *path);

/* Its steps, and the name that one goes by; NULL for an index and a wildcard. */
guint json_path_length (const JsonPath *path);
const char *json_path_name (const JsonPath *path, guint step);

/* The first value, borrowed from `root`; NULL when there is none. */
json_t *json_path_find (const JsonPath *path, json_t *root);

/* The value where the path's wildcards stand for what they stood for at `place`: the time of one of many readings. A path
 * with fewer wildcards uses the first ones. */
json_t *json_path_find_at (const JsonPath *path, json_t *root, const JsonPlace *place);

/* Calls `each` for every value in the order of the document, until it returns FALSE. */
typedef gboolean (*JsonPathEach) (json_t *value, const JsonPlace *place, gpointer data);
void json_path_each (const JsonPath *path, json_t *root, JsonPathEach each, gpointer data);

void json_path_free (JsonPath *path);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (JsonPath, json_path_free)
