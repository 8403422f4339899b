/* rehearsal.h: the rules over readings that are not happening: of a capture, of yesterday. The engine is the live one; what it
 * would open, change or clear is told and nothing is written.
 *
 * Its clock is that of the readings. It never runs backwards: where theirs steps back, time stands still for the rules.
 *
 * thread: one at a time. */
#pragma once

#include "gateway/model/alert.h"
#include "gateway/model/observation.h"

typedef struct Rehearsal Rehearsal;

/* Told of each alert: `event` is "opened", "changed" or "cleared". Borrowed. */
typedef void (*RehearsalTold) (gpointer data, const Alert *alert, const char *event);

/* `rule` NULL: all rules of the site and the gateway's own; else that one alone, beside those that it waits for, of which
 * nothing is told. Keeps a reference to the site; the rule must outlive it. `start_us` is wall time. */
Rehearsal *rehearsal_new (Site *site, const Rule *rule, gint64 start_us, RehearsalTold told, gpointer data);

/* The site has sensors that were discovered just now: rules_grow. */
void rehearsal_grow (Rehearsal *rehearsal, Site *site);

/* What is due by the clock until `wall_us` happens in its order and at its time. */
void rehearsal_pass (Rehearsal *rehearsal, gint64 wall_us);
void rehearsal_observe (Rehearsal *rehearsal, gint64 wall_us, const Observation *observation);

/* NULL is taken. */
void rehearsal_free (Rehearsal *rehearsal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Rehearsal, rehearsal_free)
