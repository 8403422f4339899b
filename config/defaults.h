/* defaults.h: the annotated default configuration, made from the key table.
 *
 * Every key of this version stands in it with its help. What must be there is set, everything else is commented out as
 * `#key: value` (prose comments have a space after the '#'), with its default or an example. */
#pragma once

/* Free with g_free. */
char *config_defaults (void);
