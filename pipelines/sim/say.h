/* say.h: one line on standard output for each thing that happens, whole, flushed, never blocking the simulation's
 * locks.
 *
 * thread: any. */
#pragma once

#include <glib.h>

void say (const char *format, ...) G_GNUC_PRINTF (1, 2);
