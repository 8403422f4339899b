/* group.h: the current group of pictures: units from the newest random access point on, bounded in bytes and number.
 *
 * A group that outgrows the bound is dropped as a whole, and nothing is kept until the next random access point: a viewer
 * that joins then waits for that.
 *
 * thread: the loop's. */
#pragma once

#include "pipelines/rtp/unit.h"

enum { GROUP_BYTES_DEFAULT = 8 * 1024 * 1024, GROUP_UNITS_MAX = 16 * 1024 };

typedef struct {
  GArray *units; /* of Unit, each with a reference to its block */
  gsize bytes, limit;
  guint64 overflows;
} Group;

void group_init (Group *group, gsize limit);
void group_push (Group *group, const Unit *unit);
void group_clear (Group *group);
void group_finish (Group *group);

static inline guint group_count (const Group *group)
{
  return group->units->len;
}

static inline const Unit *group_unit (const Group *group, guint index)
{
  return &g_array_index (group->units, Unit, index);
}
