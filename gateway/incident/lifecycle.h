/* lifecycle.h: an incident's life: one table of (action, state) → state, with who may do it.
 *
 * thread: any; pure functions. */
#pragma once

#include <jansson.h>

#include "gateway/model/actor.h"

typedef enum {
  STATE_REPORTED,
  STATE_ACCEPTED,
  STATE_REJECTED,
  STATE_DISPATCHED,
  STATE_IN_PROGRESS,
  STATE_RESOLVED,
  STATE_VERIFIED,
  STATE_CLOSED,
  STATE_ON_HOLD,
  STATE_MERGED,
  STATE_VOID,
  STATE_COUNT
} IncidentState;

typedef enum {
  STEP_ALLOWED,
  STEP_UNKNOWN_ACTION,
  STEP_NOT_IN_THIS_VERSION,
  STEP_WRONG_STATE, /* the state doesn't allow it */
  STEP_WRONG_ROLE,  /* the state does, but not for this role */
} StepVerdict;

const char *incident_state_name (IncidentState state);
gboolean incident_state_from_name (const char *name, IncidentState *state);

/* FALSE once nobody works on it any more: rejected, closed, merged, void. */
gboolean incident_state_is_open (IncidentState state);

/* What `action` leads to from `state`. `held_from` is the state before on_hold, which `resume` leads back to. */
StepVerdict lifecycle_step (const char *action, IncidentState state, IncidentState held_from, Role role,
                            IncidentState *to);

/* dispatch and transfer: somebody must be named who does it. */
gboolean lifecycle_needs_assignee (const char *action);

/* The actions that `state` allows `role`, an array of names; for pages that offer only those. */
json_t *lifecycle_actions (IncidentState state, Role role);
