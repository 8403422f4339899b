#include "pipelines/sim/simulation.h"

#include <math.h>
#include <string.h>

#include "gateway/core/error.h"
#include "gateway/core/quantity.h"
#include "pipelines/sim/control.h"
#include "pipelines/sim/say.h"
#include "pipelines/sim/sim_camera.h"
#include "pipelines/sim/sim_sensor.h"

enum { BURST_MAX = 100000 };

typedef struct {
  Simulation *simulation;
  const ScriptStep *step;
  guint timer;
} StepTimer;

struct Simulation {
  SiteScript *script;
  GMainLoop *loop;
  GHashTable *cameras; /* id → SimCamera */
  GHashTable *sensors; /* id → SimSensor */
  Control *control;
  GArray *steps; /* of StepTimer */
};

/* commands: what a noun can be told */

typedef struct {
  const char *verb;
  const char *rest; /* what stands behind the verb, "" when nothing does */
  char *reply;      /* what the answer says behind "ok"; NULL: nothing */
} Order;

typedef struct {
  const char *verb;
  const char *words; /* what is said when it happens; NULL: nothing */
  gboolean (*run) (gpointer thing, Order *order, GError **error);
} Command;

static gboolean optional_duration (const char *text, gint64 *duration_us, GError **error)
{
  *duration_us = 0;
  if (text[0] == '\0' || duration_parse (text, duration_us))
    return TRUE;
  return error_set (error, ERROR_REFUSE, "\"%s\" is no duration: write 5s", text);
}

static gboolean camera_fault (gpointer thing, Order *order, GError **error)
{
  static const char *const names[] = { "stall", "black", "freeze", "refuse" };
  gint64 duration_us;
  CameraFault fault = CAMERA_FAULT_STALL;
  while (strcmp (names[fault], order->verb) != 0)
    fault++;
  return optional_duration (order->rest, &duration_us, error) && sim_camera_fail (thing, fault, duration_us, error);
}

static gboolean camera_drop (gpointer thing, Order *order, GError **error)
{
  (void) order, (void) error;
  sim_camera_drop (thing);
  return TRUE;
}

static gboolean camera_jump (gpointer thing, Order *order, GError **error)
{
  gint64 by_us;
  gboolean is_back = order->rest[0] == '-';
  const char *number = is_back || order->rest[0] == '+' ? order->rest + 1 : order->rest;
  if (!duration_parse (number, &by_us) || by_us / 1000 > G_MAXINT32)
    return error_set (error, ERROR_REFUSE, "\"%s\" is no jump: write 10s or -10s", order->rest);
  sim_camera_jump_time (thing, (int) (is_back ? -by_us / 1000 : by_us / 1000));
  return TRUE;
}

static gboolean camera_recover (gpointer thing, Order *order, GError **error)
{
  (void) order, (void) error;
  sim_camera_recover (thing);
  return TRUE;
}

static const Command camera_commands[] = {
  { "stall", "停流 / sends nothing", camera_fault },       { "black", "黑屏 / goes black", camera_fault },
  { "freeze", "画面冻结 / freezes", camera_fault },         { "refuse", "拒绝连接 / refuses connections", camera_fault },
  { "drop", "断开连接 / ends connections", camera_drop },   { "jump_time", "时间跳变 / jumps in time", camera_jump },
  { "normal", "恢复正常 / is well again", camera_recover }, { NULL },
};

static gboolean sensor_set (gpointer thing, Order *order, GError **error)
{
  char *end = NULL;
  double value = g_ascii_strtod (order->rest, &end);
  if (end == order->rest || *end != '\0' || !isfinite (value))
    return error_set (error, ERROR_REFUSE, "\"%s\" is no number", order->rest);
  sim_sensor_set (thing, value);
  return TRUE;
}

static gboolean sensor_curve (gpointer thing, Order *order, GError **error)
{
  (void) error;
  sim_sensor_follow_curve (thing, strcmp (order->verb, "restart") == 0);
  return TRUE;
}

static gboolean sensor_pause (gpointer thing, Order *order, GError **error)
{
  (void) error;
  sim_sensor_pause (thing, strcmp (order->verb, "pause") == 0);
  return TRUE;
}

