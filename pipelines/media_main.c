/* gridgate-media: moves encoded media between cameras, viewers and disk; decides nothing. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include <glib-unix.h>

#include "gateway/core/file.h"
#include "gateway/core/log.h"
#include "pipelines/media_control.h"

enum { DESCRIPTORS_WANTED = 65536 };

typedef struct {
  GMainLoop *main_loop;
  Media *media;
  gint pongs; /* atomic: loops that have run since the last watchdog message */
} Process;

static gboolean on_signal (gpointer data)
{
  g_main_loop_quit (((Process *) data)->main_loop);
  return G_SOURCE_CONTINUE;
}

static void pong (gpointer data)
{
  g_atomic_int_inc (&((Process *) data)->pongs);
}

/* The watchdog hears of us only while the main thread and every loop turn. */
static gboolean on_watchdog (gpointer data)
{
  Process *process = data;
  gint answered = g_atomic_int_get (&process->pongs);
  if (answered < (gint) process->media->loop_count)
    return G_SOURCE_CONTINUE;
  g_atomic_int_set (&process->pongs, 0);
  sd_notify (0, "WATCHDOG=1");
  for (guint i = 0; i < process->media->loop_count; i++)
    loop_post (process->media->loops[i], pong, process);
  return G_SOURCE_CONTINUE;
}

static void start_watchdog (Process *process)
{
  guint64 interval_us;
  if (sd_watchdog_enabled (0, &interval_us) <= 0)
    return;
  process->pongs = (gint) process->media->loop_count;
  g_timeout_add ((guint) MAX (interval_us / 3000, 100), on_watchdog, process);
}

/* Each camera and each viewer is a descriptor. */
static void raise_descriptor_limit (void)
{
  struct rlimit limit;
  if (getrlimit (RLIMIT_NOFILE, &limit) != 0)
    return;
  rlim_t wanted = MIN (limit.rlim_max, DESCRIPTORS_WANTED);
  if (limit.rlim_cur >= wanted)
    return;
  limit.rlim_cur = wanted;
  setrlimit (RLIMIT_NOFILE, &limit);
}

static int run (const char *runtime_dir)
{
  g_autoptr (GError) error = NULL;
  Process process = { 0 };
  if (!folder_make (runtime_dir, &error) || (process.media = media_new (runtime_dir, &error)) == NULL) {
    log_error ("%s", error->message);
    return EXIT_FAILURE;
  }
  process.main_loop = g_main_loop_new (NULL, FALSE);
  g_unix_signal_add (SIGTERM, on_signal, &process);
  g_unix_signal_add (SIGINT, on_signal, &process);
  start_watchdog (&process);
  sd_notify (0, "READY=1");
  log_notice ("ready, %u loops, waiting for gridgate on %s/media.sock", process.media->loop_count, runtime_dir);
  g_main_loop_run (process.main_loop);

  sd_notify (0, "STOPPING=1");
  log_notice ("ends");
  media_free (process.media);
  g_main_loop_unref (process.main_loop);
  return EXIT_SUCCESS;
}

int main (int argument_count, char **arguments)
{
  g_autofree char *runtime_dir = NULL;
  gboolean shows_version = FALSE;
  const GOptionEntry entries[] = {
    { "runtime-dir", 0, 0, G_OPTION_ARG_FILENAME, &runtime_dir, "where the link's sockets are", "DIR" },
    { "version", 0, 0, G_OPTION_ARG_NONE, &shows_version, "prints the version", NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  log_open ("gridgate-media");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argument_count, &arguments, &error)) {
    log_error ("%s", error->message);
    return EXIT_FAILURE;
  }
  if (shows_version) {
    g_print ("gridgate-media %s\n", GRIDGATE_VERSION);
    return EXIT_SUCCESS;
  }
  if (runtime_dir == NULL || argument_count > 1) {
    log_error ("usage: gridgate-media --runtime-dir DIR");
    return EXIT_FAILURE;
  }
  signal (SIGPIPE, SIG_IGN);
  raise_descriptor_limit ();
  return run (runtime_dir);
}
