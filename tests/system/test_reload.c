/* SIGHUP: only what differs is restarted, and a wrong file changes nothing. */
#include <signal.h>
#include <string.h>

#include "tests/support/test.h"
#include "tests/support/township.h"

static int township_setup (void **state)
{
  Township *township = *state = township_new ("flood.yaml", "flood-township.yaml");
  township_wait_camera (township, "school", "live", 20);
  township_wait_camera (township, "square", "live", 20);
  return 0;
}

static int township_teardown (void **state)
{
  township_free (*state);
  return 0;
}

static guint count (Process *process, const char *text)
{
  g_autofree char *output = process_output (process);
  g_auto (GStrv) parts = g_strsplit (output, text, -1);
  return g_strv_length (parts) - 1;
}

static gboolean square_is_gone (gpointer data)
{
  g_autoptr (HttpAnswer) answer = http_client_call (((Township *) data)->http, "GET", "/api/v1/cameras/square", NULL);
  return answer->status == 404;
}

static void an_unchanged_camera_keeps_its_connection (void **state)
{
  Township *township = *state;
  guint came = count (township->simulator, "camera school: 客户端接入");
  assert_int_equal (came, 1);
  township_edit_site (township, "  - {id: square,", "  #- {id: square,");
  township_edit_site (township, "above: 3.2, clear: 3.0, for: 1s", "above: 4.2, clear: 4.0, for: 1s");
  kill (process_pid (township->gateway), SIGHUP);
  assert_true (wait_until (square_is_gone, township, 10));
  g_free (process_wait_for (township->simulator, "camera square: 客户端离开", 10));
  township_wait_camera (township, "school", "live", 1);
  assert_int_equal (count (township->simulator, "camera school: 客户端接入"), 1);
  assert_int_equal (count (township->simulator, "camera school: 客户端离开"), 0);
}

static void a_new_rule_holds_from_then_on (void **state)
{
  Township *township = *state;
  township_publish (township, "village/shimiao/level-1", "{\"level_cm\": 350}"); /* under the new threshold */
  township_publish (township, "village/shimiao/level-1", "{\"level_cm\": 450}");
  g_autofree char *event = process_wait_for (township->subscriber, "gridgate.alert.opened", 20);
  assert_non_null (strstr (event, "4.5"));
}

static void a_wrong_file_is_told_with_its_place_and_the_site_runs_on (void **state)
{
  Township *township = *state;
  township_edit_site (township, "category: flood", "categry: flood");
  kill (process_pid (township->gateway), SIGHUP);
  g_autofree char *line = process_wait_for (township->gateway, "categry", 10);
  assert_non_null (strstr (line, "gridgate.yaml:"));
  township_wait_camera (township, "school", "live", 1);
  township_edit_site (township, "categry: flood", "category: flood");
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (an_unchanged_camera_keeps_its_connection),
    cmocka_unit_test (a_new_rule_holds_from_then_on),
    cmocka_unit_test (a_wrong_file_is_told_with_its_place_and_the_site_runs_on),
  };
  return cmocka_run_group_tests (tests, township_setup, township_teardown);
}
