#include "config/types.h"

#include "config/reader.h"
#include "gateway/core/ids.h"

#include <math.h>
#include <string.h>

static void set_text (gpointer field, char *text)
{
  char **place = field;
  g_free (*place);
  *place = text;
}

json_t *show_text (const Key *key, gconstpointer field)
{
  (void) key;
  const char *text = *(char *const *) field;
  return text != NULL ? json_string (text) : NULL;
}

json_t *schema_text (const Key *key)
{
  (void) key;
  return json_pack ("{s:s, s:i}", "type", "string", "minLength", 1);
}

static gboolean read_text (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  if (strlen (text) > 1024)
    return reader_refuse (reader, node, "%s: the text is too long, expected at most 1024 bytes", key->name);
  for (const char *at = text; *at != '\0'; at++)
    if ((guchar) *at < 0x20 || *at == 0x7f)
      return reader_refuse (reader, node, "%s: a control character stands in it, expected plain text", key->name);
  set_text (field, g_strdup (text));
  return TRUE;
}

const ValueType type_text = { "text", read_text, show_text, schema_text };

static gboolean accept_id (Reader *reader, const Key *key, const YamlNode *node)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  for (guint i = 0; key->special != NULL && key->special[i] != NULL; i++)
    if (strcmp (key->special[i], text) == 0)
      return TRUE;
  return site_id_is_valid (text) || reader_mismatch (reader, key, node);
}

static gboolean read_id (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  if (!accept_id (reader, key, node))
    return FALSE;
  set_text (field, g_strdup (node->text));
  return TRUE;
}

static json_t *schema_id (const Key *key)
{
  (void) key;
  return json_pack ("{s:s, s:s}", "type", "string", "pattern", "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$");
}

#define ID_SHAPE "letters, digits, '.', '_' or '-', at most 64, a letter or digit first"
const ValueType type_id = { "an id (" ID_SHAPE ")", read_id, show_text, schema_id };

static gboolean accept_reference (Reader *reader, const Key *key, const YamlNode *node)
{
  if (!accept_id (reader, key, node))
    return FALSE;
  Reference reference = { node, key->name, key->kind };
  g_array_append_val (reader->references, reference);
  return TRUE;
}

static gboolean read_reference (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  if (!accept_reference (reader, key, node))
    return FALSE;
  set_text (field, g_strdup (node->text));
  return TRUE;
}

const ValueType type_reference = { "the id of one that this site names", read_reference, show_text, schema_id };

static gboolean count_is_right (Reader *reader, const Key *key, const YamlNode *node)
{
  double most = key->maximum > 0 ? key->maximum : 1000;
  if (node->children->len >= key->minimum && node->children->len <= most)
    return TRUE;
  return reader_refuse (reader, node, "%s: expected %g to %g items, found %u", key->name, key->minimum, most,
                        node->children->len);
}

gboolean read_texts (Reader *reader, const Key *key, const YamlNode *node, gpointer field,
                     gboolean (*accept) (Reader *reader, const Key *key, const YamlNode *node))
{
  if (node->kind != YAML_LIST)
    return reader_mismatch (reader, key, node);
  gboolean is_good = count_is_right (reader, key, node);
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  for (guint i = 0; i < node->children->len; i++) {
    const YamlNode *item = node->children->pdata[i];
    if (accept (reader, key, item))
      g_strv_builder_add (builder, item->text);
    else
      is_good = FALSE;
  }
  GStrv *place = field;
  g_strfreev (*place);
  *place = g_strv_builder_end (builder);
  return is_good;
}

json_t *show_texts (const Key *key, gconstpointer field)
{
  (void) key;
  GStrv texts = *(const GStrv *) field;
  if (texts == NULL)
    return NULL;
  json_t *list = json_array ();
  for (guint i = 0; texts[i] != NULL; i++)
    json_array_append_new (list, json_string (texts[i]));
  return list;
}

static json_t *schema_list (const Key *key, json_t *items)
{
  json_t *schema = json_pack ("{s:s, s:o}", "type", "array", "items", items);
  if (key->minimum > 0)
    json_object_set_new (schema, "minItems", json_integer ((json_int_t) key->minimum));
  if (key->maximum > 0)
    json_object_set_new (schema, "maxItems", json_integer ((json_int_t) key->maximum));
  return schema;
}

json_t *schema_texts (const Key *key)
{
  return schema_list (key, schema_text (key));
}

