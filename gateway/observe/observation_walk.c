#include "gateway/observe/observation_walk.h"

#include <string.h>

#include "gateway/observe/observation_files.h"

enum { LOOK_EVERY_OPERATIONS = 100000 }; /* of SQLite: some 10 ms */

typedef struct {
  const ObservationWalk *walk;
  ObservationVisit visit;
  gpointer data;
  guint seen;
  gboolean is_over;
} Walker;

static int is_late (void *data)
{
  gint64 deadline_us = ((const Walker *) data)->walk->deadline_us;
  return deadline_us != 0 && g_get_monotonic_time () > deadline_us;
}

static gboolean visit_row (Walker *walker, Statement *row, GError **error)
{
  const ObservationWalk *walk = walker->walk;
  g_autoptr (Observation) observation = observation_of_row (row, NULL);
  walker->is_over = is_late (walker);
  if (walk->from_us != 0 && observation->receive_time_us < walk->from_us)
    return TRUE;
  walker->is_over |= ++walker->seen >= walk->limit;
  return walker->visit (observation, walker->data, error);
}

static gboolean walk_file (Walker *walker, const char *path, GError **error)
{
  const ObservationWalk *walk = walker->walk;
  GError *problem = NULL;
  g_autoptr (Database) database = observation_file_open (path, error);
  if (database == NULL)
    return FALSE;
  /* To sort takes long before the first row is there. */
  sqlite3_progress_handler (database_handle (database), LOOK_EVERY_OPERATIONS, is_late, walker);
  g_autoptr (Statement) rows = database_query (
    database, &problem,
    OBSERVATION_COLUMNS "WHERE o.number > ?1 AND o.number <= ?2 AND (?3 IS NULL OR s.sensor = ?3)"
                        " AND (?4 IS NULL OR s.metric = ?4) ORDER BY o.number",
    "iiss", walk->after, walk->up_to != 0 ? walk->up_to : G_MAXINT64, walk->sensor, walk->metric);
  while (!walker->is_over && problem == NULL && statement_step (rows, &problem))
    walker->is_over |= !visit_row (walker, rows, &problem);
  if (problem != NULL && is_late (walker)) {
    walker->is_over = TRUE;
    g_clear_error (&problem);
  }
  if (problem == NULL)
    return TRUE;
  g_propagate_error (error, problem);
  return FALSE;
}

/* To go through a compact file by number is to sort it: not without need. */
static gboolean has_beyond (const char *path, gint64 number)
{
  return !observation_file_is_compact (path) || observation_file_last_number (path) > number;
}

/* What was received on a day stands in no file of a day before it, however late it is. */
static gboolean may_have (const char *path, const ObservationWalk *walk)
{
  return walk->from_us == 0 || observation_file_may_have (path, walk->from_us + G_TIME_SPAN_DAY);
}

gboolean observation_walk (const char *data_dir, const ObservationWalk *walk, ObservationVisit visit, gpointer data,
                           GError **error)
{
  Walker walker = { .walk = walk, .visit = visit, .data = data };
  g_autoptr (GPtrArray) paths = observation_files_list (data_dir);
  for (guint i = 0; i < paths->len && !walker.is_over; i++)
    if (may_have (paths->pdata[i], walk) && has_beyond (paths->pdata[i], walk->after)
        && !walk_file (&walker, paths->pdata[i], error))
      return FALSE;
  return TRUE;
}
