/* gridgate-sim SITE.yaml: simulated cameras, sensors, center and webhook receivers; see docs/gridgate-sim.md. */
#include <glib-unix.h>
#include <gst/gst.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/core/log.h"
#include "pipelines/sim/simulation.h"

enum { EXIT_CONFIGURATION = 78 };

/* x265 forgets some of its memory, and GLib's table of quarks grows by leaving the old one behind: in this process a
 * leak report at the end says nothing. The unit tests of its parts look for ours. */
const char *__asan_default_options (void);
const char *__asan_default_options (void)
{
  return "detect_leaks=0";
}

static gboolean stop (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

static int run (SiteScript *script)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_unix_signal_add (SIGTERM, stop, loop);
  g_unix_signal_add (SIGINT, stop, loop);
  Simulation *simulation = simulation_new (script, loop, &error);
  if (simulation == NULL) {
    log_error ("%s", error->message);
    return EXIT_FAILURE;
  }
  g_main_loop_run (loop);
  simulation_free (simulation);
  return EXIT_SUCCESS;
}

int main (int argc, char **argv)
{
  log_open ("gridgate-sim");
  gst_init (NULL, NULL);
  if (argc != 2 || argv[1][0] == '-') {
    fprintf (stderr, "usage: gridgate-sim SITE.yaml\n"
                     "Simulated cameras (RTSP), sensors (MQTT), center and webhook receivers, by a script.\n"
                     "模拟摄像机、传感器、指挥中心和部门接收端。\n");
    return argc == 2 && g_str_equal (argv[1], "--help") ? EXIT_SUCCESS : EXIT_CONFIGURATION;
  }

  g_autoptr (GPtrArray) faults = g_ptr_array_new_with_free_func (g_free);
  SiteScript *script = site_script_read (argv[1], faults);
  for (guint i = 0; i < faults->len; i++)
    fprintf (stderr, "%s\n", (char *) faults->pdata[i]);
  if (script == NULL)
    return EXIT_CONFIGURATION;
  int result = run (script);
  site_script_free (script);
  return result;
}
