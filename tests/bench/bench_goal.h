/* bench_goal.h: what a figure was to be, what it is, and whether that meets it: a line for people, which ./run bench gathers
 * into one table at the end, and a line of JSON. */
#pragma once

#include <glib.h>
#include <jansson.h>

typedef struct {
  const char *bench, *row; /* row: what was measured, for people */
  const char *unit;        /* "x floor", "ms" … */
  double at_most;          /* the goal; 0 where it is `at_least` */
  double figure;
  double at_least;
} BenchGoal;

/* Prints both. Takes `details`, an object with the absolute figures, or NULL. */
void bench_goal_print (const BenchGoal *goal, json_t *details);

/* Where the figure could not be taken: says why, in both lines. */
void bench_goal_skip (const BenchGoal *goal, const char *why);

/* A line of JSON for what has no goal. Takes `details`. */
void bench_note (const char *bench, const char *row, json_t *details);
