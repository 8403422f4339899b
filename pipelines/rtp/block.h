/* block.h: the pooled, reference-counted memory that packets are read into and sent from.
 *
 * A pool belongs to one loop. Bytes of a block that a published unit covers are immutable; bytes behind them may still be
 * read into. The pool keeps as many blocks as were in use lately, for cameras free whole groups at once and fill them again
 * in the next two seconds, and gives the rest back to the system.
 *
 * All pools of the process share a budget. block_new goes beyond it, so ask before, where there is something to give up; whoever
 * must go on (a camera's connection) keeps one block for itself then.
 *
 * thread: the loop's; references are not atomic. */
#pragma once

#include <glib.h>

enum { BLOCK_BYTES = 128 * 1024 };

typedef struct BlockPool BlockPool;
typedef struct Block Block;

struct Block {
  BlockPool *pool;
  Block *next_free;
  guint32 references;
  guint8 bytes[BLOCK_BYTES];
};

BlockPool *block_pool_new (void);

/* A block with one reference, which is the caller's. Its bytes are not cleared. */
Block *block_new (BlockPool *pool);

static inline Block *block_ref (Block *block)
{
  block->references++;
  return block;
}

void block_unref (Block *block); /* NULL is taken */

/* What all pools may take from the system; 0: without limit, as it is at first. thread: any. */
void block_budget_set (gsize bytes);

/* An eighth of the budget or less is left: take nobody in. thread: any. */
gboolean block_budget_is_tight (void);

/* The next block is within the budget. */
gboolean block_pool_has_room (const BlockPool *pool);

/* Blocks that somebody holds; 0 when all came back. */
guint block_pool_used (const BlockPool *pool);

/* Gives back what was not needed since the last call. For the loop, every ten seconds. */
void block_pool_trim (BlockPool *pool);

/* All blocks must have come back. */
void block_pool_free (BlockPool *pool);
