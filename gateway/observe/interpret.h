/* interpret.h: from a message to observations as the live path does it (message_steps.h), without storing or accounting: for
 * replays.
 *
 * thread: one at a time. */
#pragma once

#include "gateway/model/decoder.h"
#include "gateway/model/observation.h"
#include "gateway/model/raw_message.h"

typedef struct Interpreter Interpreter;

/* Is told of the site whenever a template has become further sensors, before what they sent is given out. Borrowed. */
typedef void (*InterpreterGrown) (gpointer data, Site *site);

/* Keeps a reference to the site, which is a configured one. `grown` may be NULL. ERROR_RECONFIGURE names the sensor whose
 * format can't be made ready. */
Interpreter *interpreter_new (Site *site, DecoderFind find_decoder, InterpreterGrown grown, gpointer data, GError **error);

/* Calls `each` for every observation that would be stored, in order. What is no news (duplicates, deadband) is passed over
 * in silence. Returns NULL, or what was wrong with the message; free with g_free. */
typedef void (*InterpreterEach) (gpointer data, const Observation *observation);
char *interpreter_take (Interpreter *interpreter, const RawMessage *message, InterpreterEach each, gpointer data);

void interpreter_free (Interpreter *interpreter); /* NULL is taken */
