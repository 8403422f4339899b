#include "gateway/core/error.h"
#include "gateway/core/file.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

static void a_file_is_replaced_whole (void **state)
{
  const char *folder = *state;
  g_autofree char *path = g_build_filename (folder, "file", NULL);
  g_autofree char *text = NULL;
  assert_true (file_replace (path, "old", 3, 0600, NULL));
  assert_true (file_replace (path, "new text", 8, 0600, NULL));
  assert_true (g_file_get_contents (path, &text, NULL, NULL));
  assert_string_equal (text, "new text");
}

static void a_secret_is_the_first_line (void **state)
{
  const char *folder = *state;
  g_autofree char *path = g_build_filename (folder, "secret", NULL);
  g_autoptr (GError) error = NULL;
  assert_true (file_replace (path, "s3cret\nrest", 11, 0600, NULL));
  g_autofree char *secret = file_read_secret (path, NULL);
  assert_string_equal (secret, "s3cret");

  assert_true (file_replace (path, "\n", 1, 0600, NULL));
  assert_null (file_read_secret (path, &error));
  assert_true (error_is (error, ERROR_RECONFIGURE));
}

static void a_missing_secret_names_its_file (void **state)
{
  (void) state;
  g_autoptr (GError) error = NULL;
  assert_null (file_read_secret ("/nowhere/at/all", &error));
  assert_true (error_is (error, ERROR_RECONFIGURE));
  assert_non_null (g_strstr_len (error->message, -1, "/nowhere/at/all"));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_file_is_replaced_whole),
    cmocka_unit_test (a_secret_is_the_first_line),
    cmocka_unit_test (a_missing_secret_names_its_file),
  };
  return cmocka_run_group_tests (tests, folder_setup, folder_teardown);
}
