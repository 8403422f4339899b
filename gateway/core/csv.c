#include "gateway/core/csv.h"

#include <string.h>

void csv_append_field (GString *text, const char *field, char end)
{
  if (field != NULL && strpbrk (field, ",\"\r\n") == NULL) {
    g_string_append (text, field);
  } else if (field != NULL) {
    g_string_append_c (text, '"');
    for (const char *at = field; *at != '\0'; at++) {
      if (*at == '"')
        g_string_append_c (text, '"');
      g_string_append_c (text, *at);
    }
    g_string_append_c (text, '"');
  }
  if (end != '\0')
    g_string_append_c (text, end);
}

void csv_append_foreign_field (GString *text, const char *field, char end)
{
  gboolean is_formula = field != NULL && field[0] != '\0' && strchr ("=+-@", field[0]) != NULL;
  g_autofree char *harmless = is_formula ? g_strconcat ("'", field, NULL) : NULL;
  csv_append_field (text, harmless != NULL ? harmless : field, end);
}
