/* The flood story with real brokers, simulated cameras and the real processes: from a reading to the center, the agency, the
 * clip and the closed incident. */
#include <string.h>

#include "tests/support/test.h"
#include "tests/support/township.h"

static const char *text_of (const json_t *object, const char *field)
{
  const char *text = json_string_value (json_object_get (object, field));
  return text != NULL ? text : "";
}

static gboolean has_items (const json_t *answer)
{
  return json_array_size (json_object_get (answer, "items")) > 0;
}

static json_t *first_incident (Township *township, const char *category)
{
  g_autofree char *path = g_strdup_printf ("/api/v1/incidents?category=%s", category);
  json_t *list = township_wait_for (township, path, has_items, 20);
  json_t *incident = json_incref (json_array_get (json_object_get (list, "items"), 0));
  json_decref (list);
  return incident;
}

static gboolean spans_five_seconds (const json_t *answer)
{
  const json_t *span = json_array_get (json_object_get (answer, "spans"), 0);
  g_autoptr (GDateTime) from = g_date_time_new_from_iso8601 (text_of (span, "from"), NULL);
  g_autoptr (GDateTime) to = g_date_time_new_from_iso8601 (text_of (span, "to"), NULL);
  return from != NULL && to != NULL && g_date_time_difference (to, from) > 5 * G_TIME_SPAN_SECOND;
}

static int township_setup (void **state)
{
  Township *township = *state = township_new ("flood.yaml", "flood-township.yaml");
  const char *const cameras[] = { "bridge", "school", "forest", "square" };
  for (gsize i = 0; i < G_N_ELEMENTS (cameras); i++)
    township_wait_camera (township, cameras[i], "live", 20);
  json_decref (township_wait_for (
    township, "/api/v1/cameras/bridge/recordings?from=2020-01-01T00:00:00Z&to=2099-01-01T00:00:00Z", spans_five_seconds, 30));
  return 0;
}

static int township_teardown (void **state)
{
  township_free (*state);
  return 0;
}

static void a_reading_above_the_threshold_becomes_an_incident_at_the_center (void **state)
{
  Township *township = *state;
  township_publish (township, "village/shimiao/level-1", "{\"level_cm\": 350}");
  g_autofree char *event = process_wait_for (township->subscriber, "gridgate.incident.opened", 20);
  const char *payload = strchr (event, '{');
  json_t *json = json_loads (payload, 0, NULL);
  json_t *incident = json_object_get (json, "data");
  assert_non_null (strstr (event, "gridgate/v1/yigang-1/"));
  assert_string_equal (text_of (json, "specversion"), "1.0");
  assert_string_equal (text_of (json, "source"), "/gridgate/yigang-1");
  assert_string_equal (text_of (incident, "category"), "flood");
  assert_string_equal (text_of (incident, "severity"), "severe");
  assert_string_equal (text_of (incident, "grid"), "621121104201001");
  json_decref (json);

  json_t *alerts = township_wait_for (township, "/api/v1/alerts?state=open", has_items, 10);
  json_t *alert = json_array_get (json_object_get (alerts, "items"), 0);
  assert_string_equal (text_of (alert, "rule"), "flood");
  assert_string_equal (text_of (alert, "sensor"), "level-1");
  assert_float_equal (json_number_value (json_object_get (alert, "value")), 3.5, 1e-9);
  json_decref (alerts);
}

static gboolean center_has_heard (gpointer data)
{
  Township *township = ((gpointer *) data)[0];
  return process_has_said (township->subscriber, ((gpointer *) data)[1]);
}

static void center_hears (Township *township, const char *text)
{
  if (!wait_until (center_has_heard, (gpointer[]){ township, (gpointer) text }, 20)) {
    g_autofree char *output = process_output (township->subscriber);
    fail_msg ("the center did not hear %s:\n%s", text, output);
  }
}

static gboolean receiver_has_heard (gpointer data)
{
  return process_has_said (((Township *) data)->simulator, "agency water");
}

static void the_entitled_agency_gets_it_on_its_topic_and_by_webhook_the_other_does_not (void **state)
{
  Township *township = *state;
  center_hears (township, "gridgate/v1/yigang-1/agencies/water/incidents");
  center_hears (township, "gridgate/v1/yigang-1/agencies/water/alerts");
  center_hears (township, "gridgate/v1/yigang-1/sensors/level-1");
  assert_true (wait_until (receiver_has_heard, township, 20));
  assert_false (process_has_said (township->subscriber, "agencies/forestry/"));
}

static gboolean evidence_is_done (const json_t *answer)
{
  gsize index;
  json_t *one;
  const json_t *items = json_is_array (answer) ? answer : json_object_get (answer, "items");
  json_array_foreach (items, index, one)
    if (!json_is_string (json_object_get (one, "sha256")))
      return FALSE;
  return json_array_size (items) == 4;
}

