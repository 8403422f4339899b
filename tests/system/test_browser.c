/* The operators' page of the real gateway in a real Chromium: tests/browser/story.mjs plays the flood story, while this test
 * lets the water rise and fall. */
#include <stdio.h>

#include "tests/support/test.h"
#include "tests/support/township.h"

enum { STEP_S = 90, LEVEL_CLEAR = 250, LEVEL_FLOOD = 350 };

static gboolean has_recorded (const json_t *answer)
{
  const json_t *span = json_array_get (json_object_get (answer, "spans"), 0);
  const char *from = json_string_value (json_object_get (span, "from")), *to = json_string_value (json_object_get (span, "to"));
  g_autoptr (GDateTime) start = from != NULL ? g_date_time_new_from_iso8601 (from, NULL) : NULL;
  g_autoptr (GDateTime) end = to != NULL ? g_date_time_new_from_iso8601 (to, NULL) : NULL;
  return start != NULL && end != NULL && g_date_time_difference (end, start) > 3 * G_TIME_SPAN_SECOND;
}

static int township_setup (void **state)
{
  static const char *const cameras[] = { "bridge", "school", "forest", "square" };
  Township *township = *state = township_new ("flood.yaml", "flood-township.yaml");
  for (gsize i = 0; i < G_N_ELEMENTS (cameras); i++)
    township_wait_camera (township, cameras[i], "live", 40);
  json_decref (township_wait_for (
    township, "/api/v1/cameras/bridge/recordings?from=2020-01-01T00:00:00Z&to=2099-01-01T00:00:00Z", has_recorded, 40));
  return 0;
}

static int township_teardown (void **state)
{
  township_free (*state);
  return 0;
}

static Process *start_story (Township *township)
{
  g_autofree char *script = g_build_filename (g_getenv ("GRIDGATE_SOURCE_ROOT"), "tests/browser/story.mjs", NULL);
  g_autofree char *url = g_strconcat ("GRIDGATE_URL=", township->base_url, "/", NULL);
  return process_start_with (township->folder, (const char *[]){ g_getenv ("GRIDGATE_NODE"), script, NULL },
                             (const char *[]){ url, "GRIDGATE_NAME=admin", "GRIDGATE_PASSWORD=admin-password-1",
                                               "GRIDGATE_FLOOD_SECONDS=60", NULL });
}

static void publish_level (Township *township, int level_cm)
{
  g_autofree char *payload = g_strdup_printf ("{\"level_cm\": %d}", level_cm);
  township_publish (township, "village/shimiao/level-1", payload);
}

static void an_operator_sees_four_cameras_and_carries_the_flood_to_its_close (void **state)
{
  Township *township = *state;
  g_autoptr (Process) story = start_story (township);
  publish_level (township, LEVEL_CLEAR);
  g_free (process_wait_for (story, "they move and stay", STEP_S));
  publish_level (township, LEVEL_FLOOD);
  g_free (process_wait_for (story, "it shows its alert", STEP_S));
  publish_level (township, LEVEL_CLEAR);
  int status = process_wait (story, STEP_S);
  g_autofree char *told = process_output (story);
  if (status != 0) {
    g_autofree char *log = process_output (township->gateway);
    fail_msg ("story.mjs ended with %d:\n%s\nthe gateway's log:\n%s", status, told, log);
  }
  fputs (told, stdout);
}

int main (void)
{
  if (g_getenv ("GRIDGATE_NODE") == NULL) {
    puts ("skipped: this build has no console (Node and npm are missing, or it was set up with -Dconsole=disabled)");
    return 77; /* what meson takes for "skipped" */
  }
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (an_operator_sees_four_cameras_and_carries_the_flood_to_its_close),
  };
  return cmocka_run_group_tests (tests, township_setup, township_teardown);
}
