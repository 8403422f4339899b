#include "pipelines/rtp/block.h"

struct BlockPool {
  Block *free_blocks;
  guint free_count;
  guint used;
  guint most_used; /* since the last trim */
};

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
    block = g_malloc (sizeof *block);
    block->pool = pool;
  }
  block->next_free = NULL;
  block->references = 1;
  pool->used++;
  pool->most_used = MAX (pool->most_used, pool->used);
  return block;
}

void block_unref (Block *block)
{
  if (block == NULL || --block->references > 0)
    return;
  BlockPool *pool = block->pool;
  pool->used--;
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
    g_free (block);
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
    g_free (block);
  }
  g_free (pool);
}
