/* admission.h: whether one more viewer may be taken in, before the machine drowns in them.
 *
 * Refused is who would be over the number that is set, who comes when the memory of packets is nearly spent (block.h), and who
 * comes while a loop has been late for seconds: the viewers that are here would all suffer.
 *
 * thread: any; all of it is atomic. */
#pragma once

#include <glib.h>

typedef enum { REFUSED_VIEWERS, REFUSED_MEMORY, REFUSED_LOAD, REFUSALS, REFUSED_NOT = REFUSALS } Refusal;

typedef struct {
  gint viewers, viewers_max;
  gint late_loops;
  gint refused[REFUSALS];
} Admission;

/* "viewers" "memory" "load"; NULL for REFUSED_NOT. */
const char *refusal_name (Refusal refusal);

/* REFUSED_MEMORY, REFUSED_LOAD or REFUSED_NOT: what strains the process, however many viewers there are. */
Refusal admission_strain (Admission *admission);

/* Takes a viewer in, or counts that it was not. */
gboolean admission_take (Admission *admission);
void admission_release (Admission *admission);

/* One loop's clock: it should have been called every second, and was so late. A loop counts as late after three late seconds
 * in a row, and until three in time. */
typedef struct {
  guint seconds; /* in a row that speak against its present state */
  gboolean is_late;
} Lateness;

void admission_note_lateness (Admission *admission, Lateness *lateness, gint64 late_us);
