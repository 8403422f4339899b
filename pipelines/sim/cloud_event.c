#include "pipelines/sim/cloud_event.h"

#include <string.h>

#include "gateway/core/error.h"

typedef struct {
  const char *type, *words;
} TypeWords;

static const TypeWords types[] = {
  { "gridgate.incident.opened", "新事件 / new incident" },
  { "gridgate.incident.changed", "事件变化 / incident changed" },
  { "gridgate.incident.closed", "事件结案 / incident closed" },
  { "gridgate.alert.opened", "告警 / alert" },
  { "gridgate.alert.cleared", "告警解除 / alert cleared" },
};

json_t *cloud_event_read (const void *bytes, gsize size, GError **error)
{
  json_error_t cause;
  json_t *event = json_loadb (bytes, size, JSON_REJECT_DUPLICATES, &cause);
  const char *missing = NULL;
  if (event == NULL) {
    error_set (error, ERROR_REFUSE, "no JSON: %s", cause.text);
    return NULL;
  }
  for (const char *const *name = (const char *const[]){ "specversion", "id", "source", "type", NULL }; *name; name++)
    if (!json_is_string (json_object_get (event, *name)))
      missing = *name;
  if (missing == NULL)
    return event;
  error_set (error, ERROR_REFUSE, "no CloudEvent: \"%s\" is missing", missing);
  json_decref (event);
  return NULL;
}

static const char *text_of (const json_t *object, const char *key)
{
  const char *text = json_string_value (json_object_get (object, key));
  return text ? text : "";
}

char *cloud_event_describe (const json_t *event)
{
  const json_t *data = json_object_get (event, "data");
  const char *type = text_of (event, "type"), *words = type;
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    if (strcmp (types[i].type, type) == 0)
      words = types[i].words;
  const char *title = text_of (data, "title");
  if (title[0] == '\0') /* an alert has none */
    title = text_of (data, "rule");
  GString *line = g_string_new (words);
  g_string_append_printf (line, ": %s (%s, %s, %s) %s", title, text_of (data, "category"), text_of (data, "severity"),
                          text_of (data, "state"), text_of (data, "id"));
  gsize evidence = json_array_size (json_object_get (data, "evidence"));
  if (evidence > 0)
    g_string_append_printf (line, ", 证据 %zu 件 / %zu pieces of evidence", evidence, evidence);
  return g_string_free (line, FALSE);
}
