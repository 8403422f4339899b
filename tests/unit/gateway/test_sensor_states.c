#include "gateway/sensor_states.h"
#include "tests/support/test.h"

typedef struct {
  Clock *clock;
  Site *site;
  SensorStates *states;
  GString *told; /* "ID STATE;" in order */
} Fixture;

static json_t *describe (gpointer data, const char *sensor)
{
  (void) data;
  return json_pack ("{s:s}", "id", sensor);
}

static void tell (gpointer data, const char *sensor, const char *text)
{
  Fixture *fixture = data;
  json_t *json = json_loads (text, 0, NULL);
  assert_string_equal (json_string_value (json_object_get (json, "id")), sensor);
  g_string_append_printf (fixture->told, "%s %s;", sensor, json_string_value (json_object_get (json, "state")));
  json_decref (json);
}

static Site *site_with (const char *sensor, gboolean has_center)
{
  Site *site = site_new ();
  Sensor *level = g_new0 (Sensor, 1);
  level->id = g_strdup (sensor);
  level->silent_after_us = G_TIME_SPAN_MINUTE;
  level->metrics = g_ptr_array_new_with_free_func ((GDestroyNotify) metric_free);
  g_ptr_array_add (site->sensors, level);
  if (has_center) {
    Center *center = g_new0 (Center, 1);
    center->id = g_strdup ("center");
    g_ptr_array_add (site->centers, center);
  }
  site_publish (site);
  return site;
}

static int setup (void **state)
{
  Fixture *fixture = *state = g_new0 (Fixture, 1);
  fixture->clock = clock_fake_new (G_TIME_SPAN_DAY);
  fixture->told = g_string_new (NULL);
  fixture->states = sensor_states_new (&(SensorStatesPort){ fixture, describe, tell }, fixture->clock);
  fixture->site = site_with ("level", TRUE);
  sensor_states_set_site (fixture->states, fixture->site);
  return 0;
}

static int teardown (void **state)
{
  Fixture *fixture = *state;
  sensor_states_free (fixture->states);
  clock_fake_free (fixture->clock);
  site_unref (fixture->site);
  g_string_free (fixture->told, TRUE);
  g_free (fixture);
  return 0;
}

static void assert_told (Fixture *fixture, const char *expected)
{
  sensor_states_look (fixture->states);
  assert_string_equal (fixture->told->str, expected);
  g_string_truncate (fixture->told, 0);
}

static void many_readings_between_two_looks_are_told_once (void **state)
{
  Fixture *fixture = *state;
  assert_told (fixture, "");
  for (int i = 0; i < 1000; i++)
    sensor_states_heard (fixture->states, "level");
  sensor_states_heard (fixture->states, "nobody");
  assert_told (fixture, "level ok;");
  assert_told (fixture, "");
}

static void silence_is_told_once_and_so_is_its_end (void **state)
{
  Fixture *fixture = *state;
  clock_fake_advance (fixture->clock, G_TIME_SPAN_MINUTE);
  assert_told (fixture, "level silent;");
  clock_fake_advance (fixture->clock, G_TIME_SPAN_MINUTE);
  assert_told (fixture, "");
  sensor_states_heard (fixture->states, "level");
  assert_told (fixture, "level ok;");
}

static void a_reload_keeps_what_is_known_and_forgets_who_is_gone (void **state)
{
  Fixture *fixture = *state;
  clock_fake_advance (fixture->clock, G_TIME_SPAN_MINUTE / 2);
  sensor_states_set_site (fixture->states, fixture->site);
  clock_fake_advance (fixture->clock, G_TIME_SPAN_MINUTE / 2);
  assert_told (fixture, "level silent;");
  g_autoptr (Site) other = site_with ("rain", FALSE);
  sensor_states_set_site (fixture->states, other);
  sensor_states_heard (fixture->states, "level");
  sensor_states_heard (fixture->states, "rain"); /* but there is no center to tell */
  assert_told (fixture, "");
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
  const struct CMUnitTest tests[] = {
    TEST (many_readings_between_two_looks_are_told_once),
    TEST (silence_is_told_once_and_so_is_its_end),
    TEST (a_reload_keeps_what_is_known_and_forgets_who_is_gone),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
