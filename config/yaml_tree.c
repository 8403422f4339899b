#include "config/yaml_tree.h"

#include <libfyaml.h>
#include <string.h>

struct YamlTree {
  guint file;
  GPtrArray *nodes;    /* owns every node */
  GPtrArray *open;     /* lists and maps not ended yet, outermost first */
  GPtrArray *anchors;  /* the anchor's name of each open one, NULL: none */
  GHashTable *anchored; /* name → finished node */
  YamlNode *root;
  guint aliases, documents;
  Problems *problems;
};

static void node_free (YamlNode *node)
{
  g_clear_pointer (&node->children, g_ptr_array_unref);
  g_free (node->text);
  g_free (node);
}

static YamlTree *tree_new (guint file, Problems *problems)
{
  YamlTree *tree = g_new0 (YamlTree, 1);
  tree->file = file;
  tree->problems = problems;
  tree->nodes = g_ptr_array_new_with_free_func ((GDestroyNotify) node_free);
  tree->open = g_ptr_array_new ();
  tree->anchors = g_ptr_array_new_with_free_func (g_free);
  tree->anchored = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return tree;
}

void yaml_tree_free (YamlTree *tree)
{
  if (tree == NULL)
    return;
  g_hash_table_unref (tree->anchored);
  g_ptr_array_unref (tree->anchors);
  g_ptr_array_unref (tree->open);
  g_ptr_array_unref (tree->nodes);
  g_free (tree);
}

const YamlNode *yaml_tree_root (const YamlTree *tree)
{
  return tree->root;
}

const YamlNode *yaml_map_get (const YamlNode *map, const char *key)
{
  if (map == NULL || map->kind != YAML_MAP)
    return NULL;
  for (guint i = 0; i + 1 < map->children->len; i += 2)
    if (strcmp (((const YamlNode *) map->children->pdata[i])->text, key) == 0)
      return map->children->pdata[i + 1];
  return NULL;
}

static gboolean refuse (YamlTree *tree, const YamlNode *node, const char *text)
{
  problems_add (tree->problems, tree->file, node->line, node->column, "%s", text);
  return FALSE;
}

static YamlNode *node_new (YamlTree *tree, YamlKind kind, struct fy_event *event)
{
  const struct fy_mark *mark = event != NULL ? fy_event_start_mark (event) : NULL;
  YamlNode *node = g_new0 (YamlNode, 1);
  node->kind = kind;
  node->file = tree->file;
  node->line = mark != NULL ? (guint) mark->line + 1 : 1;
  node->column = mark != NULL ? (guint) mark->column + 1 : 1;
  node->weight = 1;
  if (kind != YAML_SCALAR)
    node->children = g_ptr_array_new ();
  g_ptr_array_add (tree->nodes, node);
  return node;
}

static char *token_text (struct fy_token *token)
{
  size_t length = 0;
  const char *text = token != NULL ? fy_token_get_text (token, &length) : NULL;
  return text != NULL ? g_strndup (text, length) : NULL;
}

static gboolean key_is_right (YamlTree *tree, const YamlNode *map, const YamlNode *key)
{
  if (key->kind != YAML_SCALAR)
    return refuse (tree, key, "a list or map stands as a key, expected a name");
  if (map->children->len >= 2 * YAML_KEYS_MAX)
    return refuse (tree, key, "too many keys in one map, expected at most 500");
  for (guint i = 0; i < map->children->len; i += 2) {
    const YamlNode *other = map->children->pdata[i];
    if (strcmp (other->text, key->text) == 0) {
      problems_add (tree->problems, tree->file, key->line, key->column, "key %s stands twice, first in line %u",
                    key->text, other->line);
      return FALSE;
    }
  }
  return TRUE;
}

/* Puts a finished node where it belongs. */
static gboolean place (YamlTree *tree, YamlNode *node)
{
  if (tree->open->len == 0) {
    tree->root = node;
    return TRUE;
  }
  YamlNode *parent = tree->open->pdata[tree->open->len - 1];
  if (parent->kind == YAML_MAP && parent->children->len % 2 == 0 && !key_is_right (tree, parent, node))
    return FALSE;
  if (node->kind == YAML_SCALAR && node->is_plain && node->text[0] == '\0') {
    /* nothing was written: it stands where its key does */
    const YamlNode *near = parent->kind == YAML_MAP && parent->children->len % 2 == 1
                               ? parent->children->pdata[parent->children->len - 1]
                               : parent;
    node->line = near->line;
    node->column = near->column;
  }
  g_ptr_array_add (parent->children, node);
  parent->weight += node->weight;
  return parent->weight <= YAML_WEIGHT_MAX || refuse (tree, node, "the file is too large with its aliases written out");
}

static void remember_anchor (YamlTree *tree, char *name, YamlNode *node)
{
  if (name != NULL)
    g_hash_table_replace (tree->anchored, name, node);
}

static gboolean scalar (YamlTree *tree, struct fy_event *event)
{
  struct fy_token *value = event->scalar.value;
  YamlNode *node = node_new (tree, YAML_SCALAR, event);
  node->text = token_text (value);
  if (node->text == NULL)
    node->text = g_strdup ("");
  enum fy_scalar_style style = value != NULL ? fy_token_scalar_style (value) : FYSS_PLAIN;
  node->is_plain = style == FYSS_PLAIN;
  if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED)
    node->column--; /* libfyaml's mark stands behind the quote */
  if (event->scalar.tag != NULL)
    return refuse (tree, node, "a tag (!…) is not allowed here, expected the value alone");
  remember_anchor (tree, token_text (event->scalar.anchor), node);
  return place (tree, node);
}

