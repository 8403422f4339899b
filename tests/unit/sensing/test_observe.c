#include <string.h>

#include "adapters/decoders/decoders.h"
#include "gateway/alert/alert_book.h"
#include "gateway/alert/alert_engine.h"
#include "gateway/core/error.h"
#include "gateway/observe/observe_private.h"
#include "tests/support/folder.h"
#include "tests/support/process.h"
#include "tests/support/test.h"
#include "tests/unit/sensing/broker_port_double.h"
#include "tests/unit/sensing/sensing_site.h"

#define SECOND G_TIME_SPAN_SECOND

/* 2026-05-01T08:00:00Z */
static const gint64 start_wall_us = 1777622400000000;

typedef struct {
  char *folder;
  Clock *clock;
  EventBus *bus;
  Site *site;
  Store *store;
  AlertEngine *engine;
  Observe *observe;
  gint rules_fail; /* atomic */
  guint passed;    /* observations that rules were asked about */
} Fixture;

static gboolean observed (gpointer self, Database *database, const Observation *observation, GError **error)
{
  Fixture *fixture = self;
  if (g_atomic_int_get (&fixture->rules_fail))
    return error_set (error, ERROR_RETRY, "the main database is full");
  fixture->passed++;
  return alert_engine_observe (fixture->engine, database, observation, error);
}

static void open_all (Fixture *fixture)
{
  ObservationSink sink = { fixture, observed };
  fixture->store = store_open (fixture->folder, fixture->clock, NULL);
  fixture->engine = alert_engine_new (fixture->store, fixture->bus, NULL, NULL);
  fixture->observe = observe_new (fixture->store, fixture->bus, decoder_find, &test_broker_port, &sink, NULL);
  assert_non_null (fixture->observe);
  assert_true (alert_engine_set_site (fixture->engine, fixture->site, NULL));
  assert_true (observe_set_site (fixture->observe, fixture->site, NULL));
}

static void close_all (Fixture *fixture)
{
  observe_stop (fixture->observe);
  g_clear_pointer (&fixture->store, store_close);
  g_clear_pointer (&fixture->observe, observe_free);
  g_clear_pointer (&fixture->engine, alert_engine_free);
}

static void restart (Fixture *fixture)
{
  close_all (fixture);
  open_all (fixture);
}

static Fixture *fixture_with (Site *site)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  fixture->folder = folder_make_temporary ();
  fixture->clock = clock_fake_new (start_wall_us);
  fixture->bus = event_bus_new (1000);
  test_site_add_broker (site, "village", "mqtt://127.0.0.1:1");
  fixture->site = site;
  site_publish (site);
  open_all (fixture);
  return fixture;
}

static void fixture_free (Fixture *fixture)
{
  close_all (fixture);
  site_unref (fixture->site);
  event_bus_free (fixture->bus);
  clock_fake_free (fixture->clock);
  folder_drop (fixture->folder);
  g_free (fixture);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)

static Site *one_sensor (void)
{
  Site *site = test_site_new ();
  test_site_add_sensor (site, "level-1");
  test_site_add_rule (site, "flood", 3.2, 3.0, 0);
  return site;
}

static gboolean nothing (Database *database, gpointer data, GError **error)
{
  (void) database, (void) data, (void) error;
  return TRUE;
}

/* Until the store has done what waits, and what that brought about. */
static void settle (Fixture *fixture)
{
  for (int i = 0; i < 3; i++)
    assert_true (store_run (fixture->store, nothing, NULL, NULL));
}

static RawMessage *message_of (Fixture *fixture, const char *topic, const char *payload)
{
  RawMessage *message = raw_message_new ("village", topic, payload, strlen (payload));
  message->receive_time_us = clock_wall_us (fixture->clock);
  message->qos = 1;
  return message;
}

static void hand_over (RawMessage *message)
{
  message->receipt = message->qos > 0 ? test_broker.last_receipt + 1 : 0;
  test_broker.answer = test_broker.handlers.received (test_broker.handlers.self, message);
  test_broker.last_receipt += message->qos > 0 && test_broker.answer != BROKER_NO_ROOM;
  /* The clock stands: nothing would come of waiting. */
  test_broker.handlers.received_all (test_broker.handlers.self, test_broker.answer == BROKER_HELD);
  raw_message_unref (message);
}

static gboolean is_acknowledged (gpointer data)
{
  (void) data;
  return (guint64) g_atomic_int_get (&test_broker.acknowledged) >= test_broker.last_receipt;
}

/* Stays until the broker may forget it. */
static void deliver (RawMessage *message)
{
  hand_over (message);
  if (test_broker.answer == BROKER_HELD)
    assert_true (wait_until (is_acknowledged, NULL, 60));
}

static void publish (Fixture *fixture, const char *topic, const char *payload)
{
  deliver (message_of (fixture, topic, payload));
}

static gint64 stored_rows (Fixture *fixture)
{
  ObservationQuery query = { .limit = 1000 };
  json_t *list = observe_query (fixture->folder, "test", &query, NULL);
  gint64 count = (gint64) json_array_size (json_object_get (list, "items"));
  json_decref (list);
  return count;
}

static gint64 alerts (Fixture *fixture)
{
  return database_integer (store_reader (fixture->store, NULL), -1, "SELECT count(*) FROM alerts", "");
}

