#include "pipelines/rtsp/rtsp_range.h"

#include <math.h>
#include <string.h>

enum { TEXT_MAX = 200, DATE = 15 };

#define LATEST_S 32503680000.0 /* the year 3000 */

static int number (const char *text, guint digits)
{
  int value = 0;
  for (guint i = 0; i < digits; i++) {
    if (!g_ascii_isdigit (text[i]))
      return -1;
    value = value * 10 + g_ascii_digit_value (text[i]);
  }
  return value;
}

/* YYYYMMDDTHHMMSS[.fraction]Z */
static gboolean read_clock (const char *text, gint64 *wall_us)
{
  if (strnlen (text, DATE) < DATE || text[8] != 'T')
    return FALSE;
  int date = number (text, 8), hour = number (text + 9, 2), minute = number (text + 11, 2), second = number (text + 13, 2);
  if (date < 0 || hour < 0 || minute < 0 || second < 0 || second > 59)
    return FALSE;
  gint64 fraction_us = 0, weight = G_USEC_PER_SEC / 10;
  text += DATE;
  if (*text == '.')
    for (text++; g_ascii_isdigit (*text); text++, weight /= 10)
      fraction_us += g_ascii_digit_value (*text) * weight;
  g_autoptr (GDateTime) time = g_date_time_new_utc (date / 10000, date / 100 % 100, date % 100, hour, minute, second);
  if (time == NULL || strcmp (text, "Z") != 0)
    return FALSE;
  *wall_us = g_date_time_to_unix (time) * G_USEC_PER_SEC + fraction_us;
  return *wall_us >= 0;
}

/* Seconds, or hours:minutes:seconds. */
static gboolean read_npt (const char *text, gint64 zero_us, gint64 *wall_us)
{
  double seconds = 0;
  g_auto (GStrv) parts = g_strsplit (text, ":", 4);
  guint count = g_strv_length (parts);
  if (count == 2 || count > 3)
    return FALSE;
  for (guint i = 0; i < count; i++) {
    char *end;
    double part = g_ascii_strtod (parts[i], &end);
    if (!g_ascii_isdigit (parts[i][0]) || *end != '\0' || !isfinite (part) || part > LATEST_S)
      return FALSE;
    seconds = seconds * 60 + part;
  }
  if (count == 0 || seconds > LATEST_S)
    return FALSE;
  *wall_us = zero_us + (gint64) (seconds * G_USEC_PER_SEC);
  return TRUE;
}

gboolean rtsp_range_parse (const char *header, gint64 zero_us, RtspRange *range)
{
  *range = (RtspRange){ -1, -1 };
  if (header == NULL)
    return TRUE;
  if (strlen (header) > TEXT_MAX)
    return FALSE;
  g_autofree char *text = g_strdup (header);
  char *parameters = strchr (text, ';'); /* ;time=… says when to begin, which is now */
  if (parameters != NULL)
    *parameters = '\0';
  g_strstrip (text);
  gboolean is_clock = g_str_has_prefix (text, "clock="), is_npt = g_str_has_prefix (text, "npt=");
  char *from = text + strlen (is_clock ? "clock=" : "npt="), *dash = is_clock || is_npt ? strchr (from, '-') : NULL;
  if (dash == NULL)
    return FALSE;
  *dash = '\0';
  const char *to = dash + 1;
  gboolean says_from = *from != '\0' && strcmp (from, "now") != 0, says_to = *to != '\0';
  if (is_clock)
    return (!says_from || read_clock (from, &range->from_us)) && (!says_to || read_clock (to, &range->to_us));
  return (!says_from || read_npt (from, zero_us, &range->from_us)) && (!says_to || read_npt (to, zero_us, &range->to_us));
}

char *rtsp_clock_text (gint64 wall_us)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (wall_us / G_USEC_PER_SEC);
  g_autofree char *text = time != NULL ? g_date_time_format (time, "%Y%m%dT%H%M%S") : NULL;
  return text != NULL ? g_strdup_printf ("%s.%03dZ", text, (int) (wall_us % G_USEC_PER_SEC / 1000)) : g_strdup ("");
}

double rtsp_scale_parse (const char *header)
{
  char *end;
  double scale = header != NULL ? g_ascii_strtod (header, &end) : 1;
  return isfinite (scale) && scale >= 2 ? MIN (scale, RTSP_SCALE_MAX) : 1;
}
