#include "gateway/share/center_commands.h"

#include <string.h>

#include "gateway/core/log.h"

enum { COMMAND_MAX = 64 * 1024, ID_MAX = 128 };
#define KEPT_US (30 * G_TIME_SPAN_DAY)

static const char *const problem_names[] = {
  [INCIDENT_NOT_FOUND] = "not-found",     [INCIDENT_STALE_REVISION] = "stale-revision",
  [INCIDENT_NOT_ALLOWED] = "not-allowed", [INCIDENT_INVALID] = "invalid",
  [INCIDENT_NOT_IN_THIS_VERSION] = "not-in-this-version", [INCIDENT_KEY_REUSED] = "invalid",
};

/* Takes `incident`, which may be NULL. */
static json_t *problem (const char *id, const char *name, const char *detail, json_t *incident)
{
  g_autofree char *type = g_strconcat ("urn:gridgate:problem:", name, NULL);
  return json_pack ("{s:s, s:b, s:{s:s, s:s, s:o*}}", "id", id, "ok", 0, "problem", "type", type, "detail", detail,
                    "incident", incident);
}

static char *previous_reply (Database *database, const char *center, const char *id, GError **error)
{
  g_autoptr (Statement) statement
    = database_query (database, error, "SELECT reply FROM center_commands WHERE center = ? AND id = ?", "ss", center,
                      id);
  return statement_step (statement, error) ? g_strdup (statement_text (statement, 0)) : NULL;
}

/* An action of the center is an operator's; who it was there stands beside it. NULL only when the store failed. */
static json_t *act (IncidentBook *book, Database *database, const char *center, const char *id, const json_t *command,
                    GError **error)
{
  GError *failure = NULL;
  g_autofree char *name = g_strconcat ("center:", center, NULL);
  Actor actor = { .name = name, .role = ROLE_OPERATOR,
                  .unit = (char *) json_string_value (json_object_get (command, "actor")) };
  json_t *arguments = json_copy (json_object_get (command, "arguments")), *incident = NULL, *reply = NULL;
  g_autofree char *target = g_strdup (json_string_value (json_object_get (arguments, "incident")));
  json_object_del (arguments, "incident");
  if (target == NULL)
    reply = problem (id, "invalid", "arguments must name the incident: {\"incident\": ID, \"action\", \"revision\"}", NULL);
  else if (incident_book_act (book, database, &actor, target, arguments, &incident, &failure))
    reply = json_pack ("{s:s, s:b, s:o}", "id", id, "ok", 1, "result", incident);
  else if (failure->domain == INCIDENT_ERROR)
    reply = problem (id, problem_names[failure->code], failure->message, incident);
  json_decref (arguments);
  if (reply == NULL)
    g_propagate_error (error, failure);
  else
    g_clear_error (&failure);
  return reply;
}

static gboolean has_expired (const json_t *command, gint64 now_us)
{
  gint64 expires_us;
  const char *text = json_string_value (json_object_get (command, "expires"));
  return text != NULL && (!time_from_rfc3339 (text, &expires_us) || expires_us <= now_us);
}

static json_t *carry_out (IncidentBook *book, Database *database, const char *center, const char *id,
                          const json_t *command, gint64 now_us, GError **error)
{
  const char *name = json_string_value (json_object_get (command, "command"));
  if (name == NULL)
    return problem (id, "invalid", "command is missing", NULL);
  if (has_expired (command, now_us))
    return problem (id, "expired", "the command's time is over, or expires is no time", NULL);
  if (strcmp (name, "incident.action") == 0)
    return act (book, database, center, id, command, error);
  g_autofree char *detail = g_strdup_printf ("the command %.64s is not in this version", name);
  return problem (id, "not-in-this-version", detail, NULL);
}

static gboolean run_new (IncidentBook *book, Database *database, const char *center, const char *id,
                         const json_t *command, gint64 now_us, char **reply, GError **error)
{
  json_t *answer = carry_out (book, database, center, id, command, now_us, error);
  if (answer == NULL)
    return FALSE;
  char *text = json_dumps (answer, JSON_COMPACT);
  *reply = g_strdup (text);
  free (text);
  json_decref (answer);
  return database_run (database, error, "INSERT INTO center_commands (center, id, at, reply) VALUES (?, ?, ?, ?)", "ssis",
                       center, id, now_us, *reply)
         && database_run (database, error, "DELETE FROM center_commands WHERE at < ?", "i", now_us - KEPT_US);
}

gboolean center_command_run (IncidentBook *book, Database *database, const char *center, const char *json, gsize size,
                             gint64 now_us, char **reply, GError **error)
{
  GError *failure = NULL;
  *reply = NULL;
  json_t *command = size <= COMMAND_MAX ? json_loadb (json, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
  const char *id = json_string_value (json_object_get (command, "id"));
  if (id == NULL || *id == '\0' || strlen (id) > ID_MAX) {
    log_limited (LOG_LEVEL_WARNING, "center %s: a command that is no JSON object with an id of 1 to %d bytes", center,
                 ID_MAX);
    json_decref (command);
    return TRUE;
  }
  *reply = previous_reply (database, center, id, &failure);
  gboolean done = failure == NULL
                  && (*reply != NULL || run_new (book, database, center, id, command, now_us, reply, &failure));
  json_decref (command);
  if (failure != NULL)
    g_propagate_error (error, failure);
  return done;
}
