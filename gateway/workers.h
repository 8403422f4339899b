/* workers.h: the processes beside gridgate when no service manager runs them: started, started again, ended.
 *
 * A worker that listens already (gridgate was killed and came back) is left running and ended with the others. Workers
 * outlive a killed gridgate on purpose: recording and viewers go on.
 *
 * thread: main. */
#pragma once

#include <glib.h>

typedef struct Workers Workers;

typedef struct {
  const char *name;               /* "gridgate-media": the executable beside ours, and its --runtime-dir */
  int (*pid) (gpointer link);     /* of the process that serves the link now, 0: none */
  gpointer link;
} WorkerKind;

/* `kinds` ends with a NULL name and stays the caller's. Starts what does not listen after a moment. */
Workers *workers_new (const char *runtime_dir, const WorkerKind *kinds);

/* Ends them all in order (SIGTERM, five seconds, SIGKILL). NULL is taken. */
void workers_stop (Workers *workers);
