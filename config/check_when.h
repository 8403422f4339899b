/* check_when.h: what of a rule's conditions goes together, and what doesn't. */
#pragma once

#include "config/reader.h"

/* Checks of their sections (key.h); the item is a RuleStep, a RuleTerm, a RuleWhen. */
void check_step (Reader *reader, const YamlNode *map, gpointer item);
void check_term (Reader *reader, const YamlNode *map, gpointer item);
void check_when (Reader *reader, const YamlNode *map, gpointer item);
