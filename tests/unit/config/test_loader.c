#include "config/loader.h"

#include <math.h>
#include <string.h>

#include "tests/support/folder.h"
#include "tests/support/test.h"

static void write_file (const char *folder, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  assert_int_equal (g_mkdir_with_parents (parent, 0700), 0);
  assert_true (g_file_set_contents (path, text, -1, NULL));
}

static Site *load (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (g_free);
  Site *site = site_load (path, errors);
  for (guint i = 0; i < errors->len; i++)
    print_error ("%s\n", (const char *) errors->pdata[i]);
  assert_non_null (site);
  assert_int_equal (errors->len, 0);
  return site;
}

/* The first error of a site that must not load. */
static char *load_wrong (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (g_free);
  assert_null (site_load (path, errors));
  assert_true (errors->len > 0);
  return g_strdup (errors->pdata[0]);
}

#define MINIMAL "gateway: {id: g, division: \"62\"}\n"

static void a_minimal_site_has_every_default (void **state)
{
  write_file (*state, "site.yaml", MINIMAL);
  g_autoptr (Site) site = load (*state, "site.yaml");
  assert_string_equal (site->gateway.name, "g");
  assert_string_equal (site->gateway.data_dir, "/var/lib/gridgate");
  assert_string_equal (site->gateway.runtime_dir, "/run/gridgate");
  assert_string_equal (site->gateway.time_zone, "Asia/Shanghai");
  assert_string_equal (site->http.listen, "127.0.0.1:8080");
  assert_string_equal (site->rtsp.listen, "127.0.0.1:8554");
  assert_int_equal (site->recording.mode, RECORDING_CONTINUOUS);
  assert_int_equal (site->recording.segment_us, 60 * G_TIME_SPAN_SECOND);
  assert_int_equal (site->recording.retain_us, 30 * G_TIME_SPAN_DAY);
  assert_int_equal (site->recording.keep_at_least_us, 30 * G_TIME_SPAN_DAY);
  assert_int_equal (site->recording.max_bytes, 0);
  assert_int_equal (site->recording.min_free_percent, 5);
  assert_int_equal (site->grids->len, 1);
  assert_string_equal (site_grid (site, "62")->name, "g");
  assert_null (site_grid (site, "62")->parent);
}

static void the_runtime_folder_follows_a_data_folder_elsewhere (void **state)
{
  write_file (*state, "site.yaml", "gateway: {id: g, division: \"62\", data_dir: data}\n");
  g_autoptr (Site) site = load (*state, "site.yaml");
  g_autofree char *data = g_build_filename (*state, "data", NULL);
  g_autofree char *run = g_build_filename (*state, "data", "run", NULL);
  assert_string_equal (site->gateway.data_dir, data);
  assert_string_equal (site->gateway.runtime_dir, run);
}

/* The example of the configuration's page, with its secrets beside it. */
static const char example[] =
    "gateway: {id: yigang-1, division: \"621121104\", name: 义岗镇, data_dir: /var/lib/gridgate, time_zone: Asia/Shanghai}\n"
    "recording: {mode: continuous, segment: 60s, retain: 30d, keep_at_least: 30d, max_bytes: 500GB, min_free: 20GB}\n"
    "brokers:\n"
    "  - {id: village, url: mqtts://127.0.0.1, protocol: \"5\", qos: 2, username: gateway, password_file: secret}\n"
    "grids:\n"
    "  - {id: \"621121104201\", name: 石庙村, parent: \"621121104\"}\n"
    "  - id: \"621121104201001\"\n"
    "    parent: \"621121104201\"\n"
    "    area: [[105.20, 35.21], [105.21, 35.21], [105.21, 35.22]]\n"
    "duties:\n"
    "  - {grid: \"621121104201001\", categories: [flood, fire], post: 网格员, account: zhang, hours: \"00:00-24:00\"}\n"
    "cameras:\n"
    "  - id: bridge\n"
    "    grid: \"621121104201001\"\n"
    "    owner: police\n"
    "    gb_id: \"62112110401320000001\"\n"
    "    url: rtsp://192.168.10.21:554/stream1\n"
    "    username: viewer\n"
    "    password_file: secret\n"
    "    location: {lon: 105.201, lat: 35.211}\n"
    "    streams: {sub: {url: \"rtsp://192.168.10.21:554/stream2\"}}\n"
    "    recording: {mode: event, stream: sub, pre_roll: 20s, retain: 10d, max_bytes: 50GB}\n"
    "  - {id: plain, url: \"rtsp://[fe80::1]/a?b=c\"}\n"
    "sensors:\n"
    "  - id: level-1\n"
    "    broker: village\n"
    "    topic: village/shimiao/level-1\n"
    "    silent_after: 10m\n"
    "    metrics:\n"
    "      - {name: water_level, path: $.level_cm, unit: m, scale: 0.01}\n"
    "rules:\n"
    "  - id: flood\n"
    "    category: flood\n"
    "    severity: severe\n"
    "    match: {metric: water_level, grid: \"621121104\"}\n"
    "    when: {above: 3.2, clear: 3.0, for: 10s}\n"
    "    evidence: {cameras: [bridge], before: 10s, after: 20s}\n"
    "    assign: {agency: water}\n"
    "    deadline: 2h\n"
    "  - {id: dry, category: drought, match: {sensors: [level-1]}, when: {below: 0.2}}\n"
    "agencies:\n"
    "  - id: water\n"
    "    name: 水务局\n"
    "    grants:\n"
    "      - {categories: [flood], grids: [\"621121104\"], min_severity: moderate, live: true, until: 2027-12-31T00:00:00Z}\n"
    "      - {categories: [\"*\"]}\n"
    "    deliver:\n"
    "      - {mqtt: center}\n"
    "      - {webhook: \"https://water.example/incidents\", secret_file: secret}\n"
    "centers:\n"
    "  - {id: center, url: \"mqtts://center.example:8883\", ca_file: secret, ack: application}\n";

