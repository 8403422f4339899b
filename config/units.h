/* units.h: the units of measure that a metric may have.
 *
 * thread: any. */
#pragma once

#include "gateway/model/units.h"

extern const UnitOfMeasure config_units[]; /* ended by a row without a code */

/* The code of a unit that people write in another way ("°C", "℃", "mg/m³"), or the nearest one; NULL when none is near. */
const char *unit_suggestion (const char *code);
