/* keys_rule_when.h: a rule's conditions, for keys_rules.c and for checks of the whole rule. */
#pragma once

#include "config/key.h"

extern const Section when_section; /* RuleWhen */
