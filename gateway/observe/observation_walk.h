/* observation_walk.h: stored observations in the order in which they were stored, for whoever goes through them again.
 *
 * thread: any; reads files. */
#pragma once

#include "gateway/model/observation.h"

typedef struct {
  gint64 after, up_to;     /* numbers: over `after`, at most `up_to` (0: no end) */
  gint64 from_us;          /* receive time; 0: any */
  const char *sensor, *metric; /* NULL: any */
  guint limit;             /* at most so many */
  gint64 deadline_us;      /* monotonic: not on after this; 0: no bound */
} ObservationWalk;

/* FALSE from `each` ends it, as does its error. Files that can't be read are an error, too. */
typedef gboolean (*ObservationVisit) (Observation *observation, gpointer data, GError **error);
gboolean observation_walk (const char *data_dir, const ObservationWalk *walk, ObservationVisit visit, gpointer data,
                           GError **error);