/* What is gathered, too. */
static void settle_all (Fixture *fixture)
{
  settle (fixture);
  if (observe_waiting (fixture->observe) > 0)
    clock_fake_advance (fixture->clock, 20 * G_TIME_SPAN_MILLISECOND);
  while (observe_waiting (fixture->observe) > 0)
    settle (fixture);
  settle (fixture);
}

/* A number of the account, such as "stored" or "rejected.not_json"; sensor NULL: the broker's. */
static gint64 counted (Fixture *fixture, const char *sensor, const char *name)
{
  settle_all (fixture);
  json_t *accounting = observe_accounting_json (fixture->observe);
  json_t *object = json_array_get (json_object_get (accounting, "brokers"), 0);
  json_t *sensors = json_object_get (object, "sensors"), *one;
  size_t index;
  if (sensor != NULL)
    json_array_foreach (sensors, index, one)
      if (strcmp (json_string_value (json_object_get (one, "id")), sensor) == 0)
        object = one;
  g_auto (GStrv) path = g_strsplit (name, ".", 2);
  json_t *value = json_object_get (object, path[0]);
  if (path[1] != NULL)
    value = json_object_get (value, path[1]);
  gint64 number = (gint64) json_integer_value (value);
  json_decref (accounting);
  return number;
}

static gint64 sum_of (json_t *object)
{
  gint64 sum = 0;
  const char *key;
  json_t *value;
  json_object_foreach (object, key, value)
    sum += (gint64) json_integer_value (value);
  return sum;
}

static void assert_balance (json_t *object)
{
  assert_int_equal (json_integer_value (json_object_get (object, "received")),
                    json_integer_value (json_object_get (object, "stored"))
                      + sum_of (json_object_get (object, "rejected")) + sum_of (json_object_get (object, "dropped"))
                      + json_integer_value (json_object_get (object, "pending")));
}

static void assert_balanced (Fixture *fixture)
{
  json_t *accounting = observe_accounting_json (fixture->observe);
  json_t *broker = json_array_get (json_object_get (accounting, "brokers"), 0), *one;
  size_t index;
  assert_balance (broker);
  json_array_foreach (json_object_get (broker, "sensors"), index, one)
    assert_balance (one);
  json_decref (accounting);
}

static void a_durable_message_is_on_disk_when_it_is_acknowledged (void **state)
{
  (void) state;
  Site *site = one_sensor ();
  ((Metric *) ((Sensor *) site->sensors->pdata[0])->metrics->pdata[0])->scale = 0.01;
  g_autoptr (Fixture) fixture = fixture_with (site);
  assert_string_equal (test_broker.subscribed, "village/level-1 " BROKER_LOSSES_TOPIC);
  publish (fixture, "village/level-1", "{\"level\":123}");

  ObservationQuery query = { .sensor = "level-1", .metric = "water_level", .limit = 10 };
  json_t *list = observe_query (fixture->folder, "test", &query, NULL);
  json_t *one = json_array_get (json_object_get (list, "items"), 0);
  assert_true (json_number_value (json_object_get (one, "value")) == 1.23);
  assert_string_equal (json_string_value (json_object_get (one, "unit")), "m");
  assert_string_equal (json_string_value (json_object_get (one, "quality")), "good");
  assert_string_equal (json_string_value (json_object_get (one, "phenomenon_time")), "2026-05-01T08:00:00.000Z");
  assert_int_equal (strlen (json_string_value (json_object_get (one, "id"))), 26);
  json_decref (list);
}

static void the_account_balances_and_says_why (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor ());
  publish (fixture, "village/level-1", "{\"level\":1}");
  publish (fixture, "village/level-1", "not json");
  publish (fixture, "village/level-1", "{\"other\":1}");
  publish (fixture, "village/level-1", "{\"level\":\"high\"}");
  publish (fixture, "village/level-1", "");
  g_autofree char *large = g_strnfill (RAW_PAYLOAD_MAX + 1, ' ');
  publish (fixture, "village/level-1", large);
  publish (fixture, "village/nobody", "{\"level\":1}");
  assert_int_equal (counted (fixture, NULL, "received"), 7);
  assert_int_equal (counted (fixture, NULL, "stored"), 1);
  assert_int_equal (counted (fixture, NULL, "rejected.unknown_topic"), 1);
  assert_int_equal (counted (fixture, "level-1", "received"), 6);
  assert_int_equal (counted (fixture, "level-1", "stored"), 1);
  assert_int_equal (counted (fixture, "level-1", "rejected.not_json"), 2);
  assert_int_equal (counted (fixture, "level-1", "rejected.path_absent"), 1);
  assert_int_equal (counted (fixture, "level-1", "rejected.not_a_number"), 1);
  assert_int_equal (counted (fixture, "level-1", "rejected.too_large"), 1);
  assert_int_equal (counted (fixture, NULL, "pending"), 0);
  assert_balanced (fixture);

  json_t *rejected = observe_rejected (fixture->folder, "village", NULL, 100);
  json_t *newest = json_array_get (json_object_get (rejected, "items"), 0);
  assert_int_equal (json_array_size (json_object_get (rejected, "items")), 6);
  assert_string_equal (json_string_value (json_object_get (newest, "reason")), "unknown_topic");
  assert_string_equal (json_string_value (json_object_get (newest, "payload")), "{\"level\":1}");
  json_decref (rejected);

  restart (fixture);
  assert_int_equal (counted (fixture, NULL, "received"), 7);
  assert_int_equal (counted (fixture, "level-1", "rejected.not_json"), 2);
  publish (fixture, "village/level-1", "{\"level\":2}");
  assert_int_equal (counted (fixture, "level-1", "stored"), 2);
  assert_balanced (fixture);
}

