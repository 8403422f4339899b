/* doctor.h: `gridgate doctor`: looks at disk, clock, ports, brokers and each camera, and says what is wrong and what to do.
 *
 * thread: main; runs a main loop of its own for at most half a minute. */
#pragma once

#include "gateway/model/site.h"

/* Prints to standard output, in English and Chinese. 0: nothing is wrong, 1: something is. */
int doctor_run (Site *site);