static Site *load_example (const char *folder)
{
  write_file (folder, "secret", "s3cret\n");
  write_file (folder, "site.yaml", example);
  return load (folder, "site.yaml");
}

static void the_example_fills_devices (void **state)
{
  g_autoptr (Site) site = load_example (*state);
  g_autofree char *secret = g_build_filename (*state, "secret", NULL);
  const Broker *broker = site_broker (site, "village");
  assert_string_equal (broker->url, "mqtts://127.0.0.1:8883");
  assert_int_equal (broker->protocol, 5);
  assert_int_equal (broker->qos, 2);
  assert_string_equal (broker->client_id, "gridgate-yigang-1-village");
  assert_string_equal (broker->password_file, secret);
  const Camera *camera = site_camera (site, "bridge");
  assert_string_equal (camera->name, "bridge");
  assert_string_equal (camera->sub->url, "rtsp://192.168.10.21:554/stream2");
  assert_int_equal (camera->recording.mode, RECORDING_EVENT);
  assert_true (camera->recording.is_sub);
  assert_int_equal (camera->recording.pre_roll_us, 20 * G_TIME_SPAN_SECOND);
  assert_int_equal (camera->recording.retain_us, 10 * G_TIME_SPAN_DAY);
  assert_int_equal (camera->recording.keep_at_least_us, 10 * G_TIME_SPAN_DAY); /* the site's 30 days end with retain */
  assert_int_equal (camera->recording.max_bytes, 50000000000);
  assert_int_equal (camera->down_after_us, 60 * G_TIME_SPAN_SECOND);
  assert_true (camera->location.is_set);
  assert_float_equal (camera->location.lat, 35.211, 1e-9);
  const CameraRecording *plain = &site_camera (site, "plain")->recording;
  assert_int_equal (plain->mode, RECORDING_CONTINUOUS);
  assert_false (plain->is_sub);
  assert_int_equal (plain->pre_roll_us, 10 * G_TIME_SPAN_SECOND);
  assert_int_equal (plain->keep_at_least_us, 30 * G_TIME_SPAN_DAY);
  assert_int_equal (plain->max_bytes, 0);
  assert_string_equal (site_camera (site, "plain")->grid, "621121104");
  const Sensor *sensor = site_sensor (site, "level-1");
  const Metric *metric = sensor->metrics->pdata[0];
  assert_string_equal (sensor->format, "json");
  assert_true (sensor->durable);
  assert_float_equal (metric->scale, 0.01, 1e-12);
  assert_float_equal (metric->offset, 0, 1e-12);
}

