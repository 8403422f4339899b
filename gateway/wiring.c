#include "gateway/wiring.h"

#include <string.h>
#include <unistd.h>

#include "adapters/brokers/mqtt_broker.h"
#include "adapters/decoders/decoders.h"
#include "config/compare.h"
#include "config/loader.h"
#include "gateway/access/access.h"
#include "gateway/access/control.h"
#include "gateway/access/deletion_audit.h"
#include "gateway/access/hold.h"
#include "gateway/access/view.h"
#include "gateway/alert/alert_engine.h"
#include "gateway/core/log.h"
#include "gateway/http/http_api.h"
#include "gateway/incident/evidence.h"
#include "gateway/incident/incident_book.h"
#include "gateway/link/media_link.h"
#include "gateway/link/vision_link.h"
#include "gateway/observe/discovered.h"
#include "gateway/observe/observe.h"
#include "gateway/receivers.h"
#include "gateway/sensor_states.h"
#include "gateway/share/sharing.h"
#include "gateway/store/store.h"
#include "gateway/workers.h"

enum {
  EVENTS_KEPT = 4096,
  BROKER_DOWN_AFTER_S = 60,
  MEDIA_DOWN_AFTER_S = 30,
  RECHECK_S = 15,
  SENSORS_S = 5,
  DISK_S = 5,
  DISCOVERY_MS = 250,
  HEALTH_US = 30 * G_USEC_PER_SEC,
};

struct Wiring {
  char *config_path;
  GMutex mutex; /* over site */
  Site *site;
  EventBus *events;
  Store *store;
  IncidentBook *book;
  Sharing *sharing;
  Evidence *evidence;
  AlertEngine *engine;
  Observe *observe;
  Access *access;
  DeletionAudit *deletion_audit;
  MediaLink *media;
  VisionLink *vision;
  Receivers *receivers;
  Control *control;
  HttpApi *http;
  WorkerKind worker_kinds[3];
  Workers *workers;
  gint is_open;        /* everything stands */
  gint is_store_alive; /* set by the store's thread, cleared by each look of the watchdog */
  gint64 store_asked_us;
  guint recheck_timer, sensors_timer, disk_timer, discovery_timer;
  gint64 discovery_rest_us; /* monotonic: discovered sensors are not taken over before */
  SensorStates *sensor_states;
};

const BrokerPort *wiring_broker_port (void)
{
  return &mqtt_broker_port;
}

const Decoder *wiring_find_decoder (const char *format)
{
  return decoder_find (format);
}

/* thread: any. A new reference. */
static Site *current_site (gpointer data)
{
  Wiring *wiring = data;
  g_mutex_lock (&wiring->mutex);
  Site *site = site_ref (wiring->site);
  g_mutex_unlock (&wiring->mutex);
  return site;
}

/* ---- what media tells, on the main thread ---- */

static int answer_play (const LinkMessage *request, gint64 *until_us, gpointer data)
{
  return access_play (request, until_us, ((Wiring *) data)->access);
}

static gboolean is_up (const char *state)
{
  return strcmp (state, "live") == 0 || strcmp (state, "idle") == 0;
}

static void note_camera_state (const LinkMessage *message, gpointer data)
{
  Wiring *wiring = data;
  const char *camera = link_message_string (message, "camera"), *state = link_message_string (message, "state");
  if (strcmp (link_message_string (message, "stream"), "main") != 0)
    return;
  alert_engine_camera_state (wiring->engine, camera, is_up (state));

  g_autofree char *since = time_to_rfc3339 (link_message_integer (message, "since"));
  json_t *shared = json_pack ("{s:s, s:s, s:s, s:s, s:s?}", "id", camera, "state", state, "since", since, "reason",
                              link_message_string (message, "reason"), "codec", link_message_string (message, "codec"));
  char *text = json_dumps (shared, JSON_COMPACT);
  sharing_camera_state (wiring->sharing, camera, text);
  free (text);
  json_decref (shared);
}

static void note_viewer_started (const LinkMessage *message, gpointer data)
{
  access_view_started (((Wiring *) data)->access, message);
}

