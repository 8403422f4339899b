#include "pipelines/sim/yaml_form.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "gateway/core/ids.h"
#include "gateway/core/quantity.h"

enum { FILE_MAX = 1024 * 1024, FAULTS_MAX = 100, DEPTH_MAX = 8 };

struct YamlReader {
  const char *path;
  char *folder;
  GPtrArray *faults;
  int depth;
};

static void fault_at (YamlReader *reader, int line, int column, const char *message)
{
  if (reader->faults->len < FAULTS_MAX)
    g_ptr_array_add (reader->faults, g_strdup_printf ("%s:%d:%d: %s", reader->path, line, column, message));
}

/* libfyaml gives places to scalars only: a mapping or list stands where its first scalar stands. */
static struct fy_token *first_token (struct fy_node *node, int depth)
{
  if (node == NULL || depth > DEPTH_MAX)
    return NULL;
  void *iterator = NULL;
  if (fy_node_is_mapping (node)) {
    struct fy_node_pair *pair = fy_node_mapping_iterate (node, &iterator);
    return pair ? first_token (fy_node_pair_key (pair), depth + 1) : NULL;
  }
  if (fy_node_is_sequence (node))
    return first_token (fy_node_sequence_iterate (node, &iterator), depth + 1);
  return fy_node_get_scalar_token (node);
}

void yaml_fault (YamlReader *reader, struct fy_node *node, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *message = g_strdup_vprintf (format, arguments);
  va_end (arguments);

  const struct fy_mark *mark = NULL;
  for (struct fy_node *at = node; at != NULL && mark == NULL; at = fy_node_get_parent (at)) {
    struct fy_token *token = first_token (at, 0);
    mark = token ? fy_token_start_mark (token) : NULL;
  }
  fault_at (reader, mark ? mark->line + 1 : 1, mark ? mark->column + 1 : 1, message);
}

char *yaml_text (YamlReader *reader, struct fy_node *node)
{
  size_t length = 0;
  const char *text = node && fy_node_is_scalar (node) ? fy_node_get_scalar (node, &length) : NULL;
  if (text == NULL || memchr (text, '\0', length) || !g_utf8_validate_len (text, length, NULL)) {
    yaml_fault (reader, node, "expected a text");
    return NULL;
  }
  return g_strndup (text, length);
}

gboolean yaml_real (YamlReader *reader, struct fy_node *node, double *value)
{
  g_autofree char *text = yaml_text (reader, node);
  if (text == NULL)
    return FALSE;
  char *end = NULL;
  errno = 0;
  *value = g_ascii_strtod (text, &end);
  if (end == text || *end != '\0' || errno != 0 || !isfinite (*value)) {
    yaml_fault (reader, node, "\"%s\" is no number", text);
    return FALSE;
  }
  return TRUE;
}

gboolean yaml_duration (YamlReader *reader, struct fy_node *node, gint64 *microseconds)
{
  g_autofree char *text = yaml_text (reader, node);
  if (text == NULL)
    return FALSE;
  if (!duration_parse (text, microseconds)) {
    yaml_fault (reader, node, "\"%s\" is no duration: write 500ms, 30s, 10m, 2h or 30d", text);
    return FALSE;
  }
  return TRUE;
}

struct fy_node *yaml_at (struct fy_node *node, const char *key)
{
  struct fy_node *value = fy_node_mapping_lookup_by_string (node, key, FY_NT);
  return value ? value : node;
}

const char *yaml_folder (const YamlReader *reader)
{
  return reader->folder;
}

static gboolean is_in_range (YamlReader *reader, struct fy_node *node, const Field *field, double value)
{
  if ((field->least == 0 && field->most == 0) || (value >= field->least && value <= field->most))
    return TRUE;
  const char *unit = field->kind == FIELD_DURATION ? " seconds" : "";
  yaml_fault (reader, node, "%s is out of range: it goes from %g to %g%s", field->key, field->least, field->most, unit);
  return FALSE;
}

static void read_text (YamlReader *reader, struct fy_node *node, const Field *field, char **target)
{
  g_autofree char *text = yaml_text (reader, node);
  if (text == NULL)
    return;
  if (field->kind == FIELD_ID && !site_id_is_valid (text)) {
    yaml_fault (reader, node, "\"%s\" is no name: letters, digits and . _ - , at most %d", text, SITE_ID_MAX);
    return;
  }
  g_free (*target);
  *target = g_steal_pointer (&text);
}

static void read_boolean (YamlReader *reader, struct fy_node *node, gboolean *target)
{
  g_autofree char *text = yaml_text (reader, node);
  if (g_strcmp0 (text, "true") == 0 || g_strcmp0 (text, "false") == 0)
    *target = text[0] == 't';
  else if (text != NULL)
    yaml_fault (reader, node, "\"%s\" is neither true nor false", text);
}

static void read_choice (YamlReader *reader, struct fy_node *node, const Field *field, int *target)
{
  g_autofree char *text = yaml_text (reader, node);
  if (text == NULL)
    return;
  for (int i = 0; field->choices[i] != NULL; i++)
    if (strcmp (field->choices[i], text) == 0) {
      *target = i;
      return;
    }
  g_autofree char *all = g_strjoinv (", ", (char **) field->choices);
  yaml_fault (reader, node, "%s can't be \"%s\": choose one of %s", field->key, text, all);
}

static gpointer read_form (YamlReader *reader, struct fy_node *node, const Form *form);

