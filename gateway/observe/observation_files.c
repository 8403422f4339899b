#include "gateway/observe/observation_files.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"

enum { REJECTED_KEPT = 1000, REJECTED_KEPT_OF_SOURCE = 100, REJECTED_PAYLOAD_MAX = 4096, REJECTED_TOPIC_MAX = 1024, FILES_TRIED_FOR_LAST = 31 };

enum { FLAG_HISTORICAL = 4, FLAG_STATE = 64 }; /* beside those of the header */

#define REPLAY_CHUNK 10000

/* Each reading touches the page of its series in the index: these pages stay in memory, and are copied from the log (16 MiB) into the
 * file once for many readings. */
#define TUNING "PRAGMA cache_size=-8192; PRAGMA wal_autocheckpoint=4000;"
#define SCHEMA                                                                                                         \
  "CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, sensor TEXT NOT NULL, metric TEXT NOT NULL, unit TEXT);" \
  "CREATE TABLE IF NOT EXISTS observations (number INTEGER PRIMARY KEY, series INTEGER NOT NULL, at INTEGER NOT NULL," \
  " delay INTEGER NOT NULL, value REAL NOT NULL, flags INTEGER NOT NULL, sequence INTEGER);"                           \
  "CREATE INDEX IF NOT EXISTS observations_at ON observations (series, at);"                                           \
  "CREATE TABLE IF NOT EXISTS rejected (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, broker TEXT NOT NULL,"            \
  " topic TEXT NOT NULL, sensor TEXT, reason TEXT NOT NULL, detail TEXT, payload BLOB);"                               \
  "CREATE INDEX IF NOT EXISTS rejected_of_source ON rejected (broker, sensor);"                                        \
  "CREATE TABLE IF NOT EXISTS deliveries (broker TEXT PRIMARY KEY, packet_ids BLOB NOT NULL, hashes BLOB NOT NULL,"    \
  " next INTEGER NOT NULL) WITHOUT ROWID;"

typedef struct {
  char *sensor, *metric, *unit; /* unit "" for none */
  gint64 id;
} Series;

struct ObservationFiles {
  char *data_dir;
  char *asked; /* for what day a file was opened last; NULL: none is open */
  Database *database;
  GHashTable *series; /* set of Series, of the open file */
  gint64 last, last_given;
  gboolean is_begun, has_found_full;

  GMutex mutex; /* between the writer and who closes days */
  char *path;   /* of the day that is written to; NULL: of none yet */
};

gint64 observation_first_ms (gint64 time_us)
{
  return time_us / 1000 + (time_us % 1000 > 0 ? 1 : 0);
}

static guint series_hash (gconstpointer series)
{
  const Series *one = series;
  return (g_str_hash (one->sensor) * 31 + g_str_hash (one->metric)) * 31 + g_str_hash (one->unit);
}

static gboolean series_equal (gconstpointer left, gconstpointer right)
{
  const Series *one = left, *other = right;
  return strcmp (one->sensor, other->sensor) == 0 && strcmp (one->metric, other->metric) == 0
         && strcmp (one->unit, other->unit) == 0;
}

static void series_free (gpointer data)
{
  Series *series = data;
  g_free (series->sensor);
  g_free (series->metric);
  g_free (series->unit);
  g_free (series);
}

/* A number is never given twice: what can't be read just now has to be waited for. The rows of a damaged file nobody reads any more. */
static gboolean find_last (ObservationFiles *files, GError **error)
{
  g_autoptr (GPtrArray) paths = observation_files_list (files->data_dir);
  for (guint i = 0; i < paths->len; i++) {
    g_autoptr (GError) problem = NULL;
    gint64 last = 0;
    if (!observation_file_read_last (paths->pdata[i], &last, &problem) && !error_is (problem, ERROR_GIVE_UP))
      return error_set (error, ERROR_RETRY, "observations: %s can't be read: %s", (char *) paths->pdata[i], problem->message);
    if (problem != NULL)
      log_error ("observations: %s can't be read: %s", (char *) paths->pdata[i], problem->message);
    files->last = MAX (files->last, last);
  }
  return TRUE;
}

