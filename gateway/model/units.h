/* units.h: units of measure by their UCUM codes, and from one to another of the same dimension.
 *
 * The table is config/'s; the site's metrics point to it.
 *
 * thread: any. */
#pragma once

#include <glib.h>

typedef struct {
  const char *code;      /* UCUM, case-sensitive: "m", "Cel", "mm/h", "ug/m3" */
  const char *dimension; /* what units must share to be converted: "length" */
  double factor, offset; /* base = value * factor + offset */
} UnitOfMeasure;

/* NULL for an unknown code. `table` ends with a row without a code. An annotation such as {vehicles} counts and is "1". */
const UnitOfMeasure *unit_find (const UnitOfMeasure *table, const char *code);

/* FALSE, with `*value` as it was, when a code is unknown or they are not of one dimension. Equal codes always convert. */
gboolean unit_convert (const UnitOfMeasure *table, const char *from, const char *to, double *value);
