#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "gateway/observe/observation_files.h"
#include "gateway/observe/observation_json.h"
#include "gateway/observe/observe.h"

/* Where a page ended: the next one starts after this time and number. */
typedef struct {
  gint64 at_ms, number;
} Place;

static gboolean place_parse (const char *cursor, gint64 from_us, Place *place, GError **error)
{
  *place = (Place){ from_us / 1000, -1 };
  if (cursor == NULL)
    return TRUE;
  char *end;
  place->at_ms = g_ascii_strtoll (cursor, &end, 10);
  if (end != cursor && *end == '-' && g_ascii_isdigit (end[1])) {
    place->number = g_ascii_strtoll (end + 1, &end, 10);
    if (*end == '\0')
      return TRUE;
  }
  return error_set (error, ERROR_REFUSE, "cursor is not one that this list gave");
}

static int compare_observations (gconstpointer a, gconstpointer b)
{
  const Observation *first = *(Observation *const *) a, *second = *(Observation *const *) b;
  if (first->phenomenon_time_us != second->phenomenon_time_us)
    return first->phenomenon_time_us < second->phenomenon_time_us ? -1 : 1;
  return first->number < second->number ? -1 : first->number > second->number;
}

/* The index over (series, at) finds a sensor's rows; without a sensor the day is walked. */
#define CONDITIONS                                                                                                     \
  "WHERE (o.at > ?1 OR (o.at = ?1 AND o.number > ?2)) AND o.at >= ?1 AND o.at < ?3"                                    \
  " AND o.series IN (SELECT id FROM series WHERE (?4 IS NULL OR sensor = ?4) AND (?5 IS NULL OR metric = ?5))"         \
  " ORDER BY o.at, o.number LIMIT ?6"

static void collect (const char *path, const ObservationQuery *query, const Place *place, GPtrArray *found)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Database) database = database_open (path, DATABASE_READER, &error);
  gint64 to_ms = query->to_us != 0 ? (query->to_us + 999) / 1000 : G_MAXINT64;
  g_autoptr (Statement) rows = database == NULL ? NULL
    : database_query (database, &error, OBSERVATION_COLUMNS CONDITIONS, "iiissi", place->at_ms, place->number, to_ms,
                      query->sensor, query->metric, (gint64) query->limit + 1);
  while (statement_step (rows, &error))
    g_ptr_array_add (found, observation_of_row (rows, NULL));
  if (error != NULL) /* retention may have deleted it just now */
    log_limited (LOG_LEVEL_WARNING, "observations: %s was left out of an answer: %s", path, error->message);
}

/* Data may arrive days late but never much before its time: files before the day before `from` can't have it. */
static gboolean may_have (const char *path, gint64 from_us)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (from_us / G_USEC_PER_SEC - 86400);
  g_autofree char *first = time != NULL ? g_date_time_format (time, "observations-%Y%m%d.db") : NULL;
  g_autofree char *name = g_path_get_basename (path);
  return first == NULL || from_us <= 0 || strcmp (name, first) >= 0;
}

json_t *observe_query (const char *data_dir, const char *gateway, const ObservationQuery *query, GError **error)
{
  Place place;
  if (!place_parse (query->cursor, query->from_us, &place, error))
    return NULL;
  g_autoptr (GPtrArray) paths = observation_files_list (data_dir);
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify) observation_unref);
  for (guint i = 0; i < paths->len; i++)
    if (may_have (paths->pdata[i], query->from_us))
      collect (paths->pdata[i], query, &place, found);
  g_ptr_array_sort (found, compare_observations);

  json_t *items = json_array ();
  guint count = MIN (found->len, query->limit);
  for (guint i = 0; i < count; i++)
    json_array_append_new (items, observation_to_json (gateway, found->pdata[i]));
  json_t *next = json_null ();
  if (found->len > count && count > 0) {
    const Observation *last = found->pdata[count - 1];
    next = json_sprintf ("%" G_GINT64_FORMAT "-%" G_GINT64_FORMAT, last->phenomenon_time_us / 1000, last->number);
  }
  return json_pack ("{s:o, s:o}", "items", items, "next", next);
}

/* Rejected payloads: text where it is UTF-8, base64 where it isn't. */
static json_t *describe_rejected (Statement *row)
{
  gsize size;
  const void *payload = statement_blob (row, 6, &size);
  g_autofree char *at = time_to_rfc3339 (statement_integer (row, 0));
  json_t *object = json_pack ("{s:s, s:s, s:s, s:s?, s:s, s:s?}", "at", at, "broker", statement_text (row, 1), "topic",
                              statement_text (row, 2), "sensor", statement_text (row, 3), "reason",
                              statement_text (row, 4), "detail", statement_text (row, 5));
  json_t *text = json_stringn (payload != NULL ? payload : "", size);
  if (text != NULL) {
    json_object_set_new (object, "payload", text);
  } else {
    g_autofree char *encoded = g_base64_encode (payload, size);
    json_object_set_new (object, "payload_base64", json_string (encoded));
  }
  return object;
}

json_t *observe_rejected (const char *data_dir, guint limit)
{
  json_t *items = json_array ();
  g_autoptr (GPtrArray) paths = observation_files_list (data_dir);
  for (guint i = paths->len; i-- > 0 && json_array_size (items) < limit;) {
    g_autoptr (GError) error = NULL;
    g_autoptr (Database) database = database_open (paths->pdata[i], DATABASE_READER, &error);
    g_autoptr (Statement) rows = database == NULL ? NULL
      : database_query (database, &error,
                        "SELECT at, broker, topic, sensor, reason, detail, payload FROM rejected ORDER BY id DESC LIMIT ?",
                        "i", (gint64) (limit - json_array_size (items)));
    while (statement_step (rows, &error))
      json_array_append_new (items, describe_rejected (rows));
    if (error != NULL)
      log_limited (LOG_LEVEL_WARNING, "observations: %s was left out of an answer: %s", (char *) paths->pdata[i],
                   error->message);
  }
  return json_pack ("{s:o}", "items", items);
}
