/* problems.h: what is wrong in the files of a configuration, each with its place.
 *
 * Collected while reading, in any order; given out sorted by file, line and column. At most PROBLEMS_MAX are kept, the
 * rest is counted. */
#pragma once

#include <glib.h>

enum { PROBLEMS_MAX = 200 };

typedef struct Problems Problems;

Problems *problems_new (void);

/* Names a file; the number stands for it from here on. */
guint problems_add_file (Problems *problems, const char *path);
const char *problems_file (const Problems *problems, guint file);

/* Lines and columns count from 1; line 0: the file as a whole. */
void problems_add (Problems *problems, guint file, guint line, guint column, const char *format, ...)
    G_GNUC_PRINTF (5, 6);

guint problems_count (const Problems *problems);

/* Appends each as newly allocated "FILE:LINE:COLUMN: text". */
void problems_report (Problems *problems, GPtrArray *errors);

void problems_free (Problems *problems);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Problems, problems_free)
