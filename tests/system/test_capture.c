/* gridgate capture and replay with a real broker: what is sent is in the file, and the file says what the rules would do. */
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

#include "tests/support/folder.h"
#include "tests/support/mosquitto.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

enum { WAIT_S = 40 };

static char *write_site (const char *folder, const Mosquitto *mosquitto)
{
  char *path = g_build_filename (folder, "site.yaml", NULL);
  g_autofree char *text = g_strdup_printf (
    "gateway: {id: g, division: \"62\", data_dir: %s/data}\n"
    "brokers: [{id: village, url: \"%s\"}]\n"
    "sensors:\n"
    "  - {id: level-1, broker: village, topic: village/level-1, metrics: [{name: level, path: $.cm, scale: 0.01}]}\n"
    "  - {id: raw-1, broker: village, topic: village/raw-1, format: value, metrics: [{name: raw}]}\n"
    "rules:\n"
    "  - {id: flood, category: flood, severity: severe, match: {metric: level}, when: {above: 3.2, clear: 3, for: 10s}}\n",
    folder, mosquitto_url (mosquitto));
  assert_true (g_file_set_contents (path, text, -1, NULL));
  return path;
}

static Process *start_capture (const char *folder, const char *site, const char *out)
{
  g_autofree char *program = built_program ("gridgate");
  return process_start (folder, (const char *[]){ program, "capture", "-c", site, "-o", out, NULL });
}

typedef struct {
  const char *path;
  guint lines;
} Wanted;

static gboolean has_lines (gpointer data)
{
  const Wanted *wanted = data;
  g_autofree char *text = NULL;
  guint lines = 0;
  if (!g_file_get_contents (wanted->path, &text, NULL, NULL))
    return FALSE;
  for (const char *at = text; *at != '\0'; at++)
    lines += *at == '\n';
  return lines >= wanted->lines;
}

static void a_capture_has_every_message_and_replaces_nothing (void **state)
{
  const char *folder = *state;
  static const char *const once[] = { "-q", "1", NULL };
  g_autoptr (Mosquitto) mosquitto = mosquitto_start (folder, NULL);
  g_autofree char *site = write_site (folder, mosquitto), *out = g_build_filename (folder, "out.jsonl", NULL);
  g_autoptr (Process) capture = start_capture (folder, site, out);
  g_free (process_wait_for (capture, "subscribed", WAIT_S));
  mosquitto_publish (mosquitto, "village/level-1", "{\"cm\":330}", once);
  mosquitto_publish (mosquitto, "village/elsewhere", "1", once);
  assert_true (wait_until (has_lines, &(Wanted){ out, 1 }, WAIT_S)); /* at once, not at the end */
  mosquitto_end (mosquitto, SIGKILL);
  mosquitto_start_again (mosquitto);
  g_free (process_wait_for (capture, "subscribed", WAIT_S));
  mosquitto_publish (mosquitto, "village/raw-1", "\xff\x01", once);
  assert_true (wait_until (has_lines, &(Wanted){ out, 2 }, WAIT_S));
  assert_int_equal (process_end (capture, SIGINT, WAIT_S), 0);

  g_autofree char *text = NULL;
  assert_true (g_file_get_contents (out, &text, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  assert_int_equal (g_strv_length (lines), 3);
  assert_non_null (strstr (lines[0], "\"broker\":\"village\",\"topic\":\"village/level-1\",\"payload\":\"{\\\"cm\\\":330}\","
                                     "\"qos\":1,\"retained\":false}"));
  assert_non_null (strstr (lines[1], "\"topic\":\"village/raw-1\",\"payload_base64\":\"/wE=\""));

  g_autoptr (Process) again = start_capture (folder, site, out);
  assert_int_equal (process_wait (again, WAIT_S), 1);
  g_autofree char *kept = NULL;
  assert_true (g_file_get_contents (out, &kept, NULL, NULL));
  assert_string_equal (kept, text);
}

static const char capture[]
  = "{\"at\":\"2026-05-01T08:00:00.000Z\",\"broker\":\"village\",\"topic\":\"village/level-1\",\"payload\":\"{\\\"cm\\\":330}\",\"qos\":1,\"retained\":false}\n"
    "this is no line\n"
    "{\"at\":\"2026-05-01T08:00:20.000Z\",\"broker\":\"village\",\"topic\":\"village/nobody\",\"payload\":\"1\",\"qos\":1,\"retained\":false}\n"
    "{\"at\":\"2026-05-01T08:00:30.000Z\",\"broker\":\"village\",\"topic\":\"village/level-1\",\"payload_base64\":\"eyJjbSI6MTAwfQ==\",\"qos\":1,\"retained\":false}\n";

static void a_replay_says_what_would_open_and_clear_and_touches_nothing (void **state)
{
  const char *folder = *state;
  g_autoptr (Mosquitto) mosquitto = mosquitto_start (folder, NULL);
  g_autofree char *site = write_site (folder, mosquitto), *in = g_build_filename (folder, "in.jsonl", NULL);
  g_autofree char *program = built_program ("gridgate"), *output = NULL;
  assert_true (g_file_set_contents (in, capture, -1, NULL));
  assert_int_equal (
    process_run (folder, WAIT_S, &output, (const char *[]){ program, "replay", "-c", site, in, NULL }), 0);
  assert_non_null (strstr (output, "in.jsonl:2: no JSON"));
  assert_non_null (strstr (output, "in.jsonl:3: no sensor of broker village has the topic village/nobody"));
  assert_non_null (strstr (output, "\"event\":\"opened\""));
  assert_non_null (strstr (output, "\"opened_at\":\"2026-05-01T08:00:10.000Z\""));
  assert_non_null (strstr (output, "\"cleared_at\":\"2026-05-01T08:00:30.000Z\""));
  g_autofree char *data = g_build_filename (folder, "data", NULL);
  assert_false (g_file_test (data, G_FILE_TEST_EXISTS));
  assert_int_equal (process_run (folder, WAIT_S, NULL, (const char *[]){ program, "replay", "-c", site, "/nonexistent", NULL }),
                    1);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_capture_has_every_message_and_replaces_nothing, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (a_replay_says_what_would_open_and_clear_and_touches_nothing, folder_setup,
                                     folder_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
