#include "gateway/core/clock.h"
#include "gateway/core/csv.h"
#include "gateway/core/error.h"
#include "gateway/observe/observation_files.h"
#include "gateway/observe/observation_read.h"

enum { PIECE_BYTES = 16 * 1024 };

#define HEADER "sensor,metric,value,unit,phenomenon_time,receive_time,quality,historical\r\n"

typedef struct {
  const ObservationSpan *span;
  ObservationWrite write;
  gpointer data;
  GString *text;
  gboolean is_over; /* nobody reads any more */
} Export;

static void flush (Export *export)
{
  if (!export->is_over && !export->write (export->text->str, export->text->len, export->data))
    export->is_over = TRUE;
  g_string_truncate (export->text, 0);
}

static void append_value (GString *text, const Observation *observation)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  if (observation->kind == VALUE_TEXT)
    csv_append_field (text, observation->text, ',');
  else if (observation->kind == VALUE_BOOLEAN)
    csv_append_field (text, observation->value != 0 ? "true" : "false", ',');
  else
    csv_append_field (text, g_ascii_formatd (number, sizeof number, "%.15g", observation->value), ',');
}

static void append_time (GString *text, gint64 time_us)
{
  char time[TIME_RFC3339_BYTES];
  time_write_rfc3339 (time_us, time);
  g_string_append_len (text, time, TIME_RFC3339_BYTES - 1);
  g_string_append_c (text, ',');
}

static void append_line (GString *text, const Observation *observation)
{
  csv_append_field (text, observation->sensor, ',');
  csv_append_field (text, observation->metric, ',');
  append_value (text, observation);
  csv_append_field (text, observation->unit, ',');
  append_time (text, observation->phenomenon_time_us);
  append_time (text, observation->receive_time_us);
  csv_append_field (text, quality_name (observation->quality), ',');
  g_string_append (text, observation->is_historical ? "true\r\n" : "false\r\n");
}

static gboolean export_series (Export *export, Database *database, gint64 series, GError **error)
{
  const ObservationSpan *span = export->span;
  GError *problem = NULL;
  g_autoptr (Statement) rows = database_query (database, &problem, OBSERVATION_SERIES_ROWS, "iii", series,
                                               observation_first_ms (span->from_us), observation_first_ms (span->to_us));
  while (!export->is_over && statement_step (rows, &problem)) {
    g_autoptr (Observation) observation = observation_of_row (rows, NULL);
    append_line (export->text, observation);
    if (export->text->len >= PIECE_BYTES)
      flush (export);
  }
  if (problem == NULL)
    return TRUE;
  g_propagate_error (error, problem);
  return FALSE;
}

static gboolean export_file (Export *export, const char *path, GError **error)
{
  GError *problem = NULL;
  g_autoptr (Database) database = observation_file_open (path, &problem);
  g_autoptr (Statement) series = database == NULL ? NULL
    : database_query (database, &problem,
                      "SELECT id FROM series WHERE (?1 IS NULL OR sensor = ?1) AND (?2 IS NULL OR metric = ?2)"
                      " ORDER BY sensor, metric, id",
                      "ss", export->span->sensor, export->span->metric);
  while (!export->is_over && problem == NULL && statement_step (series, &problem)) {
    export_series (export, database, statement_integer (series, 0), &problem);
    flush (export);
  }
  if (problem == NULL)
    return TRUE;
  if (observation_file_is_gone (path)) {
    g_error_free (problem);
    return TRUE;
  }
  g_propagate_error (error, problem);
  return FALSE;
}

gboolean observation_export (const char *data_dir, const ObservationSpan *span, ObservationWrite write, gpointer data,
                             GError **error)
{
  g_autoptr (GString) text = g_string_new (HEADER);
  g_autoptr (GPtrArray) paths = observation_files_list (data_dir);
  Export export = { .span = span, .write = write, .data = data, .text = text };
  for (guint i = 0; i < paths->len && !export.is_over; i++)
    if (observation_file_may_have (paths->pdata[i], span->from_us) && !export_file (&export, paths->pdata[i], error))
      return FALSE;
  flush (&export);
  return TRUE;
}
