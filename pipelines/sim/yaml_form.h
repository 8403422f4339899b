/* yaml_form.h: reads a YAML file into structs by tables, and says for each fault where it is and what was expected.
 *
 * A Form is one table: its rows name the keys of a mapping. Everything wrong is collected, not the first fault only;
 * a key that no row names is a fault. Lines and columns count from 1.
 *
 * thread: one at a time. */
#pragma once

#include <glib.h>
#include <libfyaml.h>

typedef struct YamlReader YamlReader;
typedef struct Form Form;

typedef enum {
  FIELD_TEXT,     /* char * */
  FIELD_ID,       /* char *, site_id_is_valid */
  FIELD_INTEGER,  /* int */
  FIELD_REAL,     /* double */
  FIELD_BOOLEAN,  /* gboolean */
  FIELD_DURATION, /* gint64, microseconds */
  FIELD_CHOICE,   /* int: the index in `choices` */
  FIELD_LIST,     /* GPtrArray * of structs of `form` */
  FIELD_FORM,     /* a struct of `form`, by pointer */
  FIELD_CUSTOM,   /* whatever `convert` puts at the offset */
} FieldKind;

typedef void (*YamlConvert) (YamlReader *reader, struct fy_node *node, gpointer target);

typedef struct {
  const char *key;
  FieldKind kind;
  gsize offset;
  gboolean is_required;
  double least, most; /* FIELD_INTEGER, FIELD_REAL; FIELD_DURATION in seconds. Both 0: any */
  const char *const *choices;
  const Form *form;
  YamlConvert convert;
} Field;

struct Form {
  const char *name; /* for messages: "a camera" */
  const Field *fields;
  gsize size;
  void (*init) (gpointer item); /* sets defaults; may be NULL */
  YamlConvert check;            /* what no single row can see; may be NULL */
  GDestroyNotify free;
};

/* The file as a struct of `form`; NULL with `faults` (one line each, "FILE:LINE:COLUMN: message") when anything is
 * wrong. The result is freed with form->free. */
gpointer yaml_form_read (const char *path, const Form *form, GPtrArray *faults);

/* For `convert` and `check`: notes a fault at `node`. */
void yaml_fault (YamlReader *reader, struct fy_node *node, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* The text of a scalar; a fault and NULL when `node` is none. Free with g_free. */
char *yaml_text (YamlReader *reader, struct fy_node *node);

/* FALSE with a fault when it is no finite number. */
gboolean yaml_real (YamlReader *reader, struct fy_node *node, double *value);
gboolean yaml_duration (YamlReader *reader, struct fy_node *node, gint64 *microseconds);

/* The value of `key` in the mapping `node`, so that a check can point at it; `node` itself when it isn't there. */
struct fy_node *yaml_at (struct fy_node *node, const char *key);

/* The folder of the file, which relative paths in it start from. */
const char *yaml_folder (const YamlReader *reader);
