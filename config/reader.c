#include "config/reader.h"

#include "config/types.h"

#include <string.h>

static void made_free (gpointer data)
{
  YamlNode *node = data;
  g_clear_pointer (&node->children, g_ptr_array_unref);
  g_free (node->text);
  g_free (node);
}

void reader_init (Reader *reader, Site *site, Problems *problems)
{
  *reader = (Reader){ .problems = problems, .site = site };
  reader->references = g_array_new (FALSE, FALSE, sizeof (Reference));
  reader->nodes = g_hash_table_new (NULL, NULL);
  reader->made = g_ptr_array_new_with_free_func (made_free);
}

void reader_finish (Reader *reader)
{
  g_ptr_array_unref (reader->made);
  g_hash_table_unref (reader->nodes);
  g_array_unref (reader->references);
}

static char *describe (const YamlNode *node)
{
  if (node->kind == YAML_LIST)
    return g_strdup ("a list");
  if (node->kind == YAML_MAP)
    return g_strdup ("a map");
  if (node->text[0] == '\0')
    return g_strdup ("nothing");
  g_autofree char *shown = g_utf8_substring (node->text, 0, MIN (g_utf8_strlen (node->text, -1), 60));
  g_autofree char *escaped = g_strescape (shown, NULL);
  gboolean is_ascii = g_str_is_ascii (shown) || strpbrk (shown, "\n\t\r") != NULL;
  return g_strdup_printf ("\"%s\"", is_ascii ? escaped : shown);
}

gboolean reader_mismatch (Reader *reader, const Key *key, const YamlNode *node)
{
  g_autofree char *found = describe (node);
  return reader_refuse (reader, node, "%s: expected %s, found %s", key->name, key->type->expected, found);
}

gboolean reader_refuse (Reader *reader, const YamlNode *node, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  problems_add (reader->problems, node->file, node->line, node->column, "%s", text);
  return FALSE;
}

const char *reader_text (Reader *reader, const Key *key, const YamlNode *node)
{
  gboolean is_null = node->is_plain && (g_strcmp0 (node->text, "null") == 0 || g_strcmp0 (node->text, "~") == 0);
  if (node->kind == YAML_SCALAR && node->text[0] != '\0' && !is_null)
    return node->text;
  reader_mismatch (reader, key, node);
  return NULL;
}

char *reader_resolve_path (const Reader *reader, const YamlNode *node, const char *path)
{
  if (g_path_is_absolute (path))
    return g_canonicalize_filename (path, "/");
  g_autofree char *folder = g_path_get_dirname (problems_file (reader->problems, node->file));
  g_autofree char *absolute = g_canonicalize_filename (folder, NULL);
  return g_canonicalize_filename (path, absolute);
}

/* Levenshtein's distance, up to 64 characters; transpositions count as two. */
static guint edit_distance (const char *left, const char *right)
{
  gsize width = strlen (right);
  if (strlen (left) > 64 || width > 64)
    return G_MAXUINT;
  guint row[66];
  for (gsize i = 0; i <= width; i++)
    row[i] = i;
  for (gsize i = 0; left[i] != '\0'; i++) {
    guint diagonal = row[0];
    row[0] = i + 1;
    for (gsize j = 0; j < width; j++) {
      guint above = row[j + 1];
      row[j + 1] = MIN (MIN (above, row[j]) + 1, diagonal + (left[i] != right[j]));
      diagonal = above;
    }
  }
  return row[width];
}

const char *nearest_name (const char *text, GPtrArray *names)
{
  const char *nearest = NULL;
  guint least = MAX (1, MIN (3, strlen (text) / 3)) + 1;
  for (guint i = 0; i < names->len; i++) {
    guint distance = edit_distance (text, names->pdata[i]);
    if (distance < least) {
      least = distance;
      nearest = names->pdata[i];
    }
  }
  return nearest;
}

static const Key *find_key (const Section *section, const char *name)
{
  for (const Key *key = section->keys; key->name != NULL; key++)
    if (strcmp (key->name, name) == 0)
      return key;
  return NULL;
}

static void refuse_unknown (Reader *reader, const Section *section, const YamlNode *name)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  for (const Key *key = section->keys; key->name != NULL; key++)
    g_ptr_array_add (names, (gpointer) key->name);
  const char *nearest = nearest_name (name->text, names);
  if (nearest != NULL) {
    reader_refuse (reader, name, "unknown key %s; did you mean %s?", name->text, nearest);
    return;
  }
  g_ptr_array_add (names, NULL);
  g_autofree char *known = g_strjoinv (", ", (GStrv) names->pdata);
  reader_refuse (reader, name, "unknown key %s, expected one of %s", name->text, known);
}

/* The default is read as if it stood in the file: plain text, or "[]" for the empty list. */
static void apply_fallback (Reader *reader, const Key *key, gpointer item)
{
  YamlNode node = { .kind = YAML_SCALAR, .is_plain = TRUE, .text = (char *) key->fallback };
  key->type->read (reader, key, &node, (char *) item + key->offset);
}

static void read_keys (Reader *reader, const Section *section, const YamlNode *map, gpointer item)
{
  for (guint i = 0; i + 1 < map->children->len; i += 2) {
    const YamlNode *name = map->children->pdata[i], *value = map->children->pdata[i + 1];
    const Key *key = find_key (section, name->text);
    if (key == NULL)
      refuse_unknown (reader, section, name);
    else if (key->type == NULL)
      reader_refuse (reader, name, "%s is not in this version", name->text);
    else if (reader->is_included && section == &site_section && key->type != &type_maps)
      reader_refuse (reader, name, "%s belongs to the first file; an included file holds lists only", name->text);
    else
      key->type->read (reader, key, value, (char *) item + key->offset);
  }
}

void reader_prepare (Reader *reader, const Section *section, gpointer item)
{
  if (section->prepare != NULL)
    section->prepare (item);
  for (const Key *key = section->keys; key->name != NULL; key++)
    if (key->type != NULL && key->fallback != NULL)
      apply_fallback (reader, key, item);
    else if (key->type != NULL && key->section != NULL && key->type != &type_maps && key->type != &type_map_pointer)
      reader_prepare (reader, key->section, (char *) item + key->offset);
}

void reader_read_map (Reader *reader, const Section *section, const YamlNode *map, gpointer item)
{
  gboolean is_part = reader->is_included && section == &site_section;
  read_keys (reader, section, map, item);
  for (const Key *key = section->keys; key->name != NULL && !is_part; key++)
    if (key->is_required && yaml_map_get (map, key->name) == NULL)
      reader_refuse (reader, map, "%s is missing, expected %s", key->name, key->type->expected);
  if (section->check != NULL)
    section->check (reader, map, item);
}

void reader_read_section (Reader *reader, const Section *section, const YamlNode *map, gpointer item)
{
  reader_prepare (reader, section, item);
  reader_read_map (reader, section, map, item);
}
