/* json_skim.h: the values at a few plain paths ($.level, $.data.at) of a JSON document, without making the rest of it.
 *
 * A parse of 200 bytes with jansson cost a third of all that a sensor's message cost. Each byte is still looked at: what this
 * takes, jansson takes with the same values (tests/fuzz/fuzz_json_skim.c holds both against each other). What is rare is left
 * to it: escapes, bytes beyond ASCII, exponents, long numbers, many members, lists and objects where a value is wanted, and
 * whatever is wrong.
 *
 * thread: any. */
#pragma once

#include "gateway/core/json_path.h"

enum { JSON_SKIM_PATHS_MAX = 64 };

/* Whether the path has names only. */
gboolean json_skim_takes (const JsonPath *path);

/* `values[i]` becomes what stands at `paths[i]` (free with json_decref), or NULL where nothing does. FALSE: the document must be
 * parsed as a whole, and `values` is all NULL. */
gboolean json_skim (const guint8 *bytes, gsize size, JsonPath *const *paths, guint count, json_t **values);
