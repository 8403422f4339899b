#include "pipelines/sim/sim_center.h"

#include <string.h>

#include "gateway/core/error.h"
#include "pipelines/sim/cloud_event.h"
#include "pipelines/sim/mqtt_client.h"
#include "pipelines/sim/say.h"

enum { IDS_MAX = 1000000, TOPIC_LEVELS_MAX = 7 };

struct SimCenter {
  const CenterScript *script;
  MqttClient *client;
  gboolean acknowledges;
  GHashTable *ids;    /* of the events that came to the center itself */
  GHashTable *states; /* topic → the state that was last said */
  guint64 events, repeated;
};

static gboolean is_event_kind (const char *kind)
{
  return strcmp (kind, "incidents") == 0 || strcmp (kind, "alerts") == 0;
}

static void acknowledge (SimCenter *center, const char *gateway, const char *id)
{
  json_t *body = json_pack ("{s:[s]}", "ids", id);
  char *text = json_dumps (body, JSON_COMPACT);
  g_autofree char *topic = g_strdup_printf ("gridgate/v1/%s/acks", gateway);
  mqtt_client_publish (center->client, topic, text, strlen (text), 1, FALSE, 0);
  free (text);
  json_decref (body);
}

static void note_event (SimCenter *center, const char *gateway, const char *id)
{
  center->events++;
  if (g_hash_table_contains (center->ids, id))
    center->repeated++;
  else if (g_hash_table_size (center->ids) < IDS_MAX)
    g_hash_table_add (center->ids, g_strdup (id));
  if (center->acknowledges)
    acknowledge (center, gateway, id);
}

/* `agency` NULL: the center's own feed. */
static void receive_event (SimCenter *center, const char *gateway, const char *agency, const guint8 *payload,
                           gsize size)
{
  g_autoptr (GError) error = NULL;
  json_t *event = cloud_event_read (payload, size, &error);
  g_autofree char *who
      = agency ? g_strdup_printf ("agency %s", agency) : g_strdup_printf ("center %s", center->script->id);
  if (event == NULL) {
    say ("%s: 无法识别的消息 / not understood: %s", who, error->message);
    return;
  }
  g_autofree char *words = cloud_event_describe (event);
  say ("%s: %s%s", who, agency ? "MQTT 收到 / received by MQTT: " : "", words);
  if (agency == NULL)
    note_event (center, gateway, json_string_value (json_object_get (event, "id")));
  json_decref (event);
}

/* A camera's, a sensor's or the gateway's retained state: said when it is another than before. */
static void receive_state (SimCenter *center, const char *topic, const char *what, const guint8 *payload, gsize size)
{
  json_t *body = size > 0 ? json_loadb ((const char *) payload, size, 0, NULL) : NULL;
  const json_t *online = json_object_get (body, "online");
  const char *state = size == 0        ? "撤除 / removed"
                      : online != NULL ? (json_is_true (online) ? "在线 / online" : "离线 / offline")
                                       : json_string_value (json_object_get (body, "state"));
  if (state != NULL && g_strcmp0 (g_hash_table_lookup (center->states, topic), state) != 0) {
    say ("center %s: %s: %s", center->script->id, what, state);
    g_hash_table_insert (center->states, g_strdup (topic), g_strdup (state));
  }
  json_decref (body);
}

static void received (gpointer data, const char *topic, const guint8 *payload, gsize size)
{
  SimCenter *center = data;
  g_auto (GStrv) levels = g_strsplit (topic, "/", TOPIC_LEVELS_MAX);
  guint count = g_strv_length (levels);
  if (count < 4 || strcmp (levels[0], "gridgate") != 0)
    return;
  const char *gateway = levels[2], *kind = levels[3];
  g_autofree char *what = NULL;
  if (count == 4 && is_event_kind (kind)) {
    receive_event (center, gateway, NULL, payload, size);
  } else if (count == 6 && strcmp (kind, "agencies") == 0 && is_event_kind (levels[5])) {
    receive_event (center, gateway, levels[4], payload, size);
  } else if (count == 4 && strcmp (kind, "status") == 0) {
    what = g_strdup_printf ("网关 / gateway %s", gateway);
    receive_state (center, topic, what, payload, size);
  } else if (count == 5 && strcmp (kind, "cameras") == 0) {
    what = g_strdup_printf ("摄像机 / camera %s", levels[4]);
    receive_state (center, topic, what, payload, size);
  } else if (count == 4 && strcmp (kind, "replies") == 0) {
    say ("center %s: 答复 / reply %.*s", center->script->id, (int) MIN (size, 2000), (const char *) payload);
  }
}

static void changed (gpointer data, gboolean is_connected, const char *reason)
{
  SimCenter *center = data;
  if (is_connected) {
    mqtt_client_subscribe (center->client, center->script->topic, 1);
    say ("center %s: 已连上消息服务器 / connected to its broker", center->script->id);
  } else {
    say ("center %s: 消息服务器不可用 / its broker is away: %s", center->script->id, reason);
  }
}

static const MqttHandlers handlers = { changed, NULL, received };

SimCenter *sim_center_new (const CenterScript *script, const BrokerScript *broker, GError **error)
{
  SimCenter *center = g_new0 (SimCenter, 1);
  g_autofree char *client_id = g_strdup_printf ("sim-%s-%08x", script->id, g_random_int ());
  center->script = script;
  center->acknowledges = script->acknowledges;
  center->ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  center->states = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  center->client = mqtt_client_new (broker, client_id, &handlers, center, error);
  if (center->client == NULL)
    g_clear_pointer (&center, sim_center_free);
  return center;
}

void sim_center_set_acknowledging (SimCenter *center, gboolean acknowledges)
{
  center->acknowledges = acknowledges;
}

gboolean sim_center_send_command (SimCenter *center, const char *gateway, const char *payload, GError **error)
{
  g_autofree char *topic = g_strdup_printf ("gridgate/v1/%s/commands", gateway);
  if (mqtt_client_publish (center->client, topic, payload, strlen (payload), 1, FALSE, 0))
    return TRUE;
  return error_set (error, ERROR_RETRY, "center %s is not connected to its broker", center->script->id);
}

void sim_center_counts (const SimCenter *center, guint64 *events, guint64 *repeated)
{
  *events = center->events;
  *repeated = center->repeated;
}

void sim_center_free (SimCenter *center)
{
  if (center == NULL)
    return;
  mqtt_client_free (center->client);
  g_hash_table_unref (center->ids);
  g_hash_table_unref (center->states);
  g_free (center);
}
