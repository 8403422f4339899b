/* yaml_tree.h: a YAML file as a tree whose nodes know where they stand.
 *
 * Bounded: YAML_FILE_MAX bytes, YAML_DEPTH_MAX levels, YAML_WEIGHT_MAX nodes with every alias written out, so that a few
 * lines of nested aliases can't unfold to gigabytes. Duplicate keys, tags, a second document and bytes that are not
 * UTF-8 are problems. The tree owns its nodes; an alias is the very node of its anchor. */
#pragma once

#include "config/problems.h"

enum { YAML_FILE_MAX = 4 << 20, YAML_DEPTH_MAX = 32, YAML_WEIGHT_MAX = 500000, YAML_KEYS_MAX = 500, YAML_ALIASES_MAX = 1000 };

typedef enum { YAML_SCALAR, YAML_LIST, YAML_MAP } YamlKind;

typedef struct YamlNode {
  YamlKind kind;
  guint file, line, column; /* from 1 */
  char *text;               /* of a scalar */
  gboolean is_plain;        /* written without quotes */
  GPtrArray *children;      /* a list's items; a map's keys and values in turn */
  guint weight;             /* nodes in it, aliases written out */
} YamlNode;

typedef struct YamlTree YamlTree;

/* NULL when the text is not YAML or over a bound; the problem is added. An empty text is an empty map. */
YamlTree *yaml_tree_parse (guint file, const char *text, gsize size, Problems *problems);

const YamlNode *yaml_tree_root (const YamlTree *tree);

/* The value of `key` in a map; NULL when it has none or `map` is none. */
const YamlNode *yaml_map_get (const YamlNode *map, const char *key);

void yaml_tree_free (YamlTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (YamlTree, yaml_tree_free)