static void observations_that_the_rules_had_not_seen_pass_once_after_a_kill (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor ());
  publish (fixture, "village/level-1", "{\"level\":1}");
  settle (fixture);
  g_atomic_int_set (&fixture->rules_fail, 1);
  publish (fixture, "village/level-1", "{\"level\":4}"); /* the observation commits, the main database doesn't */
  settle (fixture);
  assert_int_equal (stored_rows (fixture), 2);
  assert_int_equal (alerts (fixture), 0);
  assert_int_equal (fixture->passed, 1);

  close_all (fixture);
  g_atomic_int_set (&fixture->rules_fail, 0);
  open_all (fixture);
  assert_int_equal (fixture->passed, 2);
  assert_int_equal (alerts (fixture), 1);
  assert_int_equal (counted (fixture, "level-1", "stored"), 2);
  assert_balanced (fixture);
  restart (fixture);
  assert_int_equal (fixture->passed, 2);
  assert_int_equal (alerts (fixture), 1);
}

static void observations_that_the_rules_had_not_seen_pass_once_when_the_disk_is_free_again (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor ());
  g_atomic_int_set (&fixture->rules_fail, 1);
  publish (fixture, "village/level-1", "{\"level\":4}");
  settle (fixture);
  assert_int_equal (alerts (fixture), 0);
  g_atomic_int_set (&fixture->rules_fail, 0);
  clock_fake_advance (fixture->clock, 2 * SECOND);
  settle (fixture);
  assert_int_equal (alerts (fixture), 1);
  assert_int_equal (fixture->passed, 1);
  assert_int_equal (counted (fixture, "level-1", "stored"), 1);
  assert_balanced (fixture);
}

static RawMessage *delivery (Fixture *fixture, guint16 packet_id, gboolean is_redelivery, const char *payload)
{
  RawMessage *message = message_of (fixture, "village/level-1", payload);
  message->packet_id = packet_id;
  message->is_redelivery = is_redelivery;
  return message;
}

static void a_redelivery_after_a_kill_counts_once (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor ());
  deliver (delivery (fixture, 7, FALSE, "{\"level\":1}"));
  restart (fixture);
  deliver (delivery (fixture, 7, TRUE, "{\"level\":1}")); /* its acknowledgement was lost */
  deliver (delivery (fixture, 8, TRUE, "{\"level\":1}")); /* sent to us, never taken in: the same reading, a later one */
  assert_int_equal (stored_rows (fixture), 2);
  assert_int_equal (counted (fixture, "level-1", "dropped.duplicate"), 1);
  assert_int_equal (counted (fixture, NULL, "dropped.duplicate"), 1);
  assert_int_equal (counted (fixture, "level-1", "stored"), 2);
  assert_balanced (fixture);
}

static void retained_messages_set_values_and_fire_nothing (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor ());
  for (int i = 0; i < 2; i++) { /* as with every subscription anew */
    RawMessage *retained = message_of (fixture, "village/level-1", "{\"level\":9}");
    retained->is_retained = TRUE;
    deliver (retained);
  }
  settle (fixture);
  assert_int_equal (alerts (fixture), 0);
  assert_int_equal (stored_rows (fixture), 1);
  assert_int_equal (counted (fixture, "level-1", "dropped.duplicate"), 1);
  json_t *sensor = observe_sensor_json (fixture->observe, "level-1");
  json_t *value = json_array_get (json_object_get (sensor, "values"), 0);
  assert_true (json_number_value (json_object_get (value, "value")) == 9);
  assert_string_equal (json_string_value (json_object_get (value, "quality")), "uncertain");
  json_t *device = json_object_get (sensor, "device_clock");
  assert_string_equal (json_string_value (json_object_get (device, "use")), "unknown"); /* it tells no time */
  assert_string_equal (json_string_value (json_object_get (device, "trust")), "auto");
  json_decref (sensor);
}

static void in_day_file (Fixture *fixture, const char *script)
{
  g_autoptr (GPtrArray) files = observation_files_list (fixture->folder);
  Database *database = database_open (files->pdata[0], DATABASE_WRITER, NULL);
  assert_true (database_script (database, script, NULL));
  database_close (database);
}

static void a_retained_message_that_could_not_be_stored_is_when_it_can_and_not_sooner_than_a_second (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor ());
  publish (fixture, "village/level-1", "{\"level\":1}");
  in_day_file (fixture, "CREATE TRIGGER none BEFORE INSERT ON observations BEGIN SELECT raise (ABORT, 'no'); END");
  RawMessage *retained = message_of (fixture, "village/level-1", "{\"level\":2}");
  retained->is_retained = TRUE;
  hand_over (retained);
  settle (fixture);
  in_day_file (fixture, "DROP TRIGGER none");
  observe_schedule (fixture->observe);
  settle (fixture);
  assert_int_equal (stored_rows (fixture), 1);
  clock_fake_advance (fixture->clock, 2 * SECOND);
  settle (fixture);
  assert_int_equal (stored_rows (fixture), 2);
  assert_true (is_acknowledged (NULL));
  assert_int_equal (counted (fixture, "level-1", "dropped.duplicate"), 0);
  assert_balanced (fixture);
}