static void the_example_fills_policies (void **state)
{
  g_autoptr (Site) site = load_example (*state);
  assert_int_equal (site->recording.min_free_bytes, 20000000000);
  assert_int_equal (site->recording.min_free_percent, 0);
  assert_true (site_grid_is_within (site, "621121104201001", "621121104201"));
  assert_int_equal (site_grid (site, "621121104201001")->area->len, 3);
  const Rule *rule = site_rule (site, "flood");
  assert_int_equal (comparison_condition (&rule->when.comparison), CONDITION_ABOVE);
  assert_float_equal (rule->when.comparison.above, 3.2, 1e-12);
  assert_float_equal (rule->when.comparison.clear.low, 3.0, 1e-12);
  assert_int_equal (rule->when.hold_us, 10 * G_TIME_SPAN_SECOND);
  assert_string_equal (rule->evidence_cameras[0], "bridge");
  assert_string_equal (rule->assign_agency, "water");
  assert_int_equal (comparison_condition (&site_rule (site, "dry")->when.comparison), CONDITION_BELOW);
  assert_false (site_rule (site, "dry")->when.comparison.clear.is_set);
  assert_int_equal (site_rule (site, "dry")->severity, SEVERITY_MODERATE);
  assert_null (site_rule (site, "dry")->evidence_cameras);
  const Agency *agency = site_agency (site, "water");
  const Grant *all = agency->grants->pdata[1];
  assert_int_equal (agency->deliveries->len, 2);
  assert_string_equal (all->categories[0], "*");
  assert_string_equal (all->grids[0], "621121104");
  assert_int_equal (all->until_us, 0);
  assert_int_equal (site_center (site, "center")->ack, ACK_APPLICATION);
}

static void included_files_add_to_the_lists_and_items_know_their_origin (void **state)
{
  write_file (*state, "site.yaml", "include: [site.d/*.yaml]\n" MINIMAL "cameras:\n  - {id: a, url: \"rtsp://h/a\"}\n");
  write_file (*state, "site.d/10.yaml", "# by hand\ncameras:\n  - {id: b, url: \"rtsp://h/b\", password_file: secret, username: u}\n");
  write_file (*state, "site.d/20.yaml", "cameras:\n  - {id: c, url: \"rtsp://h/c\"}\n");
  write_file (*state, "site.d/secret", "x\n");
  g_autoptr (Site) site = load (*state, "site.yaml");
  g_autofree char *file = g_build_filename (*state, "site.d", "10.yaml", NULL);
  g_autofree char *secret = g_build_filename (*state, "site.d", "secret", NULL);
  assert_int_equal (site->cameras->len, 3);
  assert_string_equal (site_camera (site, "b")->password_file, secret);
  assert_string_equal (site_origin (site, SITE_CAMERAS, "b")->file, file);
  assert_int_equal (site_origin (site, SITE_CAMERAS, "b")->line, 3);
  assert_null (site_origin (site, SITE_CAMERAS, "z"));
}

static void an_included_file_holds_lists_only (void **state)
{
  write_file (*state, "site.yaml", "include: [more.yaml]\n" MINIMAL);
  write_file (*state, "more.yaml", "http: {}\n");
  g_autofree char *error = load_wrong (*state, "site.yaml");
  g_autofree char *expected
      = g_strdup_printf ("%s/more.yaml:1:1: http belongs to the first file; an included file holds lists only",
                         (char *) *state);
  assert_string_equal (error, expected);
}

static void an_id_that_stands_in_two_files_is_told_with_both_places (void **state)
{
  write_file (*state, "site.yaml", "include: [more.yaml]\n" MINIMAL "cameras:\n  - {id: a, url: \"rtsp://h/a\"}\n");
  write_file (*state, "more.yaml", "cameras:\n  - {id: a, url: \"rtsp://h/c\"}\n");
  g_autofree char *error = load_wrong (*state, "site.yaml");
  g_autofree char *expected = g_strdup_printf ("%s/more.yaml:2:10: camera a stands twice, first at %s/site.yaml:4",
                                               (char *) *state, (char *) *state);
  assert_string_equal (error, expected);
}

static void a_file_that_is_not_there_is_told (void **state)
{
  g_autofree char *error = load_wrong (*state, "none.yaml");
  assert_non_null (strstr (error, "none.yaml: the file can't be read: No such file or directory"));
}

static void a_secret_file_that_is_not_there_or_empty_is_told (void **state)
{
  write_file (*state, "empty", "");
  write_file (*state, "site.yaml",
              MINIMAL "cameras:\n  - {id: a, url: \"rtsp://h/a\", username: u, password_file: none}\n");
  g_autofree char *missing = load_wrong (*state, "site.yaml");
  assert_non_null (strstr (missing, "site.yaml:3:60: password_file: "));
  assert_non_null (strstr (missing, "/none does not exist, expected a file that this program may read"));
  write_file (*state, "site.yaml",
              MINIMAL "cameras:\n  - {id: a, url: \"rtsp://h/a\", username: u, password_file: empty}\n");
  g_autofree char *empty = load_wrong (*state, "site.yaml");
  assert_non_null (strstr (empty, "must hold the secret on its first line"));
}

