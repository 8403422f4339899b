/* key.h: the key table: one row per key is its parser, its check, its lines in the annotated defaults and in the JSON
 * Schema, and its way back to JSON.
 *
 * Rows are constant and stand in keys_*.c, a file for each part of the site. A row names the place of its value in the
 * struct of site.h that its section fills. */
#pragma once

#include "config/problems.h"
#include "config/yaml_tree.h"
#include "gateway/model/site.h"

#include <jansson.h>

typedef struct Key Key;
typedef struct Section Section;
typedef struct Reader Reader;

/* How a value is read from its node, shown as JSON (NULL: not set) and described to a schema. */
typedef struct {
  const char *expected; /* "a duration such as 30s": completes "expected …" */
  gboolean (*read) (Reader *reader, const Key *key, const YamlNode *node, gpointer field);
  json_t *(*show) (const Key *key, gconstpointer field);
  json_t *(*schema) (const Key *key);
} ValueType;

typedef struct {
  const char *name;
  int value;
  gboolean is_later; /* of interfaces.md, but not in this version */
} Choice;

struct Key {
  const char *name;
  const ValueType *type; /* NULL: not in this version */
  gsize offset;          /* in the struct that the section fills */
  gboolean is_required;
  double minimum, maximum;    /* of numbers, durations (us), sizes (bytes) and lists (items); both 0: no range */
  const char *fallback;       /* the default, as written in YAML; NULL: none */
  const char *example;        /* for the annotated defaults, where there is no default */
  const Choice *choices;      /* of choices; of URLs: the schemes */
  const char *const *special; /* texts that a list of references may hold besides ids */
  const Section *section;     /* of maps and lists of maps */
  SiteKind kind;              /* of references */
  const char *help, *help_zh; /* a sentence each */
};

struct Section {
  const char *name;  /* what one item is called: "camera" */
  const Key *keys;   /* ended by a row without a name */
  gsize size;        /* of the struct of one item; 0: the keys' offsets are those of the struct around it */
  GDestroyNotify free_item;
  void (*prepare) (gpointer item);                                      /* sets what zero bytes don't mean */
  void (*check) (Reader *reader, const YamlNode *map, gpointer item);   /* what concerns several keys; may be NULL */
  /* The maps that an item of a list stands for; NULL: itself. Owned by the reader. */
  GPtrArray *(*expand) (Reader *reader, const Section *section, const YamlNode *map);
};

extern const Section site_section; /* the whole file */
extern const Section gateway_section, http_section, rtsp_section, recording_section, alerts_section;
extern const Section broker_section, grid_section, duty_section, camera_section, sensor_section, rule_section;
extern const Section agency_section, center_section;
extern const Section location_section;
extern const ValueType type_location;

/* The section of a kind's items. */
const Section *section_of_kind (SiteKind kind);

/* One item as JSON in the shape of its YAML, with its defaults; secrets are only the paths of their files. */
json_t *section_show (const Section *section, gconstpointer item);

json_t *section_schema (const Section *section);
