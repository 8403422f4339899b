/* http_context.h: everything that handlers need of the gateway.
 *
 * Owned by the wiring; outlives the server. Parts that are absent (NULL) make their routes answer 503.
 *
 * thread: the parts say theirs; handlers run on worker threads. */
#pragma once

#include "gateway/access/access.h"
#include "gateway/alert/alert_engine.h"
#include "gateway/core/event_bus.h"
#include "gateway/incident/incident_book.h"
#include "gateway/link/media_link.h"
#include "gateway/link/vision_link.h"
#include "gateway/observe/observe.h"
#include "gateway/share/sharing.h"
#include "gateway/store/store.h"

typedef struct HttpContext {
  Store *store;
  EventBus *events;
  MediaLink *media;
  VisionLink *vision;
  Observe *observe;
  IncidentBook *incidents;
  Sharing *sharing;
  AlertEngine *engine;
  Access *access;
  SiteGetter site; /* a new reference to the site of now */
  gboolean (*is_ready) (gpointer data);
  /* Checks a configuration's text: "LINE:COLUMN: message", none when it is good; NULL: not here. */
  GPtrArray *(*check_config) (const char *text, gsize size, gpointer data);
  /* A rule as YAML or JSON, checked against the site; NULL with the problems. NULL: not here. */
  Rule *(*parse_rule) (Site *site, const char *text, gsize size, GPtrArray *problems);
  /* Resident bytes of each process for metrics: [{"process","resident_bytes"}]; NULL: only this one's. */
  json_t *(*processes) (gpointer data);
  gpointer data; /* for `site` and the functions above */
} HttpContext;