static void note_viewer_ended (const LinkMessage *message, gpointer data)
{
  access_view_ended (((Wiring *) data)->access, link_message_string (message, "viewer"),
                     link_message_integer (message, "at"), link_message_string (message, "reason"),
                     link_message_string (message, "watched"));
}

static void note_recording_state (const LinkMessage *message, gpointer data)
{
  gboolean is_stopped = strcmp (link_message_string (message, "state"), "stopped") == 0;
  alert_engine_recording_state (((Wiring *) data)->engine, link_message_string (message, "camera"), is_stopped);
}

static void note_clip_done (const LinkMessage *message, gpointer data)
{
  const char *reason = link_message_string (message, "reason");
  const char *problem = link_message_boolean (message, "ok") ? NULL : reason != NULL ? reason : "failed";
  evidence_clip_done (((Wiring *) data)->evidence, link_message_string (message, "clip"),
                      link_message_integer (message, "from"), link_message_integer (message, "to"),
                      link_message_integer (message, "bytes"), link_message_string (message, "sha256"), problem);
}

static void note_viewers (const char *const *present, gint64 before_us, gint64 at_us, gpointer data)
{
  access_views_repair (((Wiring *) data)->access, present, before_us, at_us);
  deletion_audit_look (((Wiring *) data)->deletion_audit); /* media has its site */
}

/* While media is away nothing is recorded and no camera is judged: that is an alert of its own. */
static void note_media (gboolean is_connected, gpointer data)
{
  const AlertCondition condition = { .rule = "media_down", .category = "equipment", .subject = "",
                                     .severity = SEVERITY_SEVERE, .hold_us = MEDIA_DOWN_AFTER_S * G_USEC_PER_SEC };
  alert_engine_post_condition (((Wiring *) data)->engine, &condition, !is_connected);
  if (is_connected)
    evidence_port_back (((Wiring *) data)->evidence);
}

/* Rights end by time too: a grant, a token, a session. */
static gboolean recheck_views (gpointer data)
{
  access_views_recheck (((Wiring *) data)->access);
  return G_SOURCE_CONTINUE;
}

/* ---- what evidence asks for, on its thread ---- */

/* The stream that is recorded, so that what happened before is there. */
static const char *evidence_stream (Wiring *wiring, const char *camera)
{
  g_autoptr (Site) site = current_site (wiring);
  const Camera *found = site_camera (site, camera);
  return found != NULL && found->recording.is_sub ? "sub" : "main";
}

static gboolean cut_clip (gpointer self, const char *id, const char *camera, gint64 from_us, gint64 to_us, int file_fd,
                          GError **error)
{
  const char *stream = evidence_stream (self, camera);
  return media_link_clip (((Wiring *) self)->media, id, camera, stream, from_us, to_us, file_fd, error);
}

static gboolean take_picture (gpointer self, const char *camera, gint64 at_us, int file_fd, gint64 *taken_at_us,
                              GError **error)
{
  Wiring *wiring = self;
  VisionPicture picture;
  g_autofree char *codec = NULL;
  int access_unit_fd
    = media_link_picture (wiring->media, camera, evidence_stream (wiring, camera), at_us, &codec, taken_at_us, error);
  return access_unit_fd >= 0
         && vision_link_encode (wiring->vision, access_unit_fd, codec, 0, file_fd, &picture, error);
}

/* ---- between sensors, rules and the rest ---- */

static gboolean pass_to_rules (gpointer self, Database *database, const Observation *observation, GError **error)
{
  sensor_states_heard (((Wiring *) self)->sensor_states, observation->sensor);
  return alert_engine_observe (((Wiring *) self)->engine, database, observation, error);
}

