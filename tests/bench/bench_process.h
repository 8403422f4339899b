/* bench_process.h: processes that are measured from outside, and what the kernel knows of them.
 *
 * A benchmark that can't go on says why and ends the program. */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Starts it; it dies with us. Standard output and error go to the file `output`, or nowhere if NULL. */
pid_t bench_spawn (const char *const *arguments, const char *output);

/* SIGTERM, and waits for its end; SIGKILL when it doesn't hear. */
void bench_stop (pid_t pid);

gint64 bench_cpu_ns (pid_t pid);         /* on a core, of all its threads (proc_pid_schedstat) */
gint64 bench_resident_bytes (pid_t pid);
gint64 bench_written_bytes (pid_t pid);  /* sent to the disk (proc_pid_io) */
guint bench_threads (pid_t pid);

/* Waits until the counter, which another process changes, has that value; FALSE after half a minute. */
gboolean bench_reach (const gint *value, guint wanted);

/* The same, where nothing can go on without it. */
void bench_wait_for (const gint *value, guint wanted, const char *what);

/* Sorts `values`; 0 when there are none. */
double bench_median (double *values, guint count);
double bench_quantile (double *values, guint count, double part);

/* The folder of this executable; g_free. */
char *bench_folder (void);

/* An executable of this build, named from the build's root ("gridgate-media"); g_free. */
char *bench_program (const char *name);
