/* receivers.h: a port for each receiver that the site asks for, attached to the sharing while it is asked for.
 *
 * thread: main; the functions wait for ports to stop (a few seconds at most). */
#pragma once

#include "gateway/share/sharing.h"

typedef struct Receivers Receivers;

Receivers *receivers_new (Sharing *sharing, Clock *clock);

/* Opens what is new, closes what is gone, changes what differs; the others are not touched. */
void receivers_set_site (Receivers *receivers, Site *site);

/* Detaches and closes all. NULL is taken. */
void receivers_free (Receivers *receivers);
