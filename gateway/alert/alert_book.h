/* alert_book.h: the rows of alerts: opened, cleared, listed.
 *
 * Writing: the store's thread, inside a job. Listing: any thread, with its own reader. */
#pragma once

#include <jansson.h>

#include "gateway/core/event_bus.h"
#include "gateway/model/alert.h"
#include "gateway/store/store.h"

/* What a caller may see and wants to see. Each may be NULL, 0 or FALSE: no bound. */
typedef struct {
  const char *state; /* "open" or "cleared" */
  const char *rule, *sensor, *camera, *incident;
  const char *const *grids;      /* any of these, exactly: the caller lists a subtree */
  const char *const *categories; /* any of these */
  Severity min_severity;
  gint64 from_us, to_us; /* of opened_at; to_us is excluded */
} AlertFilter;

/* {"items":[…],"next":CURSOR|null}, newest first. `cursor` is NULL or an earlier answer's `next`. */
json_t *alert_list (Database *reader, const AlertFilter *filter, guint limit, const char *cursor, GError **error);

/* NULL without an error when there is none. */
Alert *alert_find (Database *database, const char *id, GError **error);

/* Inserts or replaces the row. `note` may be NULL: why it ended otherwise than by its rule. */
gboolean alert_write (Database *database, const Alert *alert, const char *note, GError **error);

/* Open alerts by severity (index SEVERITY_MINOR …), for metrics. */
gboolean alert_count_open (Database *reader, gint64 counts[SEVERITY_EXTREME + 1], GError **error);

/* Publishes the alert as it is now on `bus` once the open transaction is on disk. `bus` may be NULL. */
void alert_announce (Store *store, EventBus *bus, const Alert *alert);
