/* csv.h: fields of CSV (RFC 4180 2.5 to 2.7).
 *
 * thread: any. */
#pragma once

#include <glib.h>

/* Appends the field, in quotes where it needs them, and `end` unless that is NUL. A NULL field is empty. */
void csv_append_field (GString *text, const char *field, char end);

/* The same of a text that strangers may have written: one that a spreadsheet would take for a formula begins with a '. */
void csv_append_foreign_field (GString *text, const char *field, char end);
