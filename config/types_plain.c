/* Numbers, durations, sizes, times, booleans, choices. */
#include "config/reader.h"
#include "config/types.h"
#include "gateway/core/clock.h"
#include "gateway/core/quantity.h"

#include <math.h>
#include <string.h>

static gboolean has_range (const Key *key)
{
  return key->minimum != 0 || key->maximum != 0;
}

static gboolean is_in_range (const Key *key, double value)
{
  return !has_range (key) || (value >= key->minimum && value <= key->maximum);
}

static gboolean read_duration (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  gint64 value;
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  if (!duration_parse (text, &value))
    return reader_mismatch (reader, key, node);
  if (!is_in_range (key, (double) value)) {
    g_autofree char *least = duration_format ((gint64) key->minimum);
    g_autofree char *most = duration_format ((gint64) key->maximum);
    return reader_refuse (reader, node, "%s: %s is out of range, expected %s to %s", key->name, text, least, most);
  }
  *(gint64 *) field = value;
  return TRUE;
}

static json_t *show_duration (const Key *key, gconstpointer field)
{
  gint64 value = *(const gint64 *) field;
  if (value == 0 && key->fallback == NULL)
    return NULL;
  g_autofree char *text = duration_format (value);
  return json_string (text);
}

static json_t *schema_duration (const Key *key)
{
  (void) key;
  return json_pack ("{s:s, s:s}", "type", "string", "pattern", "^[0-9]+(ms|s|m|h|d)$");
}

const ValueType type_duration = { "a duration such as 500ms, 30s, 10m, 2h or 30d", read_duration, show_duration,
                                  schema_duration };

static gboolean read_size (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  gint64 value;
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  if (!size_parse (text, &value))
    return reader_mismatch (reader, key, node);
  if (!is_in_range (key, (double) value)) {
    g_autofree char *least = size_format ((gint64) key->minimum);
    g_autofree char *most = size_format ((gint64) key->maximum);
    return reader_refuse (reader, node, "%s: %s is out of range, expected %s to %s", key->name, text, least, most);
  }
  *(gint64 *) field = value;
  return TRUE;
}

static json_t *show_size (const Key *key, gconstpointer field)
{
  gint64 value = *(const gint64 *) field;
  if (value == 0 && key->fallback == NULL)
    return NULL;
  g_autofree char *text = size_format (value);
  return json_string (text);
}

static json_t *schema_size (const Key *key)
{
  (void) key;
  return json_pack ("{s:s, s:s}", "type", "string", "pattern", "^[0-9]+([KMGT]i?)?B$");
}

const ValueType type_size = { "a size such as 64KiB, 500MB or 2GB", read_size, show_size, schema_size };

/* Decimal only: g_ascii_strtod also takes hexadecimal, infinities and not-a-number. */
gboolean read_number (Reader *reader, const Key *key, const YamlNode *node, double *number)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  char *end;
  double value = g_ascii_strtod (text, &end);
  if (strspn (text, "+-0123456789.eE") != strlen (text) || *end != '\0' || !isfinite (value) || !node->is_plain)
    return reader_mismatch (reader, key, node);
  if (!is_in_range (key, value))
    return reader_refuse (reader, node, "%s: %s is out of range, expected %.15g to %.15g", key->name, text,
                          key->minimum, key->maximum);
  *number = value;
  return TRUE;
}

static gboolean read_number_field (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  return read_number (reader, key, node, field);
}

static json_t *show_number (const Key *key, gconstpointer field)
{
  (void) key;
  double value = *(const double *) field;
  return isnan (value) ? NULL : json_real (value);
}

static json_t *schema_range (const Key *key, const char *type)
{
  json_t *schema = json_pack ("{s:s}", "type", type);
  if (has_range (key)) {
    json_object_set_new (schema, "minimum", json_real (key->minimum));
    json_object_set_new (schema, "maximum", json_real (key->maximum));
  }
  return schema;
}

static json_t *schema_number (const Key *key)
{
  return schema_range (key, "number");
}

const ValueType type_number = { "a number", read_number_field, show_number, schema_number };

