#include "pipelines/rtp/block.h"

struct BlockPool {
  Block *free_blocks;
  guint free_count;
  guint used;
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
  return block;
}

void block_unref (Block *block)
{
  if (block == NULL || --block->references > 0)
    return;
  BlockPool *pool = block->pool;
  pool->used--;
  if (pool->free_count >= BLOCKS_KEPT_FREE) {
    g_free (block);
    return;
  }
  block->next_free = pool->free_blocks;
  pool->free_blocks = block;
  pool->free_count++;
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
