#include "config/devices_file.h"

#include <string.h>
#include <sys/stat.h>

typedef struct {
  const char *at, *end;
  guint file, line, column; /* of `at`, from 1 */
} Place;

static void step (Place *place)
{
  gunichar is_start = (*place->at & 0xc0) != 0x80; /* a character counts once */
  if (*place->at++ == '\n') {
    place->line++;
    place->column = 1;
  } else
    place->column += is_start ? 1 : 0;
}

static YamlNode *make_node (Reader *reader, YamlKind kind, guint file, guint line, guint column, char *text)
{
  YamlNode *node = g_new0 (YamlNode, 1);
  *node = (YamlNode){ kind, file, line, column, text, FALSE, NULL, 1 };
  if (kind != YAML_SCALAR)
    node->children = g_ptr_array_new ();
  node->is_plain = TRUE;
  g_ptr_array_add (reader->made, node);
  return node;
}

static gboolean at_end_of_field (const Place *place)
{
  return place->at == place->end || strchr (",\r\n", *place->at) != NULL;
}

/* RFC 4180: quotes around a field, two for one in it. NULL, and said, when a quote has no end. */
static YamlNode *take_field (Reader *reader, Place *place)
{
  Place start = *place;
  g_autoptr (GString) text = g_string_new (NULL);
  gboolean is_quoted = place->at < place->end && *place->at == '"';
  if (is_quoted)
    for (step (place); place->at < place->end && (*place->at != '"' || (place->at + 1 < place->end && place->at[1] == '"'));
         step (place)) {
      if (*place->at == '"')
        step (place);
      g_string_append_c (text, *place->at);
    }
  if (is_quoted && place->at < place->end)
    step (place);
  while (!is_quoted && !at_end_of_field (place)) {
    g_string_append_c (text, *place->at);
    step (place);
  }
  if (!at_end_of_field (place) || (is_quoted && place->at[-1] != '"')) {
    problems_add (reader->problems, start.file, start.line, start.column, "a quote is not closed before the next comma");
    return NULL;
  }
  char *trimmed = g_strstrip (g_strdup (text->str));
  return make_node (reader, YAML_SCALAR, start.file, start.line, start.column, trimmed);
}

/* The fields of a line; NULL after a problem. */
static GPtrArray *take_line (Reader *reader, Place *place)
{
  g_autoptr (GPtrArray) fields = g_ptr_array_new ();
  for (;;) {
    YamlNode *field = take_field (reader, place);
    if (field == NULL)
      return NULL;
    g_ptr_array_add (fields, field);
    if (fields->len > DEVICE_COLUMNS_MAX) {
      problems_add (reader->problems, field->file, field->line, field->column, "expected at most %d columns", DEVICE_COLUMNS_MAX);
      return NULL;
    }
    if (place->at == place->end || *place->at != ',')
      break;
    step (place);
  }
  while (place->at < place->end && (*place->at == '\r' || *place->at == '\n'))
    step (place);
  return g_steal_pointer (&fields);
}

static const YamlNode *cell_of (const GPtrArray *header, const GPtrArray *cells, const char *name, gsize length)
{
  for (guint i = 0; i < header->len; i++) {
    const char *column = ((const YamlNode *) header->pdata[i])->text;
    if (strlen (column) == length && strncmp (column, name, length) == 0)
      return cells->pdata[i];
  }
  return NULL;
}

/* The text with its {columns} filled in, at the place of the first of them. */
static const YamlNode *fill_text (Reader *reader, const YamlNode *node, const GPtrArray *header, const GPtrArray *cells)
{
  const YamlNode *first = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  for (const char *at = node->text; *at != '\0';) {
    const char *end = *at == '{' ? strchr (at, '}') : NULL;
    const YamlNode *cell = end != NULL ? cell_of (header, cells, at + 1, (gsize) (end - at - 1)) : NULL;
    if (end != NULL && cell == NULL) {
      reader_refuse (reader, node, "%.*s stands for no column of the devices file, expected one that its first line names",
                     (int) (end + 1 - at), at);
      return node;
    }
    if (cell == NULL) {
      g_string_append_c (text, *at++);
      continue;
    }
    first = first != NULL ? first : cell;
    g_string_append (text, cell->text);
    at = end + 1;
  }
  if (first == NULL)
    return node;
  return make_node (reader, YAML_SCALAR, first->file, first->line, first->column, g_strdup (text->str));
}

