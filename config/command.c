#include "config/command.h"

#include "config/defaults.h"
#include "config/loader.h"
#include "config/schema.h"

#include <stdio.h>
#include <stdlib.h>

int command_check (const char *path)
{
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (Site) site = site_load (path, errors);
  for (guint i = 0; i < errors->len; i++)
    fprintf (stderr, "%s\n", (const char *) errors->pdata[i]);
  return site != NULL ? EXIT_SUCCESS : EXIT_BAD_CONFIGURATION;
}

int command_defaults (gboolean schema)
{
  char *text = schema ? config_schema () : config_defaults ();
  gboolean is_written = fprintf (stdout, schema ? "%s\n" : "%s", text) > 0 && fflush (stdout) == 0;
  free (text); /* GLib's allocator is malloc's */
  return is_written ? EXIT_SUCCESS : EXIT_FAILURE;
}