static gboolean fail_after_saving (Database *database, gpointer data, GError **error)
{
  return observe_save_accounts (data, database, error) && error_set (error, ERROR_RETRY, "the commit fails");
}

static void what_was_counted_is_not_shown_before_it_is_on_disk (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor ());
  publish (fixture, "village/level-1", "{\"level\":1}");
  assert_int_equal (counted (fixture, "level-1", "stored"), 1);
  account_stored (fixture->observe->accounts, "village", "level-1");
  account_received (fixture->observe->accounts, "village", "level-1");
  assert_false (store_run (fixture->store, fail_after_saving, fixture->observe, NULL));
  account_publish (fixture->observe->accounts);
  assert_int_equal (counted (fixture, "level-1", "stored"), 1);
  clock_fake_advance (fixture->clock, 2 * SECOND);
  assert_int_equal (counted (fixture, "level-1", "stored"), 2);
}

static void last_values_are_there_after_a_restart (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor ());
  publish (fixture, "village/level-1", "{\"level\":1}");
  clock_fake_advance (fixture->clock, 26 * 3600 * SECOND);
  publish (fixture, "village/level-1", "{\"level\":2}");
  clock_fake_advance (fixture->clock, 26 * 3600 * SECOND);
  restart (fixture);
  json_t *sensor = observe_sensor_json (fixture->observe, "level-1");
  json_t *value = json_array_get (json_object_get (sensor, "values"), 0);
  assert_true (json_number_value (json_object_get (value, "value")) == 2);
  assert_string_equal (json_string_value (json_object_get (sensor, "heard_at")), "2026-05-02T10:00:00.000Z");
  json_decref (sensor);
  assert_null (observe_sensor_json (fixture->observe, "nobody"));
}

static void a_file_holds_a_day_and_a_clock_that_jumps_deletes_one_file (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor ());
  for (int day = 0; day <= OBSERVATION_DAYS_KEPT; day++) {
    publish (fixture, "village/level-1", "{\"level\":1}");
    clock_fake_advance (fixture->clock, 86400 * SECOND);
  }
  settle (fixture);
  observation_keeper_pass (fixture->observe->keeper);
  g_autoptr (GPtrArray) files = observation_files_list (fixture->folder);
  assert_int_equal (files->len, OBSERVATION_DAYS_KEPT + 1);
  assert_true (observation_file_is_compact (files->pdata[OBSERVATION_DAYS_KEPT - OBSERVATION_DAYS_RAW]));
  clock_fake_step_wall (fixture->clock, 3650LL * 86400 * SECOND);
  publish (fixture, "village/level-1", "{\"level\":1}");
  settle (fixture);
  observation_keeper_pass (fixture->observe->keeper);
  g_autoptr (GPtrArray) after = observation_files_list (fixture->folder);
  assert_int_equal (after->len, OBSERVATION_DAYS_KEPT + 1);
  assert_int_equal (observation_file_compare_days (files->pdata[1], after->pdata[0]), 0);
}

static void pages_of_a_query_follow_each_other_over_days (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor ());
  for (int i = 0; i < 10; i++) {
    g_autofree char *payload = g_strdup_printf ("{\"level\":%d}", i);
    publish (fixture, "village/level-1", payload);
    clock_fake_advance (fixture->clock, 8 * 3600 * SECOND);
  }
  g_autofree char *cursor = NULL;
  int expected = 2;
  do {
    ObservationQuery query = { .sensor = "level-1", .from_us = start_wall_us + 16 * 3600 * SECOND,
                               .to_us = start_wall_us + 72 * 3600 * SECOND, .limit = 3, .cursor = cursor };
    json_t *list = observe_query (fixture->folder, "test", &query, NULL), *one;
    size_t index;
    json_array_foreach (json_object_get (list, "items"), index, one)
      assert_int_equal (json_number_value (json_object_get (one, "value")), expected++);
    g_free (cursor);
    cursor = g_strdup (json_string_value (json_object_get (list, "next")));
    json_decref (list);
  } while (cursor != NULL);
  assert_int_equal (expected, 9);
  ObservationQuery broken = { .limit = 3, .cursor = "x" };
  g_autoptr (GError) error = NULL;
  assert_null (observe_query (fixture->folder, "test", &broken, &error));
  assert_true (error_is (error, ERROR_REFUSE));
}

typedef struct {
  GMutex mutex;
  GCond changed;
  gboolean is_running, may_end;
} Block;

static gboolean block (Database *database, gpointer data, GError **error)
{
  Block *one = data;
  (void) database, (void) error;
  g_mutex_lock (&one->mutex);
  one->is_running = TRUE;
  g_cond_broadcast (&one->changed);
  while (!one->may_end)
    g_cond_wait (&one->changed, &one->mutex);
  g_mutex_unlock (&one->mutex);
  return TRUE;
}

/* Until let_store_go: what comes meanwhile is one batch. */
static void hold_store (Fixture *fixture, Block *one)
{
  *one = (Block){ 0 };
  g_mutex_init (&one->mutex);
  g_cond_init (&one->changed);
  assert_true (store_submit (fixture->store, block, NULL, one));
  g_mutex_lock (&one->mutex);
  while (!one->is_running)
    g_cond_wait (&one->changed, &one->mutex);
  g_mutex_unlock (&one->mutex);
}

