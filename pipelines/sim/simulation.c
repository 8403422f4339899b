#include "pipelines/sim/simulation.h"

#include <string.h>

#include "gateway/core/error.h"
#include "pipelines/sim/commands.h"
#include "pipelines/sim/control.h"
#include "pipelines/sim/raw_camera.h"
#include "pipelines/sim/say.h"
#include "pipelines/sim/sim_camera.h"
#include "pipelines/sim/sim_center.h"
#include "pipelines/sim/sim_receiver.h"
#include "pipelines/sim/sim_sensor.h"

typedef struct {
  Simulation *simulation;
  const ScriptStep *step;
  guint timer;
} StepTimer;

struct Simulation {
  SiteScript *script;
  GMainLoop *loop;
  GHashTable *cameras;     /* id → SimCamera */
  GHashTable *raw_cameras; /* id → RawCamera */
  GHashTable *sensors;     /* id → SimSensor */
  GHashTable *centers;     /* id → SimCenter */
  GHashTable *receivers;   /* id → SimReceiver */
  Control *control;
  GArray *steps; /* of StepTimer */
};

/* commands */

static gboolean run_command (const Command *commands, gpointer thing, const char *noun, const char *id, Order *order,
                             GError **error)
{
  g_autoptr (GString) known = g_string_new (NULL);
  for (const Command *command = commands; command->verb; command++) {
    if (strcmp (command->verb, order->verb) == 0) {
      if (!command->run (thing, order, error))
        return FALSE;
      if (command->words)
        say ("%s %s: %s %s", noun, id, command->words, order->rest);
      return TRUE;
    }
    g_string_append_printf (known, " %s", command->verb);
  }
  return error_set (error, ERROR_REFUSE, "a %s can't \"%s\"; it can:%s", noun, order->verb, known->str);
}

gboolean simulation_command (Simulation *simulation, const char *command, char **reply, GError **error)
{
  g_auto (GStrv) words = g_strsplit (command, " ", 4);
  guint count = g_strv_length (words);
  if (count == 1 && strcmp (words[0], "quit") == 0) {
    g_main_loop_quit (simulation->loop);
    return TRUE;
  }
  if (count >= 2 && strcmp (words[0], "say") == 0) {
    say ("%s: %s", simulation->script->name ? simulation->script->name : "script", command + strlen ("say "));
    return TRUE;
  }
  const struct {
    const char *noun;
    GHashTable *things;
    const Command *commands;
  } nouns[] = {
    { "camera", simulation->cameras, camera_commands },
    { "sensor", simulation->sensors, sensor_commands },
    { "center", simulation->centers, center_commands },
    { "receiver", simulation->receivers, receiver_commands },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (nouns) && count >= 3; i++) {
    if (strcmp (words[0], nouns[i].noun) != 0)
      continue;
    gpointer thing = g_hash_table_lookup (nouns[i].things, words[1]);
    if (thing == NULL && strcmp (words[0], "camera") == 0 && g_hash_table_contains (simulation->raw_cameras, words[1]))
      return error_set (error, ERROR_REFUSE, "camera %s has “mode: raw”: it takes no commands", words[1]);
    if (thing == NULL)
      return error_set (error, ERROR_REFUSE, "there is no %s \"%s\"", words[0], words[1]);
    Order order = { words[2], count > 3 ? g_strstrip (words[3]) : "", NULL };
    gboolean done = run_command (nouns[i].commands, thing, words[0], words[1], &order, error);
    *reply = order.reply;
    return done;
  }
  return error_set (error, ERROR_REFUSE,
                    "\"%s\" is no command: write “camera ID stall 5s”, “sensor ID set 350”, “quit”", command);
}

static gboolean execute (gpointer data, const char *command, char **reply, GError **error)
{
  return simulation_command (data, command, reply, error);
}

/* the script */

static gboolean step_due (gpointer data)
{
  StepTimer *timer = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *reply = NULL;
  timer->timer = 0;
  if (!simulation_command (timer->simulation, timer->step->command, &reply, &error))
    say ("script: %s", error->message);
  return G_SOURCE_REMOVE;
}

static void start_script (Simulation *simulation)
{
  const GPtrArray *steps = simulation->script->steps;
  g_array_set_size (simulation->steps, steps->len);
  for (guint i = 0; i < steps->len; i++) {
    StepTimer *timer = &g_array_index (simulation->steps, StepTimer, i);
    timer->simulation = simulation;
    timer->step = steps->pdata[i];
    timer->timer = g_timeout_add ((guint) MIN (timer->step->at_us / 1000, G_MAXINT32), step_due, timer);
  }
}

