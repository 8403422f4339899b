/* The center's broker is away, and gridgate is killed meanwhile: nothing is lost, nothing comes twice with another id. */
#include <signal.h>
#include <string.h>

#include "tests/support/test.h"
#include "tests/support/township.h"

static int township_setup (void **state)
{
  *state = township_new ("flood.yaml", NULL);
  return 0;
}

static int township_teardown (void **state)
{
  township_free (*state);
  return 0;
}

static gboolean has_items (const json_t *answer)
{
  return json_array_size (json_object_get (answer, "items")) > 0;
}

static gboolean has_two_items (const json_t *answer)
{
  return json_array_size (json_object_get (answer, "items")) >= 2;
}

static void what_happened_while_the_center_was_away_arrives_when_it_is_back (void **state)
{
  Township *township = *state;
  mosquitto_end (township->center, SIGKILL);
  township_publish (township, "village/shimiao/level-1", "{\"level_cm\": 350}");
  json_decref (township_wait_for (township, "/api/v1/incidents?category=flood", has_items, 10));
  process_end (township->gateway, SIGKILL, 5);
  township_start_gateway (township);
  township_publish (township, "village/shimiao/smoke-1", "0.9");
  json_decref (township_wait_for (township, "/api/v1/incidents", has_two_items, 10));

  township_start_center_again (township);
  g_autofree char *one = process_wait_for (township->subscriber, "gridgate.incident.opened", 40);
  g_autofree char *other = process_wait_for (township->subscriber, "gridgate.incident.opened", 40);
  assert_string_not_equal (one, other);
}

static GHashTable *opened_by_id (const char *output)
{
  GHashTable *ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_auto (GStrv) lines = g_strsplit (output, "\n", -1);
  for (char **line = lines; *line != NULL; line++) {
    const char *payload = strchr (*line, '{');
    if (payload == NULL || strstr (*line, "gridgate.incident.opened") == NULL || strstr (*line, "/agencies/") != NULL)
      continue;
    json_t *event = json_loads (payload, 0, NULL);
    g_hash_table_insert (ids, g_strdup (json_string_value (json_object_get (event, "id"))),
                         g_strdup (json_string_value (json_object_get (event, "subject"))));
    json_decref (event);
  }
  return ids;
}

static void each_incident_was_opened_by_one_event (void **state)
{
  Township *township = *state;
  g_autofree char *output = process_output (township->subscriber);
  g_autoptr (GHashTable) events = opened_by_id (output);
  assert_int_equal (g_hash_table_size (events), 2);
}

static void the_center_learns_by_the_will_that_a_killed_gateway_is_gone (void **state)
{
  Township *township = *state;
  process_end (township->gateway, SIGKILL, 5);
  g_free (process_wait_for (township->subscriber, "\"online\":false", 20));
  township_start_gateway (township);
  g_free (process_wait_for (township->subscriber, "\"online\":true", 20));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (what_happened_while_the_center_was_away_arrives_when_it_is_back),
    cmocka_unit_test (each_incident_was_opened_by_one_event),
    cmocka_unit_test (the_center_learns_by_the_will_that_a_killed_gateway_is_gone),
  };
  return cmocka_run_group_tests (tests, township_setup, township_teardown);
}
