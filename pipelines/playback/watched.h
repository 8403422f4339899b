/* watched.h: which recorded time a client was sent, stretch by stretch, as the viewing register keeps it.
 *
 * At most WATCHED_SPANS_MAX stretches: with more, the last one grows over what lies between, so it says too much, never too little.
 * Less than a second between two is none.
 *
 * thread: its owner's. */
#pragma once

#include <glib.h>

enum { WATCHED_SPANS_MAX = 40 };

typedef struct {
  GArray *spans; /* of two gint64 each; NULL: nothing yet */
} Watched;

void watched_add (Watched *watched, gint64 wall_us, gint64 duration_us);

/* "FROM/TO, FROM/TO"; NULL when it was nothing. Free with g_free. */
char *watched_text (const Watched *watched);

void watched_clear (Watched *watched);
