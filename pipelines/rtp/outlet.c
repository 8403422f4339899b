#include "pipelines/rtp/outlet.h"

#include <string.h>

#include "pipelines/rtp/group.h"

enum { UNITS_MAX = 8192, PARTS_A_SEND = 64, COMPACT_AT = 256, ANSWER_BLOCKS_MAX = 16, ANSWER_BLOCK_BYTES = 16 * 1024 };

const OutletLimits outlet_limits_default = {
  .bytes = 4 * 1024 * 1024,
  .behind_us = 8 * G_USEC_PER_SEC,
  .stuck_us = 15 * G_USEC_PER_SEC,
  .lost_us = 30 * G_USEC_PER_SEC,
};

void outlet_init (Outlet *outlet, Wire *wire, const OutletLimits *limits, OutletWaits waits, gpointer data)
{
  *outlet = (Outlet){ .wire = wire, .limits = limits, .waits = waits, .data = data };
  outlet->waiting = g_array_new (FALSE, FALSE, sizeof (Unit));
}

void outlet_allow (Outlet *outlet, gsize bytes)
{
  outlet->allowance = bytes;
}

static Unit *waiting_at (const Outlet *outlet, guint index)
{
  return &g_array_index (outlet->waiting, Unit, index);
}

/* An answer counts no packets: it is not media. */
static gboolean is_answer (const Unit *unit)
{
  return unit->packets == 0;
}

gboolean outlet_is_waiting (const Outlet *outlet)
{
  return outlet->first < outlet->waiting->len;
}

/* Bytes sent, 0 when the socket is full, -1 when it is broken. */
static gssize send_now (Outlet *outlet, const void *bytes, gsize size)
{
  gssize sent = wire_send (outlet->wire, bytes, size);
  if (sent < 0)
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
  outlet->sent_bytes += (guint64) sent;
  return sent;
}

static void wait_unit (Outlet *outlet, const Unit *unit, gint64 now_us)
{
  gboolean is_first = !outlet_is_waiting (outlet);
  if (is_first)
    outlet->behind_since_us = outlet->progress_us = now_us;
  block_ref (unit->block);
  g_array_append_val (outlet->waiting, *unit);
  outlet->waiting_bytes += unit->size;
  if (is_first)
    outlet->waits (outlet->data);
}

/* Lets go of all units that wait, but for one that is half sent, or encrypted. */
static void skip (Outlet *outlet, gint64 now_us)
{
  guint kept = 0;
  outlet->waiting_bytes = 0;
  for (guint i = outlet->first; i < outlet->waiting->len; i++) {
    Unit unit = *waiting_at (outlet, i);
    if (is_answer (&unit) || (i == outlet->first && (outlet->sent_of_first > 0 || wire_is_committed (outlet->wire)))) {
      outlet->waiting_bytes += unit.size;
      *waiting_at (outlet, kept++) = unit;
    } else {
      block_unref (unit.block);
    }
  }
  g_array_set_size (outlet->waiting, kept);
  outlet->first = 0;
  outlet->allowance = 0;
  outlet->skips = TRUE;
  outlet->skip_count++;
  outlet->skips_since_us = now_us;
}

static gboolean is_behind (const Outlet *outlet, const Unit *unit, gint64 now_us)
{
  return outlet->waiting_bytes + unit->size > outlet->limits->bytes + outlet->allowance
         || outlet->waiting->len - outlet->first >= UNITS_MAX + (outlet->allowance > 0 ? GROUP_UNITS_MAX : 0)
         || now_us - outlet->behind_since_us > outlet->limits->behind_us;
}

gboolean outlet_send (Outlet *outlet, const Unit *unit, gint64 now_us)
{
  if (outlet_is_waiting (outlet) && !outlet->skips && is_behind (outlet, unit, now_us))
    skip (outlet, now_us);
  if (outlet->skips && (!unit->is_random_access || outlet_is_waiting (outlet)))
    return TRUE;
  outlet->skips = FALSE;
  if (outlet_is_waiting (outlet)) {
    wait_unit (outlet, unit, now_us);
    return TRUE;
  }
  gssize sent = send_now (outlet, unit->block->bytes + unit->offset, unit->size);
  if (sent < 0)
    return FALSE;
  if ((gsize) sent < unit->size) {
    wait_unit (outlet, unit, now_us);
    outlet->sent_of_first = (guint32) sent;
  }
  return TRUE;
}

