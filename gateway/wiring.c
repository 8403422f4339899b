#include "gateway/wiring.h"

#include "adapters/brokers/mqtt_broker.h"
#include "adapters/decoders/decoders.h"
#include "config/compare.h"
#include "gateway/access/hold.h"
#include "gateway/access/view.h"
#include "gateway/core/log.h"
#include "gateway/observe/discovered.h"
#include "gateway/wiring_private.h"

enum {
  EVENTS_KEPT = 4096,
  BROKER_DOWN_AFTER_S = 60,
  RECHECK_S = 15,
  SENSORS_S = 5,
  DISK_S = 5,
  DISCOVERY_MS = 250,
  HEALTH_US = 30 * G_USEC_PER_SEC,
};

const BrokerPort *wiring_broker_port (void)
{
  return &mqtt_broker_port;
}

const Decoder *wiring_find_decoder (const char *format)
{
  return decoder_find (format);
}

Site *wiring_site (gpointer data)
{
  Wiring *wiring = data;
  g_mutex_lock (&wiring->mutex);
  Site *site = site_ref (wiring->site);
  g_mutex_unlock (&wiring->mutex);
  return site;
}

/* ---- what is looked at again and again ---- */

/* Rights end by time too: a grant, a token, a session. */
static gboolean recheck_views (gpointer data)
{
  access_views_recheck (((Wiring *) data)->access);
  return G_SOURCE_CONTINUE;
}

/* ---- between sensors, rules and the rest ---- */

static gboolean pass_to_rules (gpointer self, Database *database, const Observation *observation, GError **error)
{
  sensor_states_heard (((Wiring *) self)->sensor_states, observation->sensor);
  return alert_engine_observe (((Wiring *) self)->engine, database, observation, error);
}

static gboolean note_deleted (gpointer data, const char *day, gint64 rows, GError **error)
{
  return deletion_audit_observations (((Wiring *) data)->store, day, rows, error);
}

static json_t *describe_sensor (gpointer data, const char *sensor)
{
  return observe_sensor_json (((Wiring *) data)->observe, sensor);
}

static void tell_sensor (gpointer data, const char *sensor, const char *json)
{
  sharing_sensor_state (((Wiring *) data)->sharing, sensor, json);
}

/* What decides by the site. The doors follow at a reload alone: they ask for the site that there is. */
static void use_site (Wiring *wiring, Site *site)
{
  g_mutex_lock (&wiring->mutex);
  site_unref (wiring->site);
  wiring->site = site_ref (site);
  g_mutex_unlock (&wiring->mutex);
  incident_book_set_site (wiring->book, site);
  sharing_set_site (wiring->sharing, site);
  sensor_states_set_site (wiring->sensor_states, site);
}

static void log_failure (const char *part, GError *error)
{
  log_error ("reload: %s: %s", part, error->message);
  g_error_free (error);
}

/* What waits is stored once the rules know whose it is: else it would never pass them. The discovery timer tries both again. */
static void judge_by_site (Wiring *wiring, Site *site)
{
  GError *error = NULL;
  if (!alert_engine_set_site (wiring->engine, site, &error)) {
    log_failure ("rules", error);
    observe_keep_site (wiring->observe);
    return;
  }
  if (!observe_set_site (wiring->observe, site, &error))
    log_failure ("sensors", error);
}

/* Takes no more than a fifth of the main thread's time, however large the site is and however many come one by one. */
static gboolean look_for_discovered (gpointer data)
{
  Wiring *wiring = data;
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();
  if (!observe_has_discovered (wiring->observe) || start < wiring->discovery_rest_us)
    return G_SOURCE_CONTINUE;
  g_autoptr (Site) site = observe_complete_site (wiring->observe, wiring->site, &error);
  if (site != NULL) {
    use_site (wiring, site);
    judge_by_site (wiring, site);
  } else {
    log_limited (LOG_LEVEL_ERROR, "sensors: what was discovered can't be taken over yet: %s", error->message);
  }
  gint64 end = g_get_monotonic_time ();
  wiring->discovery_rest_us = end + 4 * (end - start);
  return G_SOURCE_CONTINUE;
}

static gboolean look_at_sensors (gpointer data)
{
  sensor_states_look (((Wiring *) data)->sensor_states);
  return G_SOURCE_CONTINUE;
}

/* Told again and again: a job that fails on a full disk is not tried once more. */
static gboolean look_at_disk (gpointer data)
{
  Wiring *wiring = data;
  const AlertCondition condition = { .rule = "disk_full", .category = "equipment", .subject = "", .severity = SEVERITY_EXTREME };
  alert_engine_post_condition (wiring->engine, &condition, store_is_full (wiring->store));
  return G_SOURCE_CONTINUE;
}

