/* observation_keeper.h: what becomes of the days that are over: compact files, and the end of what was kept long enough.
 *
 * The newest two days stay as they are written: the rules look back over a day, in the order of the numbers. Of those before, a day whose
 * observations the rules have all seen is written anew, compact (observation_compact.h).
 *
 * A metric's `retain` says for how many whole days after that of storing its observations are kept, otherwise OBSERVATION_DAYS_KEPT;
 * what the site knows no more goes by what was configured when its day was made compact. A day is a file, counted from the newest in
 * the order of the numbers: a clock that jumps forward begins one file and so ends one day, not all of them. Files of before 2020, when
 * no clock was set, make no other one older. What has passed its days is left out when its file is written anew, with which the disk
 * gets it back; a file in which nothing would be left is deleted.
 *
 * The work is done by a thread of its own, in parts of some 2 ms with pauses of 5 ms between them, at low priority. It only
 * reads files, and renames or deletes whole ones: neither the store's thread nor readers ever wait for it. */
#pragma once

#include "gateway/observe/observation_files.h"
#include "gateway/observe/observe.h"
#include "gateway/observe/routes.h"

enum { OBSERVATION_DAYS_KEPT = 30, OBSERVATION_DAYS_RAW = 2 };

typedef struct ObservationKeeper ObservationKeeper;

/* `files` (borrowed) is closed after the keeper. */
ObservationKeeper *observation_keeper_new (const char *data_dir, ObservationFiles *files);

/* Before the start. */
void observation_keeper_set_deleted (ObservationKeeper *keeper, ObservationsDeleted deleted, gpointer data);

/* thread: any. Before the first ones nothing is done. */
void observation_keeper_set_routes (ObservationKeeper *keeper, Routes *routes);

/* thread: any. The number of the last observation that the rules have seen and the accounts have, once both are on disk. */
void observation_keeper_set_applied (ObservationKeeper *keeper, gint64 number);

/* thread: any. Looks at all days once, and waits until it is done. Files that compact ones have replaced are deleted by the
 * second pass from then on: whoever has listed them may still open them. */
void observation_keeper_pass (ObservationKeeper *keeper);

/* A pass a minute on a thread of its own. */
void observation_keeper_start (ObservationKeeper *keeper);

/* Breaks off what it does: it is done again after the next start. Not needed when it was not started. */
void observation_keeper_stop (ObservationKeeper *keeper);

/* Stops it. NULL is taken. */
void observation_keeper_free (ObservationKeeper *keeper);