static gboolean has_key (const Section *section, const char *name)
{
  for (const Key *key = section->keys; key->name != NULL; key++)
    if (strcmp (key->name, name) == 0)
      return TRUE;
  return FALSE;
}

static YamlNode *device_of (Reader *reader, const Section *section, const YamlNode *map, const GPtrArray *header,
                            const GPtrArray *cells)
{
  const YamlNode *first = cells->pdata[0];
  YamlNode *device = make_node (reader, YAML_MAP, first->file, first->line, first->column, NULL);
  for (guint i = 0; i + 1 < map->children->len; i += 2) {
    YamlNode *name = map->children->pdata[i], *value = map->children->pdata[i + 1];
    if (strcmp (name->text, DEVICES_FILE) == 0)
      continue;
    g_ptr_array_add (device->children, name);
    g_ptr_array_add (device->children, value->kind == YAML_SCALAR
                                         ? (gpointer) fill_text (reader, value, header, cells) : value);
  }
  for (guint i = 0; i < header->len; i++) {
    YamlNode *name = header->pdata[i], *cell = cells->pdata[i];
    if (cell->text[0] == '\0' || !has_key (section, name->text) || yaml_map_get (map, name->text) != NULL)
      continue;
    g_ptr_array_add (device->children, name);
    g_ptr_array_add (device->children, cell);
  }
  return device;
}

static void take_devices (Reader *reader, const Section *section, const YamlNode *map, Place *place, GPtrArray *devices)
{
  g_autoptr (GPtrArray) header = take_line (reader, place);
  while (header != NULL && place->at < place->end) {
    guint line = place->line;
    g_autoptr (GPtrArray) cells = take_line (reader, place);
    if (cells == NULL)
      return;
    if (cells->len != header->len) {
      problems_add (reader->problems, place->file, line, 1, "expected %u fields as in the first line, found %u", header->len,
                    cells->len);
      continue;
    }
    if (devices->len == DEVICES_MAX) {
      problems_add (reader->problems, place->file, line, 1, "expected at most %d devices", DEVICES_MAX);
      return;
    }
    g_ptr_array_add (devices, device_of (reader, section, map, header, cells));
  }
}

/* A text that somebody sent must not show what stands in files elsewhere. */
static gboolean may_be_read (const Reader *reader, const char *path)
{
  g_autofree char *folder = g_path_get_dirname (problems_file (reader->problems, 0));
  g_autofree char *whole = g_canonicalize_filename (folder, NULL);
  g_autofree char *start = g_strconcat (whole, "/", NULL);
  return !reader->is_sent || g_str_has_prefix (path, start);
}

static char *read_file (Reader *reader, const YamlNode *node, const char *path, gsize *size)
{
  struct stat status;
  char *text = NULL;
  if (!may_be_read (reader, path))
    reader_refuse (reader, node, DEVICES_FILE ": %s is elsewhere, expected a path below the configuration's folder", path);
  else if (stat (path, &status) != 0 || !S_ISREG (status.st_mode) || status.st_size > YAML_FILE_MAX
           || !g_file_get_contents (path, &text, size, NULL))
    reader_refuse (reader, node, DEVICES_FILE ": %s can't be read, expected a file of at most 4MiB", path);
  else if (!g_utf8_validate_len (text, *size, NULL)) {
    reader_refuse (reader, node, DEVICES_FILE ": %s is not UTF-8, expected a CSV file in UTF-8", path);
    g_clear_pointer (&text, g_free);
  }
  return text;
}

GPtrArray *devices_expand (Reader *reader, const Section *section, const YamlNode *map)
{
  const YamlNode *node = yaml_map_get (map, DEVICES_FILE);
  if (node == NULL)
    return NULL;
  GPtrArray *devices = g_ptr_array_new ();
  if (node->kind != YAML_SCALAR || node->text[0] == '\0') {
    reader_refuse (reader, node, DEVICES_FILE ": expected the path of a CSV file");
    return devices;
  }
  gsize size = 0;
  g_autofree char *path = reader_resolve_path (reader, node, node->text);
  g_autofree char *text = read_file (reader, node, path, &size);
  if (text == NULL)
    return devices;
  gsize start = g_str_has_prefix (text, "\xef\xbb\xbf") ? 3 : 0; /* spreadsheets put it there */
  Place place = { text + start, text + size, problems_add_file (reader->problems, path), 1, 1 };
  take_devices (reader, section, map, &place, devices);
  return devices;
}
