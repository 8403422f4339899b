#include "gateway/observe/interpret.h"

#include "gateway/observe/discovered.h"
#include "gateway/observe/routes.h"

struct Interpreter {
  Routes *routes;
  Decoded *decoded;
  DecoderFind find_decoder;
  Discovered *discovered;
  InterpreterGrown grown;
  gpointer data;
};

Interpreter *interpreter_new (Site *site, DecoderFind find_decoder, InterpreterGrown grown, gpointer data, GError **error)
{
  Routes *routes = routes_new (site, find_decoder, NULL, error);
  if (routes == NULL)
    return NULL;
  Interpreter *interpreter = g_new0 (Interpreter, 1);
  interpreter->routes = routes;
  interpreter->decoded = decoded_new ();
  interpreter->find_decoder = find_decoder;
  interpreter->discovered = discovered_new (site);
  interpreter->grown = grown;
  interpreter->data = data;
  return interpreter;
}

static gboolean is_repeated (const Decoded *decoded, SensorInput *input, const RawMessage *message, guint64 hash)
{
  gint64 window_us = input->sensor->duplicate_window_us, at = message->receive_time_us;
  if (decoded->identity != 0)
    return filter_is_repeated (&input->filter, decoded->identity, at, MAX (window_us, FILTER_IDENTITY_US));
  return window_us > 0 && filter_is_repeated (&input->filter, hash, at, window_us);
}

static void give_readings (Interpreter *interpreter, SensorInput *input, const RawMessage *message, InterpreterEach each,
                           gpointer data)
{
  const GArray *readings = interpreter->decoded->readings;
  device_clock_watch (&input->clock, readings, message->receive_time_us);
  for (guint i = 0; i < readings->len; i++) {
    const Reading *reading = &g_array_index (readings, Reading, i);
    g_autoptr (Observation) observation = normalise (input->sensor, &input->clock, message, reading);
    if (filter_reason (&input->filter, input->sensor, reading->metric, observation) == NULL)
      each (data, observation);
  }
}

/* The sensor's part of the message; what is wrong with it, or NULL. */
static char *take_for (Interpreter *interpreter, SensorInput *input, const RawMessage *message, guint64 hash,
                       InterpreterEach each, gpointer data)
{
  Decoded *decoded = interpreter->decoded;
  gsize size;
  const guint8 *payload = g_bytes_get_data (message->payload, &size);
  if (message->is_retained && input->has_last_hash && input->last_hash == hash)
    return NULL;
  decoded_reset (decoded);
  EncodedMessage encoded = { message->topic, payload != NULL ? payload : (const guint8 *) "", size,
                             message->receive_time_us, message->is_retained };
  input->decoder->decode (input->prepared, &encoded, decoded);
  char *problem = decoded->reason == NULL ? NULL
                                          : g_strdup_printf ("sensor %s: %s: %s", input->sensor->id, decoded->reason,
                                                             decoded->detail != NULL ? decoded->detail : "");
  if ((decoded->readings->len == 0 && problem != NULL) || is_repeated (decoded, input, message, hash))
    return problem;
  input->last_hash = hash;
  input->has_last_hash = TRUE;
  give_readings (interpreter, input, message, each, data);
  return problem;
}

/* The sensor that the message's topic is of by a template, as observe_discover does it. What is wrong, or NULL. */
static char *discover (Interpreter *interpreter, const RawMessage *message, GPtrArray *inputs)
{
  g_autoptr (GError) error = NULL;
  const char *reason = NULL;
  guint known = discovered_sensors (interpreter->discovered)->len;
  const Sensor *sensor = message->payload_size == 0
                           ? NULL
                           : discovered_take (interpreter->discovered, message->broker, message->topic, message->receive_time_us,
                                              &reason);
  if (sensor == NULL)
    return reason != NULL
             ? g_strdup_printf ("topic %s makes no sensor: %s", message->topic, reason)
             : g_strdup_printf ("no sensor of broker %s has the topic %s", message->broker, message->topic);
  SensorInput *input = routes_grow (interpreter->routes, sensor, interpreter->find_decoder, &error);
  if (input == NULL)
    return g_strdup (error->message);
  g_ptr_array_add (inputs, input);
  if (discovered_sensors (interpreter->discovered)->len > known && interpreter->grown != NULL) {
    g_autoptr (Site) site = discovered_site (interpreter->discovered);
    interpreter->grown (interpreter->data, site);
  }
  return NULL;
}

char *interpreter_take (Interpreter *interpreter, const RawMessage *message, InterpreterEach each, gpointer data)
{
  g_autoptr (GPtrArray) inputs = routes_find (interpreter->routes, message->broker, message->topic);
  guint64 hash = raw_message_hash (message);
  char *problem = inputs->len == 0 ? discover (interpreter, message, inputs) : NULL;
  if (problem != NULL)
    return problem;
  if (message->payload_size > RAW_PAYLOAD_MAX)
    return g_strdup_printf ("the payload has %" G_GSIZE_FORMAT " bytes, at most %d are taken", message->payload_size,
                            RAW_PAYLOAD_MAX);
  for (guint i = 0; i < inputs->len; i++) {
    char *one = take_for (interpreter, inputs->pdata[i], message, hash, each, data);
    if (problem == NULL)
      problem = one;
    else
      g_free (one);
  }
  return problem;
}

void interpreter_free (Interpreter *interpreter)
{
  if (interpreter == NULL)
    return;
  discovered_free (interpreter->discovered);
  decoded_free (interpreter->decoded);
  routes_unref (interpreter->routes);
  g_free (interpreter);
}
