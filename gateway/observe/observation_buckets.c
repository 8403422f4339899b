#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "gateway/core/quantity.h"
#include "gateway/observe/observation_files.h"
#include "gateway/observe/observation_read.h"

typedef struct {
  guint count, bad, numbers; /* numbers: in the sum */
  double minimum, maximum, sum;
  /* the newest that is not bad; where all are, the newest of them */
  gint64 last_at_ms, last_number;
  Quality last_quality;
  gboolean is_last_boolean;
  double last;
  char *last_text; /* NULL: it is none */
} Bucket;

/* The buckets of one unit. */
typedef struct {
  char *unit;
  Bucket *buckets;
  guint count;
} UnitBuckets;

static void unit_buckets_free (gpointer data)
{
  UnitBuckets *of = data;
  for (guint i = 0; i < of->count; i++)
    g_free (of->buckets[i].last_text);
  g_free (of->buckets);
  g_free (of->unit);
  g_free (of);
}

static UnitBuckets *buckets_of_unit (GPtrArray *units, const char *unit, guint count)
{
  for (guint i = 0; i < units->len; i++)
    if (g_strcmp0 (((UnitBuckets *) units->pdata[i])->unit, unit) == 0)
      return units->pdata[i];
  if (units->len >= OBSERVATION_UNITS_MAX)
    return NULL;
  UnitBuckets *of = g_new0 (UnitBuckets, 1);
  of->unit = g_strdup (unit);
  of->buckets = g_new0 (Bucket, count);
  of->count = count;
  g_ptr_array_add (units, of);
  return of;
}

/* Rows of one series come in the order of their times, but files of several days overlap where data was late. */
static gboolean is_newer (const Bucket *bucket, gint64 at_ms, gint64 number, Quality quality)
{
  if (bucket->count == 0)
    return TRUE;
  if ((bucket->last_quality == QUALITY_BAD) != (quality == QUALITY_BAD))
    return bucket->last_quality == QUALITY_BAD;
  return at_ms != bucket->last_at_ms ? at_ms > bucket->last_at_ms : number > bucket->last_number;
}

static void keep_last (Bucket *bucket, Statement *row, gint64 flags, Quality quality)
{
  gint64 at_ms = statement_integer (row, 4), number = statement_integer (row, 0);
  if (!is_newer (bucket, at_ms, number, quality))
    return;
  bucket->last_at_ms = at_ms;
  bucket->last_number = number;
  bucket->last_quality = quality;
  bucket->is_last_boolean = (flags & OBSERVATION_BOOLEAN) != 0;
  g_clear_pointer (&bucket->last_text, g_free);
  if (!statement_is_blob (row, 6)) {
    bucket->last = statement_real (row, 6);
    return;
  }
  gsize size;
  const char *bytes = statement_blob (row, 6, &size);
  bucket->last_text = g_strndup (size > 0 ? bytes : "", size);
}

/* Column by column: to make an observation of each of 43,200 rows would cost more than to read them. */
static void add_row (Bucket *bucket, Statement *row)
{
  gint64 flags = statement_integer (row, 7);
  Quality quality = (Quality) MIN (flags & OBSERVATION_QUALITY, QUALITY_BAD);
  gboolean is_number = !statement_is_blob (row, 6) && (flags & OBSERVATION_BOOLEAN) == 0;
  keep_last (bucket, row, flags, quality);
  bucket->count++;
  bucket->bad += quality == QUALITY_BAD ? 1 : 0;
  if (is_number && quality != QUALITY_BAD) {
    double value = statement_real (row, 6);
    bucket->minimum = bucket->numbers == 0 ? value : MIN (bucket->minimum, value);
    bucket->maximum = bucket->numbers == 0 ? value : MAX (bucket->maximum, value);
    bucket->sum += value;
    bucket->numbers++;
  }
}

static void add_series (const ObservationSpan *span, Statement *rows, UnitBuckets *of, GError **error)
{
  while (statement_step (rows, error)) {
    gint64 since_us = statement_integer (rows, 4) * 1000 - span->from_us;
    guint index = (guint) CLAMP (since_us / span->every_us, 0, (gint64) of->count - 1);
    add_row (&of->buckets[index], rows);
  }
}

