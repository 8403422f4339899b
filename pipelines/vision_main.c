/* gridgate-vision --runtime-dir DIR: looks at pictures for gridgate; decodes, and has no network. */
#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "gateway/core/log.h"
#include "pipelines/vision/vision_service.h"

enum { STUCK_US = 20 * G_USEC_PER_SEC, LOOK_MS = 1000, EXIT_USAGE = 2 };

static gboolean stop (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

/* A thread in a decoder can't be ended from outside, so the process ends: gridgate or systemd starts it anew, and one
 * picture is lost. */
static gboolean look_after_worker (gpointer service)
{
  if (vision_service_busy_us (service) > STUCK_US) {
    log_error ("a picture takes over 20 s: giving up this process");
    _exit (EXIT_FAILURE);
  }
  sd_notify (FALSE, "WATCHDOG=1");
  return G_SOURCE_CONTINUE;
}

static int run (const char *runtime_dir)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  VisionService *service = vision_service_new (runtime_dir, &error);
  if (service == NULL) {
    log_error ("%s", error->message);
    return EXIT_FAILURE;
  }
  g_unix_signal_add (SIGTERM, stop, loop);
  g_unix_signal_add (SIGINT, stop, loop);
  guint look = g_timeout_add (LOOK_MS, look_after_worker, service);
  log_info ("ready, listening on %s/vision.sock", runtime_dir);
  sd_notify (FALSE, "READY=1");
  g_main_loop_run (loop);
  sd_notify (FALSE, "STOPPING=1");
  g_source_remove (look);
  vision_service_free (service);
  return EXIT_SUCCESS;
}

int main (int argc, char **argv)
{
  log_open ("gridgate-vision");
  if (argc == 2 && g_str_equal (argv[1], "--version")) {
    puts ("gridgate-vision " GRIDGATE_VERSION);
    return EXIT_SUCCESS;
  }
  if (argc != 3 || !g_str_equal (argv[1], "--runtime-dir")) {
    fprintf (stderr, "usage: gridgate-vision --runtime-dir DIR\nMakes pictures for gridgate, which starts it.\n");
    return EXIT_USAGE;
  }
  return run (argv[2]);
}