/* thread: the broker adapter's. */
static void note_broker (gpointer data, const char *broker, const BrokerStatus *status)
{
  Wiring *wiring = data;
  AlertCondition condition = { .rule = "broker_down", .category = "equipment", .subject = broker,
                               .severity = SEVERITY_MODERATE, .hold_us = BROKER_DOWN_AFTER_S * G_USEC_PER_SEC };
  if (status->state != BROKER_CLOSED)
    alert_engine_post_condition (wiring->engine, &condition, status->state != BROKER_CONNECTED);
}

/* thread: any. */
static void end_viewer (const char *viewer, const char *reason, gpointer data)
{
  media_link_end_viewer (((Wiring *) data)->media, viewer, reason);
}

/* ---- building ---- */

/* What was discovered before is known from the first moment: what somebody doesn't know he takes for removed. */
static gboolean recall_sensors (Wiring *wiring, GError **error)
{
  Database *reader = store_reader (wiring->store, error);
  Site *site = reader != NULL ? discovered_recall (reader, wiring->site, error) : NULL;
  if (site == NULL)
    return FALSE;
  site_unref (wiring->site);
  wiring->site = site;
  return TRUE;
}

/* Parts that the store's thread calls, before its first job. */
static gboolean build_decisions (Wiring *wiring, GError **error)
{
  const EvidencePort evidence_port = wiring_evidence_port (wiring);
  const ObservationSink sink = { wiring, pass_to_rules };
  const SensorStatesPort sensors = { wiring, describe_sensor, tell_sensor };
  wiring->sensor_states = sensor_states_new (&sensors, clock_system ());
  wiring->store = store_open (wiring->site->gateway.data_dir, clock_system (), error);
  if (wiring->store == NULL || !recall_sensors (wiring, error))
    return FALSE;
  sensor_states_set_site (wiring->sensor_states, wiring->site);
  wiring->book = incident_book_new (wiring->store, wiring->events, wiring->site);
  wiring->sharing = sharing_new (wiring->store, wiring->book, wiring->site);
  wiring->evidence = evidence_new (wiring->store, wiring->book, &evidence_port);
  wiring->engine = alert_engine_new (wiring->store, wiring->events, incident_book_alert_sink (wiring->book), error);
  if (wiring->engine == NULL)
    return FALSE;
  wiring->observe = observe_new (wiring->store, wiring->events, decoder_find, &mqtt_broker_port, &sink, error);
  if (wiring->observe == NULL)
    return FALSE;
  observe_set_broker_changed (wiring->observe, note_broker, wiring);
  observe_set_deleted (wiring->observe, note_deleted, wiring);
  wiring->access = access_new (wiring->store, wiring_site, wiring);
  access_set_viewer_end (wiring->access, end_viewer, wiring);
  return TRUE;
}

static void tell_setup_link (Wiring *wiring)
{
  g_autofree char *base = g_strconcat ("http://", wiring->site->http.listen, NULL);
  g_autofree char *link = access_setup_link (wiring->access, base);
  if (link != NULL)
    log_notice ("there is no account yet; make the first one here 首次使用，请打开此链接创建管理员: %s", link);
}

/* The sensors in the order in which observe discovers from now on. */
static gboolean complete_site (Wiring *wiring, GError **error)
{
  g_autoptr (Site) site = observe_complete_site (wiring->observe, wiring->site, error);
  if (site != NULL)
    use_site (wiring, site);
  return site != NULL;
}

/* Before the first site is sent: nothing that is held may be deleted under it. */
static gboolean read_holds (Wiring *wiring, GError **error)
{
  Database *reader = store_reader (wiring->store, error);
  GPtrArray *holds = reader != NULL ? holds_not_lifted (reader, clock_wall_us (clock_system ()), error) : NULL;
  if (holds != NULL)
    media_link_set_holds (wiring->media, holds);
  return holds != NULL;
}

Wiring *wiring_new (const char *config_path, Site *site, gboolean has_external_workers, GError **error)
{
  Wiring *wiring = g_new0 (Wiring, 1);
  g_mutex_init (&wiring->mutex);
  wiring->config_path = g_strdup (config_path);
  wiring->site = site_ref (site);
  wiring->events = event_bus_new (EVENTS_KEPT);
  wiring->is_store_alive = TRUE;
  if (!build_decisions (wiring, error)) {
    wiring_free (wiring);
    return NULL;
  }
  wiring_build_links (wiring, has_external_workers);
  wiring->receivers = receivers_new (wiring->sharing, clock_system ());
  if (!complete_site (wiring, error) || !alert_engine_set_site (wiring->engine, wiring->site, error)
      || !observe_set_site (wiring->observe, wiring->site, error) || !wiring_build_doors (wiring, error)) {
    wiring_free (wiring);
    return NULL;
  }
  if (!read_holds (wiring, error)) {
    wiring_free (wiring);
    return NULL;
  }
  wiring->deletion_audit = deletion_audit_new (wiring->access, wiring->media);
  media_link_set_site (wiring->media, site);
  wiring_note_media (FALSE, wiring); /* until it is met */
  receivers_set_site (wiring->receivers, site);
  evidence_start (wiring->evidence);
  tell_setup_link (wiring);
  wiring->recheck_timer = g_timeout_add_seconds (RECHECK_S, recheck_views, wiring);
  wiring->sensors_timer = g_timeout_add_seconds (SENSORS_S, look_at_sensors, wiring);
  wiring->disk_timer = g_timeout_add_seconds (DISK_S, look_at_disk, wiring);
  wiring->discovery_timer = g_timeout_add (DISCOVERY_MS, look_for_discovered, wiring);
  g_atomic_int_set (&wiring->is_open, TRUE);
  return wiring;
}