static void check_file (Township *township, const json_t *evidence)
{
  g_autoptr (HttpAnswer) file = http_client_call (township->http, "GET", text_of (evidence, "url"), NULL);
  g_autofree char *sum = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) file->body, file->size);
  g_autofree char *path = g_build_filename (township->folder, text_of (evidence, "id"), NULL);
  g_autofree char *said = NULL;
  gboolean is_clip = strcmp (text_of (evidence, "kind"), "clip") == 0;
  assert_int_equal (file->status, 200);
  assert_string_equal (sum, text_of (evidence, "sha256"));
  assert_string_equal (file->content_type, is_clip ? "video/mp4" : "image/jpeg");
  assert_true (g_file_set_contents (path, file->body, (gssize) file->size, NULL));

  /* every frame decodes without a complaint */
  assert_int_equal (process_run (township->folder, 30, &said, (const char *[]){ "ffmpeg", "-v", "error", "-xerror", "-i", path,
                                                                                "-f", "null", "-", NULL }), 0);
  assert_string_equal (said, "");
  g_clear_pointer (&said, g_free);
  assert_int_equal (process_run (township->folder, 30, &said,
                                 (const char *[]){ "ffprobe", "-v", "error", "-show_entries", is_clip ? "format=duration" : "stream=width",
                                                   "-of", "csv=p=0", path, NULL }), 0);
  if (is_clip)
    assert_true (g_ascii_strtod (said, NULL) > 5);
  else
    assert_int_equal (g_ascii_strtoll (said, NULL, 10), 320);
}

static void clip_and_picture_of_each_camera_are_there_with_their_sums (void **state)
{
  Township *township = *state;
  json_t *incident = first_incident (township, "flood");
  g_autofree char *path = g_strdup_printf ("/api/v1/incidents/%s/evidence", text_of (incident, "id"));
  json_t *list = township_wait_for (township, path, evidence_is_done, 40);
  json_t *items = json_is_array (list) ? list : json_object_get (list, "items");
  json_t *one;
  gsize index;
  json_array_foreach (items, index, one)
    check_file (township, one);
  json_decref (list);
  json_decref (incident);
}

static void the_falling_level_clears_the_alert_and_leaves_the_incident_open (void **state)
{
  Township *township = *state;
  township_publish (township, "village/shimiao/level-1", "{\"level_cm\": 310}"); /* between clear and above: still open */
  township_publish (township, "village/shimiao/level-1", "{\"level_cm\": 250}");
  center_hears (township, "gridgate.alert.cleared");
  json_t *incident = first_incident (township, "flood");
  assert_string_equal (text_of (incident, "state"), "reported");
  json_decref (incident);
}

static HttpAnswer *act (Township *township, const char *id, json_t *action)
{
  g_autofree char *path = g_strdup_printf ("/api/v1/incidents/%s/actions", id);
  HttpAnswer *answer = http_client_call (township->http, "POST", path, action);
  json_decref (action);
  return answer;
}

static void people_carry_it_to_its_close_and_a_stale_revision_is_refused (void **state)
{
  Township *township = *state;
  json_t *incident = first_incident (township, "flood");
  g_autofree char *id = g_strdup (text_of (incident, "id"));
  json_int_t revision = json_integer_value (json_object_get (incident, "revision"));
  json_decref (incident);

  g_autoptr (HttpAnswer) stale = act (township, id, json_pack ("{s:s, s:I}", "action", "accept", "revision", revision - 1));
  assert_int_equal (stale->status, 409);
  assert_non_null (strstr (text_of (stale->json, "type"), "stale-revision"));
  g_autoptr (HttpAnswer) early = act (township, id, json_pack ("{s:s, s:I}", "action", "close", "revision", revision));
  assert_int_equal (early->status, 409);
  assert_non_null (strstr (text_of (early->json, "type"), "not-allowed"));

  const char *const actions[] = { "accept", "dispatch", "start", "resolve", "verify", "close" };
  const char *const states[] = { "accepted", "dispatched", "in_progress", "resolved", "verified", "closed" };
  for (gsize i = 0; i < G_N_ELEMENTS (actions); i++) {
    json_t *action = json_pack ("{s:s, s:I, s:s}", "action", actions[i], "revision", revision, "note", "按预案处置");
    if (strcmp (actions[i], "dispatch") == 0)
      json_object_set_new (action, "assignee", json_pack ("{s:s}", "agency", "water"));
    g_autoptr (HttpAnswer) done = act (township, id, action);
    if (done->status != 200)
      fail_msg ("%s: %ld %s", actions[i], done->status, done->body);
    assert_string_equal (text_of (done->json, "state"), states[i]);
    revision = json_integer_value (json_object_get (done->json, "revision"));
  }
  center_hears (township, "gridgate.incident.closed");
}

static void an_agency_of_another_category_gets_what_is_its_own_only (void **state)
{
  Township *township = *state;
  township_publish (township, "village/shimiao/smoke-1", "0.9");
  center_hears (township, "gridgate/v1/yigang-1/agencies/forestry/incidents");
  g_autofree char *heard = process_output (township->subscriber);
  g_auto (GStrv) lines = g_strsplit (heard, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    if (strstr (*line, "agencies/water/") != NULL)
      assert_null (strstr (*line, "\"fire\""));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_reading_above_the_threshold_becomes_an_incident_at_the_center),
    cmocka_unit_test (the_entitled_agency_gets_it_on_its_topic_and_by_webhook_the_other_does_not),
    cmocka_unit_test (clip_and_picture_of_each_camera_are_there_with_their_sums),
    cmocka_unit_test (the_falling_level_clears_the_alert_and_leaves_the_incident_open),
    cmocka_unit_test (people_carry_it_to_its_close_and_a_stale_revision_is_refused),
    cmocka_unit_test (an_agency_of_another_category_gets_what_is_its_own_only),
  };
  return cmocka_run_group_tests (tests, township_setup, township_teardown);
}
