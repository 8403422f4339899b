#include "config/problems.h"

typedef struct {
  guint file, line, column, order;
  char *text;
} Problem;

struct Problems {
  GPtrArray *files; /* of char* */
  GArray *list;     /* of Problem */
  guint left_out;
};

static void problem_clear (Problem *problem)
{
  g_free (problem->text);
}

Problems *problems_new (void)
{
  Problems *problems = g_new0 (Problems, 1);
  problems->files = g_ptr_array_new_with_free_func (g_free);
  problems->list = g_array_new (FALSE, FALSE, sizeof (Problem));
  g_array_set_clear_func (problems->list, (GDestroyNotify) problem_clear);
  return problems;
}

guint problems_add_file (Problems *problems, const char *path)
{
  g_ptr_array_add (problems->files, g_strdup (path));
  return problems->files->len - 1;
}

const char *problems_file (const Problems *problems, guint file)
{
  return problems->files->pdata[file];
}

void problems_add (Problems *problems, guint file, guint line, guint column, const char *format, ...)
{
  if (problems->list->len >= PROBLEMS_MAX) {
    problems->left_out++;
    return;
  }
  va_list arguments;
  va_start (arguments, format);
  Problem problem = { file, line, column, problems->list->len, g_strdup_vprintf (format, arguments) };
  va_end (arguments);
  g_array_append_val (problems->list, problem);
}

guint problems_count (const Problems *problems)
{
  return problems->list->len + problems->left_out;
}

static int compare (gconstpointer left, gconstpointer right)
{
  const Problem *a = left, *b = right;
  if (a->file != b->file)
    return a->file < b->file ? -1 : 1;
  if (a->line != b->line)
    return a->line < b->line ? -1 : 1;
  if (a->column != b->column)
    return a->column < b->column ? -1 : 1;
  return a->order < b->order ? -1 : a->order > b->order;
}

void problems_report (Problems *problems, GPtrArray *errors)
{
  g_array_sort (problems->list, compare);
  for (guint i = 0; i < problems->list->len; i++) {
    const Problem *problem = &g_array_index (problems->list, Problem, i);
    const char *file = problems_file (problems, problem->file);
    if (problem->line == 0)
      g_ptr_array_add (errors, g_strdup_printf ("%s: %s", file, problem->text));
    else
      g_ptr_array_add (errors,
                       g_strdup_printf ("%s:%u:%u: %s", file, problem->line, problem->column, problem->text));
  }
  if (problems->left_out > 0)
    g_ptr_array_add (errors, g_strdup_printf ("%s: %u more errors, not shown", problems_file (problems, 0),
                                              problems->left_out));
}

void problems_free (Problems *problems)
{
  if (problems == NULL)
    return;
  g_array_unref (problems->list);
  g_ptr_array_unref (problems->files);
  g_free (problems);
}
