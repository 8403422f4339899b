#include <string.h>

#include "gateway/http/console_assets.h"
#include "tests/support/test.h"

static gboolean console_is_built_in (void)
{
  return console_asset_table[0].path != NULL;
}

static void the_page_is_found_at_the_root_and_at_setup (void **state)
{
  const ConsoleAsset *page = console_asset_find ("/");

  (void) state;
  if (!console_is_built_in ())
    skip ();
  assert_non_null (page);
  assert_ptr_equal (page, console_asset_find ("/setup"));
  assert_string_equal (page->content_type, "text/html; charset=utf-8");
  assert_false (page->is_immutable);
  assert_non_null (g_strstr_len ((const char *) page->data, page->size, "id=\"console\""));
}

static void what_the_page_names_is_embedded_and_may_be_kept_for_ever (void **state)
{
  const ConsoleAsset *page = console_asset_find ("/");
  const char *rest;
  guint named = 0;

  (void) state;
  if (!console_is_built_in ())
    skip ();
  rest = (const char *) page->data;
  while ((rest = strstr (rest, "\"/assets/")) != NULL) {
    g_autofree char *path = g_strndup (rest + 1, strcspn (rest + 1, "\""));
    const ConsoleAsset *asset = console_asset_find (path);

    assert_non_null (asset);
    assert_true (asset->is_immutable);
    assert_true (asset->size > 0);
    assert_int_equal (asset->etag[0], '"');
    rest++;
    named++;
  }
  assert_int_equal (named, 3);
}

static void nothing_else_is_found (void **state)
{
  (void) state;
  assert_null (console_asset_find ("/assets"));
  assert_null (console_asset_find ("/../etc/passwd"));
  assert_null (console_asset_find (""));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (the_page_is_found_at_the_root_and_at_setup),
    cmocka_unit_test (what_the_page_names_is_embedded_and_may_be_kept_for_ever),
    cmocka_unit_test (nothing_else_is_found),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
