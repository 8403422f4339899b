#include "gateway/access/deletion_audit.h"

#include "gateway/core/clock.h"
#include "gateway/core/error.h"
#include "gateway/core/log.h"

enum { LOOK_S = 3600 };

#define MARK "deletions_audited"
#define DAY_US ((gint64) 24 * G_TIME_SPAN_HOUR)

struct DeletionAudit {
  Access *access;
  MediaLink *media;
  guint timer;
  gint64 day;      /* that is being fetched */
  json_t *cameras; /* of it, page after page */
  gboolean is_busy;
};

/* A mark of a day that is not over was set while the wall clock was far ahead; nothing would be entered until that day. What counts
 * then is the last day before today of which there is an entry: days are entered in order, each as a whole. */
static gint64 audited_day (const DeletionAudit *audit, Database *database)
{
  gint64 today = access_now_us (audit->access) / DAY_US;
  gint64 day = database_integer (database, 0, "SELECT value FROM recording_marks WHERE name = '" MARK "'", "");
  if (day < today)
    return day;
  return database_integer (database, 0, "SELECT max(day) FROM (SELECT unixepoch(json_extract(detail, '$.day')) / 86400 AS day FROM audit"
                           " WHERE action = 'recording.deleted') WHERE day < ?", "i", today);
}

static gboolean enter_camera (Database *database, const DeletionAudit *audit, json_t *camera, GError **error)
{
  g_autofree char *date = time_to_rfc3339 (audit->day * DAY_US);
  g_autofree char *from = time_to_rfc3339 (json_integer_value (json_array_get (camera, 2)));
  g_autofree char *to = time_to_rfc3339 (json_integer_value (json_array_get (camera, 3)));
  json_t *detail = json_pack ("{s:s%, s:O, s:s, s:s, s:O, s:O}", "day", date, (size_t) 10, "reasons",
                              json_array_get (camera, 1), "from", from, "to", to, "segments", json_array_get (camera, 4),
                              "bytes", json_array_get (camera, 5));
  char *text = json_dumps (detail, JSON_COMPACT | JSON_SORT_KEYS);
  const AuditEntry entry = { NULL, "gateway", "recording.deleted", json_string_value (json_array_get (camera, 0)), NULL,
                             text };
  gboolean is_good = audit_append (database, access_now_us (audit->access), &entry, error);
  free (text);
  json_decref (detail);
  return is_good;
}

static gboolean enter_day (Database *database, gpointer data, GError **error)
{
  const DeletionAudit *audit = data;
  gsize index;
  json_t *camera;
  if (audited_day (audit, database) >= audit->day)
    return TRUE;
  json_array_foreach (audit->cameras, index, camera)
    if (!enter_camera (database, audit, camera, error))
      return FALSE;
  return database_run (database, error, "REPLACE INTO recording_marks (name, value) VALUES ('" MARK "', ?)", "i", audit->day);
}

typedef struct {
  Store *store;
  const char *day;
  gint64 rows;
} Observations;

static gboolean enter_observations (Database *database, gpointer data, GError **error)
{
  const Observations *deleted = data;
  g_autofree char *detail = g_strdup_printf ("{\"rows\":%" G_GINT64_FORMAT "}", deleted->rows);
  const AuditEntry entry = { NULL, "gateway", "observations.deleted", deleted->day, NULL, detail };
  return audit_append (database, clock_wall_us (store_clock (deleted->store)), &entry, error);
}

gboolean deletion_audit_observations (Store *store, const char *day, gint64 rows, GError **error)
{
  Observations deleted = { store, day, rows };
  g_autoptr (GError) problem = NULL;
  if (store_run (store, enter_observations, &deleted, &problem))
    return TRUE;
  if (store_is_full (store)) {
    log_error ("%" G_GINT64_FORMAT " deleted observations of %s can't be entered in the audit log: %s", rows, day, problem->message);
    return TRUE;
  }
  g_propagate_error (error, g_steal_pointer (&problem));
  return FALSE;
}

static void finish (DeletionAudit *audit)
{
  json_array_clear (audit->cameras);
  audit->is_busy = FALSE;
}

static gboolean go_on (gpointer data)
{
  finish (data);
  deletion_audit_look (data);
  return G_SOURCE_REMOVE;
}

static gboolean give_up (gpointer data)
{
  finish (data);
  return G_SOURCE_REMOVE;
}

/* thread: the store's. */
static void on_entered (gpointer data, const GError *error)
{
  if (error != NULL)
    log_limited (LOG_LEVEL_ERROR, "deletions of recordings can't be entered in the audit log: %s", error->message);
  g_idle_add (error == NULL ? go_on : give_up, data);
}

static void ask (DeletionAudit *audit, gint64 from_day, const char *after);

static void on_day (LinkMessage *reply, const GError *error, gpointer data)
{
  DeletionAudit *audit = data;
  gint64 day = error == NULL ? link_message_integer (reply, "day") : 0;
  if (day == 0) {
    finish (audit);
    return;
  }
  const char *next = link_message_string (reply, "next");
  audit->day = day;
  json_array_extend (audit->cameras, link_message_json (reply, "cameras"));
  if (next != NULL)
    ask (audit, day, next);
  else if (!store_submit (access_store (audit->access), enter_day, on_entered, audit))
    finish (audit);
}

static void ask (DeletionAudit *audit, gint64 from_day, const char *after)
{
  media_link_deletions_day (audit->media, from_day, access_now_us (audit->access) / DAY_US, after, on_day, audit);
}

void deletion_audit_look (DeletionAudit *audit)
{
  Database *reader = store_reader (access_store (audit->access), NULL);
  if (audit->is_busy || reader == NULL || !media_link_is_connected (audit->media))
    return;
  audit->is_busy = TRUE;
  ask (audit, audited_day (audit, reader) + 1, "");
}

static gboolean on_timer (gpointer data)
{
  deletion_audit_look (data);
  return G_SOURCE_CONTINUE;
}

DeletionAudit *deletion_audit_new (Access *access, MediaLink *media)
{
  DeletionAudit *audit = g_new0 (DeletionAudit, 1);
  audit->access = access;
  audit->media = media;
  audit->cameras = json_array ();
  audit->timer = g_timeout_add_seconds (LOOK_S, on_timer, audit);
  return audit;
}

void deletion_audit_free (DeletionAudit *audit)
{
  if (audit == NULL)
    return;
  g_source_remove (audit->timer);
  while (g_idle_remove_by_data (audit)) /* what the store's thread has told last */
    continue;
  json_decref (audit->cameras);
  g_free (audit);
}
