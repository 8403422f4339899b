#include "gateway/core/ids.h"

#include <string.h>
#include <sys/random.h>

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void random_fill (guint8 *bytes, gsize size)
{
  while (size > 0) {
    gssize got = getrandom (bytes, size, 0);
    if (got <= 0)
      continue; /* only EINTR can happen */
    bytes += got;
    size -= (gsize) got;
  }
}

static void set_time (guint8 bits[16], guint64 ms)
{
  for (int i = 0; i < 6; i++)
    bits[i] = (guint8) (ms >> (40 - 8 * i));
}

static char *encode (const guint8 bits[16])
{
  char *text = g_malloc (ULID_LENGTH + 1);
  for (int i = 0; i < ULID_LENGTH; i++) {
    int first = i * 5 - 2; /* 130 bits of text carry 128: two zero bits lead */
    guint value = 0;
    for (int bit = first; bit < first + 5; bit++)
      value = value << 1 | (bit < 0 ? 0 : bits[bit / 8] >> (7 - bit % 8) & 1);
    text[i] = crockford[value];
  }
  text[ULID_LENGTH] = '\0';
  return text;
}

char *ulid_new (gint64 wall_us)
{
  static GMutex mutex;
  static guint64 last_ms;
  static guint8 random[10];

  guint64 ms = wall_us > 0 ? (guint64) wall_us / 1000 : 0;
  guint8 bits[16];

  g_mutex_lock (&mutex);
  if (ms != last_ms) {
    last_ms = ms;
    random_fill (random, sizeof random);
    random[0] &= 0x7f; /* room to count up in this millisecond */
  } else {
    for (int i = sizeof random - 1; i >= 0 && ++random[i] == 0; i--)
      ;
  }
  set_time (bits, ms);
  memcpy (bits + 6, random, sizeof random);
  g_mutex_unlock (&mutex);

  return encode (bits);
}

char *ulid_of (gint64 wall_us, const guint8 rest[10])
{
  guint8 bits[16];
  set_time (bits, wall_us > 0 ? (guint64) wall_us / 1000 : 0);
  memcpy (bits + 6, rest, 10);
  return encode (bits);
}

gboolean ulid_is_valid (const char *text)
{
  return text != NULL && strlen (text) == ULID_LENGTH && strspn (text, crockford) == ULID_LENGTH && text[0] <= '7';
}

gboolean site_id_is_valid (const char *text)
{
  if (text == NULL || !g_ascii_isalnum (text[0]))
    return FALSE;
  gsize length = strlen (text);
  if (length > SITE_ID_MAX)
    return FALSE;
  for (gsize i = 1; i < length; i++)
    if (!g_ascii_isalnum (text[i]) && strchr ("._-", text[i]) == NULL)
      return FALSE;
  return TRUE;
}

char *sha256_hex (const void *bytes, gsize size)
{
  return g_compute_checksum_for_data (G_CHECKSUM_SHA256, bytes, size);
}

char *random_hex (gsize bytes)
{
  g_autofree guint8 *random = g_malloc (bytes);
  random_fill (random, bytes);
  char *text = g_malloc (bytes * 2 + 1);
  for (gsize i = 0; i < bytes; i++)
    g_snprintf (text + 2 * i, 3, "%02x", random[i]);
  text[bytes * 2] = '\0';
  return text;
}
