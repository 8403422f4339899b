#include "gateway/alert/silence.h"

#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "gateway/core/ids.h"

enum { NAMES_MAX = 1000 };

#define COLUMNS "id, author, reason, created_at, from_us, to_us, matches, ended_by"
static const char *const lists[] = { "rules", "sensors", "cameras", "grids", "categories" };

typedef struct {
  gint64 from_us, to_us;
  json_t *matches;
} Silence;

struct SilenceSet {
  GPtrArray *silences; /* of Silence */
};

/* Covering */

static void one_free (gpointer data)
{
  Silence *one = data;
  json_decref (one->matches);
  g_free (one);
}

SilenceSet *silence_set_load (Database *database, gint64 now_us, GError **error)
{
  GError *problem = NULL;
  g_autoptr (SilenceSet) set = g_new0 (SilenceSet, 1);
  set->silences = g_ptr_array_new_with_free_func (one_free);
  g_autoptr (Statement) rows = database_query (
    database, &problem, "SELECT from_us, to_us, matches FROM silences WHERE to_us > ?", "i", now_us);
  while (statement_step (rows, &problem)) {
    Silence *one = g_new0 (Silence, 1);
    one->from_us = statement_integer (rows, 0);
    one->to_us = statement_integer (rows, 1);
    one->matches = json_loads (statement_text (rows, 2), 0, NULL);
    g_ptr_array_add (set->silences, one);
  }
  if (problem == NULL)
    return g_steal_pointer (&set);
  g_propagate_error (error, problem);
  return NULL;
}

static gboolean list_holds (const json_t *list, const char *name)
{
  gsize index;
  json_t *one;
  json_array_foreach (list, index, one)
    if (g_strcmp0 (json_string_value (one), name) == 0)
      return TRUE;
  return FALSE;
}

static gboolean grids_hold (const json_t *list, const Site *site, const char *grid)
{
  gsize index;
  json_t *one;
  json_array_foreach (list, index, one)
    if (site_grid_is_within (site, grid, json_string_value (one)))
      return TRUE;
  return FALSE;
}

static gboolean matches (const json_t *matches, const Site *site, const Alert *alert)
{
  const char *const names[] = { alert->rule, alert->sensor, alert->camera, alert->grid, alert->category };
  if (matches == NULL)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++) {
    const json_t *list = json_object_get (matches, lists[i]);
    gboolean is_grids = strcmp (lists[i], "grids") == 0;
    if (list != NULL && !(is_grids ? grids_hold (list, site, alert->grid) : list_holds (list, names[i])))
      return FALSE;
  }
  return TRUE;
}

gboolean silence_set_covers (const SilenceSet *set, const Site *site, const Alert *alert, gint64 now_us)
{
  for (guint i = 0; set != NULL && i < set->silences->len; i++) {
    const Silence *one = set->silences->pdata[i];
    if (now_us >= one->from_us && now_us < one->to_us && matches (one->matches, site, alert))
      return TRUE;
  }
  return FALSE;
}

void silence_set_free (SilenceSet *set)
{
  if (set == NULL)
    return;
  g_ptr_array_unref (set->silences);
  g_free (set);
}

/* Checking what somebody sends */

static gboolean site_knows (const Site *site, const char *list, const char *name)
{
  if (strcmp (list, "rules") == 0)
    return site_rule (site, name) != NULL || rule_is_built_in (name);
  if (strcmp (list, "sensors") == 0)
    return site_sensor (site, name) != NULL;
  if (strcmp (list, "cameras") == 0)
    return site_camera (site, name) != NULL;
  if (strcmp (list, "grids") == 0)
    return site_grid (site, name) != NULL || g_strcmp0 (site->gateway.division, name) == 0;
  return site_id_is_valid (name);
}

static gboolean is_within (const Site *site, const char *list, const char *name, const char *within)
{
  const Sensor *sensor = strcmp (list, "sensors") == 0 ? site_sensor (site, name) : NULL;
  const Camera *camera = strcmp (list, "cameras") == 0 ? site_camera (site, name) : NULL;
  const char *grid = sensor != NULL ? sensor->grid : camera != NULL ? camera->grid
                     : strcmp (list, "grids") == 0 ? name : NULL;
  return within == NULL || grid == NULL || site_grid_is_within (site, grid, within);
}

