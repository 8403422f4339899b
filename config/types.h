/* types.h: the value types that rows of the key table name. Each says what it fills in the section's struct. */
#pragma once

#include "config/key.h"

extern const ValueType type_text;        /* char* */
extern const ValueType type_id;          /* char*: an id of the site */
extern const ValueType type_ids;         /* GStrv */
extern const ValueType type_texts;       /* GStrv */
extern const ValueType type_reference;   /* char*: the id of an item of key->kind */
extern const ValueType type_references;  /* GStrv */
extern const ValueType type_folder;      /* char*: an absolute path */
extern const ValueType type_file;        /* char*: an absolute path of a file that can be read */
extern const ValueType type_secret_file; /* the same, of a file that holds one line of at most 4096 bytes */
extern const ValueType type_duration;    /* gint64, us */
extern const ValueType type_size;        /* gint64, bytes */
extern const ValueType type_number;      /* double */
extern const ValueType type_whole;       /* int */
extern const ValueType type_boolean;     /* gboolean */
extern const ValueType type_choice;      /* an enum */
extern const ValueType type_choice_text; /* char*: the name of the choice */
extern const ValueType type_time;        /* gint64, wall us */
extern const ValueType type_url;         /* char*; key->choices are the schemes */
extern const ValueType type_broker_url;  /* the same with a port (the choice's value unless given) and no path */
extern const ValueType type_listen;      /* char*: numeric address and port */
extern const ValueType type_map;         /* the struct of key->section, embedded */
extern const ValueType type_map_pointer; /* a pointer to it */
extern const ValueType type_hours;       /* char*: "08:00-20:00" */
extern const ValueType type_topic;       /* char*: an MQTT topic or filter */
extern const ValueType type_maps;        /* GPtrArray of it; files add to it */

/* For types of a section's own: a list of texts, each passed by `accept`. */
gboolean read_texts (Reader *reader, const Key *key, const YamlNode *node, gpointer field,
                     gboolean (*accept) (Reader *reader, const Key *key, const YamlNode *node));
json_t *show_text (const Key *key, gconstpointer field);
json_t *show_texts (const Key *key, gconstpointer field);
json_t *schema_text (const Key *key);
json_t *schema_texts (const Key *key);
gboolean read_number (Reader *reader, const Key *key, const YamlNode *node, double *number);
