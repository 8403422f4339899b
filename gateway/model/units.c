#include "gateway/model/units.h"

#include <string.h>

static const UnitOfMeasure *find_row (const UnitOfMeasure *table, const char *code)
{
  for (const UnitOfMeasure *unit = table; unit != NULL && unit->code != NULL; unit++)
    if (strcmp (unit->code, code) == 0)
      return unit;
  return NULL;
}

/* UCUM 6: an annotation alone is the unity, unless the table knows better. */
const UnitOfMeasure *unit_find (const UnitOfMeasure *table, const char *code)
{
  const UnitOfMeasure *row = find_row (table, code);
  gsize length = strlen (code);
  return row == NULL && length > 2 && code[0] == '{' && code[length - 1] == '}' ? find_row (table, "1") : row;
}

gboolean unit_convert (const UnitOfMeasure *table, const char *from, const char *to, double *value)
{
  if (strcmp (from, to) == 0)
    return TRUE;
  const UnitOfMeasure *first = unit_find (table, from), *second = unit_find (table, to);
  if (first == NULL || second == NULL || strcmp (first->dimension, second->dimension) != 0)
    return FALSE;
  *value = (*value * first->factor + first->offset - second->offset) / second->factor;
  return TRUE;
}
