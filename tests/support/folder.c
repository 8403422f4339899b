#include "tests/support/folder.h"

#include <glib.h>

#include "gateway/core/file.h"

char *folder_make_temporary (void)
{
  return g_dir_make_tmp ("gridgate-test-XXXXXX", NULL);
}

void folder_drop (char *path)
{
  if (path == NULL)
    return;
  folder_remove (path);
  g_free (path);
}

int folder_setup (void **state)
{
  *state = folder_make_temporary ();
  return *state == NULL;
}

int folder_teardown (void **state)
{
  folder_drop (*state);
  return 0;
}
