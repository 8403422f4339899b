#include "config/compare.h"
#include "config/loader.h"

#include <string.h>

#include "tests/support/folder.h"
#include "tests/support/test.h"

#define HEAD "gateway: {id: g, division: \"62\", data_dir: /tmp/g}\n"

static Site *load (const char *folder, const char *text)
{
  g_autofree char *name = g_build_filename (folder, "site.yaml", NULL);
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (g_free);
  Site *site = site_load_text (name, text, strlen (text), errors);
  for (guint i = 0; i < errors->len; i++)
    print_error ("%s\n", (const char *) errors->pdata[i]);
  assert_non_null (site);
  return site;
}

static void a_site_does_not_differ_from_itself_on_other_lines (void **state)
{
  g_autoptr (Site) old = load (*state, HEAD "cameras:\n  - {id: a, url: \"rtsp://h/a\"}\n");
  g_autoptr (Site) new = load (*state, "# moved\n\n" HEAD "cameras:\n  - url: rtsp://h/a\n    id: a\n    down_after: 60s\n");
  g_autoptr (SiteDifference) difference = site_compare (old, new);
  assert_true (site_difference_is_empty (difference));
}

static void only_the_camera_whose_lines_changed_differs (void **state)
{
  g_autoptr (Site) old = load (*state, HEAD "cameras:\n  - {id: a, url: \"rtsp://h/a\"}\n  - {id: b, url: \"rtsp://h/b\"}\n"
                                            "  - {id: c, url: \"rtsp://h/c\"}\n");
  g_autoptr (Site) new = load (*state, HEAD "cameras:\n  - {id: a, url: \"rtsp://h/a\"}\n  - {id: b, url: \"rtsp://h/x\"}\n"
                                            "  - {id: d, url: \"rtsp://h/d\"}\n");
  g_autoptr (SiteDifference) difference = site_compare (old, new);
  const KindDifference *cameras = &difference->kinds[SITE_CAMERAS];
  assert_int_equal (cameras->put->len, 2);
  assert_ptr_equal (cameras->put->pdata[0], site_camera (new, "b"));
  assert_ptr_equal (cameras->put->pdata[1], site_camera (new, "d"));
  assert_int_equal (cameras->removed->len, 1);
  assert_string_equal (cameras->removed->pdata[0], "c");
  assert_false (difference->http || difference->gateway || difference->recording);
  assert_int_equal (difference->kinds[SITE_GRIDS].put->len, 0);
}

static void a_template_that_changed_is_a_difference (void **state)
{
  static const char before[] = HEAD "brokers: [{id: v, url: \"mqtt://h\"}]\n"
                                             "sensors: [{id: \"{d}\", broker: v, topic: \"a/{d}\", max_devices: 5, metrics: [{name: m, path: $.m}]}]\n";
  g_autofree char *after = g_strdup (before);
  strchr (strstr (after, "max_devices"), '5')[0] = '6';
  g_autoptr (Site) old = load (*state, before);
  g_autoptr (Site) same = load (*state, before);
  g_autoptr (Site) new = load (*state, after);
  g_autoptr (SiteDifference) none = site_compare (old, same);
  g_autoptr (SiteDifference) difference = site_compare (old, new);
  assert_true (site_difference_is_empty (none));
  assert_true (difference->templates);
  assert_false (site_difference_is_empty (difference));
}

static void the_sites_recording_mode_reaches_the_cameras_that_follow_it (void **state)
{
  static const char cameras[] = "cameras:\n  - {id: a, url: \"rtsp://h/a\"}\n"
                                "  - {id: b, url: \"rtsp://h/b\", recording: {mode: event}}\n";
  g_autofree char *on = g_strconcat (HEAD, cameras, NULL);
  g_autofree char *off = g_strconcat (HEAD, "recording: {mode: off}\n", cameras, NULL);
  g_autoptr (Site) old = load (*state, on);
  g_autoptr (Site) new = load (*state, off);
  g_autoptr (SiteDifference) difference = site_compare (old, new);
  assert_true (difference->recording);
  assert_int_equal (difference->kinds[SITE_CAMERAS].put->len, 1);
  assert_ptr_equal (difference->kinds[SITE_CAMERAS].put->pdata[0], site_camera (new, "a"));
}

