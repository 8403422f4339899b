/* json_path.h: the part of JSONPath (RFC 9535) that names one value: `$.a.b[0]['c d']`, negative indexes from the end.
 *
 * thread: any; immutable once parsed. */
#pragma once

#include <glib.h>
#include <jansson.h>

typedef struct JsonPath JsonPath;

/* ERROR_RECONFIGURE says which character is wrong. */
JsonPath *json_path_parse (const char *text, GError **error);

const char *json_path_text (const JsonPath *path);

/* Borrowed from `root`; NULL when it isn't there. */
json_t *json_path_find (const JsonPath *path, json_t *root);

void json_path_free (JsonPath *path);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (JsonPath, json_path_free)
