/* sensing_site.h: sites made by hand for the tests of the sensor path. */
#pragma once

#include "gateway/model/site.h"

/* Gateway "test", division "6211", one grid "621101". Not yet published. */
Site *test_site_new (void);

/* A json sensor of broker "village" with one metric "water_level" at $.level, scale 1, unit m. Its topic is
 * village/ID. The result may be changed until the site is published. */
Sensor *test_site_add_sensor (Site *site, const char *id);

/* above `threshold`, clear at `clear`, over metric water_level of all sensors; category flood, severe. */
Rule *test_site_add_rule (Site *site, const char *id, double threshold, double clear, gint64 hold_us);

Camera *test_site_add_camera (Site *site, const char *id, gint64 down_after_us);
Broker *test_site_add_broker (Site *site, const char *id, const char *url);
