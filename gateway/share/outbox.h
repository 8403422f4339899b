/* outbox.h: the table of events that receivers have not acknowledged yet, and the receipts of those that they have.
 *
 * An event leaves the table only with a receipt. Within a receiver and kind the most severe come first, then the oldest.
 *
 * thread: that of the database given. */
#pragma once

#include <jansson.h>

#include "gateway/model/site.h"
#include "gateway/store/database.h"

typedef struct {
  gint64 number;
  char *receiver, *kind; /* kind: "incidents" or "alerts" */
  char *event, *subject, *payload;
  Severity severity;
  gint64 attempts, created_at_us;
} OutboxRow;

/* Takes no strings; `number` and `attempts` are given by the table. */
gboolean outbox_add (Database *database, const OutboxRow *row, GError **error);

/* The next rows of a receiver and kind that may be tried at `now_us`. */
GPtrArray *outbox_next (Database *database, const char *receiver, const char *kind, gint64 now_us, guint limit,
                        GError **error);

/* Pauses are kept as wall times, so that they outlast a restart: moves them all when the wall clock has stepped, and ends
 * those of a receiver that would last beyond `latest_us`. */
gboolean outbox_shift (Database *database, gint64 step_us, GError **error);
gboolean outbox_bound (Database *database, const char *receiver, gint64 latest_us, GError **error);

/* When the receiver's next row that still waits may be tried; G_MAXINT64: none waits. */
gint64 outbox_next_time (Database *database, const char *receiver, gint64 now_us);

/* The event leaves the outbox with a receipt: outcome "delivered", "refused", "withdrawn" or "expired". An unknown event is
 * nothing. */
gboolean outbox_settle (Database *database, const char *receiver, const char *event, const char *outcome,
                        const char *detail, gint64 now_us, GError **error);

/* Not before `not_before_us` again; counts an attempt. */
gboolean outbox_postpone (Database *database, const char *receiver, const char *event, gint64 not_before_us,
                          GError **error);
gint64 outbox_attempts (Database *database, const char *receiver, const char *event);

/* Settles all that waits for receivers for which `is_known` is FALSE, and all that is older than `oldest_us`. */
gboolean outbox_tidy (Database *database, gboolean (*is_known) (gpointer data, const char *receiver), gpointer data,
                      gint64 oldest_us, gint64 now_us, GError **error);

/* For metrics: [{"receiver","events","age_seconds"}], only receivers for which something waits. */
json_t *outbox_lengths (Database *database, gint64 now_us, GError **error);

/* {"items":[{receiver,kind,event,subject,outcome,attempts,created_at,at,detail}],"next"}, newest first. `receiver` and
 * `subject` ("incidents/ID") may be NULL; `cursor` 0 or an earlier answer's next. */
json_t *receipts_list (Database *database, const char *receiver, const char *subject, gint64 cursor, guint limit,
                       GError **error);

void outbox_row_free (OutboxRow *row);
