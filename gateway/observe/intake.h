/* intake.h: messages on their way from the brokers' threads to the store's.
 *
 * Bounded. A durable message waits for room and its thread stays until it is released; any other is refused when there is
 * no room.
 *
 * thread: any; one taker. */
#pragma once

#include "gateway/observe/routes.h"

typedef struct Intake Intake;

/* One message with whom it is for. Reference-counted; immutable but for its release. */
typedef struct {
  gint references;
  RawMessage *message;
  Routes *routes;
  GPtrArray *inputs; /* of SensorInput, borrowed from routes */
  gboolean is_durable;
  gboolean is_released; /* the intake's mutex */
} Pending;

Pending *pending_new (RawMessage *message, Routes *routes);
void pending_unref (Pending *pending);

Intake *intake_new (guint capacity, gsize capacity_bytes);

/* Takes a reference of its own. FALSE when there is no room within `wait_us`. */
gboolean intake_put (Intake *intake, Pending *pending, gint64 wait_us);

/* The next one, which the caller then owns; NULL when there is none. */
Pending *intake_take (Intake *intake);

/* Lets the thread that waits for it go. */
void intake_release (Intake *intake, Pending *pending);

/* FALSE when it has not been released within `wait_us`. */
gboolean intake_wait (Intake *intake, Pending *pending, gint64 wait_us);

guint intake_length (Intake *intake);

void intake_free (Intake *intake);
