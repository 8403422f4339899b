#include "gateway/observe/observation_keeper.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gateway/core/log.h"
#include "gateway/observe/observation_compact.h"

#define PASS_EVERY_US G_TIME_SPAN_MINUTE
#define PAUSE_US (5 * G_TIME_SPAN_MILLISECOND)
#define DAY_US G_TIME_SPAN_DAY
#define FIRST_DAY "observations-20200101" /* a day before it comes of a clock that wasn't set */

enum { LOW_PRIORITY = 10 };

struct ObservationKeeper {
  char *data_dir;
  ObservationFiles *files;
  ObservationsDeleted deleted;
  gpointer deleted_data;
  gint64 applied; /* atomic */

  GMutex mutex; /* over what follows */
  GCond changed;
  Routes *routes; /* NULL before the first */
  guint site;     /* how many have been set */
  gboolean is_stopping;

  gboolean is_threaded; /* set before the thread is there */
  GThread *thread;

  GMutex pass_mutex; /* over a pass, and what is its alone: */
  GPtrArray *superseded; /* as the last pass saw them */
  GHashTable *looked_at; /* path → Look: how things stood when nothing was to be done */
  GHashTable *last_numbers; /* path of a compact file → gint64: these never change */
};

typedef struct {
  guint age_days;
  guint site; /* which of those that were set */
} Look;

/* A file, for the time in which it is looked at. */
typedef struct {
  ObservationKeeper *keeper;
  Routes *routes;
  const char *path;
  gint64 last;    /* number */
  guint site;
  guint age_days; /* how many files have later numbers */
  guint kept, ended; /* series */
  gboolean has_rejected;
} OldDay;

ObservationKeeper *observation_keeper_new (const char *data_dir, ObservationFiles *files)
{
  ObservationKeeper *keeper = g_new0 (ObservationKeeper, 1);
  g_mutex_init (&keeper->mutex);
  g_mutex_init (&keeper->pass_mutex);
  g_cond_init (&keeper->changed);
  keeper->data_dir = g_strdup (data_dir);
  keeper->files = files;
  keeper->superseded = g_ptr_array_new_with_free_func (g_free);
  keeper->looked_at = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  keeper->last_numbers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return keeper;
}

void observation_keeper_set_deleted (ObservationKeeper *keeper, ObservationsDeleted deleted, gpointer data)
{
  keeper->deleted = deleted;
  keeper->deleted_data = data;
}

void observation_keeper_set_routes (ObservationKeeper *keeper, Routes *routes)
{
  g_mutex_lock (&keeper->mutex);
  Routes *before = keeper->routes;
  keeper->routes = routes_ref (routes);
  keeper->site++;
  g_mutex_unlock (&keeper->mutex);
  routes_unref (before);
}

void observation_keeper_set_applied (ObservationKeeper *keeper, gint64 number)
{
  __atomic_store_n (&keeper->applied, number, __ATOMIC_RELAXED);
}

/* What is configured */

/* FALSE: the site has no such metric. `*days` 0: it has, and says nothing. */
static gboolean configured_days (const Routes *routes, const char *sensor, const char *metric, guint *days)
{
  const SensorInput *input = routes_input (routes, sensor);
  for (guint i = 0; input != NULL && i < input->sensor->metrics->len; i++) {
    const Metric *known = input->sensor->metrics->pdata[i];
    if (strcmp (known->name, metric) != 0)
      continue;
    *days = (guint) ((known->retain_us + DAY_US - 1) / DAY_US);
    return TRUE;
  }
  return FALSE;
}

/* Not yet when it is as many days old: what was stored late on that day is not. */
static gboolean is_past (const OldDay *day)
{
  return day->age_days > OBSERVATION_DAYS_KEPT;
}

static guint keep (gpointer data, const char *sensor, const char *metric, guint written_days, gboolean *is_kept)
{
  const OldDay *day = data;
  guint days = written_days;
  configured_days (day->routes, sensor, metric, &days);
  *is_kept = (days > 0 ? days : OBSERVATION_DAYS_KEPT) >= day->age_days;
  return days;
}

/* One day */

static gboolean is_stopping (ObservationKeeper *keeper)
{
  g_mutex_lock (&keeper->mutex);
  gboolean is_so = keeper->is_stopping;
  g_mutex_unlock (&keeper->mutex);
  return is_so;
}

static gboolean wait_for_stop (ObservationKeeper *keeper, gint64 wait_us)
{
  gint64 until_us = g_get_monotonic_time () + wait_us;
  g_mutex_lock (&keeper->mutex);
  while (!keeper->is_stopping && g_cond_wait_until (&keeper->changed, &keeper->mutex, until_us))
    ;
  gboolean is_so = keeper->is_stopping;
  g_mutex_unlock (&keeper->mutex);
  return is_so;
}

static gboolean pause_or_stop (gpointer data)
{
  ObservationKeeper *keeper = ((OldDay *) data)->keeper;
  return keeper->is_threaded ? !wait_for_stop (keeper, PAUSE_US) : !is_stopping (keeper);
}

