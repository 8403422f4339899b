#include "pipelines/playback/header_units.h"

#include <string.h>

enum { START_CODE = 3 };

static const guint8 *start_code (const guint8 *bytes, const guint8 *end)
{
  return memmem (bytes, (gsize) (end - bytes), "\0\0\1", START_CODE);
}

HeaderUnits header_units (const MediaFormat *format)
{
  gsize size;
  const guint8 *bytes = g_bytes_get_data (format->header, &size), *first = start_code (bytes, bytes + size);
  return (HeaderUnits) { first != NULL ? first + START_CODE : NULL, bytes + size };
}

gboolean header_units_next (HeaderUnits *units, const guint8 **nal, gsize *size)
{
  if (units->next == NULL)
    return FALSE;
  *nal = units->next;
  const guint8 *next = start_code (*nal, units->end), *stop = next != NULL ? next : units->end;
  while (next != NULL && stop > *nal && stop[-1] == 0)
    stop--;
  *size = (gsize) (stop - *nal);
  units->next = next != NULL ? next + START_CODE : NULL;
  return TRUE;
}
