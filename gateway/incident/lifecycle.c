#include "gateway/incident/lifecycle.h"

#include <string.h>

#define BIT(value) (1u << (value))

enum {
  WORKING = BIT (STATE_ACCEPTED) | BIT (STATE_DISPATCHED) | BIT (STATE_IN_PROGRESS),
  OPEN = WORKING | BIT (STATE_REPORTED) | BIT (STATE_RESOLVED) | BIT (STATE_VERIFIED) | BIT (STATE_ON_HOLD),
  ANY = BIT (STATE_COUNT) - 1,
  OFFICE = BIT (ROLE_ADMIN) | BIT (ROLE_OPERATOR),
  FIELD = OFFICE | BIT (ROLE_WORKER) | BIT (ROLE_AGENCY), /* those whom it may be assigned to as well */
  SAME = STATE_COUNT,     /* the state stays */
  BEFORE = STATE_COUNT + 1, /* back to the state before on_hold */
};

typedef struct {
  const char *action;
  guint from; /* bits of IncidentState */
  int to;
  guint roles; /* bits of Role; 0: not in this version */
} Step;

/* 受理 不予受理 派遣 处置 反馈 核查 结案 退回 返工 重开 挂账 恢复 移送 作废 批注 */
static const Step steps[] = {
  { "accept", BIT (STATE_REPORTED), STATE_ACCEPTED, OFFICE },
  { "reject", BIT (STATE_REPORTED), STATE_REJECTED, OFFICE },
  { "dispatch", WORKING, STATE_DISPATCHED, OFFICE },
  { "start", BIT (STATE_DISPATCHED), STATE_IN_PROGRESS, FIELD },
  { "resolve", BIT (STATE_DISPATCHED) | BIT (STATE_IN_PROGRESS), STATE_RESOLVED, FIELD },
  { "verify", BIT (STATE_RESOLVED), STATE_VERIFIED, OFFICE },
  { "close", BIT (STATE_RESOLVED) | BIT (STATE_VERIFIED), STATE_CLOSED, OFFICE },
  { "return", BIT (STATE_DISPATCHED), STATE_ACCEPTED, FIELD },
  { "return", BIT (STATE_RESOLVED), STATE_IN_PROGRESS, OFFICE },
  { "reopen", BIT (STATE_CLOSED), STATE_ACCEPTED, OFFICE },
  { "hold", WORKING, STATE_ON_HOLD, OFFICE },
  { "resume", BIT (STATE_ON_HOLD), BEFORE, OFFICE },
  { "transfer", OPEN, STATE_DISPATCHED, OFFICE },
  { "void", OPEN, STATE_VOID, OFFICE },
  { "comment", ANY, SAME, FIELD },
  { "merge", OPEN, STATE_MERGED, 0 },
  { "extend", OPEN, SAME, 0 },
  { "supervise", OPEN, SAME, 0 },
  { "escalate", OPEN, SAME, 0 },
  { "attach", ANY, SAME, 0 },
};

static const char *const names[STATE_COUNT] = {
  [STATE_REPORTED] = "reported",       [STATE_ACCEPTED] = "accepted", [STATE_REJECTED] = "rejected",
  [STATE_DISPATCHED] = "dispatched",   [STATE_IN_PROGRESS] = "in_progress",
  [STATE_RESOLVED] = "resolved",       [STATE_VERIFIED] = "verified", [STATE_CLOSED] = "closed",
  [STATE_ON_HOLD] = "on_hold",         [STATE_MERGED] = "merged",     [STATE_VOID] = "void",
};

const char *incident_state_name (IncidentState state)
{
  return names[state];
}

gboolean incident_state_from_name (const char *name, IncidentState *state)
{
  for (int i = 0; name != NULL && i < STATE_COUNT; i++)
    if (strcmp (names[i], name) == 0) {
      *state = (IncidentState) i;
      return TRUE;
    }
  return FALSE;
}

gboolean incident_state_is_open (IncidentState state)
{
  return (OPEN & BIT (state)) != 0;
}

StepVerdict lifecycle_step (const char *action, IncidentState state, IncidentState held_from, Role role,
                            IncidentState *to)
{
  StepVerdict verdict = STEP_UNKNOWN_ACTION;
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++) {
    const Step *step = &steps[i];
    if (strcmp (step->action, action) != 0)
      continue;
    if (step->roles == 0)
      return STEP_NOT_IN_THIS_VERSION;
    verdict = STEP_WRONG_STATE;
    if ((step->from & BIT (state)) == 0)
      continue;
    if ((step->roles & BIT (role)) == 0)
      return STEP_WRONG_ROLE;
    *to = step->to == SAME ? state : step->to == BEFORE ? held_from : (IncidentState) step->to;
    return STEP_ALLOWED;
  }
  return verdict;
}

gboolean lifecycle_needs_assignee (const char *action)
{
  return strcmp (action, "dispatch") == 0 || strcmp (action, "transfer") == 0;
}

json_t *lifecycle_actions (IncidentState state, Role role)
{
  json_t *actions = json_array ();
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    if ((steps[i].from & BIT (state)) != 0 && (steps[i].roles & BIT (role)) != 0)
      json_array_append_new (actions, json_string (steps[i].action));
  return actions;
}
