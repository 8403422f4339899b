#include "gateway/model/units.h"

#include <string.h>

const UnitOfMeasure *unit_find (const UnitOfMeasure *table, const char *code)
{
  gsize length = strlen (code);
  if (length > 2 && code[0] == '{' && code[length - 1] == '}') /* UCUM 6: an annotation alone is the unity */
    code = "1";
  for (const UnitOfMeasure *unit = table; unit != NULL && unit->code != NULL; unit++)
    if (strcmp (unit->code, code) == 0)
      return unit;
  return NULL;
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
