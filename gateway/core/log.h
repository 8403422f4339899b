/* log.h: one line an event, to standard error, with a priority that journald understands.
 *
 * Library code returns errors; the edge (a main, a state machine, a connection) logs once. A line names its thing first:
 * "camera bridge: live, 1920x1080 h264". Lines of one `log_limited` call site are bounded, and what was held back is counted.
 *
 * thread: any. */
#pragma once

#include <glib.h>

typedef enum {
  LOG_LEVEL_ERROR = 3, /* the numbers are those of syslog (RFC 5424 6.2.1) */
  LOG_LEVEL_WARNING = 4,
  LOG_LEVEL_NOTICE = 5,
  LOG_LEVEL_INFO = 6,
  LOG_LEVEL_DEBUG = 7,
} LogLevel;

/* Call once, first thing in main. `program` is static. Takes over GLib's own messages (GStreamer's parsers warn through
 * them at hostile input), at most ten of them a second. GRIDGATE_DEBUG=1 in the environment shows LOG_LEVEL_DEBUG. */
void log_open (const char *program);

void log_write (LogLevel level, const char *format, ...) G_GNUC_PRINTF (2, 3);

#define log_error(...) log_write (LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write (LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_write (LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_write (LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write (LOG_LEVEL_DEBUG, __VA_ARGS__)

/* What one call site may say: ten lines in ten seconds. */
typedef struct {
  gint64 window_start_us;
  guint written;
  guint held_back;
} LogLimit;

/* TRUE when the site may write; `*held_back` is then what was suppressed since it last could. */
gboolean log_limit_pass (LogLimit *limit, guint *held_back);

#define log_limited(level, ...)                                                                                        \
  G_STMT_START                                                                                                         \
  {                                                                                                                    \
    static LogLimit log_limit_;                                                                                        \
    guint held_back_;                                                                                                  \
    if (log_limit_pass (&log_limit_, &held_back_)) {                                                                   \
      log_write (level, __VA_ARGS__);                                                                                  \
      if (held_back_ > 0)                                                                                              \
        log_write (level, "… and %u more lines like this one held back", held_back_);                                  \
    }                                                                                                                  \
  }                                                                                                                    \
  G_STMT_END
