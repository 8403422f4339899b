#include "config/loader.h"

#include "config/references.h"

#include <errno.h>
#include <glob.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
  Reader reader;
  Problems *problems;
  GPtrArray *trees; /* what the reader's nodes live in */
  guint files;
} Loader;

/* The whole file, at most YAML_FILE_MAX bytes. FIFOs and devices are refused unread: they could make us wait. */
static char *read_file (Loader *loader, guint file, const char *path, gsize *size)
{
  struct stat status;
  if (stat (path, &status) != 0) {
    problems_add (loader->problems, file, 0, 0, "the file can't be read: %s", g_strerror (errno));
    return NULL;
  }
  if (!S_ISREG (status.st_mode) || status.st_size > YAML_FILE_MAX) {
    problems_add (loader->problems, file, 0, 0, "expected a file of at most 4MiB");
    return NULL;
  }
  char *text = NULL;
  g_autoptr (GError) error = NULL;
  if (!g_file_get_contents (path, &text, size, &error))
    problems_add (loader->problems, file, 0, 0, "the file can't be read: %s", error->message);
  return text;
}

/* Parses and reads one file into the site; NULL when it can't be parsed. */
static const YamlNode *take_text (Loader *loader, guint file, const char *text, gsize size)
{
  YamlTree *tree = yaml_tree_parse (file, text, size, loader->problems);
  if (tree == NULL)
    return NULL;
  g_ptr_array_add (loader->trees, tree);
  const YamlNode *root = yaml_tree_root (tree);
  if (root->kind != YAML_MAP) {
    reader_refuse (&loader->reader, root, "expected keys such as gateway: and cameras: at the top of the file");
    return NULL;
  }
  reader_read_map (&loader->reader, &site_section, root, loader->reader.site);
  return root;
}

static void take_included (Loader *loader, const YamlNode *pattern, const char *path)
{
  if (++loader->files > LOADER_FILES_MAX) {
    if (loader->files == LOADER_FILES_MAX + 1)
      reader_refuse (&loader->reader, pattern, "include: too many files, expected at most %d", LOADER_FILES_MAX);
    return;
  }
  gsize size = 0;
  guint file = problems_add_file (loader->problems, path);
  g_autofree char *text = read_file (loader, file, path, &size);
  if (text != NULL)
    take_text (loader, file, text, size);
}

/* A folder that isn't there holds no files; one that can't be read may hold some. */
static int is_unreadable (const char *path, int error_number)
{
  (void) path;
  return error_number != ENOENT && error_number != ENOTDIR;
}

static gboolean is_beside (Loader *loader, const char *absolute)
{
  g_autofree char *folder = g_path_get_dirname (problems_file (loader->problems, 0));
  g_autofree char *whole = g_canonicalize_filename (folder, NULL);
  gsize length = strlen (whole);
  return strncmp (absolute, whole, length) == 0 && (absolute[length] == '/' || (length > 0 && whole[length - 1] == '/'));
}

static void take_pattern (Loader *loader, const YamlNode *pattern)
{
  if (pattern->kind != YAML_SCALAR)
    return; /* refused by the table */
  g_autofree char *absolute = reader_resolve_path (&loader->reader, pattern, pattern->text);
  if (loader->reader.is_sent && !is_beside (loader, absolute)) {
    reader_refuse (&loader->reader, pattern, "include: %s is elsewhere, expected a path below the configuration's folder",
                   absolute);
    return;
  }
  glob_t found = { 0 };
  int result = glob (absolute, 0, is_unreadable, &found);
  if (result == GLOB_NOMATCH && strpbrk (pattern->text, "*?[") == NULL)
    reader_refuse (&loader->reader, pattern, "include: %s does not exist, expected a file or a pattern", absolute);
  else if (result != 0 && result != GLOB_NOMATCH)
    reader_refuse (&loader->reader, pattern, "include: %s can't be searched, expected a folder that can be read", absolute);
  for (size_t i = 0; result == 0 && i < found.gl_pathc; i++)
    take_included (loader, pattern, found.gl_pathv[i]);
  globfree (&found);
}

static void take_includes (Loader *loader, const YamlNode *root)
{
  const YamlNode *patterns = yaml_map_get (root, "include");
  loader->reader.is_included = TRUE;
  for (guint i = 0; patterns != NULL && patterns->kind == YAML_LIST && i < patterns->children->len; i++)
    take_pattern (loader, patterns->children->pdata[i]);
}

static void loader_init (Loader *loader, const char *path)
{
  loader->problems = problems_new ();
  loader->trees = g_ptr_array_new_with_free_func ((GDestroyNotify) yaml_tree_free);
  loader->files = 1;
  problems_add_file (loader->problems, path);
  reader_init (&loader->reader, site_new (), loader->problems);
  reader_prepare (&loader->reader, &site_section, loader->reader.site);
}

static Site *loader_finish (Loader *loader, GPtrArray *errors)
{
  g_autoptr (Site) site = loader->reader.site;
  gboolean has_division = site->gateway.division != NULL;
  if (site->gateway.id == NULL) /* refused already; stands in so that the rest can be checked as well */
    site->gateway.id = g_strdup ("?");
  if (!has_division)
    site->gateway.division = g_strdup ("?");
  site_complete (&loader->reader);
  site_check (&loader->reader, has_division);
  gboolean is_good = problems_count (loader->problems) == 0;
  problems_report (loader->problems, errors);
  reader_finish (&loader->reader);
  g_ptr_array_unref (loader->trees);
  problems_free (loader->problems);
  malloc_trim (0); /* of 1,000 sensors the trees leave 1.8 MB of holes, and the store's thread grows in an arena of its own */
  return is_good ? g_steal_pointer (&site) : NULL;
}

Site *site_load_text (const char *name, const char *text, gsize size, GPtrArray *errors)
{
  Loader loader;
  loader_init (&loader, name);
  loader.reader.is_sent = TRUE;
  const YamlNode *root = take_text (&loader, 0, text, size);
  if (root != NULL)
    take_includes (&loader, root);
  return loader_finish (&loader, errors);
}

Site *site_load (const char *path, GPtrArray *errors)
{
  Loader loader;
  gsize size = 0;
  loader_init (&loader, path);
  g_autofree char *text = read_file (&loader, 0, path, &size);
  const YamlNode *root = text != NULL ? take_text (&loader, 0, text, size) : NULL;
  if (root != NULL)
    take_includes (&loader, root);
  return loader_finish (&loader, errors);
}

Rule *rule_load_text (Site *site, const char *text, gsize size, GPtrArray *errors)
{
  Reader reader;
  Rule *rule = g_new0 (Rule, 1);
  g_autoptr (Problems) problems = problems_new ();
  problems_add_file (problems, "rule");
  g_autoptr (YamlTree) tree = yaml_tree_parse (0, text, size, problems);
  const YamlNode *root = tree != NULL ? yaml_tree_root (tree) : NULL;
  reader_init (&reader, site, problems); /* reads the site only: it is published */
  if (root != NULL && root->kind == YAML_MAP) {
    g_hash_table_insert (reader.nodes, rule, (gpointer) root);
    reader_read_section (&reader, &rule_section, root, rule);
    references_check (&reader, TRUE);
    rule_check (&reader, rule);
    if (rule->name == NULL)
      rule->name = g_strdup (rule->id);
  } else if (root != NULL) {
    reader_refuse (&reader, root, "expected a rule with id, category, match and when");
  }
  if (problems_count (problems) > 0)
    g_clear_pointer (&rule, rule_free);
  problems_report (problems, errors);
  reader_finish (&reader);
  return rule;
}
