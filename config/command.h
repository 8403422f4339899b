/* command.h: `gridgate check` and `gridgate defaults`. Each returns the exit status. */
#pragma once

#include <glib.h>

enum { EXIT_BAD_CONFIGURATION = 78 }; /* EX_CONFIG of sysexits.h */

/* Prints every problem on standard error. 0 or EXIT_BAD_CONFIGURATION. */
int command_check (const char *path);

/* Prints the annotated defaults, or the JSON Schema. */
int command_defaults (gboolean schema);
