/* Sensors that templates become, with the rules behind them and a clock that the test turns. */
#include <string.h>

#include "adapters/decoders/decoders.h"
#include "gateway/alert/alert_book.h"
#include "gateway/alert/alert_engine.h"
#include "gateway/alert/rehearsal.h"
#include "gateway/observe/interpret.h"
#include "gateway/observe/observe.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/sensing/broker_port_double.h"
#include "tests/unit/sensing/sensing_site.h"

#define SECOND G_TIME_SPAN_SECOND
#define GATHERED_US (20 * G_TIME_SPAN_MILLISECOND) /* what nobody waits for */

enum { DEVICES = 1000 };

/* 2026-05-01T08:00:00Z */
static const gint64 start_wall_us = 1777622400000000;

static const char *data_dir;
static gint rows_on_disk; /* atomic: of what was discovered, when the last message was acknowledged */

static void count_rows (void)
{
  g_autofree char *path = g_build_filename (data_dir, "gridgate.db", NULL);
  g_autoptr (Database) database = database_open (path, DATABASE_READER, NULL);
  g_atomic_int_set (&rows_on_disk, (gint) database_integer (database, -1, "SELECT count(*) FROM discovered_sensors", ""));
}

typedef struct {
  char *folder;
  Clock *clock;
  Site *configured, *site; /* the site: with what was taken over */
  Store *store;
  AlertEngine *engine;
  Observe *observe;
} Fixture;

static gboolean observed (gpointer self, Database *database, const Observation *observation, GError **error)
{
  return alert_engine_observe (((Fixture *) self)->engine, database, observation, error);
}

/* What the wiring does for a configuration, and when something was discovered. */
static void take_over (Fixture *fixture, Site *configured)
{
  Site *site = observe_complete_site (fixture->observe, configured, NULL);
  assert_non_null (site);
  g_clear_pointer (&fixture->site, site_unref);
  fixture->site = site;
  assert_true (alert_engine_set_site (fixture->engine, site, NULL));
  assert_true (observe_set_site (fixture->observe, site, NULL));
}

static void open_all (Fixture *fixture)
{
  ObservationSink sink = { fixture, observed };
  fixture->store = store_open (fixture->folder, fixture->clock, NULL);
  fixture->engine = alert_engine_new (fixture->store, NULL, NULL, NULL);
  fixture->observe = observe_new (fixture->store, NULL, decoder_find, &test_broker_port, &sink, NULL);
  assert_non_null (fixture->observe);
  take_over (fixture, fixture->configured);
}

static void close_all (Fixture *fixture)
{
  observe_stop (fixture->observe);
  g_clear_pointer (&fixture->store, store_close);
  g_clear_pointer (&fixture->observe, observe_free);
  g_clear_pointer (&fixture->engine, alert_engine_free);
  g_clear_pointer (&fixture->site, site_unref);
}

static void restart (Fixture *fixture)
{
  close_all (fixture);
  open_all (fixture);
}

static Site *publish_site (Site *site)
{
  test_site_add_broker (site, "village", "mqtt://127.0.0.1:1");
  site_publish (site);
  return site;
}

static Fixture *fixture_with (Site *site)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  fixture->folder = folder_make_temporary ();
  data_dir = fixture->folder;
  test_broker.before_acknowledgement = count_rows;
  fixture->clock = clock_fake_new (start_wall_us);
  fixture->configured = publish_site (site);
  open_all (fixture);
  return fixture;
}

static void fixture_free (Fixture *fixture)
{
  close_all (fixture);
  site_unref (fixture->configured);
  clock_fake_free (fixture->clock);
  folder_drop (fixture->folder);
  g_free (fixture);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)

static Sensor *add_template (Site *site, const char *id, const char *topic)
{
  Sensor *template = test_site_add_sensor (site, id);
  g_ptr_array_add (site->templates, g_ptr_array_steal_index (site->sensors, site->sensors->len - 1));
  g_free (template->topic);
  template->topic = g_strdup (topic);
  g_free (template->name);
  template->name = g_strdup ("{village} 的 {device}");
  template->max_devices = DEVICES;
  template->durable = FALSE;
  return template;
}

