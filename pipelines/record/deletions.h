/* deletions.h: what retention took away, and why: kept for a year, so that it can be shown that what had to go went, when,
 * and that nothing else did.
 *
 * A row sums up what followed each other of one stream, went for one reason and on one day (UTC). In the timeline the same time
 * is a gap "deleted_age" and so on.
 *
 * thread: that of the index given. */
#pragma once

#include "pipelines/record/recordings_index.h"
#include "pipelines/record/retention.h"

enum { DELETIONS_LISTED_MAX = 400 };

/* "age" "camera_bytes" "total_bytes" "free_space" */
const char *retention_reason_name (RetentionReason reason);

/* Inside the transaction that removes `row`. */
gboolean deletions_note (RecordingsIndex *index, const SegmentRow *row, RetentionReason reason, gint64 now_us,
                         GError **error);

/* Forgets rows and gaps that are older than a year. */
gboolean deletions_prune (RecordingsIndex *index, gint64 now_us, GError **error);

/* {"deletions":[[stream, reason, from, to, segments, bytes, at]],"next":…} that touch [from, to], of one camera; `after` is the
 * `next` of an earlier answer, or 0. Times are wall microseconds; NULL with an error. */
json_t *deletions_list (RecordingsIndex *index, const char *camera, gint64 from_us, gint64 to_us, gint64 after,
                        GError **error);

/* {"day":…,"cameras":[[camera, reasons, from, to, segments, bytes]],"next":…}: what went on the first day (since 1970, UTC) in
 * [from_day, before_day) on which anything did, of the cameras behind `after_camera` (""); day 0: none. `next` is the last
 * camera when there are more. */
json_t *deletions_day (RecordingsIndex *index, gint64 from_day, gint64 before_day, const char *after_camera,
                       GError **error);
