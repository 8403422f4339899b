/* references.h: the checks that need the whole site, and the defaults that come from other parts of it.
 *
 * All add problems to the reader; the site is published in between. */
#pragma once

#include "config/reader.h"

/* Fills what depends on other parts: the root grid, names, grids, client ids, recording modes, the runtime folder. */
void site_complete (Reader *reader);

/* Ids that stand twice, references to nothing, circles in the grid tree, rules that can't watch what they name.
 * Publishes the site. Without a division of its own no grid can be called unknown. */
void site_check (Reader *reader, gboolean has_division);

/* The same for one rule that was read beside a published site: rules that can't watch what they name; and every reference
 * that was noted. */
void rule_check (Reader *reader, const Rule *rule);
void references_check (Reader *reader, gboolean has_division);
