#include "pipelines/rtp/block.h"

struct BlockPool {
  Block *free_blocks;
  guint free_count;
  guint used;
  guint most_used; /* since the last trim */
};

/* Atomic, over all pools. */
static gint allocated_blocks, used_blocks, budget_blocks = G_MAXINT;

void block_budget_set (gsize bytes)
{
  g_atomic_int_set (&budget_blocks, bytes > 0 ? (gint) MIN (bytes / sizeof (Block), G_MAXINT) : G_MAXINT);
}

gboolean block_budget_is_tight (void)
{
  gint budget = g_atomic_int_get (&budget_blocks);
  return g_atomic_int_get (&used_blocks) >= budget - budget / 8;
}

gboolean block_pool_has_room (const BlockPool *pool)
{
  return pool->free_blocks != NULL || g_atomic_int_get (&allocated_blocks) < g_atomic_int_get (&budget_blocks);
}

static Block *allocate (BlockPool *pool)
{
  Block *block = g_malloc (sizeof *block);
  block->pool = pool;
  g_atomic_int_inc (&allocated_blocks);
  return block;
}

static void give_back (Block *block)
{
  g_free (block);
  g_atomic_int_add (&allocated_blocks, -1);
}

BlockPool *block_pool_new (void)
{
  return g_new0 (BlockPool, 1);
}

Block *block_new (BlockPool *pool)
{
  Block *block = pool->free_blocks;
  if (block != NULL) {
    pool->free_blocks = block->next_free;
    pool->free_count--;
  } else {
    block = allocate (pool);
  }
  block->next_free = NULL;
  block->references = 1;
  pool->used++;
  g_atomic_int_inc (&used_blocks);
  pool->most_used = MAX (pool->most_used, pool->used);
  return block;
}

void block_unref (Block *block)
{
  if (block == NULL || --block->references > 0)
    return;
  BlockPool *pool = block->pool;
  pool->used--;
  g_atomic_int_add (&used_blocks, -1);
  block->next_free = pool->free_blocks;
  pool->free_blocks = block;
  pool->free_count++;
}

void block_pool_trim (BlockPool *pool)
{
  while (pool->free_count > 0 && pool->used + pool->free_count > pool->most_used) {
    Block *block = pool->free_blocks;
    pool->free_blocks = block->next_free;
    pool->free_count--;
    give_back (block);
  }
  pool->most_used = pool->used;
}

guint block_pool_used (const BlockPool *pool)
{
  return pool->used;
}

void block_pool_free (BlockPool *pool)
{
  if (pool == NULL)
    return;
  g_assert (pool->used == 0);
  for (Block *block = pool->free_blocks, *next; block != NULL; block = next) {
    next = block->next_free;
    give_back (block);
  }
  g_free (pool);
}
