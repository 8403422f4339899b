#include "gateway/http/http_metrics.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/alert/alert_book.h"
#include "gateway/core/file.h"
#include "gateway/incident/incident_view.h"
#include "gateway/share/outbox.h"

static void family (GString *out, const char *name, const char *type, const char *help)
{
  g_string_append_printf (out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* `labels` is "name", value, "name", value, …, NULL; ids and codes need no escape, what others chose gets one. */
static void sample (GString *out, const char *name, double value, ...)
{
  va_list labels;
  const char *label;
  guint count = 0;
  g_string_append (out, name);
  va_start (labels, value);
  while ((label = va_arg (labels, const char *)) != NULL) {
    const char *text = va_arg (labels, const char *);
    g_string_append_printf (out, "%s%s=\"", count++ == 0 ? "{" : ",", label);
    for (const char *at = text != NULL ? text : ""; *at; at++)
      if (*at == '\n')
        g_string_append (out, "\\n");
      else
        g_string_append_printf (out, *at == '"' || *at == '\\' ? "\\%c" : "%c", *at);
    g_string_append_c (out, '"');
  }
  va_end (labels);
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  g_string_append_printf (out, "%s %s\n", count > 0 ? "}" : "", g_ascii_dtostr (number, sizeof number, value));
}

/* --- cameras --- */

typedef void (*CameraSample) (GString *out, const CameraStatus *status);

static void received (GString *out, const CameraStatus *status)
{
  sample (out, "gridgate_camera_received_bytes_total", (double) status->received_bytes, "camera", status->camera, "stream",
          status->stream, NULL);
}

static void lost (GString *out, const CameraStatus *status)
{
  sample (out, "gridgate_camera_lost_packets_total", (double) status->lost_packets, "camera", status->camera, "stream",
          status->stream, NULL);
}

static void malformed (GString *out, const CameraStatus *status)
{
  sample (out, "gridgate_camera_malformed_packets_total", (double) status->malformed_packets, "camera", status->camera,
          "stream", status->stream, NULL);
}

static void repairs (GString *out, const CameraStatus *status)
{
  const char *kind;
  json_t *count;
  json_object_foreach (status->repairs, kind, count)
    sample (out, "gridgate_camera_repairs_total", json_number_value (count), "camera", status->camera, "stream",
            status->stream, "kind", kind, NULL);
}

static void connects (GString *out, const CameraStatus *status)
{
  sample (out, "gridgate_camera_connects_total", (double) status->connects, "camera", status->camera, "stream",
          status->stream, NULL);
}

static void state (GString *out, const CameraStatus *status)
{
  if (g_strcmp0 (status->stream, "main") != 0)
    return;
  for (gsize i = 0; i < CAMERA_STATES; i++)
    sample (out, "gridgate_camera_state", g_strcmp0 (status->state, camera_states[i]) == 0, "camera", status->camera,
            "state", camera_states[i], NULL);
}

static void transitions (GString *out, const CameraStatus *status)
{
  for (gsize i = 0; i < CAMERA_STATES; i++)
    sample (out, "gridgate_camera_transitions_total", (double) status->transitions[i], "camera", status->camera, "stream",
            status->stream, "state", camera_states[i], NULL);
}

static void first_frame (GString *out, const CameraStatus *status)
{
  if (status->first_frame_us > 0)
    sample (out, "gridgate_camera_first_frame_seconds", (double) status->first_frame_us / 1e6, "camera", status->camera,
            "stream", status->stream, NULL);
}

static void viewers (GString *out, const CameraStatus *status)
{
  if (g_strcmp0 (status->stream, "main") != 0)
    return;
  sample (out, "gridgate_viewers", (double) status->viewers_rtsp, "camera", status->camera, "kind", "rtsp", NULL);
  sample (out, "gridgate_viewers", (double) status->viewers_websocket, "camera", status->camera, "kind", "websocket", NULL);
}

static void skips (GString *out, const CameraStatus *status)
{
  sample (out, "gridgate_viewer_skips_total", (double) status->viewer_skips, "camera", status->camera, "stream",
          status->stream, NULL);
}

static void drops (GString *out, const CameraStatus *status)
{
  sample (out, "gridgate_viewer_drops_total", (double) status->viewer_drops, "camera", status->camera, "stream",
          status->stream, NULL);
}

static void spared (GString *out, const CameraStatus *status)
{
  sample (out, "gridgate_camera_spared_packets_total", (double) status->spared_packets, "camera", status->camera, "stream",
          status->stream, NULL);
}

static const struct {
  const char *name, *type, *help;
  CameraSample sample;
} camera_families[] = {
  { "gridgate_camera_received_bytes_total", "counter", "Bytes received from the camera.", received },
  { "gridgate_camera_lost_packets_total", "counter", "RTP packets that did not arrive.", lost },
  { "gridgate_camera_malformed_packets_total", "counter", "RTP packets that could not be read.", malformed },
  { "gridgate_camera_repairs_total", "counter", "Packets and reports whose time or number was put right, by kind.", repairs },
  { "gridgate_camera_connects_total", "counter", "Connections made to the camera.", connects },
  { "gridgate_camera_state", "gauge", "1 for the state that the camera is in.", state },
  { "gridgate_camera_transitions_total", "counter", "Times that the stream came into the state.", transitions },
  { "gridgate_camera_first_frame_seconds", "gauge", "Time from the last connect to the first key frame.", first_frame },
  { "gridgate_viewers", "gauge", "Viewers now.", viewers },
  { "gridgate_viewer_skips_total", "counter", "Times that a viewer was too slow and went on at the next key frame.", skips },
  { "gridgate_viewer_drops_total", "counter", "Viewers that were given up as too slow.", drops },
  { "gridgate_camera_spared_packets_total", "counter", "Packets not passed on, for the memory for packets was spent.", spared },
};

static void add_cameras (GString *out, const HttpContext *context, const Site *site)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func ((GDestroyNotify) camera_status_free);
  static const char *const streams[] = { "main", "sub" };
  for (guint i = 0; context->media != NULL && i < site->cameras->len; i++)
    for (gsize s = 0; s < G_N_ELEMENTS (streams); s++) {
      CameraStatus *status
        = media_link_camera (context->media, ((const Camera *) site->cameras->pdata[i])->id, streams[s]);
      if (status != NULL)
        g_ptr_array_add (all, status);
    }
  for (gsize f = 0; f < G_N_ELEMENTS (camera_families); f++) {
    family (out, camera_families[f].name, camera_families[f].type, camera_families[f].help);
    for (guint i = 0; i < all->len; i++)
      camera_families[f].sample (out, all->pdata[i]);
  }
}

/* `counts` (taken, may be NULL): how often each value of `label`. */
static void add_counts (GString *out, const char *name, const char *help, const char *label, json_t *counts)
{
  const char *value;
  json_t *count;
  family (out, name, "counter", help);
  json_object_foreach (counts, value, count)
    sample (out, name, json_number_value (count), label, value, NULL);
  json_decref (counts);
}

static void add_exports (GString *out, const HttpContext *context)
{
  add_counts (out, "gridgate_exports_total", "Exports of recordings, by what became of them.", "outcome",
              context->media != NULL ? media_link_exports (context->media) : NULL);
}

static void add_refused_viewers (GString *out, const HttpContext *context)
{
  add_counts (out, "gridgate_viewers_refused_total", "Viewers that were not taken in, by reason.", "reason",
              context->media != NULL ? media_link_refused_viewers (context->media) : NULL);
}

/* --- recordings --- */

static void add_reason_counts (GString *out, const char *name, json_t *all, const char *field)
{
  const char *camera, *reason;
  json_t *state, *count;
  json_object_foreach (all, camera, state)
    json_object_foreach (json_object_get (state, field), reason, count)
      sample (out, name, json_number_value (count), "camera", camera, "reason", reason, NULL);
}

static void add_recordings (GString *out, const HttpContext *context, const Site *site)
{
  const char *camera;
  json_t *state, *all = json_object ();
  double now_s = (double) access_now_us (context->access) / 1e6;
  for (guint i = 0; context->media != NULL && i < site->cameras->len; i++) {
    const char *id = ((const Camera *) site->cameras->pdata[i])->id;
    if ((state = media_link_recording (context->media, id)) != NULL)
      json_object_set_new (all, id, state);
  }
  family (out, "gridgate_recording_bytes", "gauge", "What is recorded of the camera.");
  json_object_foreach (all, camera, state)
    sample (out, "gridgate_recording_bytes", json_number_value (json_object_get (state, "bytes")), "camera", camera, NULL);
  family (out, "gridgate_recording_oldest_seconds", "gauge", "Age of the oldest recording of the camera.");
  json_object_foreach (all, camera, state)
    if (json_integer_value (json_object_get (state, "oldest")) > 0)
      sample (out, "gridgate_recording_oldest_seconds",
              now_s - json_number_value (json_object_get (state, "oldest")) / 1e6, "camera", camera, NULL);
  family (out, "gridgate_recording_deleted_bytes_total", "counter", "What retention deleted, since media started.");
  add_reason_counts (out, "gridgate_recording_deleted_bytes_total", all, "deleted");
  family (out, "gridgate_recording_gaps_total", "counter", "Gaps that began, since media started.");
  add_reason_counts (out, "gridgate_recording_gaps_total", all, "gaps");
  json_decref (all);
}

/* --- messages --- */

static void add_reasons (GString *out, json_t *broker, const char *outcome)
{
  const char *reason;
  json_t *count;
  const char *id = json_string_value (json_object_get (broker, "id"));
  json_object_foreach (json_object_get (broker, outcome), reason, count)
    sample (out, "gridgate_messages_total", json_number_value (count), "broker", id, "outcome", outcome, "reason", reason,
            NULL);
}

/* A number that each broker's account has; where it is null, that broker has none. */
static void add_of_brokers (GString *out, json_t *accounts, const char *name, const char *member)
{
  gsize index;
  json_t *broker;
  json_array_foreach (json_object_get (accounts, "brokers"), index, broker) {
    json_t *count = json_object_get (broker, member);
    if (json_is_integer (count))
      sample (out, name, json_number_value (count), "broker", json_string_value (json_object_get (broker, "id")), NULL);
  }
}

/* Of each template: how many sensors it has become, and how many it may. */
static void add_templates (GString *out, json_t *accounts, const char *name, const char *member)
{
  gsize index, position;
  json_t *broker, *template;
  json_array_foreach (json_object_get (accounts, "brokers"), index, broker)
    json_array_foreach (json_object_get (broker, "templates"), position, template)
      sample (out, name, json_number_value (json_object_get (template, member)), "broker",
              json_string_value (json_object_get (broker, "id")), "template",
              json_string_value (json_object_get (template, "id")), NULL);
}

static void add_messages (GString *out, const HttpContext *context)
{
  gsize index;
  json_t *broker;
  json_t *accounts = context->observe != NULL ? observe_accounting_json (context->observe) : NULL;
  family (out, "gridgate_messages_total", "counter", "Sensor messages by what became of them.");
  json_array_foreach (json_object_get (accounts, "brokers"), index, broker) {
    const char *id = json_string_value (json_object_get (broker, "id"));
    sample (out, "gridgate_messages_total", json_number_value (json_object_get (broker, "stored")), "broker", id, "outcome",
            "stored", "reason", "", NULL);
    add_reasons (out, broker, "rejected");
    add_reasons (out, broker, "dropped");
  }
  family (out, "gridgate_messages_received_total", "counter", "Sensor messages that came: those of gridgate_messages_total and the pending.");
  add_of_brokers (out, accounts, "gridgate_messages_received_total", "received");
  family (out, "gridgate_messages_pending", "gauge", "Sensor messages that came and of which nothing has become yet.");
  add_of_brokers (out, accounts, "gridgate_messages_pending", "pending");
  family (out, "gridgate_broker_dropped_total", "counter", "Messages that the broker says it has dropped itself since it was started.");
  add_of_brokers (out, accounts, "gridgate_broker_dropped_total", "broker_dropped");
  family (out, "gridgate_broker_sessions_lost_total", "counter", "How often the broker had forgotten our session when it was reached again.");
  add_of_brokers (out, accounts, "gridgate_broker_sessions_lost_total", "sessions_lost");
  family (out, "gridgate_discovered_sensors", "gauge", "Sensors that a topic with named levels has become.");
  add_templates (out, accounts, "gridgate_discovered_sensors", "devices");
  family (out, "gridgate_discovered_sensors_max", "gauge", "How many it may become.");
  add_templates (out, accounts, "gridgate_discovered_sensors_max", "max_devices");
  json_decref (accounts);
  if (context->observe != NULL) {
    family (out, "gridgate_messages_waiting", "gauge", "Sensor messages that wait to be stored.");
    sample (out, "gridgate_messages_waiting", observe_waiting (context->observe), NULL);
  }
}

/* --- matters and their receivers --- */

static void add_alerts (GString *out, Database *reader)
{
  gint64 counts[SEVERITY_EXTREME + 1] = { 0 };
  family (out, "gridgate_alerts", "gauge", "Open alerts.");
  if (alert_count_open (reader, counts, NULL))
    for (int severity = SEVERITY_MINOR; severity <= SEVERITY_EXTREME; severity++)
      sample (out, "gridgate_alerts", (double) counts[severity], "severity", severity_name (severity), NULL);
}

static void add_incidents (GString *out, Database *reader, gint64 now_us)
{
  gsize index;
  json_t *one;
  json_t *counts = incident_counts (reader, now_us, NULL);
  family (out, "gridgate_incidents", "gauge", "Open incidents.");
  json_array_foreach (counts, index, one)
    sample (out, "gridgate_incidents", json_number_value (json_object_get (one, "count")), "state",
            json_string_value (json_object_get (one, "state")), "light", json_string_value (json_object_get (one, "light")),
            NULL);
  json_decref (counts);
}

/* Receivers for which nothing waits are in it with 0: a series that comes and goes can't be watched. */
static void add_idle_receivers (json_t *lengths, const Site *site)
{
  g_autoptr (GPtrArray) receivers = sharing_receivers (site);
  gsize waiting = json_array_size (lengths);
  for (guint i = 0; i < receivers->len; i++) {
    const char *name = ((const Receiver *) receivers->pdata[i])->name;
    gboolean is_there = FALSE;
    for (gsize j = 0; j < waiting && !is_there; j++)
      is_there = g_strcmp0 (json_string_value (json_object_get (json_array_get (lengths, j), "receiver")), name) == 0;
    if (!is_there)
      json_array_append_new (lengths, json_pack ("{s:s, s:i, s:i}", "receiver", name, "events", 0, "age_seconds", 0));
  }
}

static void add_outbox (GString *out, Database *reader, const Site *site, gint64 now_us)
{
  gsize index;
  json_t *one;
  json_t *lengths = outbox_lengths (reader, now_us, NULL);
  if (lengths != NULL)
    add_idle_receivers (lengths, site);
  family (out, "gridgate_outbox_events", "gauge", "Events that a receiver has not acknowledged yet.");
  json_array_foreach (lengths, index, one)
    sample (out, "gridgate_outbox_events", json_number_value (json_object_get (one, "events")), "receiver",
            json_string_value (json_object_get (one, "receiver")), NULL);
  family (out, "gridgate_outbox_age_seconds", "gauge", "Age of the oldest event that waits.");
  json_array_foreach (lengths, index, one)
    sample (out, "gridgate_outbox_age_seconds", json_number_value (json_object_get (one, "age_seconds")), "receiver",
            json_string_value (json_object_get (one, "receiver")), NULL);
  json_decref (lengths);
}

/* --- the machine --- */

static void add_store (GString *out, const HttpContext *context)
{
  guint64 count;
  double sum, last;
  gint64 free_bytes, total_bytes;
  store_commit_times (context->store, &count, &sum, &last);
  family (out, "gridgate_commit_seconds", "summary", "Time that commits of the main database took.");
  sample (out, "gridgate_commit_seconds_sum", sum, NULL);
  sample (out, "gridgate_commit_seconds_count", (double) count, NULL);
  family (out, "gridgate_disk_free_bytes", "gauge", "Free on the file system of the data folder.");
  if (disk_free (store_data_dir (context->store), &free_bytes, &total_bytes))
    sample (out, "gridgate_disk_free_bytes", (double) free_bytes, NULL);
}

static gint64 own_resident_bytes (void)
{
  g_autofree char *text = NULL;
  gint64 pages = 0;
  if (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL))
    sscanf (text, "%*d %" G_GINT64_MODIFIER "d", &pages);
  return pages * sysconf (_SC_PAGESIZE);
}

