/* discovery.c: sensors that a template describes, from their first message on.
 *
 * The batch in which unknown topics are found waits until their rows are on disk: then it is stored like any other, and a kill
 * finds either no trace of a sensor or its row. Whatever else is made of a site learns of the sensors from the main thread
 * (wiring.c), which takes them over several times a second at most; until then what is stored has not passed the rules, and passes
 * in its order afterwards. So a thousand devices that begin at once cost a few commits and a few sites, not a thousand. */
#include <string.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "gateway/observe/discovered.h"
#include "gateway/observe/observe_private.h"

/* Finding them: the store's thread */

static const char *id_of (const SensorInput *input)
{
  return input->sensor->id;
}

static gboolean are_same (const GPtrArray *left, const GPtrArray *right)
{
  gboolean is_same = left->len == right->len;
  for (guint i = 0; is_same && i < left->len; i++)
    is_same = strcmp (id_of (left->pdata[i]), id_of (right->pdata[i])) == 0;
  return is_same;
}

/* A message that came before the sensors changed is for those of now, if they are called the same: what is remembered of them
 * has gone over. Else it stays with those that it was counted for. */
static void go_over (Observe *observe, Pending *pending)
{
  g_autoptr (GPtrArray) found = routes_find (observe->routes, pending->message->broker, pending->message->topic);
  if (pending->inputs->len > 0 && !are_same (pending->inputs, found))
    return;
  for (guint i = 0; pending->inputs->len == 0 && i < found->len; i++)
    account_received (observe->accounts, pending->message->broker, id_of (found->pdata[i]));
  g_ptr_array_unref (pending->inputs);
  pending->inputs = g_steal_pointer (&found);
  routes_unref (pending->routes);
  pending->routes = routes_ref (observe->routes);
}

/* Once for each reason: strangers may try as often as they like. */
static void warn_of_refusal (Observe *observe, const RawMessage *message, const char *reason)
{
  const Sensor *template = site_template (routes_site (observe->routes), message->broker, message->topic);
  char *key = g_strconcat (template->id, "\n", reason, NULL);
  if (g_hash_table_add (observe->warned, key))
    log_warning ("sensor %s: topic %s makes no sensor: %s (%d at most; /accounting counts them)", template->id, message->topic, reason,
                 template->max_devices);
}

/* Of a message that nobody is there for yet. An empty payload takes a retained message back: that is no device. */
static void claim (Observe *observe, Pending *pending)
{
  g_autoptr (GError) error = NULL;
  const RawMessage *message = pending->message;
  guint known = discovered_sensors (observe->discovered)->len;
  pending->refusal = NULL;
  if (message->payload_size == 0)
    return;
  const Sensor *sensor
    = discovered_take (observe->discovered, message->broker, message->topic, message->receive_time_us, &pending->refusal);
  SensorInput *input = sensor != NULL ? routes_grow (observe->routes, sensor, observe->find_decoder, &error) : NULL;
  if (input != NULL) {
    g_ptr_array_add (pending->inputs, input);
    account_received (observe->accounts, message->broker, sensor->id);
    if (sensor->has_unknown_grid && discovered_sensors (observe->discovered)->len > known)
      log_limited (LOG_LEVEL_WARNING, "sensor %s: there is no grid %s, it stands in %s", sensor->id, sensor->grid_from, sensor->grid);
  } else if (sensor != NULL) {
    log_limited (LOG_LEVEL_ERROR, "sensors: %s", error->message);
    discovered_remove (observe->discovered, sensor->id);
    pending->refusal = REASON_BAD_DEVICE;
  } else if (pending->refusal != NULL) {
    warn_of_refusal (observe, message, pending->refusal);
  }
}

/* FALSE: it has to wait until the main thread has taken over what was found before. */
static gboolean look_at (Observe *observe, Pending *pending)
{
  const Site *site = routes_site (observe->routes);
  const RawMessage *message = pending->message;
  if (pending->routes != observe->routes)
    go_over (observe, pending);
  if (pending->inputs->len > 0 || site->templates->len == 0)
    return TRUE;
  if (observe->adopting == NULL)
    claim (observe, pending);
  return observe->adopting == NULL || site_template (site, message->broker, message->topic) == NULL;
}

typedef struct {
  Observe *observe;
  Sensor *last;
} SavedRows;