/* FALSE when it can't be read. */
static gboolean count_series (OldDay *day, GError **error)
{
  GError *problem = NULL;
  g_autoptr (Database) database = observation_file_open (day->path, &problem);
  gboolean is_compact = observation_file_is_compact (day->path);
  g_autoptr (Statement) rows = database == NULL ? NULL
    : is_compact ? database_query (database, &problem, "SELECT sensor, metric, keep_days FROM series", "")
                 : database_query (database, &problem, "SELECT sensor, metric, 0 FROM series", "");
  while (statement_step (rows, &problem)) {
    gboolean is_kept;
    keep (day, statement_text (rows, 0), statement_text (rows, 1), (guint) statement_integer (rows, 2), &is_kept);
    day->kept += is_kept ? 1 : 0;
    day->ended += is_kept ? 0 : 1;
  }
  if (problem == NULL)
    day->has_rejected = database_integer (database, 0, "SELECT EXISTS (SELECT 1 FROM rejected)", "") != 0;
  if (problem == NULL)
    return TRUE;
  g_propagate_error (error, problem);
  return FALSE;
}

static gboolean count_rows (const char *path, gint64 *rows, GError **error)
{
  g_autoptr (Database) database = observation_file_open (path, error);
  return database != NULL
         && database_read_integer (database, rows, observation_file_is_compact (path) ? "SELECT rows FROM compacted"
                                                                                      : "SELECT count (*) FROM observations", error);
}

/* Before they are: a kill between the two has it told twice, never not at all. FALSE: they must stay. */
static gboolean tell_deleted (const OldDay *day, gint64 rows, GError **error)
{
  const char *name = strrchr (day->path, '/');
  const char *digits = name != NULL ? strpbrk (name, "0123456789") : NULL;
  if (rows == 0 || digits == NULL)
    return TRUE;
  g_autofree char *date = g_strdup_printf ("%.4s-%.2s-%.2s", digits, digits + 4, digits + 6);
  log_info ("observations: %" G_GINT64_FORMAT " of %s have been kept for as long as they should: deleted", rows, date);
  return day->keeper->deleted == NULL || day->keeper->deleted (day->keeper->deleted_data, date, rows, error);
}

static gboolean delete_file (const OldDay *day, GError **error)
{
  gint64 rows;
  if (!count_rows (day->path, &rows, error) || !tell_deleted (day, rows, error))
    return FALSE;
  g_autofree char *written = observation_written_path (day->path);
  observation_file_remove (written); /* first: without its compact file it would count again */
  observation_file_remove (day->path);
  return TRUE;
}

static gboolean write_anew (OldDay *day, GError **error)
{
  CompactResult result;
  const CompactWork work = { day, keep, pause_or_stop, is_past (day) };
  return observation_compact_write (day->path, &work, &result, error) && tell_deleted (day, result.deleted, error)
         && observation_compact_publish (day->path, error);
}

/* What the file of a closed day needs. FALSE: nothing, until its age or the site is another one. */
static gboolean settle_day (OldDay *day)
{
  gboolean is_empty = day->kept == 0 && (day->ended > 0 || is_past (day));
  gboolean is_bare_due = is_past (day) && day->has_rejected;
  if (!is_empty && day->ended == 0 && !is_bare_due && observation_file_is_compact (day->path))
    return FALSE;
  if (!observation_files_close_day (day->keeper->files, day->path))
    return TRUE;
  g_autoptr (GError) error = NULL;
  g_autofree char *draft = observation_compacting_path (day->path);
  gboolean is_over = is_empty && (is_past (day) || !day->has_rejected);
  if (!(is_over ? delete_file (day, &error) : write_anew (day, &error)) && !is_stopping (day->keeper))
    log_limited (LOG_LEVEL_WARNING, "observations: a day stays as it is for now: %s", error->message);
  unlink (draft); /* where it still is: with it the day would go on to count as closed */
  return TRUE;
}

static gboolean is_known (ObservationKeeper *keeper, const OldDay *day)
{
  const Look *look = g_hash_table_lookup (keeper->looked_at, day->path);
  return look != NULL && look->age_days == day->age_days && look->site == day->site;
}

static void look_at_day (OldDay *day)
{
  g_autoptr (GError) error = NULL;
  ObservationKeeper *keeper = day->keeper;
  if (is_known (keeper, day) || day->last > __atomic_load_n (&keeper->applied, __ATOMIC_RELAXED))
    return;
  if (!count_series (day, &error)) {
    log_limited (LOG_LEVEL_WARNING, "observations: %s stays as it is: %s", day->path, error->message);
    return;
  }
  if (settle_day (day))
    return;
  const Look look = { day->age_days, day->site };
  g_hash_table_replace (keeper->looked_at, g_strdup (day->path), g_memdup2 (&look, sizeof look));
}

/* All of them */