ObservationFiles *observation_files_new (const char *data_dir, gint64 floor, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (data_dir, 0, error);
  if (dir == NULL)
    return NULL;
  ObservationFiles *files = g_new0 (ObservationFiles, 1);
  g_mutex_init (&files->mutex);
  files->data_dir = g_strdup (data_dir);
  files->series = g_hash_table_new_full (series_hash, series_equal, series_free, NULL);
  files->last = floor;
  observation_files_remove_half_made (data_dir);
  if (find_last (files, error))
    return files;
  observation_files_free (files);
  return NULL;
}

gint64 observation_files_last (const ObservationFiles *files)
{
  return files->last;
}

static void close_file (ObservationFiles *files)
{
  files->has_found_full |= files->database != NULL && database_found_full (files->database);
  g_clear_pointer (&files->database, database_close);
  g_clear_pointer (&files->asked, g_free);
  g_hash_table_remove_all (files->series);
}

static char *choose_day (ObservationFiles *files, gint64 wall_us)
{
  g_mutex_lock (&files->mutex);
  char *path = observation_day_path (files->data_dir, wall_us);
  if (path != NULL) {
    g_free (files->path);
    files->path = g_strdup (path);
  }
  g_mutex_unlock (&files->mutex);
  return path;
}

gboolean observation_files_close_day (ObservationFiles *files, const char *path)
{
  g_autofree char *draft = observation_compacting_path (path);
  int fd = -1;
  g_mutex_lock (&files->mutex);
  if (files->path == NULL || observation_file_compare_days (path, files->path) != 0)
    fd = open (draft, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  g_mutex_unlock (&files->mutex);
  if (fd >= 0)
    close (fd);
  return fd >= 0;
}

static Series *add_series (ObservationFiles *files, gint64 id, const char *sensor, const char *metric, const char *unit)
{
  Series *series = g_new (Series, 1);
  *series = (Series){ g_strdup (sensor), g_strdup (metric), g_strdup (unit != NULL ? unit : ""), id };
  g_hash_table_add (files->series, series);
  return series;
}

static gboolean load_series (ObservationFiles *files, GError **error)
{
  GError *problem = NULL;
  g_hash_table_remove_all (files->series);
  g_autoptr (Statement) rows = database_query (files->database, &problem, "SELECT id, sensor, metric, unit FROM series", "");
  while (statement_step (rows, &problem))
    add_series (files, statement_integer (rows, 0), statement_text (rows, 1), statement_text (rows, 2), statement_text (rows, 3));
  if (problem == NULL)
    return TRUE;
  g_propagate_error (error, problem);
  return FALSE;
}

static gboolean open_file_of (ObservationFiles *files, gint64 wall_us, GError **error)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (wall_us / G_USEC_PER_SEC);
  g_autofree char *asked = g_date_time_format (time, "%Y%m%d");
  if (g_strcmp0 (asked, files->asked) == 0)
    return TRUE;
  close_file (files);
  g_autofree char *path = choose_day (files, wall_us);
  if (path == NULL)
    return error_set (error, ERROR_RETRY, "observations: the clock says %s, and the files of the days after it are closed", asked);
  files->database = database_open (path, DATABASE_WRITER, error);
  if (files->database == NULL || !database_script (files->database, TUNING SCHEMA, error) || !load_series (files, error)) {
    close_file (files);
    return FALSE;
  }
  files->asked = g_steal_pointer (&asked);
  return TRUE;
}

gboolean observation_files_begin (ObservationFiles *files, gint64 wall_us, GError **error)
{
  if (!open_file_of (files, wall_us, error) || !database_script (files->database, "BEGIN IMMEDIATE", error))
    return FALSE;
  files->last_given = files->last;
  files->is_begun = TRUE;
  return TRUE;
}