static json_t *schema_ids (const Key *key)
{
  json_t *item = schema_id (key);
  if (key->special == NULL)
    return schema_list (key, item);
  json_t *special = json_array ();
  for (guint i = 0; key->special[i] != NULL; i++)
    json_array_append_new (special, json_string (key->special[i]));
  return schema_list (key, json_pack ("{s:[o, {s:o}]}", "anyOf", item, "enum", special));
}

static gboolean accept_text (Reader *reader, const Key *key, const YamlNode *node)
{
  return reader_text (reader, key, node) != NULL;
}

static gboolean read_text_list (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  return read_texts (reader, key, node, field, accept_text);
}

static gboolean read_id_list (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  return read_texts (reader, key, node, field, accept_id);
}

static gboolean read_reference_list (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  return read_texts (reader, key, node, field, accept_reference);
}

const ValueType type_texts = { "a list of texts", read_text_list, show_texts, schema_texts };
const ValueType type_ids = { "a list of names (" ID_SHAPE ")", read_id_list, show_texts, schema_ids };
const ValueType type_references = { "a list of ids that this site names", read_reference_list, show_texts, schema_ids };

/* `http:` with nothing but comments below it. */
static gboolean is_nothing (const YamlNode *node)
{
  return node->kind == YAML_SCALAR && node->is_plain && node->text[0] == '\0';
}

static gboolean read_map (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  if (is_nothing (node)) {
    g_autoptr (GPtrArray) none = g_ptr_array_new ();
    YamlNode empty = { YAML_MAP, node->file, node->line, node->column, .children = none };
    reader_read_map (reader, key->section, &empty, field);
    return TRUE;
  }
  if (node->kind != YAML_MAP)
    return reader_mismatch (reader, key, node);
  reader_read_map (reader, key->section, node, field);
  return TRUE;
}

static json_t *show_map (const Key *key, gconstpointer field)
{
  json_t *map = section_show (key->section, field);
  if (json_object_size (map) > 0)
    return map;
  json_decref (map);
  return NULL;
}

static json_t *schema_map (const Key *key)
{
  return section_schema (key->section);
}

const ValueType type_map = { "a map", read_map, show_map, schema_map };

static gboolean read_map_pointer (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  if (node->kind != YAML_MAP)
    return reader_mismatch (reader, key, node);
  gpointer *place = field;
  if (*place == NULL)
    *place = g_malloc0 (key->section->size);
  reader_read_section (reader, key->section, node, *place);
  return TRUE;
}

static json_t *show_map_pointer (const Key *key, gconstpointer field)
{
  gconstpointer item = *(gconstpointer const *) field;
  return item != NULL ? section_show (key->section, item) : NULL;
}

const ValueType type_map_pointer = { "a map", read_map_pointer, show_map_pointer, schema_map };

static void read_item (Reader *reader, const Key *key, const YamlNode *map, GPtrArray *items)
{
  gpointer item = g_malloc0 (key->section->size);
  g_ptr_array_add (items, item);
  g_hash_table_insert (reader->nodes, item, (gpointer) map);
  reader_read_section (reader, key->section, map, item);
}

static gboolean read_maps (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  GPtrArray **place = field;
  if (*place == NULL)
    *place = g_ptr_array_new_with_free_func (key->section->free_item);
  if (node->kind != YAML_LIST && !is_nothing (node))
    return reader_mismatch (reader, key, node);
  if (is_nothing (node))
    return key->minimum == 0 || reader_mismatch (reader, key, node);
  count_is_right (reader, key, node);
  for (guint i = 0; i < node->children->len; i++) {
    const YamlNode *map = node->children->pdata[i];
    if (map->kind != YAML_MAP) {
      reader_refuse (reader, map, "%s: expected a map for each %s", key->name, key->section->name);
      continue;
    }
    g_autoptr (GPtrArray) many = key->section->expand != NULL ? key->section->expand (reader, key->section, map) : NULL;
    if (many == NULL)
      read_item (reader, key, map, *place);
    for (guint j = 0; many != NULL && j < many->len; j++)
      read_item (reader, key, many->pdata[j], *place);
  }
  return TRUE;
}

static json_t *show_maps (const Key *key, gconstpointer field)
{
  const GPtrArray *items = *(GPtrArray *const *) field;
  json_t *list = json_array ();
  for (guint i = 0; items != NULL && i < items->len; i++)
    json_array_append_new (list, section_show (key->section, items->pdata[i]));
  return list;
}

static json_t *schema_maps (const Key *key)
{
  return schema_list (key, section_schema (key->section));
}

const ValueType type_maps = { "a list", read_maps, show_maps, schema_maps };