static gboolean check_list (const Site *site, const char *name, const char *within, const json_t *list, GError **error)
{
  gsize index;
  json_t *one;
  if (!json_is_array (list) || json_array_size (list) == 0 || json_array_size (list) > NAMES_MAX)
    return error_set (error, ERROR_REFUSE, "%s must be a list of 1 to %d ids", name, NAMES_MAX);
  json_array_foreach (list, index, one) {
    const char *id = json_string_value (one);
    if (id == NULL || !site_knows (site, name, id))
      return error_set (error, ERROR_REFUSE, "%s: the site has no %.64s", name, id != NULL ? id : "such thing");
    if (!is_within (site, name, id, within))
      return error_set (error, ERROR_REFUSE, "%s: %s is not in grid %s, to which you are bound", name, id, within);
  }
  return TRUE;
}

/* NULL with an error. */
static json_t *take_matches (const Site *site, const char *within, const json_t *body, GError **error)
{
  json_t *taken = json_object ();
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++) {
    json_t *list = json_object_get (body, lists[i]);
    if (list == NULL)
      continue;
    if (!check_list (site, lists[i], within, list, error)) {
      json_decref (taken);
      return NULL;
    }
    json_object_set (taken, lists[i], list);
  }
  if (json_object_size (taken) == 0) {
    json_decref (taken);
    error_set (error, ERROR_REFUSE, "say what is to be silent: rules, sensors, cameras, grids or categories");
    return NULL;
  }
  if (within != NULL && json_object_get (taken, "grids") == NULL)
    json_object_set_new (taken, "grids", json_pack ("[s]", within));
  return taken;
}

static gboolean take_time (const json_t *body, const char *name, gint64 otherwise, gint64 *time_us, GError **error)
{
  const json_t *value = json_object_get (body, name);
  *time_us = otherwise;
  if (value == NULL && otherwise != 0)
    return TRUE;
  if (json_is_string (value) && time_from_rfc3339 (json_string_value (value), time_us))
    return TRUE;
  return error_set (error, ERROR_REFUSE, "%s must be a time such as 2026-05-01T08:00:00Z", name);
}

static gboolean check_fields (const json_t *body, GError **error)
{
  const char *name;
  json_t *value;
  json_object_foreach ((json_t *) body, name, value) {
    gboolean is_known = strcmp (name, "from") == 0 || strcmp (name, "to") == 0 || strcmp (name, "reason") == 0;
    for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
      is_known |= strcmp (name, lists[i]) == 0;
    if (!is_known)
      return error_set (error, ERROR_REFUSE, "there is no field %.64s in a silence", name);
  }
  return TRUE;
}

static gboolean check_span (gint64 from_us, gint64 to_us, gint64 now_us, GError **error)
{
  if (to_us <= MAX (from_us, now_us))
    return error_set (error, ERROR_REFUSE, "to must be after from and after now");
  if (to_us - from_us > SILENCE_MAX_US || from_us > now_us + SILENCE_MAX_US)
    return error_set (error, ERROR_REFUSE, "a silence lasts and lies ahead at most 90 days: make it again then");
  return TRUE;
}

gboolean silence_add (Database *database, const Site *site, const char *author, const char *within, const json_t *body,
                      gint64 now_us, json_t **silence, GError **error)
{
  gint64 from_us, to_us;
  const char *reason = json_string_value (json_object_get (body, "reason"));
  glong length = reason != NULL ? g_utf8_strlen (reason, -1) : 0;
  if (!check_fields (body, error) || !take_time (body, "from", now_us, &from_us, error)
      || !take_time (body, "to", 0, &to_us, error))
    return FALSE;
  from_us = MAX (from_us, now_us);
  if (!check_span (from_us, to_us, now_us, error))
    return FALSE;
  if (length < 1 || length > SILENCE_REASON_MAX)
    return error_set (error, ERROR_REFUSE, "reason must have 1 to %d characters", SILENCE_REASON_MAX);
  if (database_integer (database, 0, "SELECT count(*) FROM silences WHERE to_us > ?", "i", now_us) >= SILENCES_MAX)
    return error_set (error, ERROR_REFUSE, "there are %d silences already: end some first", SILENCES_MAX);
  json_t *taken = take_matches (site, within, body, error);
  if (taken == NULL)
    return FALSE;
  char *text = json_dumps (taken, JSON_COMPACT);
  g_autofree char *id = ulid_new (now_us);
  json_decref (taken);
  gboolean is_written = database_run (database, error,
                                      "INSERT INTO silences (id, author, reason, created_at, from_us, to_us, matches)"
                                      " VALUES (?, ?, ?, ?, ?, ?, ?)",
                                      "sssiiis", id, author, reason, now_us, from_us, to_us, text);
  free (text);
  if (is_written)
    *silence = silence_get (database, id, now_us, error);
  return is_written && *silence != NULL;
}

