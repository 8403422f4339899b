#include "config/loader.h"
#include "pipelines/sim/site_script.h"
#include "tests/support/test.h"

static void assert_no_faults (GPtrArray *faults)
{
  for (guint i = 0; i < faults->len; i++)
    print_error ("%s\n", (char *) faults->pdata[i]);
  assert_int_equal (faults->len, 0);
}

/* The demo's folder comes as DEMO_FOLDER from the build. */
static void the_gateway_reaches_every_camera_and_sensor_of_the_township (void **state)
{
  (void) state;
  g_autoptr (GPtrArray) faults = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (Site) site = site_load (DEMO_FOLDER "/gridgate.yaml", faults);
  assert_no_faults (faults);
  SiteScript *script = site_script_read (DEMO_FOLDER "/township.yaml", faults);
  assert_no_faults (faults);

  assert_int_equal (site->cameras->len, script->cameras->len);
  for (guint i = 0; i < script->cameras->len; i++) {
    const CameraScript *simulated = script->cameras->pdata[i];
    g_autofree char *url = g_strdup_printf ("rtsp://127.0.0.1:%d%s", simulated->port, simulated->path);
    const Camera *camera = site_camera (site, simulated->id);
    assert_non_null (camera);
    assert_string_equal (camera->url, url);
    assert_int_equal (camera->username != NULL, simulated->username != NULL);
  }
  assert_int_equal (site->sensors->len, script->sensors->len);
  for (guint i = 0; i < script->sensors->len; i++) {
    const SensorScript *simulated = script->sensors->pdata[i];
    const Sensor *sensor = site_sensor (site, simulated->id);
    assert_non_null (sensor);
    assert_string_equal (sensor->topic, simulated->topic);
    g_autofree char *url
        = g_strdup_printf ("mqtt://127.0.0.1:%d", site_script_broker (script, simulated->broker)->port);
    assert_string_equal (site_broker (site, sensor->broker)->url, url);
  }
  site_script_free (script);
}

static void the_water_rises_over_the_threshold_within_twenty_seconds_and_falls_again (void **state)
{
  (void) state;
  g_autoptr (GPtrArray) faults = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (Site) site = site_load (DEMO_FOLDER "/gridgate.yaml", faults);
  SiteScript *script = site_script_read (DEMO_FOLDER "/township.yaml", faults);
  assert_no_faults (faults);
  const Rule *flood = site_rule (site, "flood");
  const SensorScript *level = script->sensors->pdata[0];
  const struct {
    int second;
    gboolean is_above, is_clear;
  } moments[]
      = { { 0, FALSE, TRUE }, { 20, TRUE, FALSE }, { 45, TRUE, FALSE }, { 52, FALSE, TRUE }, { 3600, FALSE, TRUE } };
  for (gsize i = 0; i < G_N_ELEMENTS (moments); i++) {
    double metres = curve_value (level->curve, moments[i].second * (gint64) G_USEC_PER_SEC) / 100;
    assert_int_equal (metres - level->noise / 100 > flood->when.comparison.above, moments[i].is_above);
    assert_int_equal (metres + level->noise / 100 < flood->when.comparison.clear.low, moments[i].is_clear);
  }
  site_script_free (script);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (the_gateway_reaches_every_camera_and_sensor_of_the_township),
    cmocka_unit_test (the_water_rises_over_the_threshold_within_twenty_seconds_and_falls_again),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
