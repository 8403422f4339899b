#include "pipelines/sim/control.h"

#include <gio/gio.h>
#include <gio/gunixinputstream.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "pipelines/sim/say.h"

enum { LINE_MAX_BYTES = 4096, PEERS_MAX = 16 };

struct Control {
  ControlExecute execute;
  gpointer data;
  char *path;
  GSocketService *service;
  GCancellable *ended;
  GPtrArray *peers; /* of Peer */
};

/* Somebody who gives commands. */
typedef struct {
  Control *control;
  GDataInputStream *input;
  GOutputStream *output; /* NULL: the answers go to standard output */
  GIOStream *connection; /* NULL: standard input */
} Peer;

static void peer_free (gpointer data)
{
  Peer *peer = data;
  g_object_unref (peer->input);
  g_clear_object (&peer->connection);
  g_free (peer);
}

static gboolean answer (Peer *peer, const char *text)
{
  if (peer->output == NULL) {
    say ("%s", text);
    return TRUE;
  }
  g_autofree char *line = g_strconcat (text, "\n", NULL);
  return g_output_stream_write_all (peer->output, line, strlen (line), NULL, NULL, NULL);
}

static gboolean obey (Peer *peer, char *line)
{
  g_autoptr (GError) error = NULL;
  g_strstrip (line);
  if (line[0] == '\0')
    return TRUE;
  if (strlen (line) > LINE_MAX_BYTES || !g_utf8_validate (line, -1, NULL))
    return answer (peer, "error: a command is one line of UTF-8 under 4096 bytes");
  g_autofree char *reply = NULL, *text = NULL;
  if (peer->control->execute (peer->control->data, line, &reply, &error))
    text = g_strconcat ("ok", reply ? " " : NULL, reply, NULL);
  else
    text = g_strconcat ("error: ", error->message, NULL);
  return answer (peer, text);
}

static void line_read (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *line = g_data_input_stream_read_line_finish (G_DATA_INPUT_STREAM (source), result, NULL, &error);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return; /* the control is gone, and the peer with it */
  Peer *peer = data;
  if (line == NULL || !obey (peer, line))
    g_ptr_array_remove_fast (peer->control->peers, peer);
  else
    g_data_input_stream_read_line_async (peer->input, G_PRIORITY_DEFAULT, peer->control->ended, line_read, peer);
}

/* Takes `input`. */
static void add_peer (Control *control, GInputStream *input, GIOStream *connection)
{
  Peer *peer = g_new0 (Peer, 1);
  peer->control = control;
  peer->input = g_data_input_stream_new (input);
  g_object_unref (input);
  if (connection) {
    peer->connection = g_object_ref (connection);
    peer->output = g_io_stream_get_output_stream (connection);
  }
  g_ptr_array_add (control->peers, peer);
  g_data_input_stream_read_line_async (peer->input, G_PRIORITY_DEFAULT, control->ended, line_read, peer);
}

static gboolean peer_came (GSocketService *service, GSocketConnection *connection, GObject *source, gpointer data)
{
  (void) service;
  (void) source;
  Control *control = data;
  if (control->peers->len < PEERS_MAX)
    add_peer (control, g_object_ref (g_io_stream_get_input_stream (G_IO_STREAM (connection))),
              G_IO_STREAM (connection));
  return TRUE;
}

static gboolean open_socket (Control *control, GError **error)
{
  g_autoptr (GError) cause = NULL;
  g_autoptr (GSocketAddress) address = g_unix_socket_address_new (control->path);
  g_unlink (control->path);
  control->service = g_socket_service_new ();
  if (!g_socket_listener_add_address (G_SOCKET_LISTENER (control->service), address, G_SOCKET_TYPE_STREAM,
                                      G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL, &cause))
    return error_set (error, ERROR_RECONFIGURE, "control %s: %s", control->path, cause->message);
  g_signal_connect (control->service, "incoming", G_CALLBACK (peer_came), control);
  return TRUE;
}

Control *control_new (const char *socket_path, ControlExecute execute, gpointer data, GError **error)
{
  Control *control = g_new0 (Control, 1);
  control->execute = execute;
  control->data = data;
  control->path = g_strdup (socket_path);
  control->ended = g_cancellable_new ();
  control->peers = g_ptr_array_new_with_free_func (peer_free);
  if (socket_path && !open_socket (control, error)) {
    g_clear_pointer (&control, control_free);
    return NULL;
  }
  add_peer (control, g_unix_input_stream_new (STDIN_FILENO, FALSE), NULL);
  return control;
}

void control_free (Control *control)
{
  if (control == NULL)
    return;
  g_cancellable_cancel (control->ended);
  while (g_main_context_iteration (NULL, FALSE)) /* what was cancelled says so while its peer is still there */
    ;
  if (control->service) {
    g_socket_service_stop (control->service);
    g_socket_listener_close (G_SOCKET_LISTENER (control->service));
    g_object_unref (control->service);
    g_unlink (control->path);
  }
  g_ptr_array_unref (control->peers);
  g_object_unref (control->ended);
  g_free (control->path);
  g_free (control);
}
