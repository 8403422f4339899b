#include <sqlite3.h>
#include <string.h>

#include "pipelines/record/recordings_index.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

enum { MINUTES = 3 * 24 * 60 };

static const gint64 minute_us = G_TIME_SPAN_MINUTE;
static const gint64 start_us = G_GINT64_CONSTANT (1777622400000000);

/* What SQLite did for each statement, heard from inside every connection that is opened. */
typedef struct {
  GPtrArray *statements; /* texts with their values */
  guint scan_steps, sorts, automatic_indices, machine_steps;
} Heard;

static Heard heard;

static int on_profile (unsigned kind, void *unused, void *statement, void *took)
{
  (void) kind, (void) unused, (void) took;
  char *text = sqlite3_expanded_sql (statement);
  g_ptr_array_add (heard.statements, g_strdup (text));
  sqlite3_free (text);
  heard.scan_steps += (guint) sqlite3_stmt_status (statement, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
  heard.sorts += (guint) sqlite3_stmt_status (statement, SQLITE_STMTSTATUS_SORT, 1);
  heard.automatic_indices += (guint) sqlite3_stmt_status (statement, SQLITE_STMTSTATUS_AUTOINDEX, 1);
  heard.machine_steps += (guint) sqlite3_stmt_status (statement, SQLITE_STMTSTATUS_VM_STEP, 1);
  return 0;
}

static int hear (sqlite3 *database, char **problem, const struct sqlite3_api_routines *unused)
{
  (void) problem, (void) unused;
  return sqlite3_trace_v2 (database, SQLITE_TRACE_PROFILE, on_profile, NULL);
}

/* A file a minute, half of every hundredth missing. */
static void fill (const char *folder)
{
  g_autoptr (RecordingsIndex) index = recordings_index_open (folder, DATABASE_WRITER, NULL);
  assert_true (recordings_index_begin (index, NULL));
  for (guint minute = 0; minute < MINUTES; minute++) {
    gint64 from_us = start_us + minute * minute_us, to_us = from_us + (minute % 100 == 99 ? minute_us / 2 : minute_us);
    SegmentRow row = { 0, from_us, to_us, 1000, (char *) "bridge", (char *) "main", (char *) "file" };
    assert_true (recordings_index_put (index, &row, "h264", FALSE, NULL));
    if (minute % 100 == 99)
      assert_true (recordings_index_add_gap (index, "bridge", "main", to_us, from_us + minute_us, "stalled", NULL));
  }
  assert_true (recordings_index_commit (index, NULL));
}

/* The plans of what was heard, one line each. */
static char *plans (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, "recordings.db", NULL);
  GString *lines = g_string_new (NULL);
  sqlite3 *database = NULL;
  assert_int_equal (sqlite3_open_v2 (path, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  for (guint i = 0; i < heard.statements->len; i++) {
    const char *text = heard.statements->pdata[i];
    sqlite3_stmt *plan = NULL;
    g_autofree char *sql = g_strconcat ("EXPLAIN QUERY PLAN ", text, NULL);
    if (!g_str_has_prefix (text, "SELECT"))
      continue;
    assert_int_equal (sqlite3_prepare_v2 (database, sql, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step (plan) == SQLITE_ROW)
      g_string_append_printf (lines, "%s\n", (const char *) sqlite3_column_text (plan, 3));
    sqlite3_finalize (plan);
  }
  sqlite3_close (database);
  return g_string_free (lines, FALSE);
}

static json_t *list_heard (const char *folder, gint64 from_us, gint64 to_us)
{
  heard = (Heard){ .statements = g_ptr_array_new_with_free_func (g_free) };
  sqlite3_auto_extension ((void (*) (void)) hear);
  g_autoptr (RecordingsIndex) index = recordings_index_open (folder, DATABASE_READER, NULL);
  sqlite3_reset_auto_extension ();
  json_t *list = recordings_index_list (index, "bridge", "main", from_us, to_us, to_us, NULL);
  assert_non_null (list);
  return list;
}

static void a_timeline_is_read_from_the_index_alone (void **state)
{
  fill (*state);
  json_t *list = list_heard (*state, start_us, start_us + MINUTES * minute_us);
  assert_int_equal (json_array_size (json_object_get (list, "gaps")), MINUTES / 100);
  assert_int_equal (json_array_size (json_object_get (list, "spans")), MINUTES / 100 + 1);
  json_decref (list);
  g_autofree char *lines = plans (*state);
  assert_null (strstr (lines, "SCAN segments"));
  assert_null (strstr (lines, "SCAN gaps"));
  assert_null (strstr (lines, "TEMP B-TREE"));
  assert_non_null (strstr (lines, "SEARCH segments USING COVERING INDEX segments_by_span (camera=? AND stream=? AND from_us>? "
                                  "AND from_us<?)"));
  assert_int_equal (heard.scan_steps, 0);
  assert_int_equal (heard.sorts, 0);
  assert_int_equal (heard.automatic_indices, 0);
  assert_true (heard.machine_steps < 60 * MINUTES);
  g_ptr_array_unref (heard.statements);
}

static void an_hour_costs_an_hour_wherever_it_lies (void **state)
{
  fill (*state);
  for (guint day = 0; day < 3; day++) {
    gint64 from_us = start_us + day * G_TIME_SPAN_DAY + 5 * G_TIME_SPAN_HOUR;
    json_t *list = list_heard (*state, from_us, from_us + G_TIME_SPAN_HOUR);
    json_t *span = json_array_get (json_object_get (list, "spans"), 0);
    assert_int_equal (json_integer_value (json_array_get (span, 0)), from_us);
    json_decref (list);
    assert_true (heard.machine_steps < 60 * 250); /* two hours of minutes, for the longest file is an hour */
    g_ptr_array_unref (heard.statements);
  }
}

static void the_end_of_a_stream_is_found_without_a_walk_through_all_of_it (void **state)
{
  fill (*state);
  heard = (Heard){ .statements = g_ptr_array_new_with_free_func (g_free) };
  sqlite3_auto_extension ((void (*) (void)) hear);
  RecordingsIndex *index = recordings_index_open (*state, DATABASE_READER, NULL);
  sqlite3_reset_auto_extension ();
  assert_int_equal (recordings_index_end_us (index, "bridge", "main"), start_us + MINUTES * minute_us);
  assert_int_equal (recordings_index_end_us (index, "bridge", "sub"), 0);
  recordings_index_close (index);
  assert_true (heard.machine_steps < 60 * 20);
  g_ptr_array_unref (heard.statements);
}

static void a_file_that_began_an_hour_ago_touches_now (void **state)
{
  g_autoptr (RecordingsIndex) index = recordings_index_open (*state, DATABASE_WRITER, NULL);
  for (guint i = 0; i < 3; i++) { /* files of ninety minutes: none is so long, but time may go on inside one */
    gint64 from_us = start_us + i * 90 * minute_us;
    SegmentRow row = { 0, from_us, from_us + 90 * minute_us, 1000, (char *) "bridge", (char *) "main", (char *) "file" };
    assert_true (recordings_index_put (index, &row, "h264", FALSE, NULL));
  }
  g_autoptr (GPtrArray) rows
    = recordings_index_find (index, "bridge", "main", start_us + 175 * minute_us, start_us + 176 * minute_us, 10, NULL);
  assert_int_equal (rows->len, 1);
  assert_int_equal (((const SegmentRow *) rows->pdata[0])->from_us, start_us + 90 * minute_us);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_timeline_is_read_from_the_index_alone, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (an_hour_costs_an_hour_wherever_it_lies, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (the_end_of_a_stream_is_found_without_a_walk_through_all_of_it, folder_setup,
                                     folder_teardown),
    cmocka_unit_test_setup_teardown (a_file_that_began_an_hour_ago_touches_now, folder_setup, folder_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