static gint64 series_of (ObservationFiles *files, const Observation *observation, GError **error)
{
  char *unit = observation->unit != NULL ? observation->unit : (char *) "";
  const Series wanted = { observation->sensor, observation->metric, unit, 0 };
  const Series *known = g_hash_table_lookup (files->series, &wanted);
  if (known != NULL)
    return known->id;
  if (!database_run (files->database, error, "INSERT INTO series (sensor, metric, unit) VALUES (?, ?, ?)", "sss",
                     observation->sensor, observation->metric, observation->unit))
    return 0;
  return add_series (files, database_last_rowid (files->database), observation->sensor, observation->metric, observation->unit)->id;
}

static gint64 flags_of (const Observation *observation)
{
  return (gint64) observation->quality | (observation->is_historical ? FLAG_HISTORICAL : 0)
         | (observation->is_state ? FLAG_STATE : 0) | (observation->kind == VALUE_BOOLEAN ? OBSERVATION_BOOLEAN : 0);
}

/* A text is a blob: as text, SQLite would make a number of "3" in a column of numbers. */
#define INSERT_ROW                                                                                                     \
  "INSERT INTO observations (number, series, at, delay, value, flags, sequence)"                                       \
  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, nullif (?7, -1))"

static gboolean write_row (ObservationFiles *files, const Observation *observation, gint64 series, gint64 flags,
                           GError **error)
{
  gint64 number = files->last_given + 1, at = observation->phenomenon_time_us / 1000;
  gint64 delay = observation->receive_time_us / 1000 - at;
  if (observation->kind == VALUE_TEXT)
    return database_run (files->database, error, INSERT_ROW, "iiiibii", number, series, at, delay, observation->text,
                         strlen (observation->text), flags, observation->sequence);
  return database_run (files->database, error, INSERT_ROW, "iiiidii", number, series, at, delay, observation->value,
                       flags, observation->sequence);
}

gboolean observation_files_add (ObservationFiles *files, Observation *observation, guint marks, GError **error)
{
  gint64 series = series_of (files, observation, error);
  if (series == 0)
    return FALSE;
  if (!write_row (files, observation, series, flags_of (observation) | marks, error))
    return FALSE;
  observation->number = ++files->last_given;
  return TRUE;
}

/* So that a device that sends nonsense all day does not push out what others have sent. */
static gboolean forget_rejected (ObservationFiles *files, const char *broker, const char *sensor, GError **error)
{
  gint64 last = database_last_rowid (files->database);
  return database_run (files->database, error, "DELETE FROM rejected WHERE id <= ?", "i", last - REJECTED_KEPT)
         && database_run (files->database, error,
                          "DELETE FROM rejected WHERE broker = ?1 AND sensor IS ?2 AND id <= (SELECT id FROM rejected WHERE"
                          " broker = ?1 AND sensor IS ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
                          "ssi", broker, sensor, (gint64) REJECTED_KEPT_OF_SOURCE);
}

gboolean observation_files_reject (ObservationFiles *files, const RawMessage *message, const char *sensor,
                                   const char *reason, const char *detail, GError **error)
{
  gsize size;
  const void *payload = g_bytes_get_data (message->payload, &size);
  g_autofree char *start = g_strndup (message->topic, REJECTED_TOPIC_MAX);
  g_autofree char *topic = g_utf8_make_valid (start, -1);
  return database_run (files->database, error,
                       "INSERT INTO rejected (at, broker, topic, sensor, reason, detail, payload)"
                       " VALUES (?, ?, ?, ?, ?, ?, ?)",
                       "isssssb", message->receive_time_us, message->broker, topic, sensor, reason, detail,
                       payload != NULL ? payload : "", MIN (size, (gsize) REJECTED_PAYLOAD_MAX))
         && forget_rejected (files, message->broker, sensor, error);
}

