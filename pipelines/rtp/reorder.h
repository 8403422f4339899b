/* reorder.h: puts a track's RTP packets that came by UDP back in order, within bounds: 64 packets and 100 ms.
 *
 * Who is in order passes at once, without a copy. Who comes too early is kept until those before it are there, or are given
 * up. Who comes twice, or after it was given up, is dropped.
 *
 * thread: the loop's. */
#pragma once

#include <glib.h>

enum { REORDER_PACKETS = 64, REORDER_WAIT_US = 100 * 1000 };

typedef struct {
  guint8 *packet; /* NULL: none */
  gsize size;
  gint64 arrival_us;
} ReorderSlot;

typedef struct {
  gboolean has_begun;
  guint32 ssrc;
  guint16 expected;     /* the sequence number whose turn it is */
  guint16 given_up_to;  /* of those before it nobody is waited for */
  guint kept;
  guint dropped_in_a_row;
  guint64 dropped, reordered; /* packets */
  ReorderSlot slots[REORDER_PACKETS]; /* by sequence number modulo their count */
} Reorder;

typedef enum {
  REORDER_PASS,  /* it is its turn */
  REORDER_KEPT,  /* copied */
  REORDER_DROP,
  REORDER_AGAIN, /* too far ahead, or the sender counts anew: take all that reorder_next gives, then ask again */
} ReorderVerdict;

/* `packet` is RTP of 12 bytes at least. After it, reorder_next may have some. */
ReorderVerdict reorder_take (Reorder *reorder, const guint8 *packet, gsize size, gint64 now_us);

/* The next kept packet whose turn it is: the caller's (g_free). NULL: none. */
guint8 *reorder_next (Reorder *reorder, gsize *size);

/* When those that are missing are to be given up; 0: nobody is waited for. */
gint64 reorder_deadline_us (const Reorder *reorder);

/* The first gap is given up. */
void reorder_give_up (Reorder *reorder);

void reorder_clear (Reorder *reorder);
