/* Topics with named levels: the first line is one, the second a text that is filled from it, the third a topic that somebody
 * publishes to. What is taken fills the text, and becomes a sensor or has a reason. */
#include <string.h>

#include "gateway/core/ids.h"
#include "gateway/core/topic_filter.h"
#include "gateway/core/topic_template.h"
#include "gateway/observe/discovered.h"
#include "tests/fuzz/fuzz_target.h"

static void check_template (const char *topic, const char *text, const char *real)
{
  g_autofree char *filter = topic_template_filter (topic);
  g_autofree char *filled = topic_template_fill (topic, real, text);
  g_assert ((filled != NULL) == topic_template_takes (topic, real));
  g_assert (filled == NULL || topic_filter_matches (filter, real));
  g_assert (filled == NULL || topic_template_may_make (text, filled));
}

static Site *site_of (const char *topic, const char *text)
{
  Site *site = site_new ();
  Sensor *template = g_new0 (Sensor, 1);
  template->id = g_strdup (text);
  template->name = g_strdup (topic);
  template->grid = g_strdup ("6211");
  template->grid_from = g_strdup (text);
  template->broker = g_strdup ("village");
  template->topic = g_strdup (topic);
  template->max_devices = 1;
  template->metrics = g_ptr_array_new ();
  g_ptr_array_add (site->templates, template);
  site_publish (site);
  return site;
}

static void check_sensor (const char *topic, const char *text, const char *real)
{
  const char *reason;
  g_autoptr (Site) site = site_of (topic, text);
  g_autoptr (Discovered) discovered = discovered_new (site);
  const Sensor *sensor = discovered_take (discovered, "village", real, 1, &reason);
  g_assert (sensor == NULL || (reason == NULL && site_id_is_valid (sensor->id) && g_utf8_validate (sensor->name, -1, NULL)));
  g_assert ((sensor != NULL || reason != NULL) == topic_template_takes (topic, real));
  if (sensor == NULL)
    return;
  g_assert (discovered_take (discovered, "village", real, 2, &reason) == sensor);
  g_assert (discovered_take (discovered, "village", sensor->topic, 2, &reason) == sensor); /* as its row is read again */
  g_autoptr (Site) grown = discovered_site (discovered);
  g_assert (site_sensor (grown, sensor->id) == sensor);
  g_assert (discovered_remove (discovered, sensor->id));
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *bytes = g_strndup ((const char *) data, size);
  g_auto (GStrv) lines = g_strsplit (bytes, "\n", 3);
  if (g_strv_length (lines) < 3 || lines[0][0] == '\0' || strpbrk (lines[2], "+#") != NULL) /* no topic to publish to (MQTT 5.0 3.3.2.1) */
    return 0;
  g_autofree char *problem = topic_template_problem (lines[0]), *text_problem = topic_template_text_problem (lines[0], lines[1]);
  topic_template_may_make (lines[1], lines[2]); /* neither need be right */
  if (problem != NULL || text_problem != NULL)
    return 0;
  check_template (lines[0], lines[1], lines[2]);
  check_sensor (lines[0], lines[1], lines[2]);
  return 0;
}
