#include "adapters/decoders/json_skim.h"

#include <string.h>

enum { MEMBERS_MAX = 16, DEPTH_MAX = 16, DIGITS_MAX = 18 };

/* Up to that, a number's digits are exact in a double, and so is their quotient by a power of ten up to 10^22. */
#define EXACT_MAX ((guint64) 1 << 53)

typedef struct {
  const char *start;
  gsize size;
} Text;

/* Paths are bits: of those that go through, or end at, the value that is next. */
typedef struct {
  const char *at, *end;
  guint depth; /* of objects: as many names have been gone by */
  JsonPath *const *paths;
  guint count;
  json_t **values;
} Skim;

static gboolean skim_value (Skim *skim, guint64 paths);

gboolean json_skim_takes (const JsonPath *path)
{
  for (guint i = 0; i < json_path_length (path); i++)
    if (json_path_name (path, i) == NULL)
      return FALSE;
  return TRUE;
}

static void skip_space (Skim *skim)
{
  while (skim->at < skim->end && (*skim->at == ' ' || *skim->at == '\n' || *skim->at == '\t' || *skim->at == '\r'))
    skim->at++;
}

static gboolean take (Skim *skim, char wanted)
{
  if (skim->at == skim->end || *skim->at != wanted)
    return FALSE;
  skim->at++;
  return TRUE;
}

static gboolean take_text (Skim *skim, Text *text)
{
  if (!take (skim, '"'))
    return FALSE;
  text->start = skim->at;
  while (skim->at < skim->end && *skim->at != '"' && *skim->at != '\\' && *skim->at >= ' ') /* as signed: ASCII */
    skim->at++;
  text->size = (gsize) (skim->at - text->start);
  return take (skim, '"');
}

static guint take_digits (Skim *skim, guint64 *number)
{
  const char *start = skim->at;
  for (; skim->at < skim->end && g_ascii_isdigit (*skim->at); skim->at++)
    *number = *number * 10 + (guint64) (*skim->at - '0');
  return (guint) (skim->at - start);
}

/* RFC 8259 6, without exponents. */
static gboolean take_number (Skim *skim, double *value)
{
  static const double powers[DIGITS_MAX + 1]
    = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18 };
  guint64 number = 0;
  gboolean is_negative = take (skim, '-');
  gboolean has_leading_zero = skim->at < skim->end && *skim->at == '0';
  guint whole = take_digits (skim, &number), fraction = 0;
  if (whole == 0 || (has_leading_zero && whole > 1))
    return FALSE;
  if (take (skim, '.') && (fraction = take_digits (skim, &number)) == 0)
    return FALSE;
  if (whole + fraction > DIGITS_MAX || number > EXACT_MAX || (skim->at < skim->end && (*skim->at == 'e' || *skim->at == 'E')))
    return FALSE;
  *value = (double) number / powers[fraction];
  if (is_negative)
    *value = -*value;
  return TRUE;
}

static gboolean take_word (Skim *skim, const char *word)
{
  gsize size = strlen (word);
  if ((gsize) (skim->end - skim->at) < size || memcmp (skim->at, word, size) != 0)
    return FALSE;
  skim->at += size;
  return TRUE;
}

/* The scalar that is next; NULL when it is none. `is_wanted` FALSE: none is made, and the answer only tells. */
static gboolean take_scalar (Skim *skim, gboolean is_wanted, json_t **made)
{
  Text text;
  double number = 0;
  *made = NULL;
  switch (*skim->at) {
  case '"':
    if (take_text (skim, &text))
      *made = is_wanted ? json_stringn_nocheck (text.start, text.size) : json_null ();
    break;
  case 't':
    *made = take_word (skim, "true") ? json_true () : NULL;
    break;
  case 'f':
    *made = take_word (skim, "false") ? json_false () : NULL;
    break;
  case 'n':
    *made = take_word (skim, "null") ? json_null () : NULL;
    break;
  default:
    if (take_number (skim, &number))
      *made = is_wanted ? json_real (number) : json_null ();
  }
  return *made != NULL;
}

static guint64 ending_at (const Skim *skim, guint64 paths)
{
  guint64 ending = 0;
  for (guint i = 0; paths != 0 && i < skim->count; i++)
    if ((paths >> i & 1) != 0 && json_path_length (skim->paths[i]) == skim->depth)
      ending |= (guint64) 1 << i;
  return ending;
}

static guint64 going_by (const Skim *skim, guint64 paths, const Text *name)
{
  guint64 going = 0;
  for (guint i = 0; paths != 0 && i < skim->count; i++) {
    const char *wanted = (paths >> i & 1) != 0 ? json_path_name (skim->paths[i], skim->depth - 1) : NULL;
    if (wanted != NULL && strncmp (wanted, name->start, name->size) == 0 && wanted[name->size] == '\0')
      going |= (guint64) 1 << i;
  }
  return going;
}

static gboolean is_repeated (const Text *names, guint last)
{
  for (guint i = 0; i < last; i++)
    if (names[i].size == names[last].size && memcmp (names[i].start, names[last].start, names[last].size) == 0)
      return TRUE;
  return FALSE;
}

static gboolean skim_object (Skim *skim, guint64 paths)
{
  Text names[MEMBERS_MAX];
  skip_space (skim);
  if (take (skim, '}'))
    return TRUE;
  for (guint i = 0; i < MEMBERS_MAX; i++) {
    skip_space (skim);
    if (!take_text (skim, &names[i]) || is_repeated (names, i))
      return FALSE;
    skip_space (skim);
    if (!take (skim, ':') || !skim_value (skim, going_by (skim, paths, &names[i])))
      return FALSE;
    if (!take (skim, ','))
      return take (skim, '}');
  }
  return FALSE;
}

static gboolean skim_list (Skim *skim)
{
  skip_space (skim);
  if (take (skim, ']'))
    return TRUE;
  do
    if (!skim_value (skim, 0))
      return FALSE;
  while (take (skim, ','));
  return take (skim, ']');
}

/* With the space around it. */
static gboolean skim_value (Skim *skim, guint64 paths)
{
  guint64 ending = ending_at (skim, paths);
  json_t *made = NULL;
  skip_space (skim);
  if (skim->at == skim->end)
    return FALSE;
  gboolean is_object = *skim->at == '{', is_good;
  if (is_object || *skim->at == '[') {
    if (ending != 0 || skim->depth == DEPTH_MAX)
      return FALSE;
    skim->at++;
    skim->depth++;
    is_good = is_object ? skim_object (skim, paths) : skim_list (skim);
    skim->depth--;
  } else {
    is_good = take_scalar (skim, ending != 0, &made);
  }
  for (guint i = 0; ending != 0 && made != NULL && i < skim->count; i++)
    if ((ending >> i & 1) != 0)
      skim->values[i] = json_incref (made);
  json_decref (made);
  skip_space (skim);
  return is_good;
}

gboolean json_skim (const guint8 *bytes, gsize size, JsonPath *const *paths, guint count, json_t **values)
{
  const char *text = (const char *) bytes;
  Skim skim = { .at = text, .end = text + size, .paths = paths, .count = count, .values = values };
  memset (values, 0, count * sizeof *values);
  if (count <= JSON_SKIM_PATHS_MAX && skim_value (&skim, G_MAXUINT64) && skim.at == skim.end)
    return TRUE;
  for (guint i = 0; i < count; i++)
    g_clear_pointer (&values[i], json_decref);
  return FALSE;
}
