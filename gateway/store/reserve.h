/* reserve.h: disk space set aside, so that alerts and audit can still be written when everything else has filled the disk.
 *
 * thread: the store's. */
#pragma once

#include <glib.h>

typedef struct Reserve Reserve;

/* Sets the space aside as DATA_DIR/reserve, if there is room for three times as much. Never fails: without room there is
 * none until reserve_restore finds some. */
Reserve *reserve_new (const char *data_dir);

/* Gives the space back to the file system. TRUE when there was some. */
gboolean reserve_release (Reserve *reserve);

/* Sets it aside again when there is room; cheap, call it now and then. */
void reserve_restore (Reserve *reserve);

gboolean reserve_is_set_aside (const Reserve *reserve);

/* Keeps the file. NULL is taken. */
void reserve_free (Reserve *reserve);
