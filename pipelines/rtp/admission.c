#include "pipelines/rtp/admission.h"

#include "pipelines/rtp/block.h"

enum { LATE_US = 200 * 1000, LATE_SECONDS = 3 };

const char *refusal_name (Refusal refusal)
{
  static const char *const names[REFUSALS + 1] = { "viewers", "memory", "load", NULL };
  return names[refusal];
}

Refusal admission_strain (Admission *admission)
{
  if (block_budget_is_tight ())
    return REFUSED_MEMORY;
  return g_atomic_int_get (&admission->late_loops) > 0 ? REFUSED_LOAD : REFUSED_NOT;
}

gboolean admission_take (Admission *admission)
{
  Refusal refusal = admission_strain (admission);
  if (refusal == REFUSED_NOT && g_atomic_int_add (&admission->viewers, 1) >= g_atomic_int_get (&admission->viewers_max)) {
    admission_release (admission);
    refusal = REFUSED_VIEWERS;
  }
  if (refusal == REFUSED_NOT)
    return TRUE;
  g_atomic_int_inc (&admission->refused[refusal]);
  return FALSE;
}

void admission_release (Admission *admission)
{
  g_atomic_int_add (&admission->viewers, -1);
}

void admission_note_lateness (Admission *admission, Lateness *lateness, gint64 late_us)
{
  gboolean is_late = late_us > LATE_US;
  lateness->seconds = is_late != lateness->is_late ? lateness->seconds + 1 : 0;
  if (lateness->seconds < LATE_SECONDS)
    return;
  *lateness = (Lateness){ 0, is_late };
  g_atomic_int_add (&admission->late_loops, is_late ? 1 : -1);
}
