#include "gateway/core/queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

typedef struct {
  gpointer item;
  gsize bytes;
} Entry;

struct Queue {
  GMutex mutex;
  GCond changed;
  GQueue entries;
  guint capacity;
  gsize capacity_bytes;
  GDestroyNotify free_item;
  int event_fd;
  gboolean is_closed;
  QueueCounts counts;
};

Queue *queue_new (guint capacity, gsize capacity_bytes, GDestroyNotify free_item)
{
  Queue *queue = g_new0 (Queue, 1);
  g_mutex_init (&queue->mutex);
  g_cond_init (&queue->changed);
  g_queue_init (&queue->entries);
  queue->capacity = capacity;
  queue->capacity_bytes = capacity_bytes;
  queue->free_item = free_item;
  queue->event_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  return queue;
}

static void event_raise (Queue *queue)
{
  guint64 one = 1;
  (void) !write (queue->event_fd, &one, sizeof one);
}

static gboolean has_room (const Queue *queue, gsize bytes)
{
  if (queue->is_closed || queue->counts.length >= queue->capacity)
    return FALSE;
  return queue->capacity_bytes == 0 || queue->counts.length == 0
         || queue->counts.bytes + bytes <= queue->capacity_bytes;
}

static void append (Queue *queue, gpointer item, gsize bytes)
{
  Entry *entry = g_new (Entry, 1);
  *entry = (Entry){ item, bytes };
  g_queue_push_tail (&queue->entries, entry);
  queue->counts.pushed++;
  queue->counts.bytes += bytes;
  if (queue->counts.length++ == 0)
    event_raise (queue);
  g_cond_signal (&queue->changed);
}

gboolean queue_push (Queue *queue, gpointer item, gsize bytes)
{
  g_mutex_lock (&queue->mutex);
  gboolean taken = has_room (queue, bytes);
  if (taken)
    append (queue, item, bytes);
  else
    queue->counts.refused++;
  g_mutex_unlock (&queue->mutex);
  return taken;
}

void queue_push_beyond (Queue *queue, gpointer item)
{
  g_mutex_lock (&queue->mutex);
  gboolean is_closed = queue->is_closed;
  if (!is_closed)
    append (queue, item, 0);
  g_mutex_unlock (&queue->mutex);
  if (is_closed && queue->free_item != NULL)
    queue->free_item (item);
}

static void wait_for_entry (Queue *queue, gint64 timeout_us)
{
  gint64 until = timeout_us > 0 ? g_get_monotonic_time () + timeout_us : 0;
  while (queue->counts.length == 0 && !queue->is_closed && timeout_us != 0) {
    if (timeout_us < 0)
      g_cond_wait (&queue->changed, &queue->mutex);
    else if (!g_cond_wait_until (&queue->changed, &queue->mutex, until))
      return;
  }
}

gpointer queue_pop (Queue *queue, gint64 timeout_us)
{
  gpointer item = NULL;

  g_mutex_lock (&queue->mutex);
  wait_for_entry (queue, timeout_us);
  g_autofree Entry *entry = g_queue_pop_head (&queue->entries);
  if (entry != NULL) {
    item = entry->item;
    queue->counts.length--;
    queue->counts.bytes -= entry->bytes;
  }
  if (queue->counts.length == 0 && !queue->is_closed) {
    guint64 count;
    (void) !read (queue->event_fd, &count, sizeof count);
  }
  g_mutex_unlock (&queue->mutex);
  return item;
}

int queue_fd (Queue *queue)
{
  return queue->event_fd;
}

void queue_close (Queue *queue)
{
  g_mutex_lock (&queue->mutex);
  queue->is_closed = TRUE;
  event_raise (queue);
  g_cond_broadcast (&queue->changed);
  g_mutex_unlock (&queue->mutex);
}

QueueCounts queue_counts (Queue *queue)
{
  g_mutex_lock (&queue->mutex);
  QueueCounts counts = queue->counts;
  g_mutex_unlock (&queue->mutex);
  return counts;
}

void queue_free (Queue *queue)
{
  if (queue == NULL)
    return;
  Entry *entry;
  while ((entry = g_queue_pop_head (&queue->entries)) != NULL) {
    if (queue->free_item != NULL)
      queue->free_item (entry->item);
    g_free (entry);
  }
  close (queue->event_fd);
  g_cond_clear (&queue->changed);
  g_mutex_clear (&queue->mutex);
  g_free (queue);
}
