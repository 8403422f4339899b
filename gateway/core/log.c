#include "gateway/core/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT_LINES = 10, LIMIT_WINDOW_US = 10 * G_USEC_PER_SEC };

static const char *log_program = "gridgate";
static gboolean log_to_journal;
static gboolean log_debug_shown;
static GMutex limit_mutex;

static LogLevel level_from_glib (GLogLevelFlags flags)
{
  if (flags & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
    return LOG_LEVEL_ERROR;
  if (flags & G_LOG_LEVEL_WARNING)
    return LOG_LEVEL_WARNING;
  return flags & G_LOG_LEVEL_DEBUG ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

static void write_glib_message (const char *domain, GLogLevelFlags flags, const char *message, gpointer unused)
{
  (void) unused;
  if (flags & G_LOG_FLAG_FATAL)
    log_error ("%s: %s", domain ? domain : "glib", message);
  else
    log_limited (level_from_glib (flags), "%s: %s", domain ? domain : "glib", message);
}

void log_open (const char *program)
{
  log_program = program;
  log_to_journal = g_getenv ("JOURNAL_STREAM") != NULL;
  log_debug_shown = g_strcmp0 (g_getenv ("GRIDGATE_DEBUG"), "1") == 0;
  g_log_set_default_handler (write_glib_message, NULL);
}

void log_write (LogLevel level, const char *format, ...)
{
  if (level == LOG_LEVEL_DEBUG && !log_debug_shown)
    return;

  va_list arguments;
  va_start (arguments, format);
  g_autofree char *message = g_strdup_vprintf (format, arguments);
  va_end (arguments);

  for (char *c = message; *c; c++)
    if ((guchar) *c < ' ' || *c == 0x7f) /* a hostile name must not start a line of its own */
      *c = ' ';

  g_autofree char *line = NULL;
  if (log_to_journal) {
    line = g_strdup_printf ("<%d>%s\n", (int) level, message);
  } else {
    g_autoptr (GDateTime) now = g_date_time_new_now_local ();
    g_autofree char *time = g_date_time_format (now, "%H:%M:%S");
    line = g_strdup_printf ("%s %s: %s%s\n", time, log_program, level <= LOG_LEVEL_WARNING ? "! " : "", message);
  }
  (void) !write (STDERR_FILENO, line, strlen (line)); /* one write a line, so that processes don't mix theirs */
}

gboolean log_limit_pass (LogLimit *limit, guint *held_back)
{
  gint64 now = g_get_monotonic_time ();
  gboolean pass;

  g_mutex_lock (&limit_mutex);
  *held_back = 0;
  if (limit->window_start_us == 0 || now - limit->window_start_us >= LIMIT_WINDOW_US) {
    *held_back = limit->held_back;
    limit->window_start_us = now;
    limit->written = limit->held_back = 0;
  }
  pass = limit->written < LIMIT_LINES;
  if (pass)
    limit->written++;
  else
    limit->held_back++;
  g_mutex_unlock (&limit_mutex);
  return pass;
}
