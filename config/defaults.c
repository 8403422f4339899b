#include "config/defaults.h"

#include "config/key.h"
#include "config/types.h"

#include <string.h>

enum { INDENT = 2 };

typedef struct {
  GString *text;
  guint depth;
  gboolean is_live;      /* the lines count; else they are commented out */
  gboolean begins_item;  /* the next key gets the dash of its list item */
} Writer;

/* The commenting '#' stands right before the key, so that taking it away leaves the indentation right. */
static void begin_line (Writer *writer, gboolean is_live)
{
  g_string_append_printf (writer->text, "%*s%s", (int) (writer->depth * INDENT), "", is_live ? "" : "#");
}

static void write_prose (Writer *writer, const char *text)
{
  g_string_append_printf (writer->text, "%*s# %s\n", (int) (writer->depth * INDENT), "", text);
}

static void write_help (Writer *writer, const Key *key)
{
  write_prose (writer, key->help);
  write_prose (writer, key->help_zh);
  if (key->fallback == NULL && key->example == NULL && key->section == NULL) {
    g_autofree char *form = g_strdup_printf ("  %s: %s", key->name, key->type->expected);
    write_prose (writer, form);
  }
}

static void write_keys (Writer *writer, const Section *section);

static void write_key_line (Writer *writer, const Key *key, const char *value, gboolean is_live)
{
  if (writer->begins_item) {
    writer->depth--;
    begin_line (writer, is_live);
    writer->depth++;
    g_string_append (writer->text, "- ");
    writer->begins_item = FALSE;
  } else
    begin_line (writer, is_live);
  g_string_append_printf (writer->text, "%s:%s%s\n", key->name, value != NULL ? " " : "", value != NULL ? value : "");
}

static gboolean has_lines (const Section *section)
{
  for (const Key *key = section->keys; key->name != NULL; key++)
    if (key->type != NULL && (key->fallback != NULL || key->example != NULL || key->section != NULL))
      return TRUE;
  return FALSE;
}

static void write_key (Writer *writer, const Key *key)
{
  gboolean was_live = writer->is_live;
  write_help (writer, key);
  gboolean is_map = key->section != NULL && has_lines (key->section);
  if (!is_map && key->fallback == NULL && key->example == NULL)
    return;
  gboolean is_live = was_live && (key->is_required || (writer->depth == 0 && key->type == &type_map));
  write_key_line (writer, key, is_map ? NULL : key->fallback != NULL ? key->fallback : key->example, is_live);
  if (!is_map)
    return;
  gboolean is_list = key->type == &type_maps;
  writer->is_live = is_live;
  writer->depth += is_list ? 2 : 1;
  writer->begins_item = is_list;
  write_keys (writer, key->section);
  writer->depth -= is_list ? 2 : 1;
  writer->is_live = was_live;
}

static void write_keys (Writer *writer, const Section *section)
{
  for (const Key *key = section->keys; key->name != NULL; key++) {
    if (key->type == NULL)
      continue;
    if (writer->depth == 0)
      g_string_append_c (writer->text, '\n');
    write_key (writer, key);
  }
}

char *config_defaults (void)
{
  Writer writer = { .text = g_string_new (NULL), .is_live = TRUE };
  g_string_append (writer.text,
                   "# gridgate " GRIDGATE_VERSION ": every key, its default or an example. Check with: gridgate check -c FILE\n"
                   "# 全部配置项及其默认值或示例。检查: gridgate check -c FILE\n"
                   "# Lines that begin with '#' and no space are settings: take the '#' away to use them.\n"
                   "# 以 '#' 开头且其后无空格的行是可用的设置, 去掉 '#' 即生效。\n"
                   "# Durations: 500ms 30s 10m 2h 30d. Sizes: 64KiB 500MB 2GB. Passwords are files, never values.\n"
                   "# 时长: 500ms 30s 10m 2h 30d; 容量: 64KiB 500MB 2GB; 密码一律放在文件里。\n");
  write_keys (&writer, &site_section);
  return g_string_free (writer.text, FALSE);
}
