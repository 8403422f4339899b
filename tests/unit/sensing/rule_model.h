/* rule_model.h: what rules mean, the slow and obvious way: a second at a time, and with every reading again through all
 * readings before it. The tests compare rules.h with it.
 *
 * One site of two sensors, "a" and "b", in one grid, each with metrics "m" and "n". Time is whole seconds from 0. */
#pragma once

#include "gateway/model/site.h"

typedef struct {
  int second;
  int sensor, metric; /* 0 or 1 */
  double value;
} ModelReading;

typedef struct RuleModel RuleModel;

/* `start_minute`: the minute of the day (UTC) at which second 0 is, for schedules. `cause` (may be NULL) is the rule that
 * `rule` waits for; it has neither hold nor steps and watches metric "n" of sensor "b". Both are borrowed. */
RuleModel *rule_model_new (const Rule *rule, const Rule *cause, int start_minute);

/* The clock comes to `second`: once for each second, before its readings. */
void rule_model_pass (RuleModel *model, int second);
void rule_model_read (RuleModel *model, const ModelReading *reading);

/* A line for each alert that opened, changed or cleared so far: "SECOND SUBJECT opened|changed|cleared SEVERITY"; first
 * those of sensor "a" or the grid, then those of "b". */
const char *rule_model_story (RuleModel *model);

void rule_model_free (RuleModel *model);
