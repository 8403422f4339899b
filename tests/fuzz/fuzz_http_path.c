/* Request targets, Range headers and heads: the first line is a target, the second a Range, the rest are headers. */
#include <string.h>

#include "gateway/http/http_head.h"
#include "gateway/http/http_path.h"
#include "tests/fuzz/fuzz_target.h"

static void check_path (const char *target)
{
  HttpPath path;
  g_autoptr (GError) error = NULL;
  if (!http_path_parse (target, &path, &error)) {
    g_assert (error != NULL);
    return;
  }
  for (char **segment = path.segments; *segment != NULL; segment++)
    g_assert ((*segment)[0] != '\0' && !g_str_equal (*segment, "..") && g_utf8_validate (*segment, -1, NULL));
  http_path_clear (&path);
}

static void check_range (const char *header)
{
  static const guint64 sizes[] = { 0, 1, 100, G_MAXINT64 };
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++) {
    guint64 first = 0, length = 0;
    if (http_range_parse (header, sizes[i], &first, &length) == RANGE_ONE)
      g_assert (length > 0 && first < sizes[i] && length <= sizes[i] - first);
  }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_auto (GStrv) lines = g_strsplit (text, "\n", 64);
  HttpHead head = { 0 };
  if (lines[0] == NULL)
    return 0;
  check_path (lines[0]);
  if (lines[1] == NULL)
    return 0;
  check_range (lines[1]);
  for (char **line = lines + 2; *line != NULL; line++) {
    char *colon = strchr (*line, ':');
    if (colon != NULL)
      *colon = '\0';
    http_head_add (&head, *line, colon != NULL ? colon + 1 : NULL);
  }
  http_head_check (&head, "HTTP/1.1");
  return 0;
}
