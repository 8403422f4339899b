/* control.h: the small socket (RUNTIME_DIR/control.sock, mode 0600) by which the command line reaches a running gateway.
 *
 * One request a connection: a JSON object and a newline, at most 16 KiB; the answer is {"exit","text","error"} and the end.
 *
 * thread: made and freed on the main thread; serves on one of its own. */
#pragma once

#include "gateway/access/access.h"

typedef struct Control Control;

Control *control_new (Access *access, const char *runtime_dir, GError **error);

/* Carries out one request: {"command":"user.add","name","role",…}. Used by the socket's thread and, when no gateway runs,
 * by the command itself. Waits for the store. The answer is the caller's. */
json_t *control_execute (Access *access, json_t *request);

/* Sends a request to the gateway that runs; NULL with ERROR_RETRY when none does. */
json_t *control_call (const char *runtime_dir, json_t *request, GError **error);

void control_free (Control *control);