static void remove_superseded (ObservationKeeper *keeper)
{
  GPtrArray *now = observation_files_superseded (keeper->data_dir);
  for (guint i = 0; i < keeper->superseded->len; i++)
    if (g_ptr_array_find_with_equal_func (now, keeper->superseded->pdata[i], g_str_equal, NULL))
      observation_file_remove (keeper->superseded->pdata[i]);
  g_ptr_array_unref (keeper->superseded);
  keeper->superseded = now;
}

static gint64 last_number_of (ObservationKeeper *keeper, const char *path)
{
  const gint64 *known = g_hash_table_lookup (keeper->last_numbers, path);
  if (known != NULL)
    return *known;
  gint64 last = observation_file_last_number (path);
  if (last > 0 && observation_file_is_compact (path)) /* 0: perhaps it can't be read just now */
    g_hash_table_insert (keeper->last_numbers, g_strdup (path), g_memdup2 (&last, sizeof last));
  return last;
}

static int compare_numbers (gconstpointer a, gconstpointer b)
{
  const OldDay *one = a, *other = b;
  return one->last != other->last ? (one->last < other->last ? -1 : 1) : observation_file_compare_days (one->path, other->path);
}

/* Each start without the time would make all days a day older. */
static gboolean is_dated (const char *path)
{
  return observation_file_compare_days (path, FIRST_DAY) >= 0;
}

/* In the order of the numbers, not of the dates: a gateway that starts in 1970 until it has found the time, or that was in 2030 once, has
 * files that are much younger or older than they are called. A file without any number goes with the one before it. */
static GArray *days_in_order (ObservationKeeper *keeper, const GPtrArray *paths, Routes *routes, guint site)
{
  GArray *days = g_array_new (FALSE, FALSE, sizeof (OldDay));
  gint64 before = 0;
  for (guint i = 0; i < paths->len; i++) {
    OldDay day = { .keeper = keeper, .routes = routes, .path = paths->pdata[i], .site = site };
    gint64 last = last_number_of (keeper, day.path);
    before = day.last = last > 0 ? last : before;
    g_array_append_val (days, day);
  }
  g_array_sort (days, compare_numbers);
  guint age_days = 0;
  for (guint i = days->len; i-- > 0;) {
    OldDay *day = &g_array_index (days, OldDay, i);
    day->age_days = age_days;
    age_days += is_dated (day->path) ? 1 : 0;
  }
  return days;
}

static void look_at_all (ObservationKeeper *keeper, Routes *routes, guint site)
{
  remove_superseded (keeper);
  g_autoptr (GPtrArray) paths = observation_files_list (keeper->data_dir);
  if (g_hash_table_size (keeper->looked_at) > 2 * paths->len) /* most of them are gone */
    g_hash_table_remove_all (keeper->looked_at);
  g_autoptr (GArray) days = days_in_order (keeper, paths, routes, site);
  for (guint i = 0; i < days->len && !is_stopping (keeper); i++) {
    OldDay *day = &g_array_index (days, OldDay, i);
    if (day->age_days >= OBSERVATION_DAYS_RAW)
      look_at_day (day);
  }
}

void observation_keeper_pass (ObservationKeeper *keeper)
{
  g_mutex_lock (&keeper->mutex);
  g_autoptr (Routes) routes = keeper->routes != NULL ? routes_ref (keeper->routes) : NULL;
  guint site = keeper->site;
  g_mutex_unlock (&keeper->mutex);
  if (routes == NULL)
    return;
  g_mutex_lock (&keeper->pass_mutex);
  look_at_all (keeper, routes, site);
  g_mutex_unlock (&keeper->pass_mutex);
}

static gpointer run (gpointer data)
{
  ObservationKeeper *keeper = data;
  setpriority (PRIO_PROCESS, (id_t) gettid (), LOW_PRIORITY); /* on Linux of this thread alone */
  while (!wait_for_stop (keeper, PASS_EVERY_US))
    observation_keeper_pass (keeper);
  return NULL;
}

void observation_keeper_start (ObservationKeeper *keeper)
{
  if (keeper->thread != NULL)
    return;
  keeper->is_threaded = TRUE;
  keeper->thread = g_thread_new ("keeper", run, keeper);
}

void observation_keeper_stop (ObservationKeeper *keeper)
{
  g_mutex_lock (&keeper->mutex);
  keeper->is_stopping = TRUE;
  g_cond_broadcast (&keeper->changed);
  g_mutex_unlock (&keeper->mutex);
  if (keeper->thread != NULL)
    g_thread_join (keeper->thread);
  keeper->thread = NULL;
}

void observation_keeper_free (ObservationKeeper *keeper)
{
  if (keeper == NULL)
    return;
  observation_keeper_stop (keeper);
  routes_unref (keeper->routes);
  g_hash_table_unref (keeper->last_numbers);
  g_hash_table_unref (keeper->looked_at);
  g_ptr_array_unref (keeper->superseded);
  g_cond_clear (&keeper->changed);
  g_mutex_clear (&keeper->pass_mutex);
  g_mutex_clear (&keeper->mutex);
  g_free (keeper->data_dir);
  g_free (keeper);
}