static Site *site_with_template (void)
{
  Site *site = test_site_new ();
  add_template (site, "{village}-{device}", "village/{village}/{device}/level");
  test_site_add_sensor (site, "level-1");
  test_site_add_rule (site, "flood", 3.2, 3.0, 0);
  return site;
}

static gboolean nothing (Database *database, gpointer data, GError **error)
{
  (void) database, (void) data, (void) error;
  return TRUE;
}

static gboolean is_all_taken (gpointer data)
{
  Fixture *fixture = data;
  clock_fake_advance (fixture->clock, GATHERED_US);
  for (int i = 0; i < 3; i++)
    assert_true (store_run (fixture->store, nothing, NULL, NULL));
  return observe_waiting (fixture->observe) == 0;
}

/* Until the store has done what waits, and what that brought about. */
static void settle (Fixture *fixture)
{
  while (!is_all_taken (fixture))
    ;
  is_all_taken (fixture);
}

static void publish_bytes (Fixture *fixture, const char *topic, const char *payload, gsize size)
{
  RawMessage *message = raw_message_new ("village", topic, payload, size);
  message->receive_time_us = clock_wall_us (fixture->clock);
  message->qos = 1;
  message->receipt = ++test_broker.last_receipt;
  test_broker.answer = test_broker.handlers.received (test_broker.handlers.self, message);
  test_broker.handlers.received_all (test_broker.handlers.self, TRUE);
  raw_message_unref (message);
}

static void publish (Fixture *fixture, const char *topic, const char *payload)
{
  publish_bytes (fixture, topic, payload, strlen (payload));
}

static gint64 number (Fixture *fixture, const char *sql)
{
  return database_integer (store_reader (fixture->store, NULL), -1, sql, "");
}

static gint64 stored_of (Fixture *fixture, const char *sensor)
{
  const ObservationQuery query = { .sensor = sensor, .limit = 1000 };
  json_t *list = observe_query (fixture->folder, "test", &query, NULL);
  gint64 count = (gint64) json_array_size (json_object_get (list, "items"));
  json_decref (list);
  return count;
}

/* A number of the account, such as "stored"; `inner` (may be NULL) is the reason. Checks that it balances. */
static gint64 counted (Fixture *fixture, const char *outcome, const char *inner)
{
  json_t *accounting = observe_accounting_json (fixture->observe), *one;
  json_t *broker = json_array_get (json_object_get (accounting, "brokers"), 0);
  json_int_t sum = json_integer_value (json_object_get (broker, "stored"));
  const char *reason;
  json_object_foreach (json_object_get (broker, "rejected"), reason, one)
    sum += json_integer_value (one);
  json_object_foreach (json_object_get (broker, "dropped"), reason, one)
    sum += json_integer_value (one);
  assert_int_equal (json_integer_value (json_object_get (broker, "received")), sum);
  json_t *value = json_object_get (broker, outcome);
  gint64 count = json_integer_value (inner != NULL ? json_object_get (value, inner) : value);
  json_decref (accounting);
  return count;
}

static void a_topic_of_a_template_makes_a_sensor_that_has_its_first_message (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (site_with_template ());
  assert_string_equal (test_broker.subscribed, "village/+/+/level village/level-1 $SYS/broker/publish/messages/dropped");
  assert_false (observe_has_discovered (fixture->observe));
  publish (fixture, "village/shimiao/7/level", "{\"level\": 2.5}");
  settle (fixture);
  assert_true (observe_has_discovered (fixture->observe));
  assert_int_equal (stored_of (fixture, "shimiao-7"), 1);
  take_over (fixture, fixture->site);
  assert_false (observe_has_discovered (fixture->observe));
  const Sensor *sensor = site_sensor (fixture->site, "shimiao-7");
  assert_non_null (sensor);
  assert_string_equal (sensor->name, "shimiao 的 7");
  assert_string_equal (sensor->topic, "village/shimiao/7/level");
  assert_string_equal (sensor->grid, "621101");
  assert_ptr_equal (sensor->template, fixture->configured->templates->pdata[0]);
  assert_int_equal (sensor->discovered_at_us, start_wall_us);
  assert_null (site_sensor (fixture->configured, "shimiao-7"));
  publish (fixture, "village/shimiao/7/level", "{\"level\": 2.6}");
  settle (fixture);
  assert_false (observe_has_discovered (fixture->observe));
  assert_int_equal (stored_of (fixture, "shimiao-7"), 2);
  assert_int_equal (counted (fixture, "stored", NULL), 2);
}

