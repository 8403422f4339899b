#include "tests/bench/bench_goal.h"

#include <stdio.h>
#include <stdlib.h>

static void print_json (json_t *line)
{
  char *text = json_dumps (line, JSON_COMPACT | JSON_REAL_PRECISION (6));
  puts (text);
  fflush (stdout);
  free (text);
  json_decref (line);
}

void bench_note (const char *bench, const char *row, json_t *details)
{
  print_json (json_pack ("{s:s, s:s, s:o}", "bench", bench, "row", row, "details", details));
}

static const char *direction (const BenchGoal *goal)
{
  return goal->at_least > 0 ? "at least" : "at most";
}

static double wanted (const BenchGoal *goal)
{
  return goal->at_least > 0 ? goal->at_least : goal->at_most;
}

void bench_goal_print (const BenchGoal *goal, json_t *details)
{
  gboolean meets = goal->at_least > 0 ? goal->figure >= goal->at_least : goal->figure <= goal->at_most;
  printf ("goal  %-58s %9.2f %-8s (%s %g)  %s\n", goal->row, goal->figure, goal->unit, direction (goal), wanted (goal),
          meets ? "meets" : "misses");
  json_t *line = json_pack ("{s:s, s:s, s:f, s:s, s:f, s:b}", "bench", goal->bench, "row", goal->row,
                            goal->at_least > 0 ? "at_least" : "at_most", wanted (goal), "unit", goal->unit, "figure",
                            goal->figure, "meets", meets);
  if (details != NULL)
    json_object_set_new (line, "details", details);
  print_json (line);
}

void bench_goal_skip (const BenchGoal *goal, const char *why)
{
  printf ("goal  %-58s %9s %-8s (%s %g)  %s\n", goal->row, "-", goal->unit, direction (goal), wanted (goal), why);
  print_json (json_pack ("{s:s, s:s, s:f, s:s, s:s}", "bench", goal->bench, "row", goal->row,
                         goal->at_least > 0 ? "at_least" : "at_most", wanted (goal), "unit", goal->unit, "skipped", why));
}
