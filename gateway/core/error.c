#include "gateway/core/error.h"

#include <errno.h>

G_DEFINE_QUARK (gridgate-error-quark, gridgate_error)

gboolean error_set (GError **error, ErrorStep step, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *message = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error_literal (error, GRIDGATE_ERROR, step, message);
  return FALSE;
}

static ErrorStep step_of_errno (int error_number)
{
  switch (error_number) {
  case EAGAIN:
  case EINTR:
  case ENOSPC:
  case EDQUOT:
  case ENOMEM:
  case EMFILE:
  case ENFILE:
  case ECONNREFUSED:
  case ECONNRESET:
  case EHOSTUNREACH:
  case ENETUNREACH:
  case ETIMEDOUT:
  case EPIPE:
    return ERROR_RETRY;
  case EACCES:
  case EPERM:
  case ENOENT:
  case ENOTDIR:
  case EADDRINUSE:
  case EADDRNOTAVAIL:
  case EROFS:
    return ERROR_RECONFIGURE;
  default:
    return ERROR_GIVE_UP;
  }
}

gboolean error_set_errno (GError **error, int error_number, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *message = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, GRIDGATE_ERROR, step_of_errno (error_number), "%s: %s", message, g_strerror (error_number));
  return FALSE;
}

gboolean error_is (const GError *error, ErrorStep step)
{
  return g_error_matches (error, GRIDGATE_ERROR, (int) step);
}