static void let_store_go (Fixture *fixture, Block *one)
{
  g_mutex_lock (&one->mutex);
  one->may_end = TRUE;
  g_cond_broadcast (&one->changed);
  g_mutex_unlock (&one->mutex);
  while (observe_waiting (fixture->observe) > 0)
    settle (fixture);
  settle (fixture); /* the last was taken, and may be on its way to the disk */
  g_cond_clear (&one->changed);
  g_mutex_clear (&one->mutex);
}

static Site *one_sensor_that_is_not_durable (void)
{
  Site *site = one_sensor ();
  ((Sensor *) site->sensors->pdata[0])->durable = FALSE;
  return site;
}

static void what_is_not_durable_is_dropped_and_counted_when_the_queue_is_full (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor_that_is_not_durable ());
  Block one;
  hold_store (fixture, &one);
  for (int i = 0; i < 10010; i++)
    publish (fixture, "village/level-1", "{\"level\":1}");
  assert_int_equal (observe_waiting (fixture->observe), 10000);
  let_store_go (fixture, &one);
  assert_int_equal (counted (fixture, "level-1", "received"), 10010);
  assert_int_equal (counted (fixture, "level-1", "stored"), 10000);
  assert_int_equal (counted (fixture, "level-1", "dropped.queue_full"), 10);
  assert_balanced (fixture);
}

/* As a kill would leave it: the files as they are. */
static void kill_and_open_again (Fixture *fixture)
{
  char *left = folder_make_temporary ();
  g_autoptr (GDir) dir = g_dir_open (fixture->folder, 0, NULL);
  const char *name;
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *from = g_build_filename (fixture->folder, name, NULL), *to = g_build_filename (left, name, NULL), *bytes = NULL;
    gsize size;
    if (g_str_has_suffix (name, ".db") || g_str_has_suffix (name, "-wal"))
      assert_true (g_file_get_contents (from, &bytes, &size, NULL) && g_file_set_contents (to, bytes, (gssize) size, NULL));
  }
  close_all (fixture);
  folder_drop (fixture->folder);
  fixture->folder = left;
  open_all (fixture);
}

static gint64 applied (Fixture *fixture)
{
  return database_integer (store_reader (fixture->store, NULL), 0, "SELECT value FROM sensing WHERE key = 'applied'", "");
}

static void a_flood_that_changes_nothing_costs_the_rules_no_commit_and_passes_again_after_a_kill (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor_that_is_not_durable ());
  Block one;
  hold_store (fixture, &one);
  for (int i = 0; i < 50; i++)
    publish (fixture, "village/level-1", "{\"level\":1}");
  let_store_go (fixture, &one);
  settle (fixture);
  assert_int_equal (fixture->passed, 50);
  assert_int_equal (applied (fixture), 0);
  kill_and_open_again (fixture);
  assert_int_equal (fixture->passed, 100);
  assert_int_equal (applied (fixture), 50);
  hold_store (fixture, &one);
  for (int i = 0; i < 20; i++)
    publish (fixture, "village/level-1", i < 19 ? "{\"level\":1}" : "{\"level\":4}");
  let_store_go (fixture, &one);
  settle (fixture);
  assert_int_equal (applied (fixture), 70); /* with the alert, and at once */
  assert_int_equal (alerts (fixture), 1);
  kill_and_open_again (fixture);
  assert_int_equal (fixture->passed, 120);
  assert_int_equal (alerts (fixture), 1);
}

static void a_flood_is_accounted_once_a_second_and_counted_again_after_a_kill (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor_that_is_not_durable ());
  Block one;
  hold_store (fixture, &one);
  for (int i = 0; i < 50; i++)
    publish (fixture, "village/level-1", "{\"level\":1}");
  let_store_go (fixture, &one);
  assert_int_equal (stored_rows (fixture), 50);
  assert_int_equal (counted (fixture, "level-1", "stored"), 0); /* the second isn't over */
  assert_balanced (fixture);
  kill_and_open_again (fixture);
  assert_int_equal (counted (fixture, "level-1", "stored"), 50);
  assert_int_equal (counted (fixture, NULL, "stored"), 50);
  assert_balanced (fixture);
  hold_store (fixture, &one);
  for (int i = 0; i < 20; i++)
    publish (fixture, "village/level-1", "{\"level\":1}");
  let_store_go (fixture, &one);
  assert_int_equal (counted (fixture, "level-1", "stored"), 50);
  clock_fake_advance (fixture->clock, 20 * G_TIME_SPAN_MILLISECOND); /* and then nothing more comes */
  while (counted (fixture, "level-1", "stored") < 70)
    settle (fixture);
  restart (fixture);
  assert_int_equal (counted (fixture, "level-1", "received"), 70);
  assert_balanced (fixture);
}

