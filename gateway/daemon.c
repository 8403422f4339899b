#include "gateway/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "config/command.h"
#include "config/loader.h"
#include "gateway/core/error.h"
#include "gateway/core/file.h"
#include "gateway/core/log.h"
#include "gateway/wiring.h"

typedef struct {
  const DaemonOptions *options;
  GMainLoop *loop;
  Wiring *wiring;
  gboolean is_ending;
} Daemon;

static Site *load (const char *path)
{
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (g_free);
  Site *site = site_load (path, errors);
  for (guint i = 0; i < errors->len; i++)
    log_error ("%s", (char *) errors->pdata[i]);
  return site;
}

/* One gridgate a data folder; the lock goes with the process, however it ends. */
static int lock_data_dir (const char *data_dir, GError **error)
{
  g_autofree char *path = g_build_filename (data_dir, "lock", NULL);
  int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    error_set_errno (error, errno, "cannot open %s", path);
    return -1;
  }
  if (flock (fd, LOCK_EX | LOCK_NB) < 0) {
    close (fd);
    error_set (error, ERROR_RECONFIGURE, "another gridgate runs on %s: end it first, or give this one a data_dir of its own",
               data_dir);
    return -1;
  }
  return fd;
}

static gboolean on_end (gpointer data)
{
  Daemon *daemon = data;
  if (!daemon->is_ending)
    log_info ("ending in order");
  daemon->is_ending = TRUE;
  g_main_loop_quit (daemon->loop);
  return G_SOURCE_CONTINUE;
}

static gboolean on_reload (gpointer data)
{
  Daemon *daemon = data;
  if (daemon->is_ending || daemon->wiring == NULL)
    return G_SOURCE_CONTINUE;
  sd_notifyf (0, "RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time ());
  g_autoptr (Site) site = load (daemon->options->config_path);
  if (site == NULL)
    log_error ("the configuration was not loaded: the running site stays as it is");
  else
    wiring_reload (daemon->wiring, site);
  sd_notify (0, "READY=1");
  return G_SOURCE_CONTINUE;
}

static gboolean on_watchdog (gpointer data)
{
  Daemon *daemon = data;
  if (daemon->is_ending || wiring_is_healthy (daemon->wiring))
    sd_notify (0, "WATCHDOG=1");
  return G_SOURCE_CONTINUE;
}

static void raise_descriptor_limit (void)
{
  struct rlimit limit;
  if (getrlimit (RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit (RLIMIT_NOFILE, &limit);
  }
}

static void run_loop (Daemon *daemon)
{
  guint64 watchdog_us = 0;
  if (sd_watchdog_enabled (0, &watchdog_us) > 0)
    g_timeout_add ((guint) (watchdog_us / 3000), on_watchdog, daemon);
  sd_notify (0, "READY=1");
  log_notice ("ready");
  g_main_loop_run (daemon->loop);
  sd_notify (0, "STOPPING=1");
}

int daemon_run (const DaemonOptions *options)
{
  Daemon daemon = { .options = options };
  g_autoptr (GError) error = NULL;
  g_autoptr (Site) site = load (options->config_path);
  if (site == NULL)
    return EXIT_BAD_CONFIGURATION;

  signal (SIGPIPE, SIG_IGN);
  raise_descriptor_limit ();
  daemon.loop = g_main_loop_new (NULL, FALSE);
  const guint signals[] = { g_unix_signal_add (SIGTERM, on_end, &daemon), g_unix_signal_add (SIGINT, on_end, &daemon),
                            g_unix_signal_add (SIGHUP, on_reload, &daemon) };
  int lock_fd = folder_make (site->gateway.data_dir, &error) && folder_make (site->gateway.runtime_dir, &error)
                  ? lock_data_dir (site->gateway.data_dir, &error)
                  : -1;
  if (lock_fd >= 0)
    daemon.wiring = wiring_new (options->config_path, site, options->has_external_workers, &error);
  if (daemon.wiring != NULL)
    run_loop (&daemon);
  else
    log_error ("%s", error->message);
  wiring_free (daemon.wiring); /* a second signal, as Ctrl-C and then the shell send, must not cut this short */
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    g_source_remove (signals[i]);
  g_main_loop_unref (daemon.loop);
  if (lock_fd >= 0)
    close (lock_fd);
  return error != NULL ? EXIT_FAILURE : EXIT_SUCCESS;
}
