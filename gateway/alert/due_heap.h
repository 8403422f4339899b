/* due_heap.h: watches by the time at which they want to be looked at: a binary heap.
 *
 * thread: one at a time. Borrows the watches; one that is freed must be taken out first (due G_MAXINT64). */
#pragma once

#include "gateway/alert/watch.h"

typedef struct DueHeap DueHeap;

DueHeap *due_heap_new (void);

/* Puts, moves or (due G_MAXINT64) takes out. */
void due_heap_set (DueHeap *heap, Watch *watch, gint64 due);

/* The one that is due first; NULL when there is none. It stays. */
Watch *due_heap_first (const DueHeap *heap);

void due_heap_free (DueHeap *heap);
