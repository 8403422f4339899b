#include <math.h>
#include <signal.h>
#include <stdlib.h>

#include "gateway/observe/observation_files.h"
#include "gateway/store/database.h"
#include "tests/support/folder.h"
#include "tests/support/mosquitto.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

enum { KILLS = 20, MESSAGES_A_KILL = 100, WAIT_SECONDS = 60 };

typedef struct {
  const char *folder;
  gint64 at_least;
} Wanted;

static gint64 in_files (const char *folder, const char *sql)
{
  g_autoptr (GPtrArray) files = observation_files_list (folder);
  gint64 sum = 0;
  for (guint i = 0; i < files->len; i++) {
    g_autoptr (Database) database = database_open (files->pdata[i], DATABASE_READER, NULL);
    sum += database != NULL ? database_integer (database, 0, sql, "") : 0;
  }
  return sum;
}

static gboolean are_stored (gpointer data)
{
  const Wanted *wanted = data;
  return in_files (wanted->folder, "SELECT count(*) FROM observations") >= wanted->at_least;
}

static gboolean is_last_applied (gpointer data)
{
  const Wanted *wanted = data;
  g_autofree char *path = g_build_filename (wanted->folder, "gridgate.db", NULL);
  g_autoptr (Database) database = database_open (path, DATABASE_READER, NULL);
  return database != NULL
         && database_integer (database, 0, "SELECT value FROM sensing WHERE key = 'applied'", "") >= wanted->at_least;
}

static void wait_until_stored (const char *folder, gint64 count)
{
  Wanted wanted = { folder, count };
  if (!wait_until (are_stored, &wanted, WAIT_SECONDS))
    fail_msg ("%d stored of %d", (int) in_files (folder, "SELECT count(*) FROM observations"), (int) count);
}

static Process *start_child (const char *folder, const char *data, const Mosquitto *mosquitto, const char *protocol, const char *qos)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *bin = g_path_get_dirname (self);
  g_autofree char *program = g_build_filename (bin, "sensing_child", NULL);
  const char *const arguments[] = { program, data, mosquitto_url (mosquitto), protocol, qos, NULL };
  return process_start (folder, arguments);
}

static Process *start_publisher (const char *folder, const Mosquitto *mosquitto, const char *qos)
{
  g_autofree char *port = g_strdup_printf ("%d", mosquitto_port (mosquitto));
  const char *const arguments[] = { "mosquitto_pub", "-h", "127.0.0.1", "-p", port, "-q", qos, "-t", "village/counter",
                                    "-l", NULL };
  return process_start (folder, arguments);
}

/* Numbers 1, −2, 3, −4 …: each opens or clears the rule's alert, so each must be seen once and in order. */
static void write_numbers (Process *publisher, int from, int count)
{
  for (int i = from; i < from + count; i++) {
    g_autofree char *line = g_strdup_printf ("%d", i % 2 == 1 ? i : -i);
    process_write_line (publisher, line);
  }
}

static gint64 alerts_of (Database *database, const char *rule)
{
  return database_integer (database, -1, "SELECT count(*) FROM alerts WHERE rule = ?", "s", rule);
}

static void no_message_is_lost_or_doubled (const char *folder, const char *protocol, const char *qos)
{
  g_autofree char *data = g_build_filename (folder, "data", NULL);
  g_autoptr (Mosquitto) mosquitto = mosquitto_start (folder, NULL);
  const char *const retained[] = { "-r", "-q", "1", NULL };
  mosquitto_publish (mosquitto, "village/counter", "0", retained); /* shows that the first subscription stands */
  Process *child = start_child (folder, data, mosquitto, protocol, qos);
  wait_until_stored (data, 1);
  mosquitto_publish (mosquitto, "village/counter", "", retained);
  g_autoptr (Process) publisher = start_publisher (folder, mosquitto, qos);

  int written = 0;
  const char *count = g_getenv ("GRIDGATE_KILLS"); /* ./run soak kills */
  int kills = count != NULL ? atoi (count) : KILLS;
  for (int kill = 0; kill < kills; kill++) {
    gint64 before = in_files (data, "SELECT count(*) FROM observations");
    write_numbers (publisher, written + 1, MESSAGES_A_KILL);
    written += MESSAGES_A_KILL;
    wait_until_stored (data, before + g_random_int_range (1, MESSAGES_A_KILL / 2));
    process_end (child, SIGKILL, WAIT_SECONDS);
    process_free (child);
    child = start_child (folder, data, mosquitto, protocol, qos);
  }
  Wanted all = { data, written + 1 };
  wait_until_stored (data, all.at_least);
  assert_true (wait_until (is_last_applied, &all, WAIT_SECONDS));
  assert_int_equal (process_end (child, SIGKILL, WAIT_SECONDS), -SIGKILL);
  process_free (child);

  print_message ("%d rows, %d zeros, %d values, of %d\n", (int) in_files (data, "SELECT count(*) FROM observations"),
                 (int) in_files (data, "SELECT count(*) FROM observations WHERE value = 0"),
                 (int) in_files (data, "SELECT count(DISTINCT value) FROM observations WHERE value <> 0"), written);
  assert_int_equal (in_files (data, "SELECT count(DISTINCT value) FROM observations WHERE value <> 0"), written);
  assert_int_equal (in_files (data, "SELECT count(*) FROM observations WHERE value <> 0"), written);
  assert_int_equal (in_files (data, "SELECT count(*) FROM observations o, observations l WHERE l.number = o.number + 1"
                                    " AND o.number > 1 AND abs (l.value) <> abs (o.value) + 1"),
                    0);
  g_autofree char *path = g_build_filename (data, "gridgate.db", NULL);
  g_autoptr (Database) database = database_open (path, DATABASE_READER, NULL);
  /* each rule has seen each message once, in order, with its state of before every kill: see sensing_child.c */
  assert_int_equal (alerts_of (database, "flips"), written / 2);
  assert_int_equal (alerts_of (database, "thirds"), written / 2 / 3);
  assert_int_equal (alerts_of (database, "changes"), written);
  assert_int_equal (alerts_of (database, "climbs"), written / 2 - 1); /* the first has nothing below it */
  assert_int_equal (database_integer (database, 0, "SELECT count(*) FROM alerts WHERE cleared_at = 0", ""), 0);
}

static void no_durable_message_is_lost_or_doubled_by_kills_over_mqtt_3_1_1 (void **state)
{
  no_message_is_lost_or_doubled (*state, "4", "1");
}

static void no_durable_message_is_lost_or_doubled_by_kills_over_mqtt_5 (void **state)
{
  no_message_is_lost_or_doubled (*state, "5", "1");
}

/* Some kills come between PUBREC and PUBREL: nothing about QoS 2 is kept but what is stored. */
static void no_durable_message_is_lost_or_doubled_by_kills_at_qos_2 (void **state)
{
  no_message_is_lost_or_doubled (*state, "4", "2");
}

static void no_durable_message_is_lost_or_doubled_by_kills_at_qos_2_over_mqtt_5 (void **state)
{
  no_message_is_lost_or_doubled (*state, "5", "2");
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (no_durable_message_is_lost_or_doubled_by_kills_over_mqtt_3_1_1, folder_setup,
                                     folder_teardown),
    cmocka_unit_test_setup_teardown (no_durable_message_is_lost_or_doubled_by_kills_over_mqtt_5, folder_setup,
                                     folder_teardown),
    cmocka_unit_test_setup_teardown (no_durable_message_is_lost_or_doubled_by_kills_at_qos_2, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (no_durable_message_is_lost_or_doubled_by_kills_at_qos_2_over_mqtt_5, folder_setup,
                                     folder_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
