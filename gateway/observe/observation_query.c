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

static void collect (const char *path, const ObservationQuery *query, const Place *place, gint64 to_ms,
                     GPtrArray *found)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Database) database = observation_file_open (path, &error);
  g_autoptr (Statement) rows = database == NULL ? NULL
    : database_query (database, &error, OBSERVATION_COLUMNS CONDITIONS, "iiissi", place->at_ms, place->number, to_ms,
                      query->sensor, query->metric, (gint64) query->limit + 1);
  while (statement_step (rows, &error))
    g_ptr_array_add (found, observation_of_row (rows, NULL));
  if (error != NULL) /* retention may have deleted it just now */
    log_limited (LOG_LEVEL_WARNING, "observations: %s was left out of an answer: %s", path, error->message);
}

/* Keeps what the page can have, and one more, which tells that there is another. What later files have is on it only
 * up to the returned time, so that of a month all but the first day are left almost unread. */
static gint64 keep_page (GPtrArray *found, guint limit, gint64 to_ms)
{
  g_ptr_array_sort (found, compare_observations);
  if (found->len <= limit)
    return to_ms;
  g_ptr_array_set_size (found, (int) limit + 1);
  return ((const Observation *) found->pdata[limit])->phenomenon_time_us / 1000 + 1;
}

json_t *observe_query (const char *data_dir, const char *gateway, const ObservationQuery *query, GError **error)
{
  Place place;
  if (!place_parse (query->cursor, query->from_us, &place, error))
    return NULL;
  g_autoptr (GPtrArray) paths = observation_files_list (data_dir);
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify) observation_unref);
  gint64 to_ms = query->to_us != 0 ? observation_first_ms (query->to_us) : G_MAXINT64;
  for (guint i = 0; i < paths->len; i++)
    if (observation_file_may_have (paths->pdata[i], query->from_us)) {
      collect (paths->pdata[i], query, &place, to_ms, found);
      to_ms = keep_page (found, query->limit, to_ms);
    }

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
