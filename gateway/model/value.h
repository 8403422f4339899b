/* value.h: what kinds of values sensors measure: a level is a number, a door contact true or false, a mode a text.
 *
 * thread: any. */
#pragma once

#include <glib.h>

typedef enum { VALUE_NUMBER, VALUE_BOOLEAN, VALUE_TEXT } ValueKind;

enum { VALUE_TEXT_MAX_BYTES = 1024 };