static void a_first_message_is_acknowledged_once_it_is_on_disk (void **state)
{
  (void) state;
  Site *site = site_with_template ();
  ((Sensor *) site->templates->pdata[0])->durable = TRUE;
  g_autoptr (Fixture) fixture = fixture_with (site);
  Site *adopted = observe_complete_site (fixture->observe, fixture->site, NULL); /* discovery has to wait */
  publish (fixture, "village/shimiao/7/level", "{\"level\": 1}");
  assert_int_equal (test_broker.answer, BROKER_HELD);
  settle (fixture);
  assert_true ((guint64) g_atomic_int_get (&test_broker.acknowledged) < test_broker.last_receipt);
  assert_int_equal (stored_of (fixture, "shimiao-7"), 0);
  observe_keep_site (fixture->observe);
  site_unref (adopted);
  settle (fixture);
  assert_int_equal (stored_of (fixture, "shimiao-7"), 1);
  assert_int_equal (g_atomic_int_get (&test_broker.acknowledged), test_broker.last_receipt);
  assert_int_equal (g_atomic_int_get (&rows_on_disk), 1); /* a kill after it finds the sensor, too */
}

/* What was stored meanwhile passes in its order, of known sensors too. */
static void the_rules_see_what_was_stored_before_they_knew_the_sensor (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (site_with_template ());
  publish (fixture, "village/shimiao/7/level", "{\"level\": 3.5}");
  publish (fixture, "village/level-1", "{\"level\": 3.9}");
  settle (fixture);
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts"), 0);
  take_over (fixture, fixture->site);
  settle (fixture);
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts WHERE sensor = 'shimiao-7' AND grid = '621101'"), 1);
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts WHERE sensor = 'level-1'"), 1);
  publish (fixture, "village/level-1", "{\"level\": 2}");
  settle (fixture);
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts WHERE cleared_at > 0 AND sensor = 'level-1'"), 1);
}

static void a_thousand_devices_that_begin_at_once_are_known_with_one_site (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (site_with_template ());
  for (int i = 0; i < DEVICES; i++) {
    g_autofree char *topic = g_strdup_printf ("village/v%d/%d/level", i % 10, i);
    publish (fixture, topic, i == 77 ? "{\"level\": 4}" : "{\"level\": 1}");
  }
  settle (fixture);
  take_over (fixture, fixture->site);
  settle (fixture);
  assert_int_equal (fixture->site->sensors->len, DEVICES + 1);
  assert_int_equal (number (fixture, "SELECT count(*) FROM discovered_sensors"), DEVICES);
  assert_int_equal (counted (fixture, "stored", NULL), DEVICES);
  assert_int_equal (stored_of (fixture, "v9-999"), 1);
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts"), 1);
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts WHERE sensor = 'v7-77'"), 1);
  restart (fixture);
  assert_int_equal (fixture->site->sensors->len, DEVICES + 1);
  assert_string_equal (((const Sensor *) fixture->site->sensors->pdata[1])->id, "v0-0");
}

static void what_makes_no_sensor_is_counted_under_its_reason (void **state)
{
  (void) state;
  Site *site = site_with_template ();
  add_template (site, "level-{device}", "levels/{device}");
  ((Sensor *) site->templates->pdata[0])->max_devices = 2;
  g_autoptr (Fixture) fixture = fixture_with (site);
  g_autofree char *longest = g_strnfill (129, 'a');
  g_autofree char *too_long = g_strdup_printf ("village/shimiao/%s/level", longest);
  publish (fixture, too_long, "{\"level\": 1}");
  publish (fixture, "village/石庙/7/level", "{\"level\": 1}");
  publish (fixture, "village/shimiao/a b/level", "{\"level\": 1}");
  publish (fixture, "levels/1", "{\"level\": 1}");
  publish (fixture, "village/shimiao//level", "{\"level\": 1}");
  publish (fixture, "village/shimiao/1/level", ""); /* as a retained message is taken back */
  for (int i = 0; i < 5; i++) {
    g_autofree char *topic = g_strdup_printf ("village/shimiao/%d/level", i);
    publish (fixture, topic, "{\"level\": 1}");
  }
  settle (fixture);
  take_over (fixture, fixture->site);
  settle (fixture);
  assert_int_equal (fixture->site->discovered->len, 2);
  assert_int_equal (counted (fixture, "rejected", "bad_device"), 3);
  assert_int_equal (counted (fixture, "rejected", "device_id_taken"), 1);
  assert_int_equal (counted (fixture, "rejected", "too_many_devices"), 3);
  assert_int_equal (counted (fixture, "rejected", "unknown_topic"), 2);
  assert_int_equal (counted (fixture, "stored", NULL), 2);
  assert_int_equal (number (fixture, "SELECT count(*) FROM discovered_sensors"), 2);
}

