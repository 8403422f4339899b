/* error.h: the one error domain, whose code says what the caller can do next.
 *
 * thread: any. */
#pragma once

#include <glib.h>

typedef enum {
  ERROR_RETRY,       /* the same call may work later: the other side is away, busy or full */
  ERROR_RECONFIGURE, /* a person must change a setting: wrong password, address, key or file */
  ERROR_GIVE_UP,     /* this thing can't work here: unsupported codec, broken file, a limit of ours */
  ERROR_REFUSE,      /* the request is wrong or not allowed; tell whoever asked */
} ErrorStep;

#define GRIDGATE_ERROR (gridgate_error_quark ())
GQuark gridgate_error_quark (void);

/* Sets `error` and returns FALSE, so that a check is one line: `return error_set (error, ERROR_REFUSE, …);` */
gboolean error_set (GError **error, ErrorStep step, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* The same, with `strerror (error_number)` appended; the step follows from the number (ENOSPC, EAGAIN: retry, …). */
gboolean error_set_errno (GError **error, int error_number, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* Whether `error` is of our domain and says `step`. */
gboolean error_is (const GError *error, ErrorStep step);
