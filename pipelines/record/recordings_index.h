/* recordings_index.h: recordings.db: which file holds which time of which camera, and why time is missing.
 *
 * The disk thread has the one connection that writes; whoever reads opens a reader of its own for the occasion. Times are
 * wall microseconds. Files are named relative to the data folder.
 *
 * thread: the holder's. */
#pragma once

#include "gateway/store/database.h" /* the one thing of gateway/ besides core, model and link that pipelines use */

#include <jansson.h>

enum {
  GAP_MIN_US = 1500 * 1000, /* less is jitter between two segments */
  LIST_ENTRIES_MAX = 900,   /* of spans and gaps in one answer: stays under LINK_MESSAGE_MAX */
};

typedef struct RecordingsIndex RecordingsIndex;

typedef struct {
  gint64 id, from_us, to_us, bytes;
  char *camera, *stream, *file;
} SegmentRow;

void segment_row_free (SegmentRow *row);

/* Makes and migrates the schema as a writer. */
RecordingsIndex *recordings_index_open (const char *data_dir, DatabaseMode mode, GError **error);
void recordings_index_close (RecordingsIndex *index); /* NULL is taken */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RecordingsIndex, recordings_index_close)

/* What follows may be grouped between these; each alone is a transaction of its own. A commit that fails undoes them all. */
gboolean recordings_index_begin (RecordingsIndex *index, GError **error);
gboolean recordings_index_commit (RecordingsIndex *index, GError **error);

/* Writes the row's end, bytes and whether a process still writes its file. A row that isn't there (yet, or because a commit
 * failed) is made, and `row->id` set. `tracks`: "h264" "h264,aac". */
gboolean recordings_index_put (RecordingsIndex *index, SegmentRow *row, const char *tracks, gboolean is_open,
                               GError **error);

/* The segment begins at `from_us`, and its file is called `file` now (NULL: as before); so ends the gap before
 * it. The row follows whatever comes of it. */
gboolean recordings_index_move (RecordingsIndex *index, SegmentRow *row, const char *file, gint64 from_us, GError **error);
gboolean recordings_index_remove (RecordingsIndex *index, gint64 id, GError **error);

/* An open gap ends when recording resumes; one that is shorter than GAP_MIN_US is forgotten then, unless our own process
 * died in it: what that cost is told, however short. */
gboolean recordings_index_open_gap (RecordingsIndex *index, const char *camera, const char *stream, gint64 from_us,
                                    const char *reason, GError **error);
gboolean recordings_index_close_gap (RecordingsIndex *index, const char *camera, const char *stream, gint64 to_us,
                                     GError **error);

/* A gap whose end is known already. */
gboolean recordings_index_add_gap (RecordingsIndex *index, const char *camera, const char *stream, gint64 from_us,
                                   gint64 to_us, const char *reason, GError **error);

/* Rows that a killed process left open; of SegmentRow. */
GPtrArray *recordings_index_open_rows (RecordingsIndex *index, GError **error);

/* The first finished segment of a stream that begins at `from_us` or later; NULL when there is none. */
SegmentRow *recordings_index_next (RecordingsIndex *index, const char *camera, const char *stream, gint64 from_us,
                                   GError **error);

/* Whether the row's file is known, from its camera, stream, file and begin (to a millisecond). */
gboolean recordings_index_has_file (RecordingsIndex *index, const SegmentRow *row);

/* Called for each stream that there is something of. */
typedef void (*RecordingsSum) (const char *camera, const char *stream, gint64 bytes, gint64 oldest_us, gint64 newest_us,
                               gpointer data);
gboolean recordings_index_sums (RecordingsIndex *index, RecordingsSum sum, gpointer data, GError **error);
/* When the first segment begins that does so after `after_us`; 0: none does. */
gint64 recordings_index_begin_after (RecordingsIndex *index, const char *camera, const char *stream, gint64 after_us);

gint64 recordings_index_oldest_of (RecordingsIndex *index, const char *camera, const char *stream); /* 0: nothing */

/* A number that is kept with the index; 0 until it is set. */
gint64 recordings_index_mark (RecordingsIndex *index, const char *name);
gboolean recordings_index_set_mark (RecordingsIndex *index, const char *name, gint64 value, GError **error);

/* For the tables that have files of their own. Borrowed. */
Database *recordings_index_database (RecordingsIndex *index);

gint64 recordings_index_bytes (RecordingsIndex *index);
gint64 recordings_index_newest_us (RecordingsIndex *index); /* 0: nothing is recorded */

/* The end of what is recorded of one stream; 0: nothing. */
gint64 recordings_index_end_us (RecordingsIndex *index, const char *camera, const char *stream);

/* Up to where it is known why there is something of one stream or not; 0: nothing is. */
gint64 recordings_index_known_us (RecordingsIndex *index, const char *camera, const char *stream);

/* ---- reading ---- */

/* Segments that touch [from, to], in order of time; of SegmentRow, at most `limit`. */
GPtrArray *recordings_index_find (RecordingsIndex *index, const char *camera, const char *stream, gint64 from_us,
                                  gint64 to_us, guint limit, GError **error);

/* Why there is nothing in this time, as far as it is noted; "" when it isn't. Free with g_free. */
char *recordings_index_gap_reason (RecordingsIndex *index, const char *camera, const char *stream, gint64 from_us,
                                   gint64 to_us);

/* {"spans":[[from,to]],"gaps":[[from,to,reason]],"next":…} of a stream, cut to [from, to] and `now`. */
json_t *recordings_index_list (RecordingsIndex *index, const char *camera, const char *stream, gint64 from_us,
                               gint64 to_us, gint64 now_us, GError **error);
