#include "gateway/incident/incident_arguments.h"

#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/core/ids.h"
#include "gateway/incident/incident_book.h"

enum { TITLE_BYTES = 300, NAME_BYTES = 64, NOTE_BYTES = 8000 };

static gboolean invalid (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);
static gboolean invalid (GError **error, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error_literal (error, INCIDENT_ERROR, INCIDENT_INVALID, text);
  return FALSE;
}

static gboolean only_members (const json_t *json, const char *const *known, GError **error)
{
  const char *name;
  json_t *value;
  if (!json_is_object (json))
    return invalid (error, "a JSON object was expected");
  json_object_foreach ((json_t *) json, name, value)
    if (!g_strv_contains (known, name))
      return invalid (error, "%.64s is not known here", name);
  return TRUE;
}

/* `*text` is NULL when it may be absent and is. */
static gboolean take_text (const json_t *json, const char *name, gsize limit, gboolean is_needed, const char **text,
                           GError **error)
{
  const json_t *value = json_object_get (json, name);
  *text = NULL;
  if (value == NULL || json_is_null (value))
    return !is_needed || invalid (error, "%s is missing", name);
  if (!json_is_string (value) || json_string_length (value) > limit || (is_needed && json_string_length (value) == 0))
    return invalid (error, "%s must be a text of %s%zu bytes at most", name, is_needed ? "one to " : "", limit);
  *text = json_string_value (value);
  return TRUE;
}

static gboolean take_location (const json_t *json, Location *location, GError **error)
{
  const json_t *value = json_object_get (json, "location");
  *location = (Location) { 0 };
  if (value == NULL || json_is_null (value))
    return TRUE;
  const json_t *lon = json_object_get (value, "lon"), *lat = json_object_get (value, "lat");
  if (!json_is_number (lon) || !json_is_number (lat) || json_object_size (value) != 2
      || ABS (json_number_value (lon)) > 180 || ABS (json_number_value (lat)) > 90)
    return invalid (error, "location must be {\"lon\": -180…180, \"lat\": -90…90}, WGS-84 degrees");
  *location = (Location) { TRUE, json_number_value (lon), json_number_value (lat) };
  return TRUE;
}

gboolean incident_report_parse (const json_t *json, const Site *site, IncidentReport *report, GError **error)
{
  static const char *const known[] = { "title", "category", "severity", "grid", "note", "location", NULL };
  const char *severity;
  if (!only_members (json, known, error) || !take_text (json, "title", TITLE_BYTES, TRUE, &report->title, error)
      || !take_text (json, "category", NAME_BYTES, TRUE, &report->category, error)
      || !take_text (json, "severity", NAME_BYTES, TRUE, &severity, error)
      || !take_text (json, "grid", NAME_BYTES, TRUE, &report->grid, error)
      || !take_text (json, "note", NOTE_BYTES, FALSE, &report->note, error)
      || !take_location (json, &report->location, error))
    return FALSE;
  report->severity = severity_from_name (severity);
  if (report->severity == 0)
    return invalid (error, "severity must be minor, moderate, severe or extreme");
  if (!site_id_is_valid (report->category))
    return invalid (error, "category must be a name of letters, digits, '.', '_' and '-'");
  if (site_grid (site, report->grid) == NULL && g_strcmp0 (report->grid, site->gateway.division) != 0)
    return invalid (error, "there is no grid %s", report->grid);
  return TRUE;
}

static gboolean take_assignee (const json_t *json, const Site *site, IncidentAction *action, GError **error)
{
  static const char *const known[] = { "agency", "account", NULL };
  const json_t *value = json_object_get (json, "assignee");
  action->agency = action->account = NULL;
  if (value == NULL || json_is_null (value))
    return TRUE;
  if (!only_members (value, known, error) || !take_text (value, "agency", NAME_BYTES, FALSE, &action->agency, error)
      || !take_text (value, "account", NAME_BYTES, FALSE, &action->account, error))
    return FALSE;
  if ((action->agency == NULL) == (action->account == NULL))
    return invalid (error, "assignee must be {\"agency\": ID} or {\"account\": NAME}");
  if (action->agency != NULL && site_agency (site, action->agency) == NULL)
    return invalid (error, "there is no agency %s", action->agency);
  if (action->account != NULL && !site_id_is_valid (action->account))
    return invalid (error, "there is no account %s", action->account);
  return TRUE;
}

gboolean incident_action_parse (const json_t *json, const Site *site, IncidentAction *action, GError **error)
{
  static const char *const known[] = { "action", "revision", "note", "assignee", "deadline", NULL };
  const char *deadline;
  if (!only_members (json, known, error) || !take_text (json, "action", NAME_BYTES, TRUE, &action->name, error)
      || !take_text (json, "note", NOTE_BYTES, FALSE, &action->note, error)
      || !take_text (json, "deadline", NAME_BYTES, FALSE, &deadline, error) || !take_assignee (json, site, action, error))
    return FALSE;
  const json_t *revision = json_object_get (json, "revision");
  if (!json_is_integer (revision))
    return invalid (error, "revision must be the revision of the incident that you saw");
  action->revision = json_integer_value (revision);
  action->deadline_us = 0;
  return deadline == NULL || time_from_rfc3339 (deadline, &action->deadline_us)
         || invalid (error, "deadline must be a time like 2026-05-01T08:00:00Z");
}
