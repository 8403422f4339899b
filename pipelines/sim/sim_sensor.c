#include "pipelines/sim/sim_sensor.h"

#include <string.h>

#include "pipelines/sim/mqtt_client.h"
#include "pipelines/sim/payload.h"
#include "pipelines/sim/say.h"

/* mosquitto accepts 20 messages in flight; Paho stalls when it is handed a backlog (design.md section 3). */
enum { IN_FLIGHT_MAX = 20, WAITING_MAX = 100000 };

typedef struct {
  GBytes *payload;
  guint64 tag;
  gboolean is_in_flight;
} Message;

struct SimSensor {
  const SensorScript *script;
  MqttClient *client;
  guint timer;
  gint64 start_us;
  gboolean is_set, is_paused, is_connected;
  double value;
  guint64 made, acknowledged, dropped;
  GQueue waiting; /* of Message, oldest first: those in flight stand in front */
  guint in_flight;
};

static void message_free (gpointer data)
{
  Message *message = data;
  g_bytes_unref (message->payload);
  g_free (message);
}

/* Hands on as many as may be in flight. A message in flight is never behind one that isn't. */
static void pump (SimSensor *sensor)
{
  const SensorScript *script = sensor->script;
  for (GList *link = g_queue_peek_nth_link (&sensor->waiting, sensor->in_flight);
       link != NULL && sensor->in_flight < IN_FLIGHT_MAX; link = link->next) {
    Message *message = link->data;
    gsize size;
    const char *bytes = g_bytes_get_data (message->payload, &size);
    if (!mqtt_client_publish (sensor->client, script->topic, bytes, size, script->qos, script->retain, message->tag))
      return;
    message->is_in_flight = TRUE;
    sensor->in_flight++;
  }
}

/* A plain sensor forgets what it can't send; only a sequenced one keeps everything until it is acknowledged. */
static void enqueue (SimSensor *sensor, GBytes *payload)
{
  Message *message = g_new0 (Message, 1);
  message->payload = payload;
  message->tag = ++sensor->made;
  if (sensor->waiting.length >= WAITING_MAX || (!sensor->script->is_sequenced && !sensor->is_connected)) {
    sensor->dropped++;
    message_free (message);
    return;
  }
  g_queue_push_tail (&sensor->waiting, message);
}

static void make_reading (SimSensor *sensor)
{
  const SensorScript *script = sensor->script;
  double value
      = sensor->is_set ? sensor->value : curve_value (script->curve, g_get_monotonic_time () - sensor->start_us);
  if (!sensor->is_set)
    value += script->noise * noise_value ((guint64) script->seed, sensor->made);
  enqueue (sensor, payload_make (script, value, sensor->made + 1, g_get_real_time ()));
}

static void publish_now (SimSensor *sensor)
{
  make_reading (sensor);
  pump (sensor);
}

static gboolean interval_over (gpointer data)
{
  publish_now (data);
  return G_SOURCE_CONTINUE;
}

static void restart_timer (SimSensor *sensor, gint64 interval_us)
{
  if (sensor->timer != 0)
    g_source_remove (sensor->timer);
  sensor->timer = interval_us > 0 ? g_timeout_add ((guint) MAX (interval_us / 1000, 1), interval_over, sensor) : 0;
}

static int compare_tag (gconstpointer message, gconstpointer tag)
{
  return ((const Message *) message)->tag == *(const guint64 *) tag ? 0 : 1;
}

static void published (gpointer data, guint64 tag, gboolean is_acknowledged)
{
  SimSensor *sensor = data;
  GList *link = g_queue_find_custom (&sensor->waiting, &tag, compare_tag);
  if (!is_acknowledged || link == NULL || !((Message *) link->data)->is_in_flight)
    return; /* what failed goes out again when the broker is back */
  message_free (link->data);
  g_queue_delete_link (&sensor->waiting, link);
  sensor->in_flight--;
  sensor->acknowledged++;
  pump (sensor);
}

/* What was in flight may or may not have arrived: it goes out again, and the sequence number tells who received it
 * twice. */
static void changed (gpointer data, gboolean is_connected, const char *reason)
{
  SimSensor *sensor = data;
  for (GList *link = sensor->waiting.head; link != NULL; link = link->next)
    ((Message *) link->data)->is_in_flight = FALSE;
  sensor->in_flight = 0;
  sensor->is_connected = is_connected;
  if (is_connected)
    say ("sensor %s: 已连上消息服务器 / connected to its broker", sensor->script->id);
  else
    say ("sensor %s: 消息服务器不可用 / its broker is away: %s", sensor->script->id, reason);
  pump (sensor);
}

static const MqttHandlers handlers = { changed, published, NULL };

SimSensor *sim_sensor_new (const SensorScript *script, const BrokerScript *broker, GError **error)
{
  SimSensor *sensor = g_new0 (SimSensor, 1);
  g_autofree char *client_id = g_strdup_printf ("sim-%s-%08x", script->id, g_random_int ());
  sensor->script = script;
  g_queue_init (&sensor->waiting);
  sensor->start_us = g_get_monotonic_time ();
  sensor->client = mqtt_client_new (broker, client_id, &handlers, sensor, error);
  if (sensor->client == NULL) {
    g_clear_pointer (&sensor, sim_sensor_free);
    return NULL;
  }
  restart_timer (sensor, script->interval_us);
  return sensor;
}

void sim_sensor_set (SimSensor *sensor, double value)
{
  sensor->is_set = TRUE;
  sensor->value = value;
  if (!sensor->is_paused)
    publish_now (sensor);
}

void sim_sensor_follow_curve (SimSensor *sensor, gboolean restart)
{
  sensor->is_set = FALSE;
  if (restart)
    sensor->start_us = g_get_monotonic_time ();
}

void sim_sensor_pause (SimSensor *sensor, gboolean is_paused)
{
  sensor->is_paused = is_paused;
  restart_timer (sensor, is_paused ? 0 : sensor->script->interval_us);
}

void sim_sensor_set_interval (SimSensor *sensor, gint64 interval_us)
{
  sensor->is_paused = FALSE;
  restart_timer (sensor, interval_us);
}

void sim_sensor_burst (SimSensor *sensor, guint count)
{
  for (guint i = 0; i < count; i++)
    make_reading (sensor);
  pump (sensor);
}

void sim_sensor_send (SimSensor *sensor, const char *payload)
{
  enqueue (sensor, g_bytes_new (payload, strlen (payload)));
  pump (sensor);
}

void sim_sensor_counts (const SimSensor *sensor, guint64 *made, guint64 *acknowledged, guint64 *dropped)
{
  *made = sensor->made;
  *acknowledged = sensor->acknowledged;
  *dropped = sensor->dropped;
}

void sim_sensor_free (SimSensor *sensor)
{
  if (sensor == NULL)
    return;
  if (sensor->timer != 0)
    g_source_remove (sensor->timer);
  mqtt_client_free (sensor->client);
  g_queue_clear_full (&sensor->waiting, message_free);
  g_free (sensor);
}
