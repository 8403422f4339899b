/* quantity.h: durations and sizes as people write them: "500ms" "30s" "10m" "2h" "30d", "64KiB" "500MB" "2GB", "5%".
 *
 * thread: any. */
#pragma once

#include <glib.h>

/* Microseconds. FALSE when `text` is no non-negative whole number with a unit, or is over 100 years. */
gboolean duration_parse (const char *text, gint64 *microseconds);

/* Bytes; KB MB GB TB are powers of 1000, KiB MiB GiB TiB of 1024. FALSE on anything else or on overflow. */
gboolean size_parse (const char *text, gint64 *bytes);

/* The shortest exact text; free with g_free. */
char *duration_format (gint64 microseconds);
char *size_format (gint64 bytes);