static void signs_that_turn_text_around_make_no_name (void **state)
{
  (void) state;
  Site *site = test_site_new ();
  add_template (site, "{device}", "village/{village}/{device}");
  g_autoptr (Fixture) fixture = fixture_with (site);
  publish (fixture, "village/石庙/1", "{\"level\": 1}");
  publish (fixture, "village/\u202e石庙/2", "{\"level\": 1}");
  publish (fixture, "village/石\u200b庙/3", "{\"level\": 1}");
  publish (fixture, "village/石\n庙/4", "{\"level\": 1}");
  settle (fixture);
  take_over (fixture, fixture->site);
  settle (fixture);
  assert_string_equal (site_sensor (fixture->site, "1")->name, "石庙 的 1");
  assert_int_equal (fixture->site->discovered->len, 1);
  assert_int_equal (counted (fixture, "rejected", "bad_device"), 3);
}

static void a_configured_sensor_wins_over_a_template (void **state)
{
  (void) state;
  Site *site = site_with_template ();
  Sensor *own = test_site_add_sensor (site, "own");
  g_free (own->topic);
  own->topic = g_strdup ("village/shimiao/7/level");
  g_autoptr (Fixture) fixture = fixture_with (site);
  publish (fixture, "village/shimiao/7/level", "{\"level\": 1}");
  settle (fixture);
  assert_false (observe_has_discovered (fixture->observe));
  assert_int_equal (stored_of (fixture, "own"), 1);
}

static void one_that_is_configured_later_takes_the_place_of_the_discovered_one (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (site_with_template ());
  publish (fixture, "village/shimiao/7/level", "{\"level\": 1}");
  settle (fixture);
  take_over (fixture, fixture->site);
  Site *site = site_with_template ();
  Sensor *own = test_site_add_sensor (site, "own");
  g_free (own->topic);
  own->topic = g_strdup ("village/shimiao/7/level");
  site_unref (fixture->configured);
  fixture->configured = publish_site (site);
  take_over (fixture, site);
  publish (fixture, "village/shimiao/7/level", "{\"level\": 2}");
  settle (fixture);
  assert_null (site_sensor (fixture->site, "shimiao-7"));
  assert_int_equal (stored_of (fixture, "own"), 1);
  assert_int_equal (stored_of (fixture, "shimiao-7"), 1);
  assert_int_equal (number (fixture, "SELECT count(*) FROM discovered_sensors"), 0);
  assert_int_equal (counted (fixture, "stored", NULL), 2);
}

/* As after a kill: nobody has taken over what was discovered. */
static void a_start_knows_what_was_discovered_and_judges_what_was_not (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (site_with_template ());
  publish (fixture, "village/shimiao/7/level", "{\"level\": 3.5}");
  settle (fixture);
  restart (fixture);
  assert_non_null (site_sensor (fixture->site, "shimiao-7"));
  assert_int_equal (site_sensor (fixture->site, "shimiao-7")->discovered_at_us, start_wall_us);
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts WHERE sensor = 'shimiao-7'"), 1);
  restart (fixture);
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts"), 1);
  assert_int_equal (stored_of (fixture, "shimiao-7"), 1);
  assert_int_equal (counted (fixture, "stored", NULL), 1);
}

