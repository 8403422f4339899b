/* seeds_runner FOLDER: feeds a fuzz target its seeds and damaged copies of them, without libFuzzer; always the same
 * ones. */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/core/log.h"
#include "tests/fuzz/fuzz_target.h"

enum { COPIES = 60, SIZE_MAX_BYTES = 1024 * 1024 };

/* A heap copy of its exact size, so that AddressSanitizer sees a byte read beyond it. */
static void feed (const void *bytes, gsize size)
{
  g_autofree void *copy = size > 0 ? g_memdup2 (bytes, size) : g_malloc (1);
  LLVMFuzzerTestOneInput (copy, size);
}

static void damage (GRand *random, guint8 *bytes, gsize *size)
{
  static const guint8 telling[] = { 0, 1, 0x7f, 0x80, 0xff, '$', '"', '{', '\n', '-' };
  for (int change = g_rand_int_range (random, 1, 8); change > 0 && *size > 0; change--) {
    gsize at = (gsize) g_rand_int_range (random, 0, (gint32) *size);
    switch (g_rand_int_range (random, 0, 5)) {
    case 0:
      bytes[at] ^= (guint8) (1 << g_rand_int_range (random, 0, 8));
      break;
    case 1:
      bytes[at] = telling[g_rand_int_range (random, 0, G_N_ELEMENTS (telling))];
      break;
    case 2:
      bytes[at] = (guint8) g_rand_int (random);
      break;
    case 3: /* a stretch is missing */
      if (at + 1 < *size) {
        gsize wanted = (gsize) g_rand_int_range (random, 1, 16); /* once: MIN evaluates twice */
        gsize length = MIN (wanted, *size - at);
        memmove (bytes + at, bytes + at + length, *size - at - length);
        *size -= length;
      }
      break;
    default: /* the end is missing */
      if (change == 1)
        *size = at;
      break;
    }
  }
}

static void feed_damaged_copies (const char *seed, gsize size, guint32 number)
{
  GRand *random = g_rand_new_with_seed (number);
  for (int i = 0; i < COPIES; i++) {
    g_autofree guint8 *copy = g_memdup2 (seed, MAX (size, 1));
    gsize copy_size = size;
    damage (random, copy, &copy_size);
    feed (copy, copy_size);
  }
  g_rand_free (random);
}

static int compare_names (gconstpointer left, gconstpointer right)
{
  return strcmp (*(char *const *) left, *(char *const *) right);
}

int main (int argc, char **argv)
{
  log_open ("seeds_runner");
  g_autoptr (GDir) folder = argc == 2 ? g_dir_open (argv[1], 0, NULL) : NULL;
  if (folder == NULL) {
    fprintf (stderr, "usage: %s FOLDER: no such folder\n", argv[0]);
    return EXIT_FAILURE;
  }
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  for (const char *name; (name = g_dir_read_name (folder)) != NULL;)
    g_ptr_array_add (names, g_build_filename (argv[1], name, NULL));
  g_ptr_array_sort (names, compare_names);
  feed ("", 0);
  for (guint i = 0; i < names->len; i++) {
    g_autofree char *seed = NULL;
    gsize size;
    if (!g_file_get_contents (names->pdata[i], &seed, &size, NULL) || size > SIZE_MAX_BYTES) {
      fprintf (stderr, "%s: can't be read, or is over 1 MiB\n", (char *) names->pdata[i]);
      return EXIT_FAILURE;
    }
    feed (seed, size);
    feed_damaged_copies (seed, size, i);
  }
  printf ("%u seeds, %u inputs\n", names->len, names->len * (COPIES + 1) + 1);
  return names->len > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