static void what_nobody_waits_for_is_gathered_until_somebody_waits_or_it_is_time (void **state)
{
  (void) state;
  Site *site = one_sensor_that_is_not_durable ();
  test_site_add_sensor (site, "level-2");
  g_autoptr (Fixture) fixture = fixture_with (site);
  publish (fixture, "village/level-1", "{\"level\":1}");
  settle (fixture);
  assert_int_equal (observe_waiting (fixture->observe), 0); /* after a pause: at once */
  publish (fixture, "village/level-1", "{\"level\":2}");
  settle (fixture);
  assert_int_equal (observe_waiting (fixture->observe), 1);
  publish (fixture, "village/level-2", "{\"level\":1}"); /* durable */
  assert_int_equal (observe_waiting (fixture->observe), 0);
  assert_int_equal (stored_rows (fixture), 3);
  settle (fixture);
  publish (fixture, "village/level-1", "{\"level\":3}");
  settle (fixture);
  assert_int_equal (observe_waiting (fixture->observe), 1);
  clock_fake_advance (fixture->clock, 20 * G_TIME_SPAN_MILLISECOND);
  while (observe_waiting (fixture->observe) > 0)
    settle (fixture);
  assert_int_equal (counted (fixture, "level-1", "stored"), 3);
  publish (fixture, "village/level-1", "{\"level\":4}");
  restart (fixture); /* what was gathered is stored first */
  assert_int_equal (counted (fixture, "level-1", "stored"), 4);
  assert_balanced (fixture);
}

static void hand_over_calmly (Fixture *fixture, const char *payload)
{
  RawMessage *message = message_of (fixture, "village/level-1", payload);
  message->receipt = ++test_broker.last_receipt;
  assert_int_equal (test_broker.handlers.received (test_broker.handlers.self, message), BROKER_HELD);
  test_broker.handlers.received_all (test_broker.handlers.self, FALSE);
  raw_message_unref (message);
}

static void what_is_durable_is_gathered_while_the_broker_does_not_wait (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor ());
  hand_over_calmly (fixture, "{\"level\":1}");
  settle (fixture);
  assert_true (is_acknowledged (NULL)); /* after a pause: at once */
  hand_over_calmly (fixture, "{\"level\":2}");
  settle (fixture);
  assert_false (is_acknowledged (NULL));
  clock_fake_advance (fixture->clock, 8 * G_TIME_SPAN_MILLISECOND);
  assert_true (wait_until (is_acknowledged, NULL, 60));
  assert_int_equal (stored_rows (fixture), 2);
}

/* What has no room is not counted, and comes again. */
static void a_full_queue_refuses_what_is_durable_until_there_is_room (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor ());
  Block one;
  hold_store (fixture, &one);
  gint resumed_before = g_atomic_int_get (&test_broker.resumed);
  for (test_broker.answer = BROKER_HELD; test_broker.answer == BROKER_HELD;)
    hand_over (message_of (fixture, "village/level-1", "{\"level\":1}"));
  assert_int_equal (test_broker.answer, BROKER_NO_ROOM);
  assert_int_equal (observe_waiting (fixture->observe), 10000);
  let_store_go (fixture, &one);
  assert_true (wait_until (is_acknowledged, NULL, 60));
  assert_true (g_atomic_int_get (&test_broker.resumed) > resumed_before);
  assert_int_equal (counted (fixture, "level-1", "received"), 10000);
  publish (fixture, "village/level-1", "{\"level\":1}");
  assert_int_equal (counted (fixture, "level-1", "stored"), 10001);
  assert_balanced (fixture);
}

static void a_wrong_decoder_setting_names_the_sensor_and_leaves_the_site_running (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor ());
  g_autoptr (Site) wrong = one_sensor ();
  g_autoptr (GError) error = NULL;
  Sensor *sensor = wrong->sensors->pdata[0];
  g_free (sensor->format);
  sensor->format = g_strdup ("xml");
  site_publish (wrong);
  assert_false (observe_set_site (fixture->observe, wrong, &error));
  assert_non_null (strstr (error->message, "level-1"));
  publish (fixture, "village/level-1", "{\"level\":1}");
  assert_int_equal (stored_rows (fixture), 1);
}

static void watchers_are_told_after_the_commit_and_not_too_often (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor ());
  for (int i = 0; i < 5; i++)
    publish (fixture, "village/level-1", "{\"level\":1}");
  settle (fixture);
  assert_int_equal (event_bus_last (fixture->bus), 1);
  clock_fake_advance (fixture->clock, SECOND);
  publish (fixture, "village/level-1", "{\"level\":1}");
  settle (fixture);
  assert_int_equal (event_bus_last (fixture->bus), 2);
  g_autoptr (Event) event = event_bus_next (fixture->bus, 1);
  assert_string_equal (event->type, "observation");
  assert_string_equal (event->grid, "621101");
}

static void two_sensors_may_read_one_topic (void **state)
{
  (void) state;
  Site *site = one_sensor ();
  Sensor *battery = test_site_add_sensor (site, "battery-1");
  g_free (battery->topic);
  battery->topic = g_strdup ("village/+");
  Metric *metric = battery->metrics->pdata[0];
  g_free (metric->path);
  metric->path = g_strdup ("$.battery");
  g_autoptr (Fixture) fixture = fixture_with (site);
  assert_string_equal (test_broker.subscribed, "village/+ " BROKER_LOSSES_TOPIC); /* one that covers the other: no message comes twice */
  publish (fixture, "village/level-1", "{\"level\":1,\"battery\":80}");
  publish (fixture, "village/level-1", "{\"level\":1}");
  assert_int_equal (stored_rows (fixture), 3);
  assert_int_equal (counted (fixture, NULL, "stored"), 2);
  assert_int_equal (counted (fixture, "battery-1", "stored"), 1);
  assert_int_equal (counted (fixture, "battery-1", "rejected.path_absent"), 1);
  assert_balanced (fixture);
}