/* Of one file. */
static void add_file (const char *path, const ObservationSpan *span, guint count, GPtrArray *units, GError **error)
{
  g_autoptr (Database) database = observation_file_open (path, error);
  g_autoptr (Statement) series = database == NULL ? NULL
    : database_query (database, error, "SELECT id, unit FROM series WHERE sensor = ? AND metric = ?", "ss", span->sensor,
                      span->metric);
  while (statement_step (series, error)) {
    UnitBuckets *of = buckets_of_unit (units, statement_text (series, 1), count);
    if (of == NULL) {
      error_set (error, ERROR_REFUSE, "%s of %s had more than %d units in that time: ask for less of it", span->metric,
                 span->sensor, OBSERVATION_UNITS_MAX);
      return;
    }
    g_autoptr (Statement) rows = database_query (database, error, OBSERVATION_SERIES_ROWS, "iii", statement_integer (series, 0),
                                                 observation_first_ms (span->from_us), observation_first_ms (span->to_us));
    add_series (span, rows, of, error);
  }
}

static json_t *describe_last (const Bucket *bucket)
{
  if (bucket->last_text != NULL)
    return json_string (bucket->last_text);
  return bucket->is_last_boolean ? json_boolean (bucket->last != 0) : json_real (bucket->last);
}

static json_t *describe_bucket (const ObservationSpan *span, const UnitBuckets *of, guint index)
{
  const Bucket *bucket = &of->buckets[index];
  g_autofree char *from = time_to_rfc3339 (span->from_us + index * span->every_us);
  json_t *item = json_pack ("{s:s, s:i, s:i, s:s?, s:s}", "from", from, "count", (int) bucket->count, "bad", (int) bucket->bad,
                            "unit", of->unit, "quality", quality_name (bucket->last_quality));
  if (bucket->numbers > 0) {
    json_object_set_new (item, "min", json_real (bucket->minimum));
    json_object_set_new (item, "max", json_real (bucket->maximum));
    json_object_set_new (item, "mean", json_real (bucket->sum / bucket->numbers));
  }
  json_object_set_new (item, "last", describe_last (bucket));
  return item;
}

static json_t *describe_all (const ObservationSpan *span, const GPtrArray *units, guint count)
{
  json_t *items = json_array ();
  for (guint index = 0; index < count; index++)
    for (guint i = 0; i < units->len; i++) {
      const UnitBuckets *of = units->pdata[i];
      if (of->buckets[index].count > 0)
        json_array_append_new (items, describe_bucket (span, of, index));
    }
  return json_pack ("{s:o, s:n}", "items", items, "next");
}

static gboolean check_span (const ObservationSpan *span, guint *count, GError **error)
{
  if (span->sensor == NULL || span->metric == NULL)
    return error_set (error, ERROR_REFUSE, "every needs sensor and metric: buckets are of one series");
  if (span->from_us >= span->to_us)
    return error_set (error, ERROR_REFUSE, "from must be before to");
  gint64 needed = (span->to_us - span->from_us - 1) / span->every_us + 1;
  if (needed > OBSERVATION_BUCKETS_MAX) {
    g_autofree char *every = duration_format (
      ((span->to_us - span->from_us) / OBSERVATION_BUCKETS_MAX / G_TIME_SPAN_SECOND + 1) * G_TIME_SPAN_SECOND);
    return error_set (error, ERROR_REFUSE, "these are more than %d buckets: every must be at least %s for that time",
                      OBSERVATION_BUCKETS_MAX, every);
  }
  *count = (guint) needed;
  return TRUE;
}

json_t *observation_buckets (const char *data_dir, const ObservationSpan *span, GError **error)
{
  guint count = 0;
  if (!check_span (span, &count, error))
    return NULL;
  g_autoptr (GPtrArray) paths = observation_files_list (data_dir);
  g_autoptr (GPtrArray) units = g_ptr_array_new_with_free_func (unit_buckets_free);
  for (guint i = 0; i < paths->len; i++) {
    g_autoptr (GError) problem = NULL;
    if (!observation_file_may_have (paths->pdata[i], span->from_us))
      continue;
    add_file (paths->pdata[i], span, count, units, &problem);
    if (error_is (problem, ERROR_REFUSE)) {
      g_propagate_error (error, g_steal_pointer (&problem));
      return NULL;
    }
    if (problem != NULL) /* retention may have deleted it just now */
      log_limited (LOG_LEVEL_WARNING, "observations: %s was left out of an answer: %s", (char *) paths->pdata[i],
                   problem->message);
  }
  return describe_all (span, units, count);
}
