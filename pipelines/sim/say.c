#include "pipelines/sim/say.h"

#include <string.h>
#include <unistd.h>

void say (const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  for (char *c = text; *c; c++)
    if ((guchar) *c < ' ' || *c == 0x7f) /* what came over a network must not start a line of its own */
      *c = ' ';
  g_autofree char *line = g_strconcat (text, "\n", NULL);
  (void) !write (STDOUT_FILENO, line, strlen (line));
}
