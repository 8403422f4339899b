/* The table's way back: items as JSON, sections as JSON Schema. */
#include "config/schema.h"

#include "config/key.h"

json_t *section_show (const Section *section, gconstpointer item)
{
  json_t *map = json_object ();
  for (const Key *key = section->keys; key->name != NULL; key++) {
    json_t *value = key->type != NULL ? key->type->show (key, (const char *) item + key->offset) : NULL;
    if (value != NULL)
      json_object_set_new (map, key->name, value);
  }
  return map;
}

/* Durations and sizes are texts in YAML, numbers and booleans are not. */
static json_t *default_of (const Key *key, const json_t *schema)
{
  const char *type = json_string_value (json_object_get (schema, "type"));
  if (g_strcmp0 (type, "boolean") == 0)
    return json_boolean (g_strcmp0 (key->fallback, "true") == 0);
  if (g_strcmp0 (type, "integer") == 0)
    return json_integer (g_ascii_strtoll (key->fallback, NULL, 10));
  if (g_strcmp0 (type, "number") == 0)
    return json_real (g_ascii_strtod (key->fallback, NULL));
  return json_string (key->fallback);
}

json_t *section_schema (const Section *section)
{
  json_t *properties = json_object (), *required = json_array ();
  for (const Key *key = section->keys; key->name != NULL; key++) {
    if (key->type == NULL)
      continue;
    json_t *schema = key->type->schema (key);
    g_autofree char *help = g_strdup_printf ("%s %s", key->help, key->help_zh);
    json_object_set_new (schema, "description", json_string (help));
    if (key->fallback != NULL)
      json_object_set_new (schema, "default", default_of (key, schema));
    json_object_set_new (properties, key->name, schema);
    if (key->is_required)
      json_array_append_new (required, json_string (key->name));
  }
  json_t *object = json_pack ("{s:s, s:o, s:b}", "type", "object", "properties", properties, "additionalProperties", 0);
  if (json_array_size (required) > 0)
    json_object_set (object, "required", required);
  json_decref (required);
  return object;
}

char *config_schema (void)
{
  json_t *schema = section_schema (&site_section);
  json_object_set_new (schema, "$schema", json_string ("https://json-schema.org/draft/2020-12/schema"));
  json_object_set_new (schema, "$id", json_string ("urn:gridgate:configuration"));
  json_object_set_new (schema, "title", json_string ("gridgate " GRIDGATE_VERSION));
  char *text = json_dumps (schema, JSON_INDENT (2));
  json_decref (schema);
  return text;
}
