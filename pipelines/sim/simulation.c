#include "pipelines/sim/simulation.h"

#include <string.h>

#include "gateway/core/error.h"
#include "gateway/core/quantity.h"
#include "pipelines/sim/control.h"
#include "pipelines/sim/say.h"
#include "pipelines/sim/sim_camera.h"

enum { WORDS_MAX = 64 };

typedef struct {
  Simulation *simulation;
  const ScriptStep *step;
  guint timer;
} StepTimer;

struct Simulation {
  SiteScript *script;
  GMainLoop *loop;
  GHashTable *cameras; /* id → SimCamera */
  Control *control;
  GArray *steps; /* of StepTimer */
};

/* commands: what a noun can be told */

typedef struct {
  const char *verb;
  const char *help;
  /* `rest`: what stands behind the verb, "" when nothing does */
  gboolean (*run) (gpointer thing, const char *verb, const char *rest, GError **error);
} Command;

static gboolean optional_duration (const char *text, gint64 *duration_us, GError **error)
{
  *duration_us = 0;
  if (text[0] == '\0' || duration_parse (text, duration_us))
    return TRUE;
  return error_set (error, ERROR_REFUSE, "\"%s\" is no duration: write 5s", text);
}

static gboolean camera_fault (gpointer thing, const char *verb, const char *rest, GError **error)
{
  static const char *const names[] = { "stall", "black", "freeze", "refuse" };
  gint64 duration_us;
  CameraFault fault = CAMERA_FAULT_STALL;
  while (strcmp (names[fault], verb) != 0)
    fault++;
  return optional_duration (rest, &duration_us, error) && sim_camera_fail (thing, fault, duration_us, error);
}

static gboolean camera_drop (gpointer thing, const char *verb, const char *rest, GError **error)
{
  (void) verb, (void) rest, (void) error;
  sim_camera_drop (thing);
  return TRUE;
}

static gboolean camera_jump (gpointer thing, const char *verb, const char *rest, GError **error)
{
  (void) verb;
  gint64 by_us;
  gboolean is_back = rest[0] == '-';
  const char *number = is_back || rest[0] == '+' ? rest + 1 : rest;
  if (!duration_parse (number, &by_us) || by_us / 1000 > G_MAXINT32)
    return error_set (error, ERROR_REFUSE, "\"%s\" is no jump: write 10s or -10s", rest);
  sim_camera_jump_time (thing, (int) (is_back ? -by_us / 1000 : by_us / 1000));
  return TRUE;
}

static gboolean camera_recover (gpointer thing, const char *verb, const char *rest, GError **error)
{
  (void) verb, (void) rest, (void) error;
  sim_camera_recover (thing);
  return TRUE;
}

static const Command camera_commands[] = {
  { "stall", "停流 / sends nothing", camera_fault },       { "black", "黑屏 / goes black", camera_fault },
  { "freeze", "画面冻结 / freezes", camera_fault },         { "refuse", "拒绝连接 / refuses connections", camera_fault },
  { "drop", "断开连接 / ends connections", camera_drop },   { "jump_time", "时间跳变 / jumps in time", camera_jump },
  { "normal", "恢复正常 / is well again", camera_recover }, { NULL },
};

static gboolean run_command (const Command *commands, gpointer thing, const char *noun, const char *id, const char *verb,
                             const char *rest, GError **error)
{
  g_autoptr (GString) known = g_string_new (NULL);
  for (const Command *command = commands; command->verb; command++) {
    if (strcmp (command->verb, verb) == 0) {
      if (!command->run (thing, verb, rest, error))
        return FALSE;
      say ("%s %s: %s %s", noun, id, command->help, rest);
      return TRUE;
    }
    g_string_append_printf (known, " %s", command->verb);
  }
  return error_set (error, ERROR_REFUSE, "a %s can't \"%s\"; it can:%s", noun, verb, known->str);
}

gboolean simulation_command (Simulation *simulation, const char *command, GError **error)
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
  };
  for (gsize i = 0; i < G_N_ELEMENTS (nouns) && count >= 3; i++) {
    if (strcmp (words[0], nouns[i].noun) != 0)
      continue;
    gpointer thing = g_hash_table_lookup (nouns[i].things, words[1]);
    if (thing == NULL)
      return error_set (error, ERROR_REFUSE, "there is no %s \"%s\"", words[0], words[1]);
    return run_command (nouns[i].commands, thing, words[0], words[1], words[2], count > 3 ? g_strstrip (words[3]) : "", error);
  }
  return error_set (error, ERROR_REFUSE, "\"%s\" is no command: write “camera ID stall 5s”, “sensor ID set 350”, “quit”",
                    command);
}

static gboolean execute (gpointer data, const char *command, GError **error)
{
  return simulation_command (data, command, error);
}

/* the script */

static gboolean step_due (gpointer data)
{
  StepTimer *timer = data;
  g_autoptr (GError) error = NULL;
  timer->timer = 0;
  if (!simulation_command (timer->simulation, timer->step->command, &error))
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

Simulation *simulation_new (SiteScript *script, GMainLoop *loop, GError **error)
{
  Simulation *simulation = g_new0 (Simulation, 1);
  simulation->script = script;
  simulation->loop = loop;
  simulation->cameras = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) sim_camera_free);
  simulation->steps = g_array_new (FALSE, TRUE, sizeof (StepTimer));
  simulation->control = control_new (script->control, execute, simulation, error);
  if (simulation->control == NULL || !start_cameras (simulation, error)) {
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
  g_hash_table_unref (simulation->cameras);
  g_array_unref (simulation->steps);
  g_free (simulation);
}
