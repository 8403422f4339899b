/* wiring.h: builds the gateway of its parts and connects them; the one place that knows concrete adapters.
 *
 * thread: main. */
#pragma once

#include "gateway/model/broker_port.h"
#include "gateway/model/decoder.h"

typedef struct Wiring Wiring;

/* Of the adapters, for commands that need no whole gateway. */
const BrokerPort *wiring_broker_port (void);
const Decoder *wiring_find_decoder (const char *format);

/* Opens the store, starts every part on `site`. ERROR_RECONFIGURE for an address in use and the like. */
Wiring *wiring_new (const char *config_path, Site *site, gboolean has_external_workers, GError **error);

/* Goes over to `site`: only what differs is restarted. */
void wiring_reload (Wiring *wiring, Site *site);

/* The parts make progress: for the service manager's watchdog. */
gboolean wiring_is_healthy (Wiring *wiring);

/* Ends in the reverse order; what was accepted is on disk then. NULL is taken. */
void wiring_free (Wiring *wiring);
