/* fuzz_file.h: the bytes of a fuzz target as the file that a reader of recordings is given. */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <string.h>

typedef struct {
  const uint8_t *bytes;
  size_t size;
} FuzzFile;

/* As segment_walk and segment_samples read files. */
static inline gboolean fuzz_file_read (gint64 offset, guint8 *bytes, gsize size, gpointer data)
{
  const FuzzFile *file = data;
  if (offset < 0 || size > file->size || (size_t) offset > file->size - size)
    return FALSE;
  memcpy (bytes, file->bytes + offset, size);
  return TRUE;
}
