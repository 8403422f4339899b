#include "pipelines/rtp/group.h"

static void unref_unit (gpointer data)
{
  block_unref (((Unit *) data)->block);
}

void group_init (Group *group, gsize limit)
{
  *group = (Group){ .units = g_array_new (FALSE, FALSE, sizeof (Unit)), .limit = limit };
  g_array_set_clear_func (group->units, unref_unit);
}

void group_push (Group *group, const Unit *unit)
{
  if (unit->is_random_access)
    group_clear (group);
  else if (group->units->len == 0)
    return;

  if (group->bytes + unit->size > group->limit || group->units->len >= GROUP_UNITS_MAX) {
    group_clear (group);
    group->overflows++;
    return;
  }
  block_ref (unit->block);
  g_array_append_val (group->units, *unit);
  group->bytes += unit->size;
}

void group_clear (Group *group)
{
  g_array_set_size (group->units, 0);
  group->bytes = 0;
}

void group_finish (Group *group)
{
  g_array_unref (group->units);
}
