/* The bytes of a configuration file: YAML, the key table, references, and the way back to JSON. */
#include "config/compare.h"
#include "config/loader.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/fuzz_yaml.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (Site) site = site_load_text ("/nonexistent/site.yaml", (const char *) bytes, size, errors);
  g_assert ((site == NULL) == (errors->len > 0));
  if (site != NULL) {
    g_autoptr (SiteDifference) difference = site_compare (site, site);
    g_assert (site_difference_is_empty (difference));
  }
  return 0;
}