static Metric *add_metric (Sensor *sensor, const char *name, const char *path)
{
  Metric *metric = g_new0 (Metric, 1);
  metric->name = g_strdup (name);
  metric->path = g_strdup (path);
  metric->scale = 1;
  g_ptr_array_add (sensor->metrics, metric);
  return metric;
}

static void what_is_no_news_is_counted (void **state)
{
  (void) state;
  Site *site = one_sensor ();
  Sensor *sensor = site->sensors->pdata[0];
  ((Metric *) sensor->metrics->pdata[0])->deadband = 0.1;
  sensor->duplicate_window_us = 30 * SECOND;
  g_autoptr (Fixture) fixture = fixture_with (site);
  publish (fixture, "village/level-1", "{\"level\":1}");
  clock_fake_advance (fixture->clock, SECOND);
  publish (fixture, "village/level-1", "{\"level\":1}");
  publish (fixture, "village/level-1", "{\"level\":1.05}");
  publish (fixture, "village/level-1", "{\"level\":1.2}");
  assert_int_equal (counted (fixture, "level-1", "stored"), 2);
  assert_int_equal (counted (fixture, "level-1", "dropped.duplicate"), 1);
  assert_int_equal (counted (fixture, "level-1", "dropped.deadband"), 1);
  assert_int_equal (counted (fixture, NULL, "dropped.deadband"), 1);
  assert_int_equal (stored_rows (fixture), 2);
  assert_balanced (fixture);
}

static void a_message_with_the_devices_number_of_another_counts_once (void **state)
{
  (void) state;
  Site *site = one_sensor ();
  ((Sensor *) site->sensors->pdata[0])->sequence_path = g_strdup ("$.seq");
  g_autoptr (Fixture) fixture = fixture_with (site);
  publish (fixture, "village/level-1", "{\"level\":1,\"seq\":7}");
  clock_fake_advance (fixture->clock, 60 * SECOND);
  publish (fixture, "village/level-1", "{\"level\":1,\"seq\":7,\"resent\":true}");
  publish (fixture, "village/level-1", "{\"level\":1,\"seq\":8}");
  clock_fake_advance (fixture->clock, 300 * SECOND); /* a counter that begins anew */
  publish (fixture, "village/level-1", "{\"level\":1,\"seq\":7}");
  assert_int_equal (counted (fixture, "level-1", "stored"), 3);
  assert_int_equal (counted (fixture, "level-1", "dropped.duplicate"), 1);
  assert_balanced (fixture);
}

static void a_moving_sensor_is_where_it_says (void **state)
{
  (void) state;
  Site *site = one_sensor ();
  Sensor *sensor = site->sensors->pdata[0];
  add_metric (sensor, "lon", "$.lon");
  add_metric (sensor, "lat", "$.lat");
  g_autoptr (Fixture) fixture = fixture_with (site);
  publish (fixture, "village/level-1", "{\"level\":1,\"lon\":105.2,\"lat\":35.2}");
  settle (fixture);
  json_t *described = observe_sensor_json (fixture->observe, "level-1"), *place = json_object_get (described, "location");
  assert_true (json_number_value (json_object_get (place, "lon")) == 105.2);
  assert_true (json_number_value (json_object_get (place, "lat")) == 35.2);
  json_decref (described);
}

/* A payload of seq 5 and nothing else: data of a node that nobody has seen born. */
static void publish_unborn (Fixture *fixture)
{
  publish (fixture, "spBv1.0/shimiao/NDATA/station", "\x18\x05");
  settle (fixture);
}

static void a_node_is_asked_for_its_births_but_not_all_the_time (void **state)
{
  (void) state;
  Site *site = one_sensor ();
  Sensor *sensor = site->sensors->pdata[0];
  g_free (sensor->format);
  g_free (sensor->topic);
  sensor->format = g_strdup ("sparkplug");
  sensor->topic = g_strdup ("spBv1.0/shimiao/+/station/#");
  g_autoptr (Fixture) fixture = fixture_with (site);
  publish_unborn (fixture);
  assert_string_equal (test_broker.published, "spBv1.0/shimiao/NCMD/station");
  g_clear_pointer (&test_broker.published, g_free);
  publish_unborn (fixture);
  assert_null (test_broker.published);
  clock_fake_advance (fixture->clock, 10 * SECOND);
  publish_unborn (fixture);
  assert_string_equal (test_broker.published, "spBv1.0/shimiao/NCMD/station");
  g_clear_pointer (&test_broker.published, g_free);
  assert_int_equal (counted (fixture, "level-1", "dropped.no_reading"), 3);
  assert_balanced (fixture);
}

static void publish_file (Fixture *fixture, const char *type, const char *name)
{
  g_autofree char *topic = g_strdup_printf ("spBv1.0/shimiao/%s/station%s", type, type[0] == 'D' ? "/pump" : "");
  g_autofree char *path = g_build_filename (g_getenv ("GRIDGATE_SOURCE_ROOT"), "tests/unit/sensing/fixtures/sparkplug", name, NULL);
  g_autofree char *payload = NULL;
  gsize size;
  assert_true (g_file_get_contents (path, &payload, &size, NULL));
  RawMessage *message = raw_message_new ("village", topic, payload, size);
  message->receive_time_us = clock_wall_us (fixture->clock);
  message->qos = 1;
  deliver (message);
  settle (fixture);
}