/* ---- what must not keep the main loop from turning ---- */

typedef struct {
  Wiring *wiring;
  void (*work) (Wiring *wiring);
  gint is_done;
} Aside;

static gpointer run_aside (gpointer data)
{
  Aside *aside = data;
  aside->work (aside->wiring);
  g_atomic_int_set (&aside->is_done, TRUE);
  g_main_context_wakeup (NULL);
  return NULL;
}

/* Does `work` on a thread of its own. It joins threads that may wait for an answer over the links, which come in by the
 * main loop alone. */
static void while_the_loop_turns (Wiring *wiring, void (*work) (Wiring *wiring))
{
  Aside aside = { wiring, work, FALSE };
  GThread *thread = g_thread_new ("aside", run_aside, &aside);
  while (!g_atomic_int_get (&aside.is_done))
    g_main_context_iteration (NULL, TRUE);
  g_thread_join (thread);
}

/* ---- going over to another site ---- */

static void move_http (Wiring *wiring)
{
  GError *error = NULL;
  g_autoptr (Site) site = wiring_site (wiring);
  if (!http_api_set_site (wiring->http, site, &error))
    log_failure ("http", error);
}

/* Whether there is anything to go over to; says so. */
static gboolean is_change (Site *before, Site *configured)
{
  g_autoptr (SiteDifference) difference = site_compare (site_configured (before), configured);
  if (difference->needs_restart)
    log_error ("reload: gateway.id, division, data_dir or runtime_dir differ, which needs a restart: nothing was changed");
  else if (site_difference_is_empty (difference))
    log_notice ("reload: nothing differs");
  else
    return TRUE;
  return FALSE;
}

void wiring_reload (Wiring *wiring, Site *configured)
{
  GError *error = NULL;
  g_autoptr (Site) before = wiring_site (wiring);
  if (!is_change (before, configured))
    return;
  g_autoptr (Site) site = observe_complete_site (wiring->observe, configured, &error);
  if (site == NULL) {
    log_failure ("sensors", error);
    return;
  }
  use_site (wiring, site);
  judge_by_site (wiring, site);
  media_link_set_site (wiring->media, site);
  receivers_set_site (wiring->receivers, site);
  while_the_loop_turns (wiring, move_http);
  access_views_recheck (wiring->access);
  log_notice ("reload: done");
}

/* ---- the watchdog ---- */

static gboolean touch_store (Database *database, gpointer data, GError **error)
{
  (void) database, (void) error;
  Wiring *wiring = data;
  g_atomic_int_set (&wiring->is_store_alive, TRUE);
  return TRUE;
}

gboolean wiring_is_healthy (Wiring *wiring)
{
  gint64 now = g_get_monotonic_time ();
  if (g_atomic_int_compare_and_exchange (&wiring->is_store_alive, TRUE, FALSE)) {
    wiring->store_asked_us = now;
    return store_submit (wiring->store, touch_store, NULL, wiring);
  }
  return now - wiring->store_asked_us < HEALTH_US;
}

/* ---- taking down ---- */

static void close_doors (Wiring *wiring)
{
  g_clear_pointer (&wiring->http, http_api_free);
  if (wiring->evidence != NULL)
    evidence_stop (wiring->evidence);
}

void wiring_free (Wiring *wiring)
{
  if (wiring == NULL)
    return;
  g_clear_handle_id (&wiring->recheck_timer, g_source_remove);
  g_clear_handle_id (&wiring->sensors_timer, g_source_remove);
  g_clear_handle_id (&wiring->disk_timer, g_source_remove);
  g_clear_handle_id (&wiring->discovery_timer, g_source_remove);
  while_the_loop_turns (wiring, close_doors);
  g_clear_pointer (&wiring->control, control_free);
  if (wiring->observe != NULL)
    observe_stop (wiring->observe);
  g_clear_pointer (&wiring->receivers, receivers_free);
  workers_stop (wiring->workers);
  vision_link_free (wiring->vision);
  media_link_free (wiring->media);
  store_close (wiring->store);
  deletion_audit_free (wiring->deletion_audit);
  access_free (wiring->access);
  observe_free (wiring->observe);
  sensor_states_free (wiring->sensor_states);
  alert_engine_free (wiring->engine);
  evidence_free (wiring->evidence);
  sharing_free (wiring->sharing);
  incident_book_free (wiring->book);
  event_bus_free (wiring->events);
  site_unref (wiring->site);
  g_mutex_clear (&wiring->mutex);
  g_free (wiring->config_path);
  g_free (wiring);
}
