#include "gateway/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/observe/capture_line.h"
#include "gateway/core/ids.h"
#include "gateway/core/log.h"
#include "gateway/observe/routes.h"

typedef struct {
  GMainLoop *loop;
  const BrokerPort *port;
  int fd;
  GMutex mutex; /* over what follows; messages come on the brokers' threads */
  guint64 lines;
  int problem; /* errno of a write that failed; 0: none */
  gboolean is_ending;
} Capture;

static gboolean end (gpointer data)
{
  g_main_loop_quit (((Capture *) data)->loop);
  return G_SOURCE_CONTINUE;
}

static gboolean end_once (gpointer data)
{
  end (data);
  return G_SOURCE_REMOVE;
}

/* A line is one write: whatever ends the program, only the last can be cut. */
static int write_line (int fd, const char *line)
{
  gsize left = strlen (line);
  while (left > 0) {
    gssize written = write (fd, line, left);
    if (written < 0 && errno != EINTR)
      return errno;
    line += MAX (written, 0);
    left -= (gsize) MAX (written, 0);
  }
  return 0;
}

/* thread: the broker's. */
static BrokerAnswer received (gpointer self, RawMessage *message)
{
  Capture *capture = self;
  g_autofree char *line = capture_line_write (message);
  g_mutex_lock (&capture->mutex);
  if (!capture->is_ending && capture->problem == 0) {
    capture->problem = write_line (capture->fd, line);
    capture->lines += capture->problem == 0;
    if (capture->problem != 0)
      g_idle_add (end_once, capture);
  }
  g_mutex_unlock (&capture->mutex);
  return BROKER_TAKEN;
}

/* thread: the broker's. */
static void changed (gpointer self, const char *broker, const BrokerStatus *status)
{
  (void) self;
  log_notice ("broker %s: %s%s%s", broker, broker_state_name (status->state), status->reason != NULL ? ", " : "",
              status->reason != NULL ? status->reason : "");
}

static BrokerConnection *open_broker (Capture *capture, const Site *site, const Broker *broker, const Routes *routes)
{
  const BrokerHandlers handlers = { capture, received, NULL, changed, .ends_session = TRUE };
  g_auto (GStrv) filters = routes_filters (routes, broker->id);
  if (filters[0] == NULL)
    return NULL;
  g_autofree char *random = random_hex (4);
  g_autofree char *client_id = g_strdup_printf ("gridgate-%s-%s-capture-%s", site->gateway.id, broker->id, random);
  BrokerConnection *connection = capture->port->open (broker, client_id, &handlers);
  capture->port->subscribe (connection, (const char *const *) filters);
  return connection;
}

static void run (Capture *capture, const Site *site, const Routes *routes)
{
  const guint signals[] = { g_unix_signal_add (SIGTERM, end, capture), g_unix_signal_add (SIGINT, end, capture) };
  g_autoptr (GPtrArray) connections = g_ptr_array_new ();
  for (guint i = 0; i < site->brokers->len; i++) {
    BrokerConnection *connection = open_broker (capture, site, site->brokers->pdata[i], routes);
    if (connection != NULL)
      g_ptr_array_add (connections, connection);
  }
  log_notice ("capturing; Ctrl-C ends it 正在采集, 按 Ctrl-C 结束");
  g_main_loop_run (capture->loop);
  g_mutex_lock (&capture->mutex);
  capture->is_ending = TRUE;
  g_mutex_unlock (&capture->mutex);
  for (guint i = 0; i < connections->len; i++)
    capture->port->close (connections->pdata[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    g_source_remove (signals[i]);
}

static int finish (Capture *capture, const char *path)
{
  if (capture->problem == 0 && (fsync (capture->fd) != 0 || close (capture->fd) != 0))
    capture->problem = errno;
  if (capture->problem != 0)
    log_error ("%s: %s; %" G_GUINT64_FORMAT " messages are in it", path, g_strerror (capture->problem), capture->lines);
  else
    log_notice ("%" G_GUINT64_FORMAT " messages are in %s", capture->lines, path);
  return capture->problem != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int capture_command (Site *site, const BrokerPort *port, DecoderFind find_decoder, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Routes) routes = routes_new (site, find_decoder, NULL, &error);
  if (routes == NULL) {
    log_error ("%s", error->message);
    return EXIT_FAILURE;
  }
  Capture capture = { .port = port, .fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) };
  if (capture.fd < 0) {
    log_error ("%s: %s%s", path, g_strerror (errno), errno == EEXIST ? ": a capture replaces nothing, name another file" : "");
    return EXIT_FAILURE;
  }
  signal (SIGPIPE, SIG_IGN);
  g_mutex_init (&capture.mutex);
  capture.loop = g_main_loop_new (NULL, FALSE);
  run (&capture, site, routes);
  int status = finish (&capture, path);
  g_main_loop_unref (capture.loop);
  g_mutex_clear (&capture.mutex);
  return status;
}
