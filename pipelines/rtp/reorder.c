#include "pipelines/rtp/reorder.h"

#include "pipelines/rtp/big_endian.h"

enum {
  RESTART_AT = 3000,     /* further ahead or behind, the sender counts anew (RFC 3550 A.1) */
  DROPPED_RESTART = 100, /* or when so many in a row seem to come too late */
};

static guint16 sequence_of (const guint8 *packet)
{
  return read_16 (packet + 2);
}

static guint32 ssrc_of (const guint8 *packet)
{
  return read_32 (packet + 8);
}

static ReorderSlot *slot_of (Reorder *reorder, guint16 sequence)
{
  return &reorder->slots[sequence % REORDER_PACKETS];
}

static ReorderVerdict pass (Reorder *reorder, guint16 sequence)
{
  reorder->expected = reorder->given_up_to = (guint16) (sequence + 1);
  reorder->dropped_in_a_row = 0;
  return REORDER_PASS;
}

/* All that are kept go first. */
static ReorderVerdict begin_anew (Reorder *reorder)
{
  reorder->has_begun = FALSE;
  reorder->given_up_to = (guint16) (reorder->expected + REORDER_PACKETS);
  return REORDER_AGAIN;
}

static ReorderVerdict drop (Reorder *reorder)
{
  reorder->dropped++;
  return ++reorder->dropped_in_a_row < DROPPED_RESTART ? REORDER_DROP : begin_anew (reorder);
}

static ReorderVerdict keep (Reorder *reorder, const guint8 *packet, gsize size, gint64 now_us)
{
  ReorderSlot *slot = slot_of (reorder, sequence_of (packet));
  if (slot->packet != NULL) /* the same one: others were given up and taken before */
    return drop (reorder);
  *slot = (ReorderSlot){ g_memdup2 (packet, size), size, now_us };
  reorder->kept++;
  reorder->reordered++;
  reorder->dropped_in_a_row = 0;
  return REORDER_KEPT;
}

ReorderVerdict reorder_take (Reorder *reorder, const guint8 *packet, gsize size, gint64 now_us)
{
  gint ahead = (gint16) (sequence_of (packet) - reorder->expected);
  if (!reorder->has_begun) {
    reorder->has_begun = TRUE;
    reorder->ssrc = ssrc_of (packet);
    return pass (reorder, sequence_of (packet));
  }
  if (ssrc_of (packet) != reorder->ssrc || ABS (ahead) > RESTART_AT)
    return begin_anew (reorder);
  if (ahead < 0)
    return drop (reorder);
  if (ahead == 0)
    return pass (reorder, sequence_of (packet));
  if (ahead >= REORDER_PACKETS) {
    reorder->given_up_to = (guint16) (sequence_of (packet) - REORDER_PACKETS + 1);
    return REORDER_AGAIN;
  }
  return keep (reorder, packet, size, now_us);
}

guint8 *reorder_next (Reorder *reorder, gsize *size)
{
  while ((gint16) (reorder->given_up_to - reorder->expected) > 0 && slot_of (reorder, reorder->expected)->packet == NULL)
    reorder->expected++;
  if ((gint16) (reorder->given_up_to - reorder->expected) < 0) /* never so far behind that it seems to be ahead */
    reorder->given_up_to = reorder->expected;
  ReorderSlot *slot = slot_of (reorder, reorder->expected);
  if (slot->packet == NULL)
    return NULL;
  reorder->expected++;
  reorder->kept--;
  *size = slot->size;
  return g_steal_pointer (&slot->packet);
}

/* The first that is kept, as an offset from the expected one; REORDER_PACKETS when there is none. */
static guint first_kept (const Reorder *reorder)
{
  guint ahead = 0;
  while (ahead < REORDER_PACKETS && reorder->slots[(reorder->expected + ahead) % REORDER_PACKETS].packet == NULL)
    ahead++;
  return ahead;
}

gint64 reorder_deadline_us (const Reorder *reorder)
{
  if (reorder->kept == 0)
    return 0;
  return reorder->slots[(reorder->expected + first_kept (reorder)) % REORDER_PACKETS].arrival_us + REORDER_WAIT_US;
}

void reorder_give_up (Reorder *reorder)
{
  if (reorder->kept > 0)
    reorder->given_up_to = (guint16) (reorder->expected + first_kept (reorder));
}

void reorder_clear (Reorder *reorder)
{
  for (guint i = 0; i < REORDER_PACKETS; i++)
    g_clear_pointer (&reorder->slots[i].packet, g_free);
  reorder->kept = reorder->dropped_in_a_row = 0;
}