/* Behind the answer that is the last to wait, if there is room. */
static gboolean join_answer (Outlet *outlet, const guint8 *bytes, gsize size)
{
  Unit *last = outlet_is_waiting (outlet) ? waiting_at (outlet, outlet->waiting->len - 1) : NULL;
  if (last == NULL || !is_answer (last) || last->size + size > ANSWER_BLOCK_BYTES)
    return FALSE;
  memcpy (last->block->bytes + last->size, bytes, size);
  last->size += (guint32) size;
  outlet->waiting_bytes += size;
  return TRUE;
}

gboolean outlet_send_bytes (Outlet *outlet, BlockPool *pool, const guint8 *bytes, gsize size, gint64 now_us)
{
  gssize sent = outlet_is_waiting (outlet) ? 0 : send_now (outlet, bytes, size);
  if (sent < 0 || size - (gsize) sent > BLOCK_BYTES)
    return FALSE;
  if ((gsize) sent == size || join_answer (outlet, bytes + sent, size - (gsize) sent))
    return TRUE;
  if (outlet->waiting_answers >= ANSWER_BLOCKS_MAX || !block_pool_has_room (pool))
    return FALSE;
  outlet->waiting_answers++;
  Unit rest = { .block = block_new (pool), .size = (guint32) (size - (gsize) sent) };
  memcpy (rest.block->bytes, bytes + sent, rest.size);
  wait_unit (outlet, &rest, now_us);
  block_unref (rest.block);
  return TRUE;
}

/* `sent` bytes of what waits are gone. */
static void advance (Outlet *outlet, gsize sent)
{
  outlet->sent_bytes += sent;
  sent += outlet->sent_of_first;
  while (outlet_is_waiting (outlet) && sent >= waiting_at (outlet, outlet->first)->size) {
    Unit *unit = waiting_at (outlet, outlet->first++);
    sent -= unit->size;
    outlet->waiting_bytes -= unit->size;
    outlet->waiting_answers -= is_answer (unit);
    block_unref (unit->block);
  }
  outlet->sent_of_first = (guint32) sent;
  if (outlet->first == outlet->waiting->len || outlet->first >= COMPACT_AT) {
    g_array_remove_range (outlet->waiting, 0, outlet->first);
    outlet->first = 0;
  }
}

gboolean outlet_flush (Outlet *outlet, gint64 now_us)
{
  struct iovec parts[PARTS_A_SEND];
  guint count = 0;
  for (guint i = outlet->first; i < outlet->waiting->len && count < PARTS_A_SEND; i++, count++) {
    Unit *unit = waiting_at (outlet, i);
    guint32 done = count == 0 ? outlet->sent_of_first : 0;
    parts[count] = (struct iovec){ unit->block->bytes + unit->offset + done, unit->size - done };
  }
  gssize sent = wire_send_parts (outlet->wire, parts, count);
  if (sent < 0)
    return errno == EAGAIN || errno == EINTR;
  outlet->progress_us = now_us;
  advance (outlet, (gsize) sent);
  if (!outlet_is_waiting (outlet))
    outlet->allowance = 0;
  return TRUE;
}

gboolean outlet_is_lost (const Outlet *outlet, gint64 now_us)
{
  return outlet_is_waiting (outlet)
         && (now_us - outlet->progress_us > outlet->limits->stuck_us
             || (outlet->skips && now_us - outlet->skips_since_us > outlet->limits->lost_us));
}

void outlet_finish (Outlet *outlet)
{
  for (guint i = outlet->first; i < outlet->waiting->len; i++)
    block_unref (waiting_at (outlet, i)->block);
  g_array_unref (outlet->waiting);
  outlet->waiting = NULL;
}
