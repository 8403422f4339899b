#include "gateway/observe/capture_line.h"

#include <jansson.h>
#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/core/error.h"

static void add_payload (json_t *line, const RawMessage *message)
{
  gsize size;
  const char *bytes = g_bytes_get_data (message->payload, &size);
  json_t *text = json_stringn (bytes != NULL ? bytes : "", size); /* NULL: it is no UTF-8 */
  if (message->payload_size > size) {
    json_object_set_new (line, "payload_bytes", json_integer ((json_int_t) message->payload_size));
    json_decref (text);
  } else if (text != NULL) {
    json_object_set_new (line, "payload", text);
  } else {
    g_autofree char *encoded = g_base64_encode ((const guchar *) bytes, size);
    json_object_set_new (line, "payload_base64", json_string (encoded));
  }
}

char *capture_line_write (const RawMessage *message)
{
  g_autofree char *at = time_to_rfc3339 (message->receive_time_us);
  json_t *line = json_pack ("{s:s, s:s, s:s}", "at", at, "broker", message->broker, "topic", message->topic);
  add_payload (line, message);
  json_object_set_new (line, "qos", json_integer (message->qos));
  json_object_set_new (line, "retained", json_boolean (message->is_retained));
  char *text = json_dumps (line, JSON_COMPACT);
  char *whole = g_strconcat (text, "\n", NULL);
  free (text);
  json_decref (line);
  return whole;
}

static RawMessage *message_of (const json_t *line, const void *payload, gsize size, gint64 at_us)
{
  const json_t *qos = json_object_get (line, "qos");
  RawMessage *message = raw_message_new (json_string_value (json_object_get (line, "broker")),
                                         json_string_value (json_object_get (line, "topic")), payload, size);
  message->receive_time_us = at_us;
  message->qos = json_is_integer (qos) ? (int) CLAMP (json_integer_value (qos), 0, 2) : 0;
  message->is_retained = json_is_true (json_object_get (line, "retained"));
  return message;
}

static RawMessage *read_payload (const json_t *line, gint64 at_us, GError **error)
{
  const json_t *text = json_object_get (line, "payload");
  const char *encoded = json_string_value (json_object_get (line, "payload_base64"));
  if (json_is_string (text))
    return message_of (line, json_string_value (text), json_string_length (text), at_us);
  if (encoded == NULL) {
    error_set (error, ERROR_REFUSE, json_object_get (line, "payload_bytes") != NULL
                                      ? "the payload was too large to be captured"
                                      : "payload or payload_base64 is missing");
    return NULL;
  }
  gsize size;
  g_autofree guchar *bytes = g_base64_decode (encoded, &size);
  if (strlen (encoded) % 4 != 0 || size < strlen (encoded) / 4 * 3 - MIN (strlen (encoded), 2)) {
    error_set (error, ERROR_REFUSE, "payload_base64 is no base64");
    return NULL;
  }
  return message_of (line, bytes, size, at_us);
}

RawMessage *capture_line_read (const char *line, gsize size, GError **error)
{
  json_error_t problem;
  RawMessage *message = NULL;
  gint64 at_us = 0;
  json_t *object = json_loadb (line, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &problem);
  const char *at = json_string_value (json_object_get (object, "at"));
  if (object == NULL)
    error_set (error, ERROR_REFUSE, "no JSON: %s", problem.text);
  else if (!json_is_object (object))
    error_set (error, ERROR_REFUSE, "no JSON object");
  else if (at == NULL || !time_from_rfc3339 (at, &at_us))
    error_set (error, ERROR_REFUSE, "at is missing or no time such as 2026-05-01T08:00:00.123Z");
  else if (!json_is_string (json_object_get (object, "broker")) || !json_is_string (json_object_get (object, "topic")))
    error_set (error, ERROR_REFUSE, "broker or topic is missing");
  else
    message = read_payload (object, at_us, error);
  json_decref (object);
  return message;
}
