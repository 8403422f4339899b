/* intake.h: messages on their way from the brokers' threads to the store's.
 *
 * Bounded; nobody waits: a message is refused when there is no room.
 *
 * thread: any; one taker. */
#pragma once

#include "gateway/observe/routes.h"

typedef struct Intake Intake;

/* One message with whom it is for. Immutable, but to the store's thread once that has it. */
typedef struct {
  RawMessage *message;
  Routes *routes;
  GPtrArray *inputs; /* of SensorInput, borrowed from routes */
  const char *refusal; /* why a template that takes its topic makes no sensor of it; static; NULL: it is of none, or not looked at */
  gboolean is_durable;
} Pending;

Pending *pending_new (RawMessage *message, Routes *routes);
void pending_free (Pending *pending); /* NULL is taken */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Pending, pending_free)

Intake *intake_new (guint capacity, gsize capacity_bytes);

/* FALSE: then intake_take will tell that somebody was refused. */
gboolean intake_has_room (Intake *intake, const Pending *pending);

/* Takes `pending` when there is room, and what is durable in any case: ask before. FALSE: it stays the caller's. */
gboolean intake_put (Intake *intake, Pending *pending);

/* The next ones, until `batch` (of Pending) has `count`. TRUE: somebody was refused before, and there is room now. */
gboolean intake_take (Intake *intake, GPtrArray *batch, guint count);

guint intake_length (Intake *intake);

void intake_free (Intake *intake);
