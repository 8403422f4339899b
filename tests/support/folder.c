#include "tests/support/folder.h"

#include <ftw.h>
#include <glib.h>
#include <stdio.h>

char *folder_make_temporary (void)
{
  return g_dir_make_tmp ("gridgate-test-XXXXXX", NULL);
}

static int remove_entry (const char *path, const struct stat *status, int type, struct FTW *walk)
{
  (void) status, (void) type, (void) walk;
  return remove (path);
}

void folder_drop (char *path)
{
  if (path == NULL)
    return;
  nftw (path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
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
