/* alert_sink.h: who is told of alerts: the incidents, and through them the receivers.
 *
 * thread: the store's, inside the transaction that writes the alert. */
#pragma once

#include "gateway/model/alert.h"
#include "gateway/store/database.h"

typedef struct {
  gpointer self;
  /* May set alert->incident, which the caller then stores with the alert. FALSE takes the whole job back. */
  gboolean (*opened) (gpointer self, Database *database, Alert *alert, GError **error);
  gboolean (*cleared) (gpointer self, Database *database, const Alert *alert, GError **error);
  /* Its severity is another. May be NULL. */
  gboolean (*changed) (gpointer self, Database *database, const Alert *alert, GError **error);
  /* It is one of a storm: it stands with alert->incident, which gets its severity, and nobody is told of it by itself.
   * Also when it changes or clears. May be NULL. */
  gboolean (*joined) (gpointer self, Database *database, const Alert *alert, GError **error);
} AlertSink;