static void saved_rows_free (gpointer data)
{
  sensor_unref (((SavedRows *) data)->last);
  g_free (data);
}

/* Up to that one: a later job of the same transaction may have found more, and failed. */
static void rows_are_saved (gpointer data)
{
  const SavedRows *saved = data;
  Observe *observe = saved->observe;
  guint last;
  if (g_ptr_array_find ((GPtrArray *) discovered_sensors (observe->discovered), saved->last, &last)) /* else a reload came between */
    observe->discovered_saved = last + 1;
  observe_schedule (observe);
}

static gboolean save_rows (Observe *observe, Database *database, GError **error)
{
  const GPtrArray *sensors = discovered_sensors (observe->discovered);
  for (guint i = observe->discovered_saved; i < sensors->len; i++) {
    const Sensor *sensor = sensors->pdata[i];
    if (!database_run (database, error, "INSERT OR IGNORE INTO discovered_sensors (broker, topic, at) VALUES (?, ?, ?)", "ssi",
                       sensor->broker, sensor->topic, sensor->discovered_at_us))
      return FALSE;
  }
  SavedRows saved = { observe, sensor_ref (sensors->pdata[sensors->len - 1]) };
  store_after_commit (observe->store, rows_are_saved, g_memdup2 (&saved, sizeof saved), saved_rows_free);
  return TRUE;
}

gboolean observe_discover (Observe *observe, Database *database, gboolean *is_waiting, GError **error)
{
  guint known = discovered_sensors (observe->discovered)->len;
  *is_waiting = FALSE;
  for (guint i = 0; i < observe->batch->len; i++)
    *is_waiting |= !look_at (observe, observe->batch->pdata[i]);
  guint now = discovered_sensors (observe->discovered)->len;
  if (now > known) {
    observe->are_rules_behind = TRUE;
    g_atomic_int_set (&observe->has_discovered, TRUE);
    log_limited (LOG_LEVEL_NOTICE, "sensors: %u discovered, %u in all", now - known, now);
  }
  if (now == observe->discovered_saved)
    return TRUE;
  *is_waiting = TRUE;
  return save_rows (observe, database, error);
}

/* Taking them over: the main thread's part, as jobs of the store's thread */

typedef struct {
  Observe *observe;
  Site *configured, *site;
  const char *sensor;
} Adoption;

typedef struct {
  Discovered *discovered;
  GPtrArray *stale; /* of char *, "broker\ntopic": rows that are none any more */
} Carrying;

static void carry (gpointer data, const char *broker, const char *topic, gint64 at_us)
{
  Carrying *carrying = data;
  const char *reason;
  const Sensor *sensor = discovered_take (carrying->discovered, broker, topic, at_us, &reason);
  if (sensor != NULL && strcmp (sensor->topic, topic) == 0)
    return;
  g_ptr_array_add (carrying->stale, g_strconcat (broker, "\n", topic, NULL));
  if (sensor == NULL)
    log_limited (LOG_LEVEL_NOTICE, "sensors: what was discovered at topic %s is forgotten: %s", topic,
                 reason != NULL ? reason : "no template describes it any more");
}

static void carry_sensors (Carrying *carrying, const Discovered *from)
{
  const GPtrArray *sensors = discovered_sensors (from);
  for (guint i = 0; i < sensors->len; i++) {
    const Sensor *sensor = sensors->pdata[i];
    carry (carrying, sensor->broker, sensor->topic, sensor->discovered_at_us);
  }
}

static void end_adoption (Observe *observe)
{
  if (observe->adopting != observe->discovered)
    discovered_free (observe->adopting);
  observe->adopting = NULL;
  g_ptr_array_set_size (observe->stale_rows, 0);
}

static gboolean complete_site (Database *database, gpointer data, GError **error)
{
  Adoption *adoption = data;
  Observe *observe = adoption->observe;
  end_adoption (observe);
  if (observe->discovered != NULL && discovered_configured (observe->discovered) == adoption->configured) {
    observe->adopting = observe->discovered;
  } else {
    Carrying carrying = { discovered_new (adoption->configured), observe->stale_rows };
    observe->adopting = carrying.discovered;
    if (observe->discovered != NULL)
      carry_sensors (&carrying, observe->discovered);
    else if (!discovered_each_row (database, carry, &carrying, error)) {
      end_adoption (observe);
      return FALSE;
    }
  }
  adoption->site = discovered_site (observe->adopting);
  g_atomic_int_set (&observe->has_discovered, FALSE);
  return TRUE;
}

