#include "gateway/http/http_json.h"

#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/core/error.h"

static json_t *location_to_json (const Location *location)
{
  return location->is_set ? json_pack ("{s:f, s:f}", "lon", location->lon, "lat", location->lat) : json_null ();
}

json_t *camera_to_json (const Camera *camera)
{
  return json_pack ("{s:s, s:s?, s:s?, s:s?, s:s?, s:o, s:o}", "id", camera->id, "name", camera->name, "grid", camera->grid,
                    "owner", camera->owner, "gb_id", camera->gb_id, "location", location_to_json (&camera->location),
                    "streams", camera->sub != NULL ? json_pack ("[s, s]", "main", "sub") : json_pack ("[s]", "main"));
}

json_t *sensor_to_json (const Sensor *sensor)
{
  json_t *metrics = json_array ();
  for (guint i = 0; i < sensor->metrics->len; i++) {
    const Metric *metric = sensor->metrics->pdata[i];
    json_array_append_new (metrics, json_pack ("{s:s, s:s?}", "name", metric->name, "unit", metric->unit));
  }
  const char *template = sensor->template != NULL ? sensor->template->id : NULL;
  g_autofree char *discovered_at = template != NULL ? time_to_rfc3339 (sensor->discovered_at_us) : NULL;
  return json_pack ("{s:s, s:s?, s:s?, s:o, s:o, s:s?, s:s?}", "id", sensor->id, "name", sensor->name, "grid", sensor->grid,
                    "location", location_to_json (&sensor->location), "metrics", metrics, "template", template, "discovered_at",
                    discovered_at);
}

static void set_text (json_t *object, const char *field, const char *text)
{
  json_object_set_new (object, field, text != NULL && text[0] != '\0' ? json_string (text) : json_null ());
}

static void set_number (json_t *object, const char *field, gint64 number)
{
  json_object_set_new (object, field, number > 0 ? json_integer (number) : json_null ());
}

void camera_status_into (json_t *object, const CameraStatus *status)
{
  static const CameraStatus unknown = { .state = (char *) "connecting", .reason = (char *) "media_away" };
  if (status == NULL || status->state == NULL)
    status = &unknown;
  g_autofree char *since = status->since_us > 0 ? time_to_rfc3339 (status->since_us) : NULL;
  set_text (object, "state", status->state);
  set_text (object, "reason", status->reason);
  set_text (object, "detail", status->detail);
  set_text (object, "since", since);
  set_text (object, "codec", status->codec);
  set_text (object, "audio", status->audio);
  set_text (object, "audio_note", status->audio_note);
  set_text (object, "mime", status->mime);
  set_number (object, "width", status->width);
  set_number (object, "height", status->height);
  json_object_set_new (object, "bitrate", json_integer (status->bitrate));
  json_object_set_new (object, "viewers", json_integer (status->viewers_rtsp + status->viewers_websocket));
}

static const char *recording_state (const CameraRecording *recording, const json_t *said)
{
  if (recording->mode == RECORDING_OFF)
    return "off";
  if (said == NULL)
    return "unknown";
  if (g_strcmp0 (json_string_value (json_object_get (said, "state")), "stopped") == 0)
    return "stopped";
  return json_is_true (json_object_get (said, "writes")) ? "recording" : "waiting";
}

static json_t *time_json (const json_t *wall_us)
{
  gint64 us = json_integer_value (wall_us);
  g_autofree char *text = us > 0 ? time_to_rfc3339 (us) : NULL;
  return text != NULL ? json_string (text) : json_null ();
}

void camera_recording_into (json_t *object, const CameraRecording *recording, json_t *said)
{
  static const char *const modes[] = { "continuous", "event", "off" };
  json_t *body = json_pack ("{s:s, s:s, s:s, s:o, s:o, s:I}", "mode", modes[recording->mode], "stream",
                            recording->is_sub ? "sub" : "main", "state", recording_state (recording, said), "since",
                            time_json (json_object_get (said, "since")), "oldest",
                            time_json (json_object_get (said, "oldest")), "bytes",
                            (json_int_t) json_integer_value (json_object_get (said, "bytes")));
  set_text (body, "reason", json_string_value (json_object_get (said, "reason")));
  json_object_set_new (object, "recording", body);
  json_decref (said);
}

json_t *page_of_site (const GPtrArray *items, const char *(*id_of) (gpointer item), const char *cursor, guint limit,
                      ShowItem show, gpointer data, GError **error)
{
  json_t *shown = json_array ();
  json_t *next = json_null ();
  const char *last = NULL;
  gboolean has_begun = cursor == NULL;
  for (guint i = 0; i < items->len; i++) {
    const char *id = id_of (items->pdata[i]);
    json_t *item = show (items->pdata[i], data);
    if (item == NULL)
      continue;
    if (!has_begun) { /* after what was shown only: a list must not tell of what is hidden */
      has_begun = g_str_equal (id, cursor);
      json_decref (item);
      continue;
    }
    if (json_array_size (shown) == limit) {
      json_decref (item);
      next = json_string (last);
      break;
    }
    last = id;
    json_array_append_new (shown, item);
  }
  json_t *page = json_pack ("{s:o, s:o}", "items", shown, "next", next);
  if (has_begun)
    return page;
  json_decref (page);
  error_set (error, ERROR_REFUSE, "cursor is not one that this list gave");
  return NULL;
}
