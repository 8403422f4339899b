/* The gateway's disk fills up while sensors go on, and is freed again. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/core/clock.h"
#include "tests/support/sensor_account.h"
#include "tests/support/small_disk.h"
#include "tests/support/test.h"

enum { DISK_MEGABYTES = 200, WAIT_S = 60, READINGS = 40 };
#define TOPIC "village/shimiao/level-1"

typedef struct {
  Township *township; /* NULL: nobody may mount here */
  char *data, *first_filler, *second_filler;
} FullDisk;

static int setup (void **state)
{
  FullDisk *disk = *state = g_new0 (FullDisk, 1);
  small_disk_prepare ();
  disk->township = township_new_as (&(TownshipForm){ .site = "sensing.yaml", .data_megabytes = DISK_MEGABYTES });
  disk->data = disk->township != NULL ? township_data_dir (disk->township) : NULL;
  return 0;
}

static int teardown (void **state)
{
  FullDisk *disk = *state;
  township_free (disk->township);
  g_free (disk->data);
  g_free (disk->first_filler);
  g_free (disk->second_filler);
  g_free (disk);
  return 0;
}

/* Levels of their own, none of which fires. */
static void publish_levels (FullDisk *disk, int from, int count)
{
  g_autoptr (GString) lines = g_string_new (NULL);
  for (int i = from; i < from + count; i++)
    g_string_append_printf (lines, "{\"level_cm\":%d}\n", i);
  mosquitto_publish_lines (disk->township->village, TOPIC, "1", lines->str);
}

static gboolean is_flood_open (gpointer township)
{
  return sensor_count_alerts (township, "flood", "open") == 1;
}

static gboolean is_disk_alert_open (gpointer township)
{
  return sensor_count_alerts (township, "disk_full", "open") == 1;
}

static gboolean is_disk_alert_cleared (gpointer township)
{
  return sensor_count_alerts (township, "disk_full", "cleared") == 1;
}

/* What a person does is entered in the audit log. */
static void silence_a_rule (Township *township)
{
  g_autofree char *to = time_to_rfc3339 (g_get_real_time () + G_TIME_SPAN_HOUR);
  json_t *wanted = json_pack ("{s:[s], s:s, s:s}", "rules", "downpour", "to", to, "reason", "检修");
  g_autoptr (HttpAnswer) made = http_client_call (township->http, "POST", "/api/v1/silences", wanted);
  json_decref (wanted);
  assert_int_equal (made->status, 201);
  json_t *audit = http_client_get (township->http, "/api/v1/audit?limit=1");
  assert_string_equal (json_string_value (json_object_get (json_array_get (json_object_get (audit, "items"), 0), "action")),
                       "silence.add");
  json_decref (audit);
}

static void alerts_and_audit_go_on_from_the_reserve (void **state)
{
  FullDisk *disk = *state;
  if (disk->township == NULL)
    skip ();
  publish_levels (disk, 1, 1);
  sensor_wait_for_value (disk->township, "level-1", "water_level", 0.01, WAIT_S);
  disk->first_filler = small_disk_fill (disk->data, "first");
  publish_levels (disk, 2, READINGS);
  publish_levels (disk, 400, 1);
  assert_true (wait_until (is_flood_open, disk->township, WAIT_S));
  assert_true (wait_until (is_disk_alert_open, disk->township, WAIT_S));
  silence_a_rule (disk->township);
  sensor_accounts_settle (disk->township, WAIT_S);
}

static gboolean says_that_it_cannot_store (gpointer township)
{
  return process_has_said (((Township *) township)->gateway, "they can't be stored");
}

static gint64 rows (FullDisk *disk)
{
  json_t *readings = sensor_readings (disk->township, "level-1", "water_level");
  gint64 count = (gint64) json_array_size (readings);
  json_decref (readings);
  return count;
}

/* The reserve is used up, too: what comes then is the broker's to keep, over a kill as well. */
static void what_cannot_be_stored_waits_at_the_broker (void **state)
{
  FullDisk *disk = *state;
  if (disk->township == NULL)
    skip ();
  gint64 before = rows (disk);
  disk->second_filler = small_disk_fill (disk->data, "second");
  publish_levels (disk, 100, READINGS);
  assert_true (wait_until (says_that_it_cannot_store, disk->township, WAIT_S));
  assert_int_equal (rows (disk), before);
  sensor_accounts_balance (disk->township);

  process_end (disk->township->gateway, SIGKILL, 5);
  publish_levels (disk, 100 + READINGS, READINGS);
  assert_int_equal (unlink (disk->second_filler), 0);
  township_start_gateway (disk->township);
  sensor_wait_for_value (disk->township, "level-1", "water_level", (99 + 2 * READINGS) / 100.0, WAIT_S);
  assert_int_equal (rows (disk), before + 2 * READINGS);
  sensor_accounts_settle (disk->township, WAIT_S);
}

static int compare_numbers (const void *a, const void *b)
{
  return (*(const int *) a > *(const int *) b) - (*(const int *) a < *(const int *) b);
}

/* Without a kill: the same connection, or the next, brings it. */
static void once_there_is_room_everything_is_stored_and_once (void **state)
{
  FullDisk *disk = *state;
  if (disk->township == NULL)
    skip ();
  g_free (disk->second_filler);
  disk->second_filler = small_disk_fill (disk->data, "second");
  publish_levels (disk, 200, READINGS);
  assert_true (wait_until (says_that_it_cannot_store, disk->township, WAIT_S));
  assert_int_equal (unlink (disk->second_filler), 0);
  assert_int_equal (unlink (disk->first_filler), 0);
  sensor_wait_for_value (disk->township, "level-1", "water_level", (199 + READINGS) / 100.0, WAIT_S);
  sensor_accounts_settle (disk->township, WAIT_S);

  json_t *readings = sensor_readings (disk->township, "level-1", "water_level"), *one;
  gsize count = json_array_size (readings), index;
  g_autofree int *levels = g_new (int, count);
  json_array_foreach (readings, index, one)
    levels[index] = (int) (json_number_value (json_object_get (one, "value")) * 100 + 0.5);
  json_decref (readings);
  qsort (levels, count, sizeof *levels, compare_numbers);
  assert_int_equal (count, 2 + 4 * READINGS);
  for (gsize i = 0; i + 1 < count; i++)
    assert_true (levels[i] < levels[i + 1]);
  assert_int_equal (sensor_count_alerts (disk->township, "flood", NULL), 1);
  assert_true (wait_until (is_disk_alert_cleared, disk->township, WAIT_S));
  assert_int_equal (sensor_count_alerts (disk->township, "disk_full", NULL), 1);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (alerts_and_audit_go_on_from_the_reserve),
    cmocka_unit_test (what_cannot_be_stored_waits_at_the_broker),
    cmocka_unit_test (once_there_is_room_everything_is_stored_and_once),
  };
  return cmocka_run_group_tests (tests, setup, teardown);
}