static void add_processes (GString *out, const HttpContext *context)
{
  gsize index;
  json_t *one;
  json_t *processes = context->processes != NULL ? context->processes (context->data) : NULL;
  family (out, "gridgate_process_resident_bytes", "gauge", "Resident memory.");
  if (processes == NULL)
    sample (out, "gridgate_process_resident_bytes", (double) own_resident_bytes (), "process", "gridgate", NULL);
  json_array_foreach (processes, index, one)
    sample (out, "gridgate_process_resident_bytes", json_number_value (json_object_get (one, "resident_bytes")), "process",
            json_string_value (json_object_get (one, "process")), NULL);
  json_decref (processes);
  family (out, "gridgate_build_info", "gauge", "1, with what was built.");
  sample (out, "gridgate_build_info", 1, "version", GRIDGATE_VERSION, NULL);
}

char *http_metrics (const HttpContext *context, const Site *site)
{
  GString *out = g_string_new (NULL);
  gint64 now_us = access_now_us (context->access);
  Database *reader = store_reader (context->store, NULL);
  add_cameras (out, context, site);
  add_refused_viewers (out, context);
  add_exports (out, context);
  add_recordings (out, context, site);
  add_messages (out, context);
  if (reader != NULL) {
    add_alerts (out, reader);
    add_incidents (out, reader, now_us);
    add_outbox (out, reader, site, now_us);
  }
  add_store (out, context);
  add_processes (out, context);
  return g_string_free (out, FALSE);
}
