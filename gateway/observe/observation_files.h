/* observation_files.h: what was observed, in one SQLite file a day: DATA_DIR/observations-YYYYMMDD.db.
 *
 * The day (UTC) is that of storing. Observations are numbered without a gap over all files. Names of sensors and metrics stand once
 * in a file (series). A commit is on disk when it returns. With the observations go the payloads that were rejected, and
 * what was delivered last: so that a message that the broker sends again after a kill is known.
 *
 * Days that are over are another module's (observation_keeper.h).
 *
 * thread: the store's. */
#pragma once

#include "gateway/model/broker_port.h"
#include "gateway/model/observation.h"
#include "gateway/model/raw_message.h"
#include "gateway/observe/observation_days.h"

/* What a broker may send again after a kill: all whose acknowledgement it had not read yet. Of MQTT 5 that is at most its window;
 * brokers of MQTT 3.1.1 were seen to send 65 to 114 again with one of 20. */
enum { DELIVERIES_KEPT = 2 * BROKER_WINDOW };

typedef struct ObservationFiles ObservationFiles;

/* The last deliveries of one broker, newest anywhere. */
typedef struct {
  guint64 hash[DELIVERIES_KEPT];
  guint16 packet_id[DELIVERIES_KEPT];
  guint next;
} Deliveries;

/* `floor`: numbers go on above it even when no file is left. Half-made compact files are removed. */
ObservationFiles *observation_files_new (const char *data_dir, gint64 floor, GError **error);

/* The number of the last committed observation. */
gint64 observation_files_last (const ObservationFiles *files);

gboolean observation_files_begin (ObservationFiles *files, gint64 wall_us, GError **error);

/* Of the column `flags`. */
enum { OBSERVATION_QUALITY = 3, OBSERVATION_BOOLEAN = 32 };

/* Marks of an observation, for counting messages again after a kill. */
enum { FIRST_OF_SENSOR = 8, FIRST_OF_MESSAGE = 16 };

/* Numbers the observation. `marks`: whether it is the first one of its message, or of its sensor's part of it. */
gboolean observation_files_add (ObservationFiles *files, Observation *observation, guint marks, GError **error);

/* `sensor` may be NULL. Payloads are cut to 4 KiB, topics to 1 KiB; the file keeps the last 100 of each sensor, and 1000 in all. */
gboolean observation_files_reject (ObservationFiles *files, const RawMessage *message, const char *sensor,
                                   const char *reason, const char *detail, GError **error);
gboolean observation_files_keep_deliveries (ObservationFiles *files, const char *broker, const Deliveries *deliveries,
                                            GError **error);

gboolean observation_files_commit (ObservationFiles *files, GError **error);

/* Whether the disk was full for what has been tried since this was last asked. */
gboolean observation_files_found_full (ObservationFiles *files);

/* The numbers given since begin are given again. */
void observation_files_roll_back (ObservationFiles *files);

/* Calls `each` for what is committed above `number`, in order. */
typedef gboolean (*ObservationEach) (Observation *observation, guint marks, gpointer data, GError **error);
gboolean observation_files_each_after (ObservationFiles *files, gint64 number, ObservationEach each, gpointer data,
                                       GError **error);

/* The newest observation of each series, from the newest files. */
gboolean observation_files_each_last (ObservationFiles *files, ObservationEach each, gpointer data, GError **error);

/* FALSE when the broker is unknown. */
gboolean observation_files_deliveries (ObservationFiles *files, const char *broker, Deliveries *deliveries);

/* thread: any. Ends the writing of the day of `path` for good, unless it is the one that is written to: then its half-made compact file
 * is there, empty. */
gboolean observation_files_close_day (ObservationFiles *files, const char *path);

void observation_files_free (ObservationFiles *files);

/* Columns `at` are whole ms: the first that is not before `time_us`. */
gint64 observation_first_ms (gint64 time_us);

/* "number, sensor, metric, unit, at, delay, value, flags, sequence" of a row; the value of a text is a blob, so what
 * computes with values in SQL asks for typeof (value) = 'real'. */
#define OBSERVATION_COLUMNS                                                                                            \
  "SELECT o.number, s.sensor, s.metric, s.unit, o.at, o.delay, o.value, o.flags, o.sequence"                           \
  " FROM observations o JOIN series s ON s.id = o.series "

/* Those of one series by their times, from ?2 to before ?3: the index gives them in this order. */
#define OBSERVATION_SERIES_ROWS                                                                                        \
  OBSERVATION_COLUMNS "WHERE o.series = ?1 AND o.at >= ?2 AND o.at < ?3 ORDER BY o.at, o.number"
Observation *observation_of_row (Statement *row, guint *marks); /* marks may be NULL */
