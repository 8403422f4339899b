/* text_value.h: a value that a format carries as text, as its metric takes it.
 *
 * thread: any. */
#pragma once

#include "gateway/model/decoder.h"

/* One decimal number and nothing else; hexadecimal, "inf" and "nan" are none. `text` is any C string. */
gboolean text_number (const char *text, double *number);

/* Sets kind and value of `reading`: a number where `metric` wants one and `text` is one, true or false likewise
 * (true false on off 1 0, in any case), else the text itself, which must live as long as the reading. */
void text_value_set (const char *text, const Metric *metric, Reading *reading);