static void a_password_file_written_anew_makes_its_camera_differ (void **state)
{
  static const char text[] = HEAD "cameras:\n  - {id: a, url: \"rtsp://h/a\", username: u, password_file: secret}\n"
                                  "  - {id: b, url: \"rtsp://h/b\"}\n";
  g_autofree char *secret = g_build_filename (*state, "secret", NULL);
  assert_true (g_file_set_contents (secret, "one\n", -1, NULL));
  g_autoptr (Site) old = load (*state, text);
  assert_true (g_file_set_contents (secret, "three\n", -1, NULL));
  g_autoptr (Site) new = load (*state, text);
  g_autoptr (SiteDifference) difference = site_compare (old, new);
  assert_int_equal (difference->kinds[SITE_CAMERAS].put->len, 1);
  assert_ptr_equal (difference->kinds[SITE_CAMERAS].put->pdata[0], site_camera (new, "a"));
}

static void a_nested_key_makes_its_item_differ (void **state)
{
  static const char format[] = HEAD "brokers: [{id: v, url: \"mqtt://h\"}]\n"
                                    "sensors:\n  - {id: s, broker: v, topic: t, metrics: [{name: m, path: $.m, scale: %s}]}\n"
                                    "agencies:\n  - {id: a, grants: [{categories: [f], live: %s}]}\n";
  g_autofree char *before = g_strdup_printf (format, "0.1", "false");
  g_autofree char *after = g_strdup_printf (format, "0.10000001", "true");
  g_autoptr (Site) old = load (*state, before);
  g_autoptr (Site) new = load (*state, after);
  g_autoptr (SiteDifference) difference = site_compare (old, new);
  assert_int_equal (difference->kinds[SITE_SENSORS].put->len, 1);
  assert_int_equal (difference->kinds[SITE_AGENCIES].put->len, 1);
  assert_int_equal (difference->kinds[SITE_BROKERS].put->len, 0);
}

static void what_a_running_gateway_cannot_follow_is_said (void **state)
{
  g_autoptr (Site) old = load (*state, HEAD);
  g_autoptr (Site) moved = load (*state, "gateway: {id: g, division: \"62\", data_dir: /tmp/other}\n");
  g_autoptr (Site) named = load (*state, "gateway: {id: g, division: \"62\", data_dir: /tmp/g, name: n}\n");
  g_autoptr (SiteDifference) move = site_compare (old, moved);
  g_autoptr (SiteDifference) name = site_compare (old, named);
  assert_true (move->needs_restart);
  assert_false (name->needs_restart);
  assert_true (name->gateway);
}

static void a_first_site_is_put_whole (void **state)
{
  g_autoptr (Site) new = load (*state, HEAD "cameras:\n  - {id: a, url: \"rtsp://h/a\"}\n");
  g_autoptr (SiteDifference) difference = site_compare (NULL, new);
  assert_true (difference->gateway && difference->http && difference->rtsp && difference->recording);
  assert_false (difference->needs_restart);
  assert_int_equal (difference->kinds[SITE_CAMERAS].put->len, 1);
}

static void an_item_is_shown_in_the_shape_of_its_yaml (void **state)
{
  g_autoptr (Site) site = load (*state, HEAD "rules: [{id: r, category: c, match: {metric: m}, when: {below: 1.5, for: 90s}}]\n");
  g_autofree char *shown = site_item_json (site, SITE_RULES, "r");
  assert_string_equal (shown, "{\"id\":\"r\",\"name\":\"r\",\"category\":\"c\",\"severity\":\"moderate\",\"match\":{\"metric\":"
                              "\"m\"},\"when\":{\"below\":1.5,\"for\":\"90s\",\"clear_for\":\"0s\",\"count_downtime\":false}}");
  assert_null (site_item_json (site, SITE_RULES, "z"));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown (test, folder_setup, folder_teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    IN_FOLDER (a_site_does_not_differ_from_itself_on_other_lines),
    IN_FOLDER (only_the_camera_whose_lines_changed_differs),
    IN_FOLDER (a_template_that_changed_is_a_difference),
    IN_FOLDER (the_sites_recording_mode_reaches_the_cameras_that_follow_it),
    IN_FOLDER (a_password_file_written_anew_makes_its_camera_differ),
    IN_FOLDER (a_nested_key_makes_its_item_differ),
    IN_FOLDER (what_a_running_gateway_cannot_follow_is_said),
    IN_FOLDER (a_first_site_is_put_whole),
    IN_FOLDER (an_item_is_shown_in_the_shape_of_its_yaml),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