gboolean silence_end (Database *database, const char *id, const char *by, gint64 now_us, json_t **silence, GError **error)
{
  if (!database_run (database, error,
                     "UPDATE silences SET from_us = min (from_us, ?2), to_us = ?2, ended_by = ?3 WHERE id = ?1 AND to_us > ?2",
                     "sis", id, now_us, by))
    return FALSE;
  if (database_changes (database) == 0)
    return error_set (error, ERROR_REFUSE, "there is no silence %.26s that isn't over", id);
  *silence = silence_get (database, id, now_us, error);
  return *silence != NULL;
}

/* Showing */

static json_t *show (Statement *row, gint64 now_us)
{
  gint64 from_us = statement_integer (row, 4), to_us = statement_integer (row, 5);
  g_autofree char *created_at = time_to_rfc3339 (statement_integer (row, 3));
  g_autofree char *from = time_to_rfc3339 (from_us), *to = time_to_rfc3339 (to_us);
  const char *state = now_us >= to_us ? "over" : now_us >= from_us ? "active" : "upcoming";
  json_t *shown = json_pack ("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s?}", "id", statement_text (row, 0), "state", state,
                             "author", statement_text (row, 1), "reason", statement_text (row, 2), "created_at",
                             created_at, "from", from, "to", to, "ended_by", statement_text (row, 7));
  json_t *matches = json_loads (statement_text (row, 6), 0, NULL);
  json_object_update (shown, matches);
  json_decref (matches);
  return shown;
}

json_t *silence_get (Database *database, const char *id, gint64 now_us, GError **error)
{
  g_autoptr (Statement) row = database_query (database, error, "SELECT " COLUMNS " FROM silences WHERE id = ?", "s", id);
  return statement_step (row, error) ? show (row, now_us) : NULL;
}

static gint64 state_number (const char *state)
{
  return state == NULL ? -1 : strcmp (state, "over") == 0 ? 0 : strcmp (state, "active") == 0 ? 1 : 2;
}

json_t *silence_list (Database *reader, const char *state, gint64 now_us, guint limit, const char *cursor, GError **error)
{
  GError *problem = NULL;
  if (cursor != NULL && !ulid_is_valid (cursor)) {
    error_set (error, ERROR_REFUSE, "cursor is not one that this list gave");
    return NULL;
  }
  g_autoptr (Statement) rows = database_query (
    reader, &problem,
    "SELECT " COLUMNS " FROM silences WHERE (?1 IS NULL OR id < ?1)"
    " AND (?2 < 0 OR ?2 = CASE WHEN to_us <= ?3 THEN 0 WHEN from_us <= ?3 THEN 1 ELSE 2 END) ORDER BY id DESC LIMIT ?4",
    "siii", cursor, state_number (state), now_us, (gint64) limit + 1);
  json_t *items = json_array (), *next = json_null ();
  while (statement_step (rows, &problem)) {
    if (json_array_size (items) == limit) {
      next = json_deep_copy (json_object_get (json_array_get (items, limit - 1), "id"));
      break;
    }
    json_array_append_new (items, show (rows, now_us));
  }
  json_t *list = json_pack ("{s:o, s:o}", "items", items, "next", next);
  if (problem == NULL)
    return list;
  json_decref (list);
  g_propagate_error (error, problem);
  return NULL;
}