static void what_comes_while_the_main_thread_goes_over_waits (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (site_with_template ());
  publish (fixture, "village/shimiao/7/level", "{\"level\": 1}");
  settle (fixture);
  Site *site = observe_complete_site (fixture->observe, fixture->site, NULL);
  publish (fixture, "village/shimiao/8/level", "{\"level\": 3.5}");
  settle (fixture);
  assert_int_equal (stored_of (fixture, "shimiao-8"), 0);
  assert_true (alert_engine_set_site (fixture->engine, site, NULL));
  assert_true (observe_set_site (fixture->observe, site, NULL));
  site_unref (site);
  settle (fixture);
  assert_int_equal (stored_of (fixture, "shimiao-8"), 1);
  assert_true (observe_has_discovered (fixture->observe));
  take_over (fixture, fixture->site);
  settle (fixture);
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts WHERE sensor = 'shimiao-8'"), 1);
}

static void what_waits_goes_on_when_the_main_thread_gives_up (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (site_with_template ());
  Site *site = observe_complete_site (fixture->observe, fixture->site, NULL);
  publish (fixture, "village/shimiao/8/level", "{\"level\": 1}");
  settle (fixture);
  assert_int_equal (stored_of (fixture, "shimiao-8"), 0);
  observe_keep_site (fixture->observe);
  site_unref (site);
  settle (fixture);
  assert_int_equal (stored_of (fixture, "shimiao-8"), 1);
}

static void a_template_that_is_gone_takes_its_sensors_along (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (site_with_template ());
  publish (fixture, "village/shimiao/7/level", "{\"level\": 3.5}");
  settle (fixture);
  take_over (fixture, fixture->site);
  settle (fixture);
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts WHERE cleared_at = 0"), 1);
  Site *site = test_site_new ();
  test_site_add_sensor (site, "level-1");
  test_site_add_rule (site, "flood", 3.2, 3.0, 0);
  site_unref (fixture->configured);
  fixture->configured = publish_site (site);
  take_over (fixture, site);
  assert_null (site_sensor (fixture->site, "shimiao-7"));
  assert_int_equal (number (fixture, "SELECT count(*) FROM discovered_sensors"), 0);
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts WHERE cleared_at = 0"), 0);
  publish (fixture, "village/shimiao/7/level", "{\"level\": 1}");
  settle (fixture);
  assert_int_equal (counted (fixture, "rejected", "unknown_topic"), 1);
}

static void a_template_that_changes_changes_its_sensors (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (site_with_template ());
  publish (fixture, "village/shimiao/7/level", "{\"level\": 1}");
  settle (fixture);
  take_over (fixture, fixture->site);
  Site *site = test_site_new ();
  Sensor *template = add_template (site, "{village}-{device}", "village/{village}/{device}/#");
  g_free (template->name);
  template->name = g_strdup ("水位 {device}");
  template->silent_after_us = 60 * SECOND;
  site_unref (fixture->configured);
  fixture->configured = publish_site (site);
  take_over (fixture, site);
  settle (fixture);
  restart (fixture);
  const Sensor *sensor = site_sensor (fixture->site, "shimiao-7");
  assert_string_equal (sensor->name, "水位 7");
  assert_string_equal (sensor->topic, "village/shimiao/7/#");
  assert_int_equal (sensor->silent_after_us, 60 * SECOND);
  assert_int_equal (sensor->discovered_at_us, start_wall_us);
  publish (fixture, "village/shimiao/7/other", "{\"level\": 1}");
  settle (fixture);
  assert_int_equal (stored_of (fixture, "shimiao-7"), 2);
  publish (fixture, "village/shimiao/8/one", "{\"level\": 1}");
  publish (fixture, "village/shimiao/8/other", "{\"level\": 1}");
  settle (fixture);
  take_over (fixture, fixture->site);
  publish (fixture, "village/shimiao/8", "{\"level\": 1}");
  settle (fixture);
  assert_int_equal (stored_of (fixture, "shimiao-8"), 3);
  assert_int_equal (stored_of (fixture, "shimiao-7"), 2);
  assert_int_equal (number (fixture, "SELECT count(*) FROM discovered_sensors"), 2);
}