gboolean observation_files_keep_deliveries (ObservationFiles *files, const char *broker, const Deliveries *deliveries,
                                            GError **error)
{
  return database_run (files->database, error,
                       "INSERT OR REPLACE INTO deliveries (broker, packet_ids, hashes, next) VALUES (?, ?, ?, ?)",
                       "sbbi", broker, deliveries->packet_id, sizeof deliveries->packet_id, deliveries->hash,
                       sizeof deliveries->hash, (gint64) deliveries->next);
}

gboolean observation_files_commit (ObservationFiles *files, GError **error)
{
  if (!database_script (files->database, "COMMIT", error))
    return FALSE;
  files->is_begun = FALSE;
  files->last = files->last_given;
  return TRUE;
}

gboolean observation_files_found_full (ObservationFiles *files)
{
  gboolean has_found_full = files->has_found_full;
  files->has_found_full = FALSE;
  return has_found_full | (files->database != NULL && database_found_full (files->database));
}

void observation_files_roll_back (ObservationFiles *files)
{
  if (files->is_begun)
    database_script (files->database, "ROLLBACK", NULL);
  files->is_begun = FALSE;
  if (files->database != NULL && !load_series (files, NULL)) /* some may have been of this transaction */
    close_file (files);
}

static void set_value (Observation *observation, Statement *row, int column, gboolean is_boolean)
{
  if (!statement_is_blob (row, column)) {
    observation->kind = is_boolean ? VALUE_BOOLEAN : VALUE_NUMBER;
    observation->value = statement_real (row, column);
    return;
  }
  gsize size;
  const char *bytes = statement_blob (row, column, &size);
  g_autofree char *text = g_strndup (size > 0 ? bytes : "", size);
  observation_set_text (observation, text);
}

Observation *observation_of_row (Statement *row, guint *marks)
{
  Observation *observation = observation_new (statement_text (row, 1), statement_text (row, 2));
  gint64 flags = statement_integer (row, 7);
  observation->number = statement_integer (row, 0);
  observation->unit = g_strdup (statement_text (row, 3));
  observation->phenomenon_time_us = statement_integer (row, 4) * 1000;
  observation->receive_time_us = observation->phenomenon_time_us + statement_integer (row, 5) * 1000;
  set_value (observation, row, 6, (flags & OBSERVATION_BOOLEAN) != 0);
  observation->quality = (Quality) MIN (flags & OBSERVATION_QUALITY, QUALITY_BAD);
  observation->is_historical = (flags & FLAG_HISTORICAL) != 0;
  observation->is_state = (flags & FLAG_STATE) != 0;
  observation->sequence = statement_is_null (row, 8) ? -1 : statement_integer (row, 8);
  if (marks != NULL)
    *marks = (guint) flags & (FIRST_OF_SENSOR | FIRST_OF_MESSAGE);
  return observation;
}

typedef struct {
  Observation *observation;
  guint marks;
} Found;

static void found_clear (gpointer found)
{
  observation_unref (((Found *) found)->observation);
}

static int compare_found (gconstpointer a, gconstpointer b)
{
  gint64 first = ((const Found *) a)->observation->number, second = ((const Found *) b)->observation->number;
  return first < second ? -1 : first > second;
}

/* Another connection than the writer's would do as well; a file that can't be read is left out and said. */
static void collect (const char *path, const char *sql, gint64 number, GArray *found)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Database) database = observation_file_open (path, &error);
  g_autoptr (Statement) rows = database != NULL ? database_query (database, &error, sql, "i", number) : NULL;
  while (statement_step (rows, &error)) {
    Found one;
    one.observation = observation_of_row (rows, &one.marks);
    g_array_append_val (found, one);
  }
  if (error != NULL)
    log_error ("observations: %s can't be read: %s", path, error->message);
}

static gboolean call_each (GArray *found, ObservationEach each, gpointer data, GError **error)
{
  for (guint i = 0; i < found->len; i++) {
    Found *one = &g_array_index (found, Found, i);
    if (!each (one->observation, one->marks, data, error))
      return FALSE;
  }
  return TRUE;
}

