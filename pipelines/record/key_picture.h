/* key_picture.h: a coded picture in memory that another process may map: nobody can change or shrink it any more.
 *
 * thread: any. */
#pragma once

#include <glib.h>

/* A sealed memfd with `bytes`; -1 with an error. */
int key_picture_seal (GBytes *bytes, GError **error);
