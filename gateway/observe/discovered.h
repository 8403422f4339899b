/* discovered.h: the sensors that the templates of one configured site have become, in the order in which they were found.
 *
 * A template is an entry under `sensors` whose topic has named levels (gateway/core/topic_template.h). What fills them comes from
 * whoever may publish at the broker: it is checked, and a template becomes at most max_devices.
 *
 * thread: one at a time; the sensors and sites that it gives out are for any. */
#pragma once

#include <jansson.h>

#include "gateway/model/site.h"
#include "gateway/store/database.h"

/* Why a topic of a template makes no sensor. */
#define REASON_TOO_MANY_DEVICES "too_many_devices"
#define REASON_BAD_DEVICE "bad_device" /* its levels make no id, or hold what nobody should have to read */
#define REASON_DEVICE_ID_TAKEN "device_id_taken" /* by another sensor */

enum { DEVICE_LEVEL_BYTES_MAX = 128 };

typedef struct Discovered Discovered;

/* The template of `broker` that takes `topic`; NULL: none. thread: any. */
const Sensor *site_template (const Site *site, const char *broker, const char *topic);

/* None yet. Keeps a reference to `configured`, which site_with_discovered has not made. */
Discovered *discovered_new (Site *configured);

/* The sensor of a topic, found now when it isn't known; then it is the last one. Borrowed. NULL: `*reason` is one of those
 * above, or NULL when no template takes the topic or a configured sensor has it. */
const Sensor *discovered_take (Discovered *discovered, const char *broker, const char *topic, gint64 at_us, const char **reason);

/* Of Sensor, borrowed: all of them. */
const GPtrArray *discovered_sensors (const Discovered *discovered);
Site *discovered_configured (const Discovered *discovered); /* borrowed */

/* FALSE: no such sensor was discovered. Sites that have it keep it. */
gboolean discovered_remove (Discovered *discovered, const char *sensor);

/* The configured site with all of them. A new reference. */
Site *discovered_site (const Discovered *discovered);

/* The rows of what was discovered before, oldest first. */
typedef void (*DiscoveredRow) (gpointer data, const char *broker, const char *topic, gint64 at_us);
gboolean discovered_each_row (Database *database, DiscoveredRow each, gpointer data, GError **error);

/* `configured` with the sensors of the rows: for those who have to know a site before observe_complete_site. */
Site *discovered_recall (Database *reader, Site *configured, GError **error);

/* [{"id","topic","devices","max_devices","unknown_grid"}]: what the templates of `broker` have become in `site`; unknown_grid: how
 * many stand in the template's own grid, because there is none that is called what their topics name. thread: any. */
json_t *templates_describe (const Site *site, const char *broker);

/* NULL is taken. */
void discovered_free (Discovered *discovered);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Discovered, discovered_free)
