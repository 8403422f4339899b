/* lockout.h: failed logins make the next one wait, longer each time, per name and per address.
 *
 * It lives in memory: a restart forgives, the audit log does not. At most LOCKOUT_KEYS keys are remembered; the one that
 * has been quiet longest leaves.
 *
 * thread: any. */
#pragma once

#include "gateway/core/clock.h"

typedef struct Lockout Lockout;

enum { LOCKOUT_KEYS = 4096 };

/* After `free_failures` failures the wait is 30 s, then twice as long each time, an hour at most. */
Lockout *lockout_new (Clock *clock, guint free_failures);

/* Microseconds until `key` may try again; 0: now. */
gint64 lockout_wait_us (Lockout *lockout, const char *key);

void lockout_note_failure (Lockout *lockout, const char *key);
void lockout_note_success (Lockout *lockout, const char *key); /* forgets the failures */

void lockout_free (Lockout *lockout);
