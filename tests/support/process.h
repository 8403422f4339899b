/* process.h: a program under test or a peer of it: started with its own output file, waited for by what it prints.
 *
 * thread: the test's. Every wait has a deadline, after which the output is shown and the test fails. */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct Process Process;

/* `arguments` ends with NULL; the first is a path, or a name to be found in PATH. Standard output and error go to one
 * file below `folder`. Fails the test when it cannot be started. */
Process *process_start (const char *folder, const char *const *arguments);

/* As above, with NAME=VALUE pairs added to the environment (ends with NULL) and a pipe to standard input. */
Process *process_start_with (const char *folder, const char *const *arguments, const char *const *environment);

pid_t process_pid (const Process *process);

/* Waits until the output holds `text` (from the last such wait on); returns the whole line it stands in (g_free). */
char *process_wait_for (Process *process, const char *text, int seconds);

/* Whether the output holds `text` by now, from its start. */
gboolean process_has_said (Process *process, const char *text);

/* A line to its standard input. */
void process_write_line (Process *process, const char *line);

/* All output up to now (g_free). */
char *process_output (Process *process);

gboolean process_is_running (Process *process);

/* Waits for its end; returns the exit status, or -SIGNAL. */
int process_wait (Process *process, int seconds);

/* Sends the signal and waits for its end. */
int process_end (Process *process, int signal_number, int seconds);

/* Kills it if it still runs. NULL is taken. */
void process_free (Process *process);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Process, process_free)

/* Runs a program to its end; the output (g_free) in `*output` unless NULL. Returns its status. */
int process_run (const char *folder, int seconds, char **output, const char *const *arguments);

/* A TCP port of the loopback that is free now. */
int port_free (void);

/* Waits until something listens on the loopback's port. */
void port_wait (int port, int seconds);

/* The built executables: gridgate, gridgate-media …; g_free. */
char *built_program (const char *name);

/* Calls `condition` every few milliseconds until it is TRUE or the seconds are over (then FALSE). */
gboolean wait_until (gboolean (*condition) (gpointer data), gpointer data, int seconds);
