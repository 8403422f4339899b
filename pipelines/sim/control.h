/* control.h: takes command lines from standard input and from a unix socket, and answers each with "ok" or "error …".
 *
 * thread: the main thread. */
#pragma once

#include <glib.h>

typedef struct Control Control;

/* FALSE with an error when the command can't be carried out. `reply` (g_free) follows the "ok"; NULL: nothing. */
typedef gboolean (*ControlExecute) (gpointer data, const char *command, char **reply, GError **error);

/* `socket_path` NULL: standard input only. An old socket at the path is replaced. */
Control *control_new (const char *socket_path, ControlExecute execute, gpointer data, GError **error);

void control_free (Control *control);