static void note_deleted (gpointer data, const char *day, gint64 rows)
{
  deletion_audit_observations (((Wiring *) data)->store, day, rows);
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

static void judge_by_site (Wiring *wiring, Site *site)
{
  GError *error = NULL;
  if (!alert_engine_set_site (wiring->engine, site, &error))
    log_failure ("rules", g_steal_pointer (&error));
  if (!observe_set_site (wiring->observe, site, &error))
    log_failure ("sensors", g_steal_pointer (&error));
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

static int media_pid (gpointer link)
{
  return media_link_pid (link);
}

static int vision_pid (gpointer link)
{
  return vision_link_pid (link);
}

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
  const EvidencePort evidence_port = { wiring, cut_clip, take_picture };
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
  wiring->access = access_new (wiring->store, current_site, wiring);
  access_set_viewer_end (wiring->access, end_viewer, wiring);
  return TRUE;
}

static void build_links (Wiring *wiring, gboolean has_external_workers)
{
  const char *runtime_dir = wiring->site->gateway.runtime_dir;
  const MediaHandlers handlers = { answer_play,          note_camera_state, note_viewer_started, note_viewer_ended,
                                   note_recording_state, note_clip_done,    note_media,
                                   note_viewers,         wiring };
  wiring->media = media_link_new (runtime_dir, &handlers, wiring->events);
  wiring->vision = vision_link_new (runtime_dir);
  wiring->worker_kinds[0] = (WorkerKind){ "gridgate-media", media_pid, wiring->media };
  wiring->worker_kinds[1] = (WorkerKind){ "gridgate-vision", vision_pid, wiring->vision };
  if (!has_external_workers)
    wiring->workers = workers_new (runtime_dir, wiring->worker_kinds);
}

/* ---- what the HTTP API asks of the whole ---- */

/* thread: the server's; must not wait. */
static gboolean is_ready (gpointer data)
{
  Wiring *wiring = data;
  return media_link_is_connected (wiring->media) && g_atomic_int_get (&wiring->is_open);
}

/* thread: any. The errors of a text that would stand in the place of our own file. */
static GPtrArray *check_config (const char *text, gsize size, gpointer data)
{
  GPtrArray *errors = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (Site) site = site_load_text (((Wiring *) data)->config_path, text, size, errors);
  return errors;
}

static json_t *process_memory (const char *name, int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/statm", pid);
  g_autofree char *text = NULL;
  if (pid <= 0 || !g_file_get_contents (path, &text, NULL, NULL))
    return NULL;
  char *resident = strchr (text, ' ');
  gint64 bytes = resident != NULL ? g_ascii_strtoll (resident, NULL, 10) * sysconf (_SC_PAGESIZE) : 0;
  return json_pack ("{s:s, s:I}", "process", name, "resident_bytes", (json_int_t) bytes);
}

/* thread: any. */
static json_t *processes (gpointer data)
{
  Wiring *wiring = data;
  json_t *list = json_array ();
  json_t *each[] = { process_memory ("gridgate", getpid ()),
                     process_memory ("gridgate-media", media_link_pid (wiring->media)),
                     process_memory ("gridgate-vision", vision_link_pid (wiring->vision)) };
  for (gsize i = 0; i < G_N_ELEMENTS (each); i++)
    if (each[i] != NULL)
      json_array_append_new (list, each[i]);
  return list;
}

static gboolean build_doors (Wiring *wiring, GError **error)
{
  const HttpContext context = {
    .store = wiring->store,         .events = wiring->events, .media = wiring->media,
    .vision = wiring->vision,       .observe = wiring->observe, .incidents = wiring->book,
    .sharing = wiring->sharing,     .access = wiring->access, .site = current_site,
    .is_ready = is_ready,           .check_config = check_config, .processes = processes,
    .engine = wiring->engine,       .parse_rule = rule_load_text,
    .data = wiring,
  };
  wiring->control = control_new (wiring->access, wiring->site->gateway.runtime_dir, error);
  if (wiring->control == NULL)
    return FALSE;
  wiring->http = http_api_new (&context, error);
  return wiring->http != NULL;
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
  build_links (wiring, has_external_workers);
  wiring->receivers = receivers_new (wiring->sharing, clock_system ());
  if (!complete_site (wiring, error) || !alert_engine_set_site (wiring->engine, wiring->site, error)
      || !observe_set_site (wiring->observe, wiring->site, error) || !build_doors (wiring, error)) {
    wiring_free (wiring);
    return NULL;
  }
  if (!read_holds (wiring, error)) {
    wiring_free (wiring);
    return NULL;
  }
  wiring->deletion_audit = deletion_audit_new (wiring->access, wiring->media);
  media_link_set_site (wiring->media, site);
  note_media (FALSE, wiring); /* until it is met */
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
  g_autoptr (Site) site = current_site (wiring);
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
  g_autoptr (Site) before = current_site (wiring);
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