static gboolean sensor_interval (gpointer thing, Order *order, GError **error)
{
  gint64 interval_us;
  if (!duration_parse (order->rest, &interval_us) || interval_us < 1000)
    return error_set (error, ERROR_REFUSE, "\"%s\" is no interval: write 500ms, at least 1ms", order->rest);
  sim_sensor_set_interval (thing, interval_us);
  return TRUE;
}

static gboolean sensor_burst (gpointer thing, Order *order, GError **error)
{
  guint64 count;
  if (!g_ascii_string_to_unsigned (order->rest, 10, 1, BURST_MAX, &count, NULL))
    return error_set (error, ERROR_REFUSE, "\"%s\" is no count from 1 to %d", order->rest, BURST_MAX);
  sim_sensor_burst (thing, (guint) count);
  return TRUE;
}

static gboolean sensor_send (gpointer thing, Order *order, GError **error)
{
  (void) error;
  sim_sensor_send (thing, order->rest);
  return TRUE;
}

static gboolean sensor_counts (gpointer thing, Order *order, GError **error)
{
  (void) error;
  guint64 made, acknowledged, dropped;
  sim_sensor_counts (thing, &made, &acknowledged, &dropped);
  order->reply = g_strdup_printf ("made %" G_GUINT64_FORMAT " acknowledged %" G_GUINT64_FORMAT " dropped %" G_GUINT64_FORMAT,
                                  made, acknowledged, dropped);
  return TRUE;
}

static const Command sensor_commands[] = {
  { "set", "读数固定为 / now reads", sensor_set },
  { "curve", "按曲线变化 / follows its curve", sensor_curve },
  { "restart", "曲线重新开始 / begins its curve again", sensor_curve },
  { "pause", "停止上报 / falls silent", sensor_pause },
  { "resume", "恢复上报 / reports again", sensor_pause },
  { "interval", "上报间隔改为 / reports every", sensor_interval },
  { "burst", "连续上报 / reports at once", sensor_burst },
  { "send", "发送原文 / sends as it stands", sensor_send },
  { "counts", NULL, sensor_counts },
  { NULL },
};

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
  const struct {
    const char *noun;
    GHashTable *things;
    const Command *commands;
  } nouns[] = {
    { "camera", simulation->cameras, camera_commands },
    { "sensor", simulation->sensors, sensor_commands },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (nouns) && count >= 3; i++) {
    if (strcmp (words[0], nouns[i].noun) != 0)
      continue;
    gpointer thing = g_hash_table_lookup (nouns[i].things, words[1]);
    if (thing == NULL)
      return error_set (error, ERROR_REFUSE, "there is no %s \"%s\"", words[0], words[1]);
    Order order = { words[2], count > 3 ? g_strstrip (words[3]) : "", NULL };
    gboolean done = run_command (nouns[i].commands, thing, words[0], words[1], &order, error);
    *reply = order.reply;
    return done;
  }
  return error_set (error, ERROR_REFUSE, "\"%s\" is no command: write “camera ID stall 5s”, “sensor ID set 350”, “quit”",
                    command);
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

static gboolean start_cameras (Simulation *simulation, GError **error)
{
  const GPtrArray *cameras = simulation->script->cameras;
  for (guint i = 0; i < cameras->len; i++) {
    const CameraScript *script = cameras->pdata[i];
    SimCamera *camera = sim_camera_new (script, simulation->script->font, error);
    if (camera == NULL)
      return FALSE;
    g_hash_table_insert (simulation->cameras, script->id, camera);
    say ("camera %s rtsp://127.0.0.1:%d%s", script->id, sim_camera_port (camera), script->path);
  }
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

Simulation *simulation_new (SiteScript *script, GMainLoop *loop, GError **error)
{
  Simulation *simulation = g_new0 (Simulation, 1);
  simulation->script = script;
  simulation->loop = loop;
  simulation->cameras = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) sim_camera_free);
  simulation->sensors = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) sim_sensor_free);
  simulation->steps = g_array_new (FALSE, TRUE, sizeof (StepTimer));
  simulation->control = control_new (script->control, execute, simulation, error);
  if (simulation->control == NULL || !start_cameras (simulation, error) || !start_sensors (simulation, error)) {
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
  g_hash_table_unref (simulation->cameras);
  g_array_unref (simulation->steps);
  g_free (simulation);
}
