/* small_disk.h: a disk of a few megabytes that a test can fill and free: a tmpfs in a mount namespace of the test's own.
 *
 * Only this process and what it starts from then on see it. Machines that let nobody mount skip such tests.
 *
 * thread: the test's, before it has started another. */
#pragma once

#include <glib.h>

/* A namespace of our own; once a test program. */
void small_disk_prepare (void);

/* Mounts over `folder`, which exists. FALSE, and says so, where nobody may mount: then skip. */
gboolean small_disk_mount (const char *folder, int megabytes);

/* Takes every byte of the disk; returns the file that holds them (g_free), or NULL when there was none left. Delete it
 * to have them back. `name` is the file's. */
char *small_disk_fill (const char *folder, const char *name);

/* Whoever still has files open on it keeps them. */
void small_disk_unmount (const char *folder);

/* The same as cmocka's setup and teardown of one test: *state is a private folder, not yet mounted over. */
int small_disk_setup (void **state);
int small_disk_teardown (void **state);
