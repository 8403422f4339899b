#include "gateway/access/hold.h"

#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "gateway/core/ids.h"

enum { REASON_MAX = 500 };

typedef struct {
  gint64 now_us;
  const Actor *actor;
  const char *address, *id, *reason;
  const HoldFields *fields;
} Work;

static gboolean check_reason (const char *reason, GError **error)
{
  gboolean is_good = reason != NULL && *reason != '\0' && strlen (reason) <= REASON_MAX && g_utf8_validate (reason, -1, NULL);
  return is_good || error_set (error, ERROR_REFUSE, "reason is needed, of at most %d bytes", REASON_MAX);
}

static gboolean note (Database *database, const Work *work, const char *action, GError **error)
{
  const AuditEntry entry = { work->actor, work->address, action, work->id, NULL, work->reason };
  return audit_append (database, work->now_us, &entry, error);
}

static gboolean place (Database *database, gpointer data, GError **error)
{
  const Work *work = data;
  const HoldFields *fields = work->fields;
  gint64 in_force = database_integer (database, HOLDS_MAX,
                                      "SELECT count(*) FROM holds WHERE lifted_at = 0 AND (until_at = 0 OR until_at > ?)", "i",
                                      work->now_us);
  if (in_force >= HOLDS_MAX)
    return error_set (error, ERROR_RETRY, "%d holds are in force, and no more can be: lift some", HOLDS_MAX);
  return database_run (database, error,
                       "INSERT INTO holds (id, camera, from_at, to_at, until_at, reason, placed_by, placed_at, lifted_at)"
                       " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
                       "ssiiissi", work->id, fields->camera, fields->from_us, fields->to_us, fields->until_us, fields->reason,
                       work->actor->name, work->now_us)
         && note (database, work, "hold.place", error);
}

gboolean hold_place (Access *access, const Actor *actor, const char *address, const HoldFields *fields, char **id,
                     GError **error)
{
  gint64 now_us = access_now_us (access);
  if (!check_reason (fields->reason, error))
    return FALSE;
  if (fields->from_us >= fields->to_us)
    return error_set (error, ERROR_REFUSE, "from must be before to");
  if (fields->until_us != 0 && fields->until_us <= now_us)
    return error_set (error, ERROR_REFUSE, "until must lie ahead");
  *id = ulid_new (now_us);
  Work work = { now_us, actor, address, *id, fields->reason, fields };
  if (store_run (access_store (access), place, &work, error))
    return TRUE;
  g_clear_pointer (id, g_free);
  return FALSE;
}

static gboolean lift (Database *database, gpointer data, GError **error)
{
  const Work *work = data;
  if (!database_run (database, error,
                     "UPDATE holds SET lifted_at = ?, lifted_by = ?, lift_reason = ? WHERE id = ? AND lifted_at = 0", "isss",
                     work->now_us, work->actor->name, work->reason, work->id))
    return FALSE;
  if (database_changes (database) == 0)
    return error_set (error, ERROR_REFUSE, "hold %s is lifted already, or never was", work->id);
  return note (database, work, "hold.lift", error);
}

gboolean hold_lift (Access *access, const Actor *actor, const char *address, const char *id, const char *reason,
                    GError **error)
{
  Work work = { access_now_us (access), actor, address, id, reason, NULL };
  return check_reason (reason, error) && store_run (access_store (access), lift, &work, error);
}

char *hold_camera (Database *database, const char *id)
{
  g_autoptr (Statement) statement = database_query (database, NULL, "SELECT camera FROM holds WHERE id = ?", "s", id);
  return statement_step (statement, NULL) ? g_strdup (statement_text (statement, 0)) : NULL;
}

GPtrArray *holds_not_lifted (Database *database, gint64 now_us, GError **error)
{
  GError *failure = NULL;
  GPtrArray *holds = g_ptr_array_new_with_free_func ((GDestroyNotify) media_hold_free);
  g_autoptr (Statement) statement
    = database_query (database, &failure,
                      "SELECT camera, from_at, to_at, until_at FROM holds WHERE lifted_at = 0"
                      " ORDER BY until_at <> 0 AND until_at <= ?, id DESC LIMIT ?",
                      "ii", now_us, (gint64) HOLDS_MAX);
  while (statement_step (statement, &failure)) {
    MediaHold *hold = g_new (MediaHold, 1);
    *hold = (MediaHold){ g_strdup (statement_text (statement, 0)), statement_integer (statement, 1),
                         statement_integer (statement, 2), statement_integer (statement, 3) };
    g_ptr_array_add (holds, hold);
  }
  if (failure == NULL)
    return holds;
  g_propagate_error (error, failure);
  g_ptr_array_unref (holds);
  return NULL;
}

static void set_time (json_t *object, const char *field, gint64 wall_us)
{
  g_autofree char *text = wall_us != 0 ? time_to_rfc3339 (wall_us) : NULL;
  json_object_set_new (object, field, text != NULL ? json_string (text) : json_null ());
}

static json_t *hold_json (Statement *row)
{
  json_t *hold = json_pack ("{s:s, s:s, s:s, s:s, s:s?, s:s?}", "id", statement_text (row, 0), "camera",
                            statement_text (row, 1), "reason", statement_text (row, 5), "placed_by", statement_text (row, 6),
                            "lifted_by", statement_text (row, 9), "lift_reason", statement_text (row, 10));
  set_time (hold, "from", statement_integer (row, 2));
  set_time (hold, "to", statement_integer (row, 3));
  set_time (hold, "until", statement_integer (row, 4));
  set_time (hold, "placed_at", statement_integer (row, 7));
  set_time (hold, "lifted_at", statement_integer (row, 8));
  return hold;
}

json_t *hold_list (Database *database, const char *camera, const char *cursor, guint limit, GError **error)
{
  GError *failure = NULL;
  json_t *items = json_array (), *next = json_null ();
  g_autofree char *last = NULL;
  g_autoptr (Statement) statement
    = database_query (database, &failure,
                      "SELECT id, camera, from_at, to_at, until_at, reason, placed_by, placed_at, lifted_at, lifted_by,"
                      " lift_reason FROM holds WHERE (?1 IS NULL OR camera = ?1) AND (?2 IS NULL OR id < ?2)"
                      " ORDER BY id DESC LIMIT ?3",
                      "ssi", camera, cursor, (gint64) limit + 1);
  while (statement_step (statement, &failure)) {
    if (json_array_size (items) == limit) {
      json_decref (next);
      next = json_string (last);
      break;
    }
    g_free (last);
    last = g_strdup (statement_text (statement, 0));
    json_array_append_new (items, hold_json (statement));
  }
  json_t *list = json_pack ("{s:o, s:o}", "items", items, "next", next);
  if (failure == NULL)
    return list;
  g_propagate_error (error, failure);
  json_decref (list);
  return NULL;
}
