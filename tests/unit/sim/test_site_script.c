#include <glib/gstdio.h>
#include <string.h>

#include "pipelines/sim/site_script.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

static SiteScript *read_text (const char *folder, const char *text, GPtrArray *faults)
{
  g_autofree char *path = g_build_filename (folder, "site.yaml", NULL);
  assert_true (g_file_set_contents (path, text, -1, NULL));
  return site_script_read (path, faults);
}

static GPtrArray *faults_of (const char *folder, const char *text)
{
  GPtrArray *faults = g_ptr_array_new_with_free_func (g_free);
  assert_null (read_text (folder, text, faults));
  assert_true (faults->len > 0);
  return faults;
}

static void assert_fault (const char *folder, const char *text, const char *place, const char *words)
{
  g_autoptr (GPtrArray) faults = faults_of (folder, text);
  g_autofree char *place_after_path = g_strconcat ("site.yaml:", place, ": ", NULL);
  for (guint i = 0; i < faults->len; i++)
    if (strstr (faults->pdata[i], place_after_path) && strstr (faults->pdata[i], words))
      return;
  fail_msg ("no fault \"%s%s\" but %s", place_after_path, words, (char *) faults->pdata[0]);
}

static void a_whole_site_is_read (void **state)
{
  g_autoptr (GPtrArray) faults = g_ptr_array_new_with_free_func (g_free);
  SiteScript *script = read_text (
      *state,
      "name: 石庙村\n"
      "brokers:\n"
      "  - {id: village, port: 11883, username: u, password: p}\n"
      "cameras:\n"
      "  - {id: bridge, name: 石庙桥, size: 320x180, fps: 10, bitrate: 1.5M, key_frame_interval: 500ms, audio: pcma,\n"
      "     pacing: burst, username: v, password: s, sub: {size: 160x90, codec: h265}}\n"
      "  - {id: liar, mode: raw, fault: lying_lengths}\n"
      "sensors:\n"
      "  - id: level-1\n"
      "    broker: village\n"
      "    topic: village/shimiao/level-1\n"
      "    fields: {level_cm: \"{value}\", battery: 87, ok: true, deep: [1.5, {t: \"{time}\"}]}\n"
      "    curve: {kind: points, points: [[0s, 210], [20s, 350.5]], shape: steps, repeat: true}\n"
      "centers:\n"
      "  - {id: center, broker: village, acknowledge: true}\n"
      "receivers:\n"
      "  - {id: water, port: 28081, secret_file: water.secret}\n"
      "script:\n"
      "  - {at: 10s, do: camera bridge stall 5s}\n",
      faults);
  assert_non_null (script);
  const CameraScript *bridge = script->cameras->pdata[0], *liar = script->cameras->pdata[1];
  assert_string_equal (bridge->path, "/bridge");
  assert_int_equal (bridge->main.size[1], 180);
  assert_int_equal (bridge->main.bitrate, 1500000);
  assert_int_equal (bridge->main.key_interval_us, 500000);
  assert_int_equal (bridge->sub->codec, CODEC_H265);
  assert_int_equal (bridge->sub->fps, 15);
  assert_int_equal (bridge->pacing, PACING_BURST);
  assert_true (liar->is_raw);
  assert_int_equal (liar->raw_fault, RAW_LYING_LENGTHS);
  const SensorScript *level = script->sensors->pdata[0];
  assert_int_equal (level->curve->points->len, 2);
  assert_true (level->curve->is_stepped && level->curve->repeats);
  g_autofree char *fields = json_dumps (level->fields, JSON_COMPACT);
  assert_string_equal (fields,
                       "{\"level_cm\":\"{value}\",\"battery\":87,\"ok\":true,\"deep\":[1.5,{\"t\":\"{time}\"}]}");
  assert_true (g_str_has_suffix (((ReceiverScript *) script->receivers->pdata[0])->secret_file, "/water.secret"));
  assert_int_equal (((ScriptStep *) script->steps->pdata[0])->at_us, 10 * G_USEC_PER_SEC);
  site_script_free (script);
}

static void an_unknown_key_is_a_fault_at_its_place (void **state)
{
  assert_fault (*state, "cameras:\n  - id: a\n    colour: red\n", "3:5", "no key \"colour\"");
}

static void faults_name_place_and_what_is_expected (void **state)
{
  assert_fault (*state, "cameras: [{id: a, codec: vp9}]\n", "1:26", "h264, h265");
  assert_fault (*state, "cameras: [{id: a, size: 640}]\n", "1:25", "640x360");
  assert_fault (*state, "cameras: [{id: a, fps: 100}]\n", "1:24", "1 to 60");
  assert_fault (*state, "cameras: [{id: a b}]\n", "1:16", "no name");
  assert_fault (*state, "sensors: [{id: a, broker: b, topic: t, format: csv, curve: {kind: constant}, fields: {a: 1}}]\n", "1:87",
                "format json");
  assert_fault (*state, "sensors: [{id: a, broker: b, topic: t, unit: m, curve: {kind: constant}}]\n", "1:46", "format senml");
  assert_fault (*state, "cameras: [{id: a, port: 9}, {id: b, port: 9}]\n", "1:43", "another camera");
  assert_fault (*state, "cameras: [{id: a}, {id: a}]\n", "1:12", "called \"a\"");
  assert_fault (*state, "cameras: [{name: a}]\n", "1:12", "needs the key \"id\"");
  assert_fault (*state, "cameras: [{id: a, fault: no_sdp}]\n", "1:26", "mode: raw");
  assert_fault (*state, "cameras: [{id: a, username: u}]\n", "1:12", "together");
  assert_fault (*state, "cameras: [{id: a, cert_file: a.pem}]\n", "1:12", "cert_file and key_file");
  assert_fault (*state, "sensors: [{id: a, broker: b, topic: t, curve: {kind: constant}}]\n", "1:27", "no broker");
  assert_fault (*state, "brokers: [{id: b}]\nsensors: [{id: a, broker: b, topic: t, curve: {kind: ramp}}]\n", "2:48",
                "over");
  assert_fault (*state, "script: [{at: soon, do: x}]\n", "1:15", "no duration");
  assert_fault (*state, "cameras: 5\n", "1:10", "list");
  assert_fault (*state, "cameras: [\n", "2:1", "bracket");
  assert_fault (*state, "just words\n", "1:1", "key: value");
}

static void all_faults_are_told_at_once (void **state)
{
  g_autoptr (GPtrArray) faults = faults_of (*state, "cameras:\n  - {id: a, codec: x}\n  - {id: b, fps: x}\nfoo: 1\n");
  assert_int_equal (faults->len, 3);
}

static void a_file_that_is_not_there_is_a_fault (void **state)
{
  (void) state;
  g_autoptr (GPtrArray) faults = g_ptr_array_new_with_free_func (g_free);
  assert_null (site_script_read ("/nonexistent/site.yaml", faults));
  assert_int_equal (faults->len, 1);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_whole_site_is_read, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (an_unknown_key_is_a_fault_at_its_place, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (faults_name_place_and_what_is_expected, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (all_faults_are_told_at_once, folder_setup, folder_teardown),
    cmocka_unit_test (a_file_that_is_not_there_is_a_fault),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