/* A compact file can tell at once that it has nothing more; to go through it by number would be to sort it. */
static GPtrArray *list_beyond (const char *data_dir, gint64 number)
{
  GPtrArray *paths = observation_files_list (data_dir);
  for (guint i = paths->len; i-- > 0;)
    if (observation_file_is_compact (paths->pdata[i]) && observation_file_last_number (paths->pdata[i]) <= number)
      g_ptr_array_remove_index (paths, i);
  return paths;
}

gboolean observation_files_each_after (ObservationFiles *files, gint64 number, ObservationEach each, gpointer data,
                                       GError **error)
{
  g_autoptr (GPtrArray) paths = list_beyond (files->data_dir, number);
  while (number < files->last) {
    g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (Found));
    g_array_set_clear_func (found, found_clear);
    for (guint i = 0; i < paths->len; i++)
      collect (paths->pdata[i],
               OBSERVATION_COLUMNS "WHERE o.number > ? ORDER BY o.number LIMIT " G_STRINGIFY (REPLAY_CHUNK), number, found);
    if (found->len == 0)
      return TRUE;
    g_array_sort (found, compare_found);
    if (found->len > REPLAY_CHUNK)
      g_array_set_size (found, REPLAY_CHUNK);
    if (!call_each (found, each, data, error))
      return FALSE;
    number = g_array_index (found, Found, found->len - 1).observation->number;
  }
  return TRUE;
}

gboolean observation_files_each_last (ObservationFiles *files, ObservationEach each, gpointer data, GError **error)
{
  g_autoptr (GPtrArray) paths = observation_files_list (files->data_dir);
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (Found));
  g_array_set_clear_func (found, found_clear);
  guint first = paths->len > FILES_TRIED_FOR_LAST ? paths->len - FILES_TRIED_FOR_LAST : 0;
  for (guint i = first; i < paths->len; i++)
    collect (paths->pdata[i],
             OBSERVATION_COLUMNS "AND o.at = (SELECT max (l.at) FROM observations l WHERE l.series = s.id) WHERE o.number > ?",
             0, found);
  g_array_sort (found, compare_found);
  return call_each (found, each, data, error);
}

/* FALSE: no row here, or it can't be read. */
static gboolean read_deliveries (Database *database, const char *broker, Deliveries *deliveries)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Statement) row = database_query (
    database, &error, "SELECT packet_ids, hashes, next FROM deliveries WHERE broker = ?", "s", broker);
  gsize ids_size, hashes_size;
  if (!statement_step (row, &error)) {
    if (error != NULL)
      log_error ("observations: what broker %s delivered last can't be read: %s", broker, error->message);
    return FALSE;
  }
  const void *ids = statement_blob (row, 0, &ids_size), *hashes = statement_blob (row, 1, &hashes_size);
  if (ids_size != sizeof deliveries->packet_id || hashes_size != sizeof deliveries->hash)
    return FALSE;
  memcpy (deliveries->packet_id, ids, ids_size);
  memcpy (deliveries->hash, hashes, hashes_size);
  deliveries->next = (guint) statement_integer (row, 2) % DELIVERIES_KEPT;
  return TRUE;
}

gboolean observation_files_deliveries (ObservationFiles *files, const char *broker, Deliveries *deliveries)
{
  if (files->database != NULL && read_deliveries (files->database, broker, deliveries))
    return TRUE; /* today's file, which nobody can lock against its own writer */
  g_autoptr (GPtrArray) paths = observation_files_by_number (files->data_dir);
  for (guint i = paths->len; i-- > 0;) {
    g_autoptr (Database) database = observation_file_open (paths->pdata[i], NULL);
    if (database != NULL && read_deliveries (database, broker, deliveries))
      return TRUE;
  }
  return FALSE;
}

void observation_files_free (ObservationFiles *files)
{
  if (files == NULL)
    return;
  observation_files_roll_back (files);
  close_file (files);
  g_hash_table_unref (files->series);
  g_free (files->data_dir);
  g_free (files->path);
  g_mutex_clear (&files->mutex);
  g_free (files);
}
