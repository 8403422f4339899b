/* folder.h: a private folder for one test, as cmocka's setup and teardown: *state is its path. */
#pragma once

int folder_setup (void **state);
int folder_teardown (void **state); /* removes it with all that is in it */

/* The same for fixtures of a test's own. Free the path with folder_drop. */
char *folder_make_temporary (void);
void folder_drop (char *path);