Site *observe_complete_site (Observe *observe, Site *site, GError **error)
{
  Adoption adoption = { observe, site_configured (site), NULL, NULL };
  if (store_run (observe->store, complete_site, &adoption, error))
    return adoption.site;
  site_unref (adoption.site);
  observe_keep_site (observe);
  return NULL;
}

gboolean observe_adopt (Observe *observe, Database *database, Site *site, GError **error)
{
  Discovered *adopted = observe->adopting;
  for (guint i = 0; i < observe->stale_rows->len; i++) {
    g_auto (GStrv) parts = g_strsplit (observe->stale_rows->pdata[i], "\n", 2);
    if (!database_run (database, error, "DELETE FROM discovered_sensors WHERE broker = ? AND topic = ?", "ss", parts[0], parts[1]))
      return FALSE;
  }
  if (adopted == NULL || discovered_configured (adopted) != site_configured (site))
    adopted = discovered_new (site_configured (site));
  if (adopted != observe->discovered) {
    gboolean are_rows_right = observe->discovered == NULL && observe->stale_rows->len == 0;
    observe->discovered_saved = are_rows_right ? discovered_sensors (adopted)->len : 0;
    discovered_free (observe->discovered);
    observe->discovered = adopted;
    g_hash_table_remove_all (observe->warned);
  }
  end_adoption (observe);
  observe->are_rules_behind = FALSE;
  return TRUE;
}

gboolean observe_has_discovered (Observe *observe)
{
  return g_atomic_int_get (&observe->has_discovered);
}

static gboolean resume (Database *database, gpointer data, GError **error)
{
  Observe *observe = data;
  (void) database, (void) error;
  end_adoption (observe);
  g_atomic_int_set (&observe->has_discovered, TRUE); /* as what was begun may have been for them */
  observe_schedule (observe);
  return TRUE;
}

void observe_keep_site (Observe *observe)
{
  store_submit (observe->store, resume, NULL, observe);
}

/* Forgetting one */

typedef struct {
  Observe *observe;
  char *sensor;
} Forgetting;

static void forgetting_free (gpointer data)
{
  g_free (((Forgetting *) data)->sensor);
  g_free (data);
}

/* Its row is gone. A site may have been begun meanwhile with it: the next one is without. */
static void is_forgotten (gpointer data)
{
  const Forgetting *forgetting = data;
  Observe *observe = forgetting->observe;
  if (discovered_remove (observe->discovered, forgetting->sensor))
    observe->discovered_saved--;
  if (observe->adopting != NULL && observe->adopting != observe->discovered)
    discovered_remove (observe->adopting, forgetting->sensor);
  g_hash_table_remove_all (observe->warned); /* there is room again */
  g_atomic_int_set (&observe->has_discovered, TRUE);
}

static gboolean forget (Database *database, gpointer data, GError **error)
{
  Adoption *adoption = data;
  Observe *observe = adoption->observe;
  const GPtrArray *sensors = discovered_sensors (observe->discovered);
  if (observe->adopting != NULL || observe->discovered_saved < sensors->len)
    return error_set (error, ERROR_RETRY, "sensors are being discovered: try again in a moment");
  for (guint i = 0; i < sensors->len; i++) {
    const Sensor *sensor = sensors->pdata[i];
    if (strcmp (sensor->id, adoption->sensor) != 0)
      continue;
    Forgetting forgetting = { observe, g_strdup (sensor->id) };
    store_after_commit (observe->store, is_forgotten, g_memdup2 (&forgetting, sizeof forgetting), forgetting_free);
    return database_run (database, error, "DELETE FROM discovered_sensors WHERE broker = ? AND topic = ?", "ss", sensor->broker,
                         sensor->topic)
           && database_run (database, error, "DELETE FROM last_payloads WHERE sensor = ?", "s", sensor->id);
  }
  return TRUE;
}

gboolean observe_forget_sensor (Observe *observe, const char *sensor, GError **error)
{
  Adoption adoption = { observe, NULL, NULL, sensor };
  return store_run (observe->store, forget, &adoption, error);
}
