/* embed.c: build tool: turns a directory of built files into the table that gateway/http/console_assets.c looks up.
 *
 * usage: console-embed OUTPUT.c [DIRECTORY]      without a directory the table is empty */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

static const char *content_type_of (const char *name)
{
  static const char *const types[][2] = {
    { ".html", "text/html; charset=utf-8" },
    { ".js", "text/javascript; charset=utf-8" },
    { ".css", "text/css; charset=utf-8" },
    { ".svg", "image/svg+xml" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    if (g_str_has_suffix (name, types[i][0]))
      return types[i][1];
  return NULL;
}

static gboolean append_file (GString *data, GString *table, const char *directory, const char *path, GError **error)
{
  g_autofree char *file = g_build_filename (directory, path, NULL);
  g_autofree char *contents = NULL;
  g_autofree char *checksum = NULL;
  const char *type = content_type_of (path);
  gsize size;
  static guint count;

  if (type == NULL) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: no content type is known for this name", file);
    return FALSE;
  }
  if (!g_file_get_contents (file, &contents, &size, error))
    return FALSE;
  checksum = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) contents, size);
  g_string_append_printf (data, "static const unsigned char data_%u[] = {", count);
  for (gsize i = 0; i < size; i++)
    g_string_append_printf (data, "%s%u,", i % 32 == 0 ? "\n" : "", (guchar) contents[i]);
  g_string_append (data, "0};\n\n");
  /* Names under assets/ carry a hash of what is in the file: a browser may keep them for ever. */
  g_string_append_printf (table, "  {\"/%s\", \"%s\", data_%u, %" G_GSIZE_FORMAT ", \"\\\"%.16s\\\"\", %s},\n", path,
                          type, count, size, checksum, g_str_has_prefix (path, "assets/") ? "TRUE" : "FALSE");
  count++;
  return TRUE;
}

static gboolean append_directory (GString *data, GString *table, const char *directory, const char *below,
                                  GError **error)
{
  g_autofree char *path = g_build_filename (directory, below, NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, error);
  const char *name;

  if (dir == NULL)
    return FALSE;
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *inner = below[0] == '\0' ? g_strdup (name) : g_strconcat (below, "/", name, NULL);
    g_autofree char *full = g_build_filename (directory, inner, NULL);
    gboolean is_directory = g_file_test (full, G_FILE_TEST_IS_DIR);

    if (!(is_directory ? append_directory : append_file) (data, table, directory, inner, error))
      return FALSE;
  }
  return TRUE;
}

int main (int argc, char **argv)
{
  g_autoptr (GString) source = g_string_new ("#include \"gateway/http/console_assets.h\"\n\n");
  g_autoptr (GString) table = g_string_new ("const ConsoleAsset console_asset_table[] = {\n");
  g_autoptr (GError) error = NULL;

  if (argc != 2 && argc != 3) {
    g_printerr ("usage: console-embed OUTPUT.c [DIRECTORY]\n");
    return 2;
  }
  if (argc == 3 && !append_directory (source, table, argv[2], "", &error)) {
    g_printerr ("console-embed: %s\n", error->message);
    return 1;
  }
  g_string_append (table, "  {NULL, NULL, NULL, 0, NULL, FALSE},\n};\n");
  g_string_append (source, table->str);
  if (!g_file_set_contents (argv[1], source->str, source->len, &error)) {
    g_printerr ("console-embed: %s\n", error->message);
    return 1;
  }
  return 0;
}
