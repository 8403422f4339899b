#include "gateway/core/clock.h"
#include "gateway/core/log.h"
#include "gateway/observe/observation_files.h"
#include "gateway/observe/observe.h"

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

json_t *observe_rejected (const char *data_dir, const char *broker, const char *sensor, guint limit)
{
  json_t *items = json_array ();
  g_autoptr (GPtrArray) paths = observation_files_list (data_dir);
  for (guint i = paths->len; i-- > 0 && json_array_size (items) < limit;) {
    g_autoptr (GError) error = NULL;
    g_autoptr (Database) database = observation_file_open (paths->pdata[i], &error);
    g_autoptr (Statement) rows = database == NULL ? NULL
      : database_query (database, &error,
                        "SELECT at, broker, topic, sensor, reason, detail, payload FROM rejected"
                        " WHERE (?1 IS NULL OR broker = ?1) AND (?2 IS NULL OR sensor = ?2) ORDER BY id DESC LIMIT ?3",
                        "ssi", broker, sensor, (gint64) (limit - json_array_size (items)));
    while (statement_step (rows, &error))
      json_array_append_new (items, describe_rejected (rows));
    if (error != NULL)
      log_limited (LOG_LEVEL_WARNING, "observations: %s was left out of an answer: %s", (char *) paths->pdata[i],
                   error->message);
  }
  return json_pack ("{s:o, s:n}", "items", items, "next");
}
