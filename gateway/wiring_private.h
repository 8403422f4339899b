/* wiring_private.h: what wiring.c (building, reload, taking down), wiring_links.c (the other two processes) and wiring_doors.c (the HTTP API
 * and the control socket) share.
 *
 * thread: main, where nothing else is said. */
#pragma once

#include "gateway/access/access.h"
#include "gateway/access/control.h"
#include "gateway/access/deletion_audit.h"
#include "gateway/alert/alert_engine.h"
#include "gateway/http/http_api.h"
#include "gateway/incident/evidence.h"
#include "gateway/incident/incident_book.h"
#include "gateway/link/media_link.h"
#include "gateway/link/vision_link.h"
#include "gateway/observe/observe.h"
#include "gateway/receivers.h"
#include "gateway/sensor_states.h"
#include "gateway/share/sharing.h"
#include "gateway/store/store.h"
#include "gateway/wiring.h"
#include "gateway/workers.h"

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

/* thread: any. A new reference. Data is the Wiring. */
Site *wiring_site (gpointer data);

/* Opens the links to media and vision, and starts both unless somebody else does. */
void wiring_build_links (Wiring *wiring, gboolean has_external_workers);

/* What evidence asks media and vision for, on its thread. */
EvidencePort wiring_evidence_port (Wiring *wiring);

/* Media has come or gone. Data is the Wiring. */
void wiring_note_media (gboolean is_connected, gpointer data);

/* Opens the control socket and the HTTP API. */
gboolean wiring_build_doors (Wiring *wiring, GError **error);