static void read_list (YamlReader *reader, struct fy_node *node, const Field *field, GPtrArray *target)
{
  if (!fy_node_is_sequence (node)) {
    yaml_fault (reader, node, "%s is a list: write “- …” lines", field->key);
    return;
  }
  void *iterator = NULL;
  for (struct fy_node *item; (item = fy_node_sequence_iterate (node, &iterator)) != NULL;)
    g_ptr_array_add (target, read_form (reader, item, field->form));
}

static void read_field (YamlReader *reader, struct fy_node *node, const Field *field, gpointer item)
{
  gpointer target = (char *) item + field->offset;
  double real = 0;
  gint64 duration = 0;

  switch (field->kind) {
  case FIELD_TEXT:
  case FIELD_ID:
    read_text (reader, node, field, target);
    break;
  case FIELD_INTEGER:
    if (!yaml_real (reader, node, &real))
      break;
    if (real != floor (real) || fabs (real) > G_MAXINT32)
      yaml_fault (reader, node, "%s is a whole number", field->key);
    else if (is_in_range (reader, node, field, real))
      *(int *) target = (int) real;
    break;
  case FIELD_REAL:
    if (yaml_real (reader, node, &real) && is_in_range (reader, node, field, real))
      *(double *) target = real;
    break;
  case FIELD_BOOLEAN:
    read_boolean (reader, node, target);
    break;
  case FIELD_DURATION:
    if (yaml_duration (reader, node, &duration) && is_in_range (reader, node, field, duration / 1e6))
      *(gint64 *) target = duration;
    break;
  case FIELD_CHOICE:
    read_choice (reader, node, field, target);
    break;
  case FIELD_LIST:
    read_list (reader, node, field, *(GPtrArray **) target);
    break;
  case FIELD_FORM:
    *(gpointer *) target = read_form (reader, node, field->form);
    break;
  case FIELD_CUSTOM:
    field->convert (reader, node, target);
    break;
  }
}

static const Field *field_named (const Form *form, const char *key)
{
  for (const Field *field = form->fields; field->key != NULL; field++)
    if (strcmp (field->key, key) == 0)
      return field;
  return NULL;
}

static void read_pair (YamlReader *reader, struct fy_node_pair *pair, const Form *form, gpointer item)
{
  struct fy_node *key = fy_node_pair_key (pair), *value = fy_node_pair_value (pair);
  g_autofree char *name = yaml_text (reader, key);
  if (name == NULL)
    return;
  const Field *field = field_named (form, name);
  if (field == NULL)
    yaml_fault (reader, key, "%s has no key \"%s\"", form->name, name);
  else if (value == NULL)
    yaml_fault (reader, key, "\"%s\" has no value", name);
  else
    read_field (reader, value, field, item);
}

/* Always an item, so that the faults after this one are found too. */
static gpointer read_form (YamlReader *reader, struct fy_node *node, const Form *form)
{
  gpointer item = g_malloc0 (form->size);
  if (form->init)
    form->init (item);
  if (node == NULL || !fy_node_is_mapping (node) || reader->depth >= DEPTH_MAX) {
    yaml_fault (reader, node, "%s is written as “key: value” lines", form->name);
    return item;
  }

  guint faults = reader->faults->len;
  reader->depth++;
  void *iterator = NULL;
  for (struct fy_node_pair *pair; (pair = fy_node_mapping_iterate (node, &iterator)) != NULL;)
    read_pair (reader, pair, form, item);
  for (const Field *field = form->fields; field->key != NULL; field++)
    if (field->is_required && fy_node_mapping_lookup_by_string (node, field->key, FY_NT) == NULL)
      yaml_fault (reader, node, "%s needs the key \"%s\"", form->name, field->key);
  if (form->check && reader->faults->len == faults)
    form->check (reader, node, item);
  reader->depth--;
  return item;
}

static struct fy_document *parse (YamlReader *reader, const char *text, gsize size)
{
  struct fy_diag_cfg diag_config;
  fy_diag_cfg_default (&diag_config);
  diag_config.colorize = false;
  struct fy_diag *diag = fy_diag_create (&diag_config);
  fy_diag_set_collect_errors (diag, true);
  struct fy_parse_cfg config = { .flags = FYPCF_DEFAULT_DOC | FYPCF_RESOLVE_DOCUMENT, .diag = diag };
  struct fy_document *document = fy_document_build_from_string (&config, text, size);
  if (document == NULL) {
    void *iterator = NULL;
    guint before = reader->faults->len;
    for (struct fy_diag_error *error; (error = fy_diag_errors_iterate (diag, &iterator)) != NULL;)
      fault_at (reader, MAX (error->line, 1), MAX (error->column, 1), error->msg);
    if (reader->faults->len == before)
      fault_at (reader, 1, 1, "this is no YAML");
  }
  fy_diag_destroy (diag);
  return document;
}

gpointer yaml_form_read (const char *path, const Form *form, GPtrArray *faults)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *text = NULL;
  gsize size = 0;
  g_autoptr (GError) error = NULL;
  YamlReader reader = { .path = path, .folder = folder, .faults = faults };

  if (!g_file_get_contents (path, &text, &size, &error) || size > FILE_MAX) {
    fault_at (&reader, 1, 1, error ? error->message : "this file is over 1 MiB");
    return NULL;
  }
  struct fy_document *document = parse (&reader, text, size);
  if (document == NULL)
    return NULL;
  gpointer item = read_form (&reader, fy_document_root (document), form);
  fy_document_destroy (document);
  if (faults->len > 0)
    g_clear_pointer (&item, form->free);
  return item;
}
