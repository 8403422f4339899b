/* schema.h: the key table as JSON Schema (2020-12), for editors and programs. */
#pragma once

/* Free with free. */
char *config_schema (void);
