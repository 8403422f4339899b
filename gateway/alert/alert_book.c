#include "gateway/alert/alert_book.h"

#include <string.h>

#include "gateway/alert/alert_json.h"
#include "gateway/core/error.h"
#include "gateway/core/ids.h"

#define COLUMNS                                                                                                        \
  "id, rule, sensor, camera, grid, category, severity, opened_at, cleared_at, value, unit, incident, historical,"   \
  " silenced, peak, is_untold"

static Alert *alert_from_row (Statement *row)
{
  Alert *alert = g_new0 (Alert, 1);
  alert->id = g_strdup (statement_text (row, 0));
  alert->rule = g_strdup (statement_text (row, 1));
  alert->sensor = g_strdup (statement_text (row, 2));
  alert->camera = g_strdup (statement_text (row, 3));
  alert->grid = g_strdup (statement_text (row, 4));
  alert->category = g_strdup (statement_text (row, 5));
  alert->severity = (Severity) statement_integer (row, 6);
  alert->opened_at_us = statement_integer (row, 7);
  alert->cleared_at_us = statement_integer (row, 8);
  alert->has_value = !statement_is_null (row, 9);
  alert->value = statement_real (row, 9);
  alert->unit = g_strdup (statement_text (row, 10));
  alert->incident = g_strdup (statement_text (row, 11));
  alert->historical = statement_integer (row, 12) != 0;
  alert->silenced = statement_integer (row, 13) != 0;
  alert->peak = (Severity) statement_integer (row, 14);
  alert->is_untold = statement_integer (row, 15) != 0;
  return alert;
}

/* A JSON list for json_each; NULL stands for "any". */
static char *names_to_json (const char *const *names)
{
  if (names == NULL)
    return NULL;
  json_t *list = json_array ();
  for (guint i = 0; names[i] != NULL; i++)
    json_array_append_new (list, json_string (names[i]));
  char *text = json_dumps (list, JSON_COMPACT);
  json_decref (list);
  return text;
}

static Statement *query (Database *reader, const AlertFilter *filter, guint limit, const char *cursor, GError **error)
{
  gint64 is_open = filter->state == NULL ? -1 : strcmp (filter->state, "open") == 0;
  char *grids = names_to_json (filter->grids);
  char *categories = names_to_json (filter->categories);
  Statement *rows = database_query (
    reader, error,
    "SELECT " COLUMNS " FROM alerts WHERE (?1 IS NULL OR id < ?1) AND (?2 < 0 OR (cleared_at = 0) = ?2)"
    " AND (?3 IS NULL OR rule = ?3) AND (?4 IS NULL OR sensor = ?4) AND (?5 IS NULL OR camera = ?5)"
    " AND (?6 IS NULL OR incident = ?6) AND (?7 IS NULL OR grid IN (SELECT value FROM json_each (?7)))"
    " AND (?8 IS NULL OR category IN (SELECT value FROM json_each (?8))) AND severity >= ?9"
    " AND opened_at >= ?10 AND opened_at < ?11 ORDER BY id DESC LIMIT ?12",
    "sissssssiiii", cursor, is_open, filter->rule, filter->sensor, filter->camera, filter->incident, grids, categories,
    (gint64) filter->min_severity, filter->from_us, filter->to_us != 0 ? filter->to_us : G_MAXINT64, (gint64) limit + 1);
  free (grids);
  free (categories);
  return rows;
}

json_t *alert_list (Database *reader, const AlertFilter *filter, guint limit, const char *cursor, GError **error)
{
  if (cursor != NULL && !ulid_is_valid (cursor)) {
    error_set (error, ERROR_REFUSE, "cursor is not one that this list gave");
    return NULL;
  }
  GError *problem = NULL;
  g_autoptr (Statement) rows = query (reader, filter, limit, cursor, &problem);
  json_t *items = json_array ();
  json_t *next = json_null ();
  while (statement_step (rows, &problem)) {
    g_autoptr (Alert) alert = alert_from_row (rows);
    if (json_array_size (items) == limit) {
      next = json_deep_copy (json_object_get (json_array_get (items, limit - 1), "id"));
      break;
    }
    json_array_append_new (items, alert_to_json (alert));
  }
  json_t *list = json_pack ("{s:o, s:o}", "items", items, "next", next);
  if (problem == NULL)
    return list;
  json_decref (list);
  g_propagate_error (error, problem);
  return NULL;
}

Alert *alert_find (Database *database, const char *id, GError **error)
{
  g_autoptr (Statement) rows = database_query (database, error, "SELECT " COLUMNS " FROM alerts WHERE id = ?", "s", id);
  return statement_step (rows, error) ? alert_from_row (rows) : NULL;
}

gboolean alert_write (Database *database, const Alert *alert, const char *note, GError **error)
{
  return database_run (database, error,
                       "INSERT OR REPLACE INTO alerts (" COLUMNS ", note)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, CASE WHEN ?10 THEN ?11 END, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
                       "ssssssiiiidssiiiis", alert->id, alert->rule, alert->sensor, alert->camera, alert->grid,
                       alert->category, (gint64) alert->severity, alert->opened_at_us, alert->cleared_at_us,
                       (gint64) alert->has_value, alert->value, alert->unit, alert->incident,
                       (gint64) alert->historical, (gint64) alert->silenced, (gint64) MAX (alert->peak, alert->severity),
                       (gint64) alert->is_untold, note);
}

gboolean alert_count_open (Database *reader, gint64 counts[SEVERITY_EXTREME + 1], GError **error)
{
  GError *problem = NULL;
  memset (counts, 0, (SEVERITY_EXTREME + 1) * sizeof counts[0]);
  g_autoptr (Statement) rows = database_query (
    reader, &problem, "SELECT severity, count(*) FROM alerts WHERE cleared_at = 0 GROUP BY severity", "");
  while (statement_step (rows, &problem)) {
    gint64 severity = statement_integer (rows, 0);
    if (severity >= SEVERITY_MINOR && severity <= SEVERITY_EXTREME)
      counts[severity] = statement_integer (rows, 1);
  }
  if (problem == NULL)
    return TRUE;
  g_propagate_error (error, problem);
  return FALSE;
}

typedef struct {
  EventBus *bus;
  char *json, *grid, *category, *camera;
  int severity;
} Announcement;

static void announcement_publish (gpointer data)
{
  Announcement *one = data;
  event_bus_publish (one->bus, "alert", one->json, one->grid, one->category, one->camera, one->severity);
}

static void announcement_free (gpointer data)
{
  Announcement *one = data;
  free (one->json);
  g_free (one->grid);
  g_free (one->category);
  g_free (one->camera);
  g_free (one);
}

void alert_announce (Store *store, EventBus *bus, const Alert *alert)
{
  if (bus == NULL)
    return;
  Announcement *one = g_new0 (Announcement, 1);
  json_t *json = alert_to_json (alert);
  one->bus = bus;
  one->json = json_dumps (json, JSON_COMPACT | JSON_REAL_PRECISION (15));
  one->grid = g_strdup (alert->grid);
  one->category = g_strdup (alert->category);
  one->camera = g_strdup (alert->camera);
  one->severity = (int) alert->severity;
  json_decref (json);
  store_after_commit (store, announcement_publish, one, announcement_free);
}
