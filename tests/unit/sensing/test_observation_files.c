#include <sys/stat.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/observe/observation_files.h"
#include "gateway/observe/observation_json.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

/* 2026-05-01T08:00:00Z */
static const gint64 now_us = 1777622400000000;

static gboolean keep (Observation *observation, guint marks, gpointer data, GError **error)
{
  (void) marks, (void) error;
  g_ptr_array_add (data, observation_ref (observation));
  return TRUE;
}

static Observation *observation_of (const char *metric, ValueKind kind, double value)
{
  Observation *observation = observation_new ("door", metric);
  observation->kind = kind;
  observation->value = value;
  observation->phenomenon_time_us = observation->receive_time_us = now_us;
  return observation;
}

/* Stores it alone and reads it back. */
static Observation *there_and_back (ObservationFiles *files, Observation *observation)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify) observation_unref);
  gint64 before = observation_files_last (files);
  assert_true (observation_files_begin (files, now_us, NULL));
  assert_true (observation_files_add (files, observation, 0, NULL));
  assert_true (observation_files_commit (files, NULL));
  assert_true (observation_files_each_after (files, before, keep, found, NULL));
  assert_int_equal (found->len, 1);
  return observation_ref (found->pdata[0]);
}

static void assert_served (const Observation *observation, const char *expected)
{
  json_t *value = observation_value_to_json (observation);
  char *text = json_dumps (value, JSON_ENCODE_ANY | JSON_REAL_PRECISION (15));
  assert_string_equal (text, expected);
  free (text);
  json_decref (value);
}

static void a_value_comes_back_as_what_it_was (void **state)
{
  (void) state;
  char *folder = folder_make_temporary ();
  ObservationFiles *files = observation_files_new (folder, 0, NULL);
  static const char *const texts[] = { "半开", "3", "", "1e5", "true" };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (Observation) text = observation_of ("mode", VALUE_NUMBER, 0);
    observation_set_text (text, texts[i]);
    g_autoptr (Observation) back = there_and_back (files, text);
    assert_int_equal (back->kind, VALUE_TEXT);
    assert_string_equal (back->text, texts[i]);
    assert_false (back->value > 0 || back->value <= 0);
    g_autofree char *quoted = g_strdup_printf ("\"%s\"", texts[i]);
    assert_served (back, quoted);
  }
  g_autoptr (Observation) open = observation_of ("open", VALUE_BOOLEAN, 1);
  g_autoptr (Observation) open_back = there_and_back (files, open);
  assert_int_equal (open_back->kind, VALUE_BOOLEAN);
  assert_null (open_back->text);
  assert_served (open_back, "true");
  g_autoptr (Observation) level = observation_of ("level", VALUE_NUMBER, 3.25);
  g_autoptr (Observation) level_back = there_and_back (files, level);
  assert_int_equal (level_back->kind, VALUE_NUMBER);
  assert_served (level_back, "3.25");
  observation_files_free (files);
  folder_drop (folder);
}

static void a_state_is_still_one_after_a_restart (void **state)
{
  (void) state;
  char *folder = folder_make_temporary ();
  ObservationFiles *files = observation_files_new (folder, 0, NULL);
  for (guint flags = 0; flags < 4; flags++) {
    g_autoptr (Observation) observation = observation_of ("level", VALUE_NUMBER, 1);
    observation->is_historical = (flags & 1) != 0;
    observation->is_state = (flags & 2) != 0;
    g_autoptr (Observation) back = there_and_back (files, observation);
    assert_int_equal (back->is_historical, observation->is_historical);
    assert_int_equal (back->is_state, observation->is_state);
  }
  observation_files_free (files);
  folder_drop (folder);
}

static void store_delivery (ObservationFiles *files, gint64 stored_us, guint16 packet_id)
{
  g_autoptr (Observation) observation = observation_of ("level", VALUE_NUMBER, 1);
  const Deliveries deliveries = { .packet_id = { packet_id }, .next = 1 };
  assert_true (observation_files_begin (files, stored_us, NULL));
  assert_true (observation_files_add (files, observation, 0, NULL));
  assert_true (observation_files_keep_deliveries (files, "village", &deliveries, NULL));
  assert_true (observation_files_commit (files, NULL));
}

static void the_last_deliveries_are_those_with_the_highest_numbers (void **state)
{
  (void) state;
  char *folder = folder_make_temporary ();
  ObservationFiles *files = observation_files_new (folder, 0, NULL);
  Deliveries found;
  store_delivery (files, now_us + 1400 * G_TIME_SPAN_DAY, 1); /* by a clock that was years ahead */
  store_delivery (files, now_us, 2);
  observation_files_free (files);
  files = observation_files_new (folder, 0, NULL);
  assert_true (observation_files_deliveries (files, "village", &found));
  assert_int_equal (found.packet_id[0], 2);
  observation_files_free (files);
  folder_drop (folder);
}

static void a_start_waits_for_a_file_whose_numbers_it_can_not_read (void **state)
{
  (void) state;
  char *folder = folder_make_temporary ();
  g_autofree char *path = g_build_filename (folder, "observations-20260501.db", NULL);
  g_autoptr (GError) error = NULL;
  assert_int_equal (mkdir (path, 0700), 0); /* what no database can be read from */
  assert_null (observation_files_new (folder, 0, &error));
  assert_true (error_is (error, ERROR_RETRY));
  assert_int_equal (rmdir (path), 0);
  ObservationFiles *files = observation_files_new (folder, 0, NULL);
  assert_non_null (files);
  observation_files_free (files);
  folder_drop (folder);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_value_comes_back_as_what_it_was),
    cmocka_unit_test (a_state_is_still_one_after_a_restart),
    cmocka_unit_test (the_last_deliveries_are_those_with_the_highest_numbers),
    cmocka_unit_test (a_start_waits_for_a_file_whose_numbers_it_can_not_read),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