static void stop_script (Simulation *simulation)
{
  for (guint i = 0; i < simulation->steps->len; i++) {
    StepTimer *timer = &g_array_index (simulation->steps, StepTimer, i);
    if (timer->timer != 0)
      g_source_remove (timer->timer);
  }
}

/* life */

static gboolean start_camera (Simulation *simulation, const CameraScript *script, GError **error)
{
  int port = 0;
  if (script->is_raw) {
    RawCamera *camera = raw_camera_new (script, error);
    if (camera == NULL)
      return FALSE;
    g_hash_table_insert (simulation->raw_cameras, script->id, camera);
    port = raw_camera_port (camera);
  } else {
    SimCamera *camera = sim_camera_new (script, simulation->script->font, error);
    if (camera == NULL)
      return FALSE;
    g_hash_table_insert (simulation->cameras, script->id, camera);
    port = sim_camera_port (camera);
  }
  say ("camera %s rtsp%s://127.0.0.1:%d%s", script->id, script->cert_file != NULL ? "s" : "", port, script->path);
  return TRUE;
}

static gboolean start_cameras (Simulation *simulation, GError **error)
{
  for (guint i = 0; i < simulation->script->cameras->len; i++)
    if (!start_camera (simulation, simulation->script->cameras->pdata[i], error))
      return FALSE;
  return TRUE;
}

static gboolean start_sensors (Simulation *simulation, GError **error)
{
  const GPtrArray *sensors = simulation->script->sensors;
  for (guint i = 0; i < sensors->len; i++) {
    const SensorScript *script = sensors->pdata[i];
    SimSensor *sensor = sim_sensor_new (script, site_script_broker (simulation->script, script->broker), error);
    if (sensor == NULL)
      return FALSE;
    g_hash_table_insert (simulation->sensors, script->id, sensor);
  }
  return TRUE;
}

static gboolean start_centers (Simulation *simulation, GError **error)
{
  const GPtrArray *centers = simulation->script->centers;
  for (guint i = 0; i < centers->len; i++) {
    const CenterScript *script = centers->pdata[i];
    SimCenter *center = sim_center_new (script, site_script_broker (simulation->script, script->broker), error);
    if (center == NULL)
      return FALSE;
    g_hash_table_insert (simulation->centers, script->id, center);
  }
  return TRUE;
}

static gboolean start_receivers (Simulation *simulation, GError **error)
{
  const GPtrArray *receivers = simulation->script->receivers;
  for (guint i = 0; i < receivers->len; i++) {
    const ReceiverScript *script = receivers->pdata[i];
    SimReceiver *receiver = sim_receiver_new (script, error);
    if (receiver == NULL)
      return FALSE;
    g_hash_table_insert (simulation->receivers, script->id, receiver);
    say ("receiver %s http://127.0.0.1:%d/", script->id, sim_receiver_port (receiver));
  }
  return TRUE;
}

Simulation *simulation_new (SiteScript *script, GMainLoop *loop, GError **error)
{
  Simulation *simulation = g_new0 (Simulation, 1);
  simulation->script = script;
  simulation->loop = loop;
  simulation->cameras = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) sim_camera_free);
  simulation->raw_cameras = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) raw_camera_free);
  simulation->sensors = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) sim_sensor_free);
  simulation->centers = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) sim_center_free);
  simulation->receivers = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) sim_receiver_free);
  simulation->steps = g_array_new (FALSE, TRUE, sizeof (StepTimer));
  simulation->control = control_new (script->control, execute, simulation, error);
  if (simulation->control == NULL || !start_cameras (simulation, error) || !start_receivers (simulation, error)
      || !start_centers (simulation, error) || !start_sensors (simulation, error)) {
    g_clear_pointer (&simulation, simulation_free);
    return NULL;
  }
  start_script (simulation);
  say ("ready");
  return simulation;
}

void simulation_free (Simulation *simulation)
{
  if (simulation == NULL)
    return;
  stop_script (simulation);
  control_free (simulation->control);
  g_hash_table_unref (simulation->sensors);
  g_hash_table_unref (simulation->centers);
  g_hash_table_unref (simulation->receivers);
  g_hash_table_unref (simulation->raw_cameras);
  g_hash_table_unref (simulation->cameras);
  g_array_unref (simulation->steps);
  g_free (simulation);
}
