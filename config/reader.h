/* reader.h: walks a tree by the key table and fills the structs of site.h.
 *
 * It reads on after a problem, so that a person sees all of them at once. What needs the whole site (references,
 * cycles) is noted here and checked by references.c at the end. */
#pragma once

#include "config/key.h"

typedef struct {
  const YamlNode *node;
  const char *key;
  SiteKind kind;
} Reference;

struct Reader {
  Problems *problems;
  Site *site;
  GArray *references; /* of Reference */
  GHashTable *nodes;  /* item → its YamlNode */
  GPtrArray *made;    /* of YamlNode: what no tree owns */
  gboolean is_sent;   /* the text was sent by somebody: files elsewhere are not to be seen in what is wrong with them */
  gboolean is_included; /* reading a file that the first one includes */
};

void reader_init (Reader *reader, Site *site, Problems *problems);
void reader_finish (Reader *reader);

/* Gives an item the defaults of its section and of the maps in it. */
void reader_prepare (Reader *reader, const Section *section, gpointer item);

/* Reads `map` into a prepared item: every key, then the section's own check. */
void reader_read_map (Reader *reader, const Section *section, const YamlNode *map, gpointer item);

/* Both. */
void reader_read_section (Reader *reader, const Section *section, const YamlNode *map, gpointer item);

/* Adds "KEY: expected …, found …"; returns FALSE. */
gboolean reader_mismatch (Reader *reader, const Key *key, const YamlNode *node);

/* Adds a problem at `node`; returns FALSE. */
gboolean reader_refuse (Reader *reader, const YamlNode *node, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* The scalar's text, or NULL after reader_mismatch. An empty text is a mismatch. */
const char *reader_text (Reader *reader, const Key *key, const YamlNode *node);

/* `path`, taken from the folder of the file that `node` stands in when it is relative. Free with g_free. */
char *reader_resolve_path (const Reader *reader, const YamlNode *node, const char *path);

/* Of `names`, the one that `text` was most likely meant to be; NULL when none is near. */
const char *nearest_name (const char *text, GPtrArray *names);
