/* loader.h: a site from its files.
 *
 * The first file may include others (`include`, patterns relative to it), whose lists are added to its own.
 * Relative paths in a file are taken from the file's folder. Bounded: yaml_tree.h, and LOADER_FILES_MAX files.
 *
 * thread: any; waits for the disk. */
#pragma once

#include "gateway/model/site.h"

enum { LOADER_FILES_MAX = 256 };

/* A published site, or NULL with every problem appended to `errors` as newly allocated "FILE:LINE:COLUMN: what is wrong,
 * what was expected". */
Site *site_load (const char *path, GPtrArray *errors);

/* The same for a text that is not on the disk (yet); `name` stands for it in errors, and its folder for relative paths. It
 * may include files below that folder only: what is wrong with a file tells what stands in it. */
Site *site_load_text (const char *name, const char *text, gsize size, GPtrArray *errors);

/* One rule, as YAML or JSON, as it would stand under `rules` of `site`: every check is made, also against the rest of the
 * site. NULL with the problems appended to `errors`. Free with rule_free; it borrows nothing. */
Rule *rule_load_text (Site *site, const char *text, gsize size, GPtrArray *errors);