static void secrets_never_stand_in_the_site (void **state)
{
  g_autoptr (Site) site = load_example (*state);
  GHashTableIter iterator;
  gpointer version;
  g_hash_table_iter_init (&iterator, site->file_versions);
  while (g_hash_table_iter_next (&iterator, NULL, &version))
    assert_null (strstr (version, "s3cret"));
}

static void the_site_of_the_system_tests_loads (void **state)
{
  g_autofree char *path = g_build_filename (g_getenv ("GRIDGATE_SOURCE_ROOT"), "tests/system/sites/flood.yaml", NULL);
  g_autofree char *text = NULL;
  assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_autoptr (GRegex) folder = g_regex_new ("@FOLDER@", 0, 0, NULL);
  g_autoptr (GRegex) port = g_regex_new ("@[A-Z0-9]+@", 0, 0, NULL);
  g_autofree char *with_folder = g_regex_replace_literal (folder, text, -1, 0, *state, 0, NULL);
  g_autofree char *filled = g_regex_replace_literal (port, with_folder, -1, 0, "1883", 0, NULL);
  write_file (*state, "camera.password", "x\n");
  write_file (*state, "webhook.secret", "x\n");
  write_file (*state, "site.yaml", filled);
  g_autoptr (Site) site = load (*state, "site.yaml");
  assert_true (site->cameras->len >= 4);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown (test, folder_setup, folder_teardown)

#define DEVICES                                                                                                        \
  "grids: [{id: shimiao}]\n"                                                                                           \
  "brokers: [{id: village, url: \"mqtt://127.0.0.1:1883\"}]\n"                                                         \
  "sensors:\n"                                                                                                         \
  "  - id: \"{village}-{device}\"\n"                                                                                   \
  "    devices_file: devices.csv\n"                                                                                    \
  "    broker: village\n"                                                                                              \
  "    topic: \"village/{village}/{device}\"\n"                                                                        \
  "    metrics: [{name: water_level, path: $.level}]\n"

static void one_entry_describes_the_sensors_of_a_file (void **state)
{
  write_file (*state, "site.yaml", MINIMAL DEVICES "  - {id: other, broker: village, topic: t, metrics: [{name: m, path: $.m}]}\n");
  g_autoptr (GString) text = g_string_new ("\xef\xbb\xbfvillage,device,name,grid\r\n");
  for (int i = 0; i < 1000; i++)
    g_string_append_printf (text, "shimiao,level-%d,\"桥 \"\"%d\"\", 水位\",%s\r\n", i, i, i == 7 ? "shimiao" : "");
  write_file (*state, "devices.csv", text->str);
  g_autoptr (Site) site = load (*state, "site.yaml");
  assert_int_equal (site->sensors->len, 1001);
  const Sensor *sensor = site_sensor (site, "shimiao-level-7");
  assert_non_null (sensor);
  assert_string_equal (sensor->topic, "village/shimiao/level-7");
  assert_string_equal (sensor->name, "桥 \"7\", 水位");
  assert_string_equal (sensor->grid, "shimiao");
  assert_string_equal (((const Metric *) sensor->metrics->pdata[0])->path, "$.level");
  assert_string_equal (site_sensor (site, "shimiao-level-8")->grid, "62");
  const SiteOrigin *origin = site_origin (site, SITE_SENSORS, "shimiao-level-7");
  assert_true (g_str_has_suffix (origin->file, "devices.csv"));
  assert_int_equal (origin->line, 9);
}

/* It is no sensor, but rules may name what it becomes. */
static void an_entry_with_named_levels_stands_apart_from_the_sensors (void **state)
{
  write_file (*state, "site.yaml", MINIMAL
              "brokers: [{id: village, url: \"mqtt://h\"}]\n"
              "grids: [{id: \"6201\"}]\n"
              "sensors:\n"
              "  - id: \"{village}-{device}\"\n"
              "    name: \"{village} {device}\"\n"
              "    broker: village\n"
              "    topic: \"village/{village}/{device}/level\"\n"
              "    grid: \"6201\"\n"
              "    grid_from: \"{village}\"\n"
              "    grid_map: {shimiao: \"62\"}\n"
              "    max_devices: 7\n"
              "    metrics: [{name: m, path: $.m}, {name: n, path: $.n}]\n"
              "  - {id: \"{g}-{n}\", broker: village, format: sparkplug, topic: \"spBv1.0/{g}/+/{n}/#\", metrics: [{name: m}]}\n"
              "rules:\n"
              "  - {id: r, category: c, match: {metric: m, sensors: [shimiao-1]}, when: {above: 1}}\n"
              "  - {id: q, category: c, match: {topic: \"village/shimiao/#\"}, when: {silent: 1h}}\n");
  g_autoptr (Site) site = load (*state, "site.yaml");
  assert_int_equal (site->sensors->len, 0);
  assert_int_equal (site->templates->len, 2);
  const Sensor *template = site->templates->pdata[0];
  assert_string_equal (template->id, "{village}-{device}");
  assert_string_equal (template->grid, "6201");
  assert_string_equal (template->grid_from, "{village}");
  assert_string_equal (g_hash_table_lookup (template->grid_map, "shimiao"), "62");
  assert_int_equal (template->max_devices, 7);
  assert_string_equal (site_rule (site, "q")->match_topic, "village/shimiao/#");
}

static void a_devices_file_is_wrong_at_its_own_place (void **state)
{
  static const struct {
    const char *devices, *error;
  } cases[] = {
    { "village,device\nshimiao,a\nshimiao,a b\n", "devices.csv:3:1: id: expected an id" },
    { "village,device,grid\nshimiao,a,nowhere\n", "devices.csv:2:11: grid: there is no grid nowhere" },
    { "village,device\nshimiao,a\nshimiao,a\n", "devices.csv:3:1: sensor shimiao-a stands twice, first at " },
    { "village,device\nshimiao\n", "devices.csv:2:1: expected 2 fields as in the first line, found 1" },
    { "village,device\nshimiao,\"a\n", "devices.csv:2:9: a quote is not closed before the next comma" },
    { "village\nshimiao\n", "site.yaml:5:9: {device} stands for no column of the devices file" },
    { "village,device\nshimiao,\xff\n", "devices.csv is not UTF-8" },
  };
  write_file (*state, "site.yaml", MINIMAL DEVICES);
  g_autofree char *missing = load_wrong (*state, "site.yaml");
  assert_non_null (strstr (missing, "site.yaml:6:19: devices_file: "));
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    write_file (*state, "devices.csv", cases[i].devices);
    g_autofree char *error = load_wrong (*state, "site.yaml");
    if (strstr (error, cases[i].error) == NULL)
      fail_msg ("%s", error);
  }
}

