#include "gateway/observe/interpret.h"

#include "gateway/observe/discovered.h"
#include "gateway/observe/message_steps.h"

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

/* A message that is being taken. */
typedef struct {
  InterpreterEach each;
  gpointer data;
  char *problem; /* the first one */
} Taking;

static gboolean note_decoded (gpointer self, const SensorInput *input, const Decoded *decoded, GError **error)
{
  Taking *taking = self;
  (void) error;
  if (decoded->reason != NULL && taking->problem == NULL)
    taking->problem = g_strdup_printf ("sensor %s: %s: %s", input->sensor->id, decoded->reason,
                                       decoded->detail != NULL ? decoded->detail : "");
  return TRUE;
}

static gboolean give_out (gpointer self, Observation *observation, GError **error)
{
  const Taking *taking = self;
  (void) error;
  taking->each (taking->data, observation);
  observation_unref (observation);
  return TRUE;
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
  Taking taking = { each, data, NULL };
  const MessageSteps steps = { &taking, note_decoded, NULL, give_out };
  for (guint i = 0; i < inputs->len; i++) {
    OutcomeKind kind;
    const char *reason;
    message_steps_take (&steps, inputs->pdata[i], message, hash, interpreter->decoded, &kind, &reason, NULL);
  }
  return taking.problem;
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
