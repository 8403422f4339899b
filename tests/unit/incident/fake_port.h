/* fake_port.h: a delivery port that a test drives: it notes what it is given and answers as told.
 *
 * thread: any. */
#pragma once

#include "gateway/model/delivery_port.h"

typedef struct FakePort FakePort;

typedef struct {
  char *kind, *event, *payload;
} FakeDelivery;

/* Answers each delivery with DONE at once, until it is held. */
FakePort *fake_port_new (void);
DeliveryPort fake_port_port (FakePort *port);

void fake_port_set_ready (FakePort *port, gboolean is_ready);
void fake_port_hold (FakePort *port, gboolean is_held); /* held: it answers nothing */

/* Waits until `count` deliveries have come; g_error after ten seconds. */
void fake_port_wait (FakePort *port, guint count);
guint fake_port_count (FakePort *port);
const FakeDelivery *fake_port_at (FakePort *port, guint index);
void fake_port_complete (FakePort *port, const char *event, DeliveryOutcome outcome);
void fake_port_free (FakePort *port);