static void a_site_that_was_sent_reads_no_devices_elsewhere (void **state)
{
  (void) state;
  static const char text[] = MINIMAL "brokers: [{id: village, url: \"mqtt://127.0.0.1:1883\"}]\n"
    "sensors: [{devices_file: /etc/passwd, broker: village, metrics: [{name: m, path: $.m}]}]\n";
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (g_free);
  assert_null (site_load_text ("/nowhere/site.yaml", text, strlen (text), errors));
  assert_int_equal (errors->len, 1);
  assert_non_null (strstr (errors->pdata[0], "is elsewhere"));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    IN_FOLDER (a_minimal_site_has_every_default),
    IN_FOLDER (the_runtime_folder_follows_a_data_folder_elsewhere),
    IN_FOLDER (the_example_fills_devices),
    IN_FOLDER (one_entry_describes_the_sensors_of_a_file),
    IN_FOLDER (an_entry_with_named_levels_stands_apart_from_the_sensors),
    IN_FOLDER (a_devices_file_is_wrong_at_its_own_place),
    cmocka_unit_test (a_site_that_was_sent_reads_no_devices_elsewhere),
    IN_FOLDER (the_example_fills_policies),
    IN_FOLDER (included_files_add_to_the_lists_and_items_know_their_origin),
    IN_FOLDER (an_included_file_holds_lists_only),
    IN_FOLDER (an_id_that_stands_in_two_files_is_told_with_both_places),
    IN_FOLDER (a_file_that_is_not_there_is_told),
    IN_FOLDER (a_secret_file_that_is_not_there_or_empty_is_told),
    IN_FOLDER (secrets_never_stand_in_the_site),
    IN_FOLDER (the_site_of_the_system_tests_loads),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
