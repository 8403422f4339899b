#include "gateway/core/quantity.h"

#include <string.h>

typedef struct {
  const char *name;
  gint64 factor;
} Unit;

static const Unit duration_units[] = {
  { "d", 86400 * G_TIME_SPAN_SECOND }, { "h", 3600 * G_TIME_SPAN_SECOND }, { "m", 60 * G_TIME_SPAN_SECOND },
  { "s", G_TIME_SPAN_SECOND },         { "ms", 1000 },                     { NULL, 0 },
};

static const Unit size_units[] = {
  { "TB", 1000000000000 }, { "GB", 1000000000 },       { "MB", 1000000 },       { "KB", 1000 },     { "TiB", 1LL << 40 },
  { "GiB", 1LL << 30 },    { "MiB", 1LL << 20 },       { "KiB", 1LL << 10 },    { "B", 1 },         { NULL, 0 },
};

static gboolean parse (const char *text, const Unit *units, gint64 limit, gint64 *result)
{
  char *end;
  if (!g_ascii_isdigit (text[0]))
    return FALSE;
  guint64 number = g_ascii_strtoull (text, &end, 10);
  for (const Unit *unit = units; unit->name != NULL; unit++)
    if (strcmp (end, unit->name) == 0) {
      if (number > (guint64) (limit / unit->factor))
        return FALSE;
      *result = (gint64) number * unit->factor;
      return TRUE;
    }
  return FALSE;
}

static char *format (gint64 value, const Unit *units)
{
  const Unit *unit = units;
  while (unit[1].name != NULL && (value == 0 ? FALSE : value % unit->factor != 0))
    unit++;
  if (value == 0)
    while (unit[1].name != NULL && strcmp (unit->name, "s") != 0 && strcmp (unit->name, "B") != 0)
      unit++;
  return g_strdup_printf ("%" G_GINT64_FORMAT "%s", value / unit->factor, unit->name);
}

gboolean duration_parse (const char *text, gint64 *microseconds)
{
  return parse (text, duration_units, 36500 * 24 * G_TIME_SPAN_HOUR, microseconds);
}

gboolean size_parse (const char *text, gint64 *bytes)
{
  return parse (text, size_units, G_MAXINT64, bytes);
}

char *duration_format (gint64 microseconds)
{
  return format (microseconds, duration_units);
}

char *size_format (gint64 bytes)
{
  return format (bytes, size_units);
}