static gboolean begin (YamlTree *tree, struct fy_event *event, YamlKind kind)
{
  struct fy_token *tag = kind == YAML_LIST ? event->sequence_start.tag : event->mapping_start.tag;
  struct fy_token *anchor = kind == YAML_LIST ? event->sequence_start.anchor : event->mapping_start.anchor;
  YamlNode *node = node_new (tree, kind, event);
  if (tag != NULL)
    return refuse (tree, node, "a tag (!…) is not allowed here, expected the value alone");
  if (tree->open->len >= YAML_DEPTH_MAX)
    return refuse (tree, node, "nested too deeply, expected at most 32 levels");
  g_ptr_array_add (tree->open, node);
  g_ptr_array_add (tree->anchors, token_text (anchor));
  return TRUE;
}

static gboolean end (YamlTree *tree)
{
  YamlNode *node = g_ptr_array_steal_index (tree->open, tree->open->len - 1);
  remember_anchor (tree, g_ptr_array_steal_index (tree->anchors, tree->anchors->len - 1), node);
  return place (tree, node);
}

static gboolean alias (YamlTree *tree, struct fy_event *event)
{
  g_autofree char *name = token_text (event->alias.anchor);
  YamlNode *node = name != NULL ? g_hash_table_lookup (tree->anchored, name) : NULL;
  if (node != NULL && ++tree->aliases <= YAML_ALIASES_MAX)
    return place (tree, node);
  YamlNode *place_of_alias = node_new (tree, YAML_LIST, event);
  place_of_alias->column--; /* behind the star */
  return refuse (tree, place_of_alias,
                 node != NULL ? "too many aliases, expected at most 1000" : "this alias (*…) has no anchor (&…) above it");
}

static gboolean take_event (YamlTree *tree, struct fy_event *event)
{
  switch (event->type) {
  case FYET_DOCUMENT_START:
    if (++tree->documents > 1)
      return refuse (tree, node_new (tree, YAML_LIST, event), "a second document begins here, expected one");
    return TRUE;
  case FYET_SCALAR:
    return scalar (tree, event);
  case FYET_SEQUENCE_START:
    return begin (tree, event, YAML_LIST);
  case FYET_MAPPING_START:
    return begin (tree, event, YAML_MAP);
  case FYET_SEQUENCE_END:
  case FYET_MAPPING_END:
    return end (tree);
  case FYET_ALIAS:
    return alias (tree, event);
  default:
    return TRUE;
  }
}

static void report_syntax (YamlTree *tree, struct fy_diag *diagnostics)
{
  void *position = NULL;
  struct fy_diag_error *error = fy_diag_errors_iterate (diagnostics, &position);
  problems_add (tree->problems, tree->file, error != NULL && error->line > 0 ? error->line : 1,
                error != NULL && error->column > 0 ? error->column : 1, "not YAML: %s",
                error != NULL && error->msg != NULL ? error->msg : "this can't be read");
}

static gboolean take_events (YamlTree *tree, struct fy_parser *parser, struct fy_diag *diagnostics)
{
  gboolean is_good = TRUE, is_over = FALSE;
  while (is_good && !is_over) {
    struct fy_event *event = fy_parser_parse (parser);
    if (event == NULL) {
      report_syntax (tree, diagnostics);
      return FALSE;
    }
    is_over = event->type == FYET_STREAM_END;
    is_good = take_event (tree, event);
    fy_parser_event_free (parser, event);
  }
  return is_good;
}

static gboolean parse (YamlTree *tree, const char *text, gsize size)
{
  struct fy_diag_cfg diagnostics_config;
  fy_diag_cfg_default (&diagnostics_config);
  diagnostics_config.fp = NULL;
  struct fy_diag *diagnostics = fy_diag_create (&diagnostics_config);
  fy_diag_set_collect_errors (diagnostics, true);
  struct fy_parse_cfg config = { .flags = FYPCF_QUIET | FYPCF_JSON_NONE | FYPCF_DISABLE_RECYCLING, .diag = diagnostics };
  struct fy_parser *parser = fy_parser_create (&config);
  gboolean is_good = fy_parser_set_string (parser, text, size) == 0 && take_events (tree, parser, diagnostics);
  fy_parser_destroy (parser);
  fy_diag_destroy (diagnostics);
  return is_good;
}

/* libfyaml reads on over wrong bytes in some places, so they are found beforehand. */
static gboolean bytes_are_right (guint file, const char *text, gsize size, Problems *problems)
{
  const char *bad;
  if (size > YAML_FILE_MAX) {
    problems_add (problems, file, 0, 0, "the file has %" G_GSIZE_FORMAT " bytes, expected at most 4MiB", size);
    return FALSE;
  }
  if (g_utf8_validate_len (text, size, &bad))
    return TRUE;
  guint line = 1;
  const char *start = text;
  for (const char *at = text; at < bad; at++)
    if (*at == '\n') {
      line++;
      start = at + 1;
    }
  problems_add (problems, file, line, (guint) g_utf8_strlen (start, bad - start) + 1,
                "a byte that is not UTF-8, expected UTF-8 text");
  return FALSE;
}

YamlTree *yaml_tree_parse (guint file, const char *text, gsize size, Problems *problems)
{
  if (!bytes_are_right (file, text, size, problems))
    return NULL;
  g_autoptr (YamlTree) tree = tree_new (file, problems);
  if (!parse (tree, text, size))
    return NULL;
  if (tree->root == NULL || (tree->root->kind == YAML_SCALAR && tree->root->text[0] == '\0'))
    tree->root = node_new (tree, YAML_MAP, NULL);
  return g_steal_pointer (&tree);
}