static gboolean read_whole (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  double value;
  if (!read_number (reader, key, node, &value))
    return FALSE;
  if (value != floor (value) || fabs (value) > G_MAXINT)
    return reader_mismatch (reader, key, node);
  *(int *) field = (int) value;
  return TRUE;
}

static json_t *show_whole (const Key *key, gconstpointer field)
{
  (void) key;
  return json_integer (*(const int *) field);
}

static json_t *schema_whole (const Key *key)
{
  return schema_range (key, "integer");
}

const ValueType type_whole = { "a whole number", read_whole, show_whole, schema_whole };

static gboolean read_boolean (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  gboolean is_true = strcmp (text, "true") == 0;
  if (!node->is_plain || (!is_true && strcmp (text, "false") != 0))
    return reader_mismatch (reader, key, node);
  *(gboolean *) field = is_true;
  return TRUE;
}

static json_t *show_boolean (const Key *key, gconstpointer field)
{
  (void) key;
  return json_boolean (*(const gboolean *) field);
}

static json_t *schema_boolean (const Key *key)
{
  (void) key;
  return json_pack ("{s:s}", "type", "boolean");
}

const ValueType type_boolean = { "true or false", read_boolean, show_boolean, schema_boolean };

static char *choices_in_words (const Key *key)
{
  GString *words = g_string_new (NULL);
  for (const Choice *choice = key->choices; choice->name != NULL; choice++) {
    if (choice->is_later)
      continue;
    gboolean is_last = TRUE;
    for (const Choice *next = choice + 1; next->name != NULL; next++)
      is_last = is_last && next->is_later;
    g_string_append_printf (words, "%s%s", words->len == 0 ? "" : is_last ? " or " : ", ", choice->name);
  }
  return g_string_free (words, FALSE);
}

static const Choice *find_choice (Reader *reader, const Key *key, const YamlNode *node)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return NULL;
  const Choice *choice = key->choices;
  while (choice->name != NULL && strcmp (choice->name, text) != 0)
    choice++;
  if (choice->name != NULL && !choice->is_later)
    return choice;
  g_autofree char *words = choices_in_words (key);
  if (choice->name != NULL)
    reader_refuse (reader, node, "%s: %s is not in this version, expected %s", key->name, text, words);
  else
    reader_refuse (reader, node, "%s: expected %s, found \"%.60s\"", key->name, words, text);
  return NULL;
}

static gboolean read_choice (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  const Choice *choice = find_choice (reader, key, node);
  if (choice == NULL)
    return FALSE;
  *(int *) field = choice->value;
  return TRUE;
}

static json_t *show_choice (const Key *key, gconstpointer field)
{
  for (const Choice *choice = key->choices; choice->name != NULL; choice++)
    if (choice->value == *(const int *) field)
      return json_string (choice->name);
  return NULL;
}

static json_t *schema_choice (const Key *key)
{
  json_t *names = json_array ();
  for (const Choice *choice = key->choices; choice->name != NULL; choice++)
    if (!choice->is_later)
      json_array_append_new (names, json_string (choice->name));
  return json_pack ("{s:o}", "enum", names);
}

const ValueType type_choice = { "one of a few words", read_choice, show_choice, schema_choice };

static gboolean read_choice_text (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  const Choice *choice = find_choice (reader, key, node);
  if (choice == NULL)
    return FALSE;
  g_free (*(char **) field);
  *(char **) field = g_strdup (choice->name);
  return TRUE;
}

const ValueType type_choice_text = { "one of a few words", read_choice_text, show_text, schema_choice };

static gboolean read_time (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  return time_from_rfc3339 (text, field) || reader_mismatch (reader, key, node);
}

static json_t *show_time (const Key *key, gconstpointer field)
{
  (void) key;
  gint64 wall_us = *(const gint64 *) field;
  if (wall_us == 0)
    return NULL;
  g_autofree char *text = time_to_rfc3339 (wall_us);
  return json_string (text);
}

static json_t *schema_time (const Key *key)
{
  (void) key;
  return json_pack ("{s:s, s:s}", "type", "string", "format", "date-time");
}

const ValueType type_time = { "a time such as 2027-12-31T00:00:00Z", read_time, show_time, schema_time };