/* Level is 2.5 at its birth and 3.5 in the data: above the threshold both times. */
static void a_birth_and_a_rebirth_set_values_and_fire_nothing (void **state)
{
  (void) state;
  Site *site = test_site_new ();
  Sensor *sensor = test_site_add_sensor (site, "station");
  Metric *metric = sensor->metrics->pdata[0];
  test_site_add_rule (site, "flood", 2, 1, 0);
  g_free (sensor->format);
  g_free (sensor->topic);
  g_free (metric->path);
  sensor->format = g_strdup ("sparkplug");
  sensor->topic = g_strdup ("spBv1.0/shimiao/+/station/#");
  metric->path = g_strdup ("Level");
  g_autoptr (Fixture) fixture = fixture_with (site);
  for (int i = 0; i < 2; i++) {
    publish_file (fixture, "NBIRTH", "nbirth");
    publish_file (fixture, "DBIRTH", "dbirth");
    assert_int_equal (alerts (fixture), 0);
  }
  json_t *known = observe_sensor_json (fixture->observe, "station");
  json_t *value = json_array_get (json_object_get (known, "values"), 0);
  assert_true (json_number_value (json_object_get (value, "value")) == 2.5);
  json_decref (known);
  publish_file (fixture, "NDATA", "ndata");
  assert_int_equal (alerts (fixture), 1);
  publish_file (fixture, "NBIRTH", "nbirth"); /* asked for, or because its line was down */
  assert_int_equal (alerts (fixture), 1);
  assert_balanced (fixture);
}

static char *told_at (Fixture *fixture)
{
  json_t *accounting = observe_accounting_json (fixture->observe);
  json_t *broker = json_array_get (json_object_get (accounting, "brokers"), 0);
  char *at = g_strdup (json_string_value (json_object_get (broker, "broker_dropped_at")));
  json_decref (accounting);
  return at;
}

static void what_the_broker_itself_has_dropped_stands_beside_the_account (void **state)
{
  (void) state;
  g_autoptr (Fixture) fixture = fixture_with (one_sensor ());
  assert_non_null (strstr (test_broker.subscribed, BROKER_LOSSES_TOPIC));
  assert_int_equal (counted (fixture, NULL, "broker_dropped"), 0); /* null: it has not said */
  publish (fixture, BROKER_LOSSES_TOPIC, "7");
  assert_int_equal (counted (fixture, NULL, "broker_dropped"), 7);
  assert_null (told_at (fixture)); /* before we looked */
  publish (fixture, BROKER_LOSSES_TOPIC, "what");
  publish (fixture, BROKER_LOSSES_TOPIC, "9");
  assert_int_equal (counted (fixture, NULL, "broker_dropped"), 9);
  g_autofree char *at = told_at (fixture);
  assert_non_null (at);
  publish (fixture, BROKER_LOSSES_TOPIC, "0"); /* it was started again */
  assert_int_equal (counted (fixture, NULL, "broker_dropped"), 0);
  assert_int_equal (counted (fixture, NULL, "received"), 0);
  assert_balanced (fixture);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_durable_message_is_on_disk_when_it_is_acknowledged),
    cmocka_unit_test (the_account_balances_and_says_why),
    cmocka_unit_test (observations_that_the_rules_had_not_seen_pass_once_after_a_kill),
    cmocka_unit_test (observations_that_the_rules_had_not_seen_pass_once_when_the_disk_is_free_again),
    cmocka_unit_test (a_redelivery_after_a_kill_counts_once),
    cmocka_unit_test (retained_messages_set_values_and_fire_nothing),
    cmocka_unit_test (a_retained_message_that_could_not_be_stored_is_when_it_can_and_not_sooner_than_a_second),
    cmocka_unit_test (what_was_counted_is_not_shown_before_it_is_on_disk),
    cmocka_unit_test (last_values_are_there_after_a_restart),
    cmocka_unit_test (a_file_holds_a_day_and_a_clock_that_jumps_deletes_one_file),
    cmocka_unit_test (pages_of_a_query_follow_each_other_over_days),
    cmocka_unit_test (what_is_not_durable_is_dropped_and_counted_when_the_queue_is_full),
    cmocka_unit_test (a_flood_that_changes_nothing_costs_the_rules_no_commit_and_passes_again_after_a_kill),
    cmocka_unit_test (a_flood_is_accounted_once_a_second_and_counted_again_after_a_kill),
    cmocka_unit_test (what_nobody_waits_for_is_gathered_until_somebody_waits_or_it_is_time),
    cmocka_unit_test (what_is_durable_is_gathered_while_the_broker_does_not_wait),
    cmocka_unit_test (a_full_queue_refuses_what_is_durable_until_there_is_room),
    cmocka_unit_test (a_wrong_decoder_setting_names_the_sensor_and_leaves_the_site_running),
    cmocka_unit_test (watchers_are_told_after_the_commit_and_not_too_often),
    cmocka_unit_test (two_sensors_may_read_one_topic),
    cmocka_unit_test (what_is_no_news_is_counted),
    cmocka_unit_test (a_message_with_the_devices_number_of_another_counts_once),
    cmocka_unit_test (a_moving_sensor_is_where_it_says),
    cmocka_unit_test (a_node_is_asked_for_its_births_but_not_all_the_time),
    cmocka_unit_test (a_birth_and_a_rebirth_set_values_and_fire_nothing),
    cmocka_unit_test (what_the_broker_itself_has_dropped_stands_beside_the_account),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
