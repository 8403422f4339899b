/* queue.h: the bounded, counted queue that stands on every edge between two threads.
 *
 * Items are pointers; the queue owns them while they are in it. It has room for `capacity` items and `capacity_bytes`
 * bytes (0: not counted). A consumer waits on the condition, or polls queue_fd in its own loop.
 *
 * thread: any, any number of producers, one consumer. */
#pragma once

#include <glib.h>

typedef struct Queue Queue;

typedef struct {
  guint64 pushed;
  guint64 refused; /* queue full or closed: the caller kept the item */
  guint length;
  gsize bytes;
} QueueCounts;

Queue *queue_new (guint capacity, gsize capacity_bytes, GDestroyNotify free_item);

/* Takes `item` when it returns TRUE. FALSE when the queue is full or closed: the item stays the caller's. Never waits. */
gboolean queue_push (Queue *queue, gpointer item, gsize bytes);

/* Takes `item` however much waits, and counts no bytes of it: for what must not be refused. How many of those there may be is the
 * caller's to bound. Freed at once when the queue is closed. */
void queue_push_beyond (Queue *queue, gpointer item);

/* The next item, which the caller then owns; NULL when none came in `timeout_us` (0: don't wait, -1: for ever) or the
 * queue is closed and empty. */
gpointer queue_pop (Queue *queue, gint64 timeout_us);

/* An eventfd that is readable while items wait; the consumer's loop polls it and then pops until NULL. */
int queue_fd (Queue *queue);

/* Refuses new items and wakes the consumer; what is inside can still be popped. */
void queue_close (Queue *queue);

QueueCounts queue_counts (Queue *queue);

/* Frees what is still inside. No other thread may hold the queue any more. */
void queue_free (Queue *queue);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Queue, queue_free)