static void one_that_is_forgotten_is_gone_until_it_sends_again (void **state)
{
  (void) state;
  Site *site = site_with_template ();
  ((Sensor *) site->templates->pdata[0])->max_devices = 1;
  g_autoptr (Fixture) fixture = fixture_with (site);
  publish (fixture, "village/shimiao/7/level", "{\"level\": 1}");
  settle (fixture);
  take_over (fixture, fixture->site);
  assert_true (observe_forget_sensor (fixture->observe, "shimiao-7", NULL));
  assert_true (observe_has_discovered (fixture->observe));
  take_over (fixture, fixture->site);
  assert_null (site_sensor (fixture->site, "shimiao-7"));
  assert_int_equal (number (fixture, "SELECT count(*) FROM discovered_sensors"), 0);
  publish (fixture, "village/shimiao/8/level", "{\"level\": 1}"); /* there is room for another */
  settle (fixture);
  restart (fixture);
  assert_null (site_sensor (fixture->site, "shimiao-7"));
  assert_non_null (site_sensor (fixture->site, "shimiao-8"));
  assert_true (observe_forget_sensor (fixture->observe, "level-1", NULL)); /* it stands in a file: nothing happens */
  take_over (fixture, fixture->site);
  assert_non_null (site_sensor (fixture->site, "level-1"));
}

static void a_level_chooses_the_grid_by_a_map (void **state)
{
  (void) state;
  Site *site = site_with_template ();
  Sensor *template = site->templates->pdata[0];
  Grid *grid = g_new0 (Grid, 1);
  grid->id = g_strdup ("621102");
  g_ptr_array_add (site->grids, grid);
  template->grid_from = g_strdup ("{village}");
  template->grid_map = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_hash_table_insert (template->grid_map, g_strdup ("nanchuan"), g_strdup ("621102"));
  g_autoptr (Fixture) fixture = fixture_with (site);
  publish (fixture, "village/nanchuan/1/level", "{\"level\": 1}");
  publish (fixture, "village/621102/2/level", "{\"level\": 1}");
  publish (fixture, "village/elsewhere/3/level", "{\"level\": 1}");
  settle (fixture);
  take_over (fixture, fixture->site);
  assert_string_equal (site_sensor (fixture->site, "nanchuan-1")->grid, "621102");
  assert_string_equal (site_sensor (fixture->site, "621102-2")->grid, "621102");
  assert_string_equal (site_sensor (fixture->site, "elsewhere-3")->grid, "621101");
  assert_true (site_sensor (fixture->site, "elsewhere-3")->has_unknown_grid);
  assert_false (site_sensor (fixture->site, "nanchuan-1")->has_unknown_grid);
}

static void silence_of_a_discovered_sensor_is_noticed_over_a_restart (void **state)
{
  (void) state;
  Site *site = site_with_template ();
  ((Sensor *) site->templates->pdata[0])->silent_after_us = 600 * SECOND;
  g_autoptr (Fixture) fixture = fixture_with (site);
  publish (fixture, "village/shimiao/7/level", "{\"level\": 1}");
  settle (fixture);
  take_over (fixture, fixture->site);
  settle (fixture);
  clock_fake_advance (fixture->clock, 500 * SECOND);
  publish (fixture, "village/level-1", "{\"level\": 1}"); /* the rule clock is written */
  settle (fixture);
  restart (fixture);
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts"), 0);
  clock_fake_advance (fixture->clock, 101 * SECOND);
  publish (fixture, "village/level-1", "{\"level\": 1}");
  settle (fixture);
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts WHERE rule = 'sensor_silent' AND sensor = 'shimiao-7'"), 1);
}

static void a_rule_may_name_them_by_their_topics (void **state)
{
  (void) state;
  Site *site = site_with_template ();
  ((Rule *) site->rules->pdata[0])->match_topic = g_strdup ("village/shimiao/+/level");
  g_autoptr (Fixture) fixture = fixture_with (site);
  publish (fixture, "village/shimiao/7/level", "{\"level\": 4}");
  publish (fixture, "village/nanchuan/7/level", "{\"level\": 4}");
  publish (fixture, "village/level-1", "{\"level\": 4}");
  settle (fixture);
  take_over (fixture, fixture->site);
  settle (fixture);
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts"), 1);
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts WHERE sensor = 'shimiao-7'"), 1);
}

typedef struct {
  Rehearsal *rehearsal;
  guint sites;
  GString *told; /* "EVENT SENSOR SECOND " of each alert */
} Replayed;

static void grow (gpointer data, Site *site)
{
  Replayed *replayed = data;
  replayed->sites++;
  rehearsal_grow (replayed->rehearsal, site);
}

