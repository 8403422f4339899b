#include "pipelines/record/segment_name.h"

#include <string.h>

#define PREFIX "recordings/"

char *segment_name_new (const char *camera, const char *stream, gint64 wall_us, guint number)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (wall_us / G_USEC_PER_SEC);
  if (time == NULL)
    return NULL;
  g_autofree char *day = g_date_time_format (time, "%Y%m%d"), *second = g_date_time_format (time, "%H%M%S");
  g_autofree char *suffix = number > 0 ? g_strdup_printf ("-%u", number) : g_strdup ("");
  return g_strdup_printf (PREFIX "%s/%s/%s/%s-%03d%s.mp4", camera, stream, day, second, (int) (wall_us / 1000 % 1000),
                          suffix);
}

/* `count` digits as a number; -1 when they are none. */
static int digits (const char *text, guint count)
{
  int number = 0;
  for (guint i = 0; i < count; i++) {
    if (!g_ascii_isdigit (text[i]))
      return -1;
    number = number * 10 + (text[i] - '0');
  }
  return number;
}

/* The ids of the site: [A-Za-z0-9][A-Za-z0-9._-]{0,63}. */
static gboolean take_camera (const char *text, SegmentName *name)
{
  gsize length = strlen (text);
  if (length == 0 || length > SEGMENT_CAMERA_MAX || !g_ascii_isalnum (text[0]))
    return FALSE;
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isalnum (text[i]) && strchr ("._-", text[i]) == NULL)
      return FALSE;
  memcpy (name->camera, text, length + 1);
  return TRUE;
}

static gboolean take_stream (const char *text, SegmentName *name)
{
  name->stream = strcmp (text, "main") == 0 ? "main" : strcmp (text, "sub") == 0 ? "sub" : NULL;
  return name->stream != NULL;
}

/* ".mp4", or "-N.mp4" with one to three digits. */
static gboolean is_end (const char *text)
{
  if (text[0] == '-') {
    text++;
    guint count = 0;
    while (count < 3 && g_ascii_isdigit (text[count]))
      count++;
    if (count == 0)
      return FALSE;
    text += count;
  }
  return strcmp (text, ".mp4") == 0;
}

static gboolean take_time (const char *day, const char *file, SegmentName *name)
{
  if (strlen (day) != 8 || strlen (file) < 14)
    return FALSE;
  int year = digits (day, 4), month = digits (day + 4, 2), date = digits (day + 6, 2);
  int hour = digits (file, 2), minute = digits (file + 2, 2), second = digits (file + 4, 2), milli = digits (file + 7, 3);
  if (MIN (MIN (year, month), MIN (date, hour)) < 0 || MIN (MIN (minute, second), milli) < 0 || file[6] != '-'
      || !is_end (file + 10))
    return FALSE;
  g_autoptr (GDateTime) time = g_date_time_new_utc (year, month, date, hour, minute, second);
  if (time == NULL)
    return FALSE;
  name->wall_us = g_date_time_to_unix (time) * G_USEC_PER_SEC + (gint64) milli * 1000;
  return name->wall_us >= 0;
}

gboolean segment_name_parse (const char *relative, SegmentName *name)
{
  g_auto (GStrv) parts = g_strsplit (relative, "/", 6);
  return g_strv_length (parts) == 5 && strcmp (parts[0], "recordings") == 0 && take_camera (parts[1], name)
         && take_stream (parts[2], name) && take_time (parts[3], parts[4], name);
}
