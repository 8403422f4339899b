/* storm.h: how many alerts opened in each grid within the last minute, and where that is too many.
 *
 * thread: one at a time. Times are the rule clock. */
#pragma once

#include <glib.h>

#define STORM_MINUTE_US G_TIME_SPAN_MINUTE

typedef struct Storm Storm;

/* `most`: so many a minute are no storm; 0: nothing ever is. */
Storm *storm_new (guint most);

/* An alert opens in `grid`. TRUE when that is one too many. */
gboolean storm_note (Storm *storm, const char *grid, gint64 now);

/* The storm in `grid` is known from before a start: it lasts a minute from `now` at least. */
void storm_resume (Storm *storm, const char *grid, gint64 now);

/* When the grid's storm is over unless further alerts open. */
gint64 storm_end (const Storm *storm, const char *grid);

void storm_free (Storm *storm); /* NULL is taken */