static void told (gpointer data, const Alert *alert, const char *event)
{
  gint64 at = strcmp (event, "opened") == 0 ? alert->opened_at_us : alert->cleared_at_us;
  g_string_append_printf (((Replayed *) data)->told, "%s %s %s %d ", alert->rule, event, alert->sensor, (int) ((at - start_wall_us) / SECOND));
}

static void judge (gpointer data, const Observation *observation)
{
  rehearsal_observe (((Replayed *) data)->rehearsal, observation->receive_time_us, observation);
}

static char *replay (Replayed *replayed, Interpreter *interpreter, int second, const char *topic, const char *payload)
{
  g_autoptr (RawMessage) message = raw_message_new ("village", topic, payload, strlen (payload));
  message->receive_time_us = start_wall_us + second * SECOND;
  rehearsal_pass (replayed->rehearsal, message->receive_time_us);
  return interpreter_take (interpreter, message, judge, replayed);
}

static void a_replay_judges_what_it_discovers_from_then_on (void **state)
{
  (void) state;
  g_autoptr (Site) site = publish_site (site_with_template ());
  Sensor *template = site->templates->pdata[0];
  template->silent_after_us = 60 * SECOND;
  template->max_devices = 2;
  Replayed replayed = { rehearsal_new (site, NULL, start_wall_us, told, &replayed), 0, g_string_new (NULL) };
  Interpreter *interpreter = interpreter_new (site, decoder_find, grow, &replayed, NULL);
  assert_null (replay (&replayed, interpreter, 0, "village/level-1", "{\"level\": 1}"));
  assert_null (replay (&replayed, interpreter, 100, "village/shimiao/7/level", "{\"level\": 4}"));
  assert_null (replay (&replayed, interpreter, 130, "village/shimiao/7/level", "{\"level\": 2}"));
  assert_null (replay (&replayed, interpreter, 140, "village/shimiao/8/level", "{\"level\": 1}"));
  g_autofree char *refused = replay (&replayed, interpreter, 150, "village/shimiao/9/level", "{\"level\": 1}");
  assert_non_null (strstr (refused, "too_many_devices"));
  g_autofree char *unknown = replay (&replayed, interpreter, 150, "village/shimiao/8/flow", "{\"level\": 1}");
  assert_non_null (strstr (unknown, "no sensor of broker village has the topic"));
  rehearsal_pass (replayed.rehearsal, start_wall_us + 195 * SECOND);
  assert_int_equal (replayed.sites, 2);
  assert_string_equal (replayed.told->str, "flood opened shimiao-7 100 flood cleared shimiao-7 130 sensor_silent opened shimiao-7 190 ");
  interpreter_free (interpreter);
  rehearsal_free (replayed.rehearsal);
  g_string_free (replayed.told, TRUE);
}

/* What is found while a hold runs changes nothing in it. */
static void a_hold_goes_on_while_others_are_discovered (void **state)
{
  (void) state;
  Site *site = site_with_template ();
  ((Rule *) site->rules->pdata[0])->when.hold_us = 10 * SECOND;
  g_autoptr (Fixture) fixture = fixture_with (site);
  publish (fixture, "village/level-1", "{\"level\": 4}");
  settle (fixture);
  for (int i = 0; i < 9; i++) {
    g_autofree char *topic = g_strdup_printf ("village/shimiao/%d/level", i);
    clock_fake_advance (fixture->clock, SECOND);
    publish (fixture, topic, "{\"level\": 1}");
    settle (fixture);
    take_over (fixture, fixture->site);
    settle (fixture);
  }
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts"), 0);
  clock_fake_advance (fixture->clock, SECOND);
  publish (fixture, "village/shimiao/0/level", "{\"level\": 1}");
  settle (fixture);
  assert_int_equal (number (fixture, "SELECT count(*) FROM alerts WHERE sensor = 'level-1'"), 1);
}

static void publish_node (Fixture *fixture, const char *type, const char *name)
{
  g_autofree char *topic = g_strdup_printf ("spBv1.0/shimiao/%s/station%s", type, type[0] == 'D' ? "/pump" : "");
  g_autofree char *path = g_build_filename (g_getenv ("GRIDGATE_SOURCE_ROOT"), "tests/unit/sensing/fixtures/sparkplug", name, NULL);
  g_autofree char *payload = NULL;
  gsize size;
  assert_true (g_file_get_contents (path, &payload, &size, NULL));
  publish_bytes (fixture, topic, payload, size);
  settle (fixture);
}

/* The aliases of a node's birth. */
static void what_a_decoder_has_learnt_stays_while_others_are_discovered (void **state)
{
  (void) state;
  Site *site = site_with_template ();
  Sensor *station = test_site_add_sensor (site, "station");
  Metric *metric = station->metrics->pdata[0];
  g_free (station->format);
  g_free (station->topic);
  g_free (metric->path);
  station->format = g_strdup ("sparkplug");
  station->topic = g_strdup ("spBv1.0/shimiao/+/station/#");
  metric->path = g_strdup ("Level");
  g_autoptr (Fixture) fixture = fixture_with (site);
  publish_node (fixture, "NBIRTH", "nbirth");
  publish_node (fixture, "DBIRTH", "dbirth");
  publish (fixture, "village/shimiao/7/level", "{\"level\": 1}");
  settle (fixture);
  take_over (fixture, fixture->site);
  gint64 born = stored_of (fixture, "station");
  publish_node (fixture, "NDATA", "ndata");
  assert_int_equal (stored_of (fixture, "station"), born + 1);
}

static void a_topic_of_a_configured_sensor_is_its_alone_before_and_after (void **state)
{
  (void) state;
  Site *site = test_site_new ();
  add_template (site, "{village}-{device}", "village/{village}/{device}/+");
  Sensor *own = test_site_add_sensor (site, "own");
  g_free (own->topic);
  own->topic = g_strdup ("village/shimiao/7/level");
  g_autoptr (Fixture) fixture = fixture_with (site);
  publish (fixture, "village/shimiao/7/level", "{\"level\": 1}");
  publish (fixture, "village/shimiao/7/other", "{\"level\": 2}");
  settle (fixture);
  take_over (fixture, fixture->site);
  assert_string_equal (test_broker.subscribed, "village/+/+/+ $SYS/broker/publish/messages/dropped");
  publish (fixture, "village/shimiao/7/level", "{\"level\": 3}");
  settle (fixture);
  assert_int_equal (stored_of (fixture, "own"), 2);
  assert_int_equal (stored_of (fixture, "shimiao-7"), 1);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_topic_of_a_template_makes_a_sensor_that_has_its_first_message),
    cmocka_unit_test (a_first_message_is_acknowledged_once_it_is_on_disk),
    cmocka_unit_test (the_rules_see_what_was_stored_before_they_knew_the_sensor),
    cmocka_unit_test (a_thousand_devices_that_begin_at_once_are_known_with_one_site),
    cmocka_unit_test (what_makes_no_sensor_is_counted_under_its_reason),
    cmocka_unit_test (signs_that_turn_text_around_make_no_name),
    cmocka_unit_test (a_configured_sensor_wins_over_a_template),
    cmocka_unit_test (one_that_is_configured_later_takes_the_place_of_the_discovered_one),
    cmocka_unit_test (a_start_knows_what_was_discovered_and_judges_what_was_not),
    cmocka_unit_test (what_comes_while_the_main_thread_goes_over_waits),
    cmocka_unit_test (what_waits_goes_on_when_the_main_thread_gives_up),
    cmocka_unit_test (a_template_that_is_gone_takes_its_sensors_along),
    cmocka_unit_test (a_template_that_changes_changes_its_sensors),
    cmocka_unit_test (one_that_is_forgotten_is_gone_until_it_sends_again),
    cmocka_unit_test (a_level_chooses_the_grid_by_a_map),
    cmocka_unit_test (silence_of_a_discovered_sensor_is_noticed_over_a_restart),
    cmocka_unit_test (a_rule_may_name_them_by_their_topics),
    cmocka_unit_test (a_replay_judges_what_it_discovers_from_then_on),
    cmocka_unit_test (a_hold_goes_on_while_others_are_discovered),
    cmocka_unit_test (what_a_decoder_has_learnt_stays_while_others_are_discovered),
    cmocka_unit_test (a_topic_of_a_configured_sensor_is_its_alone_before_and_after),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
