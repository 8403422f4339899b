#include "gateway/core/event_bus.h"

typedef struct {
  guint id;
  EventWake wake;
  gpointer data;
} Watcher;

struct EventBus {
  GMutex mutex;
  guint capacity;
  guint64 last;
  GQueue events;    /* of Event, oldest first */
  GArray *watchers; /* of Watcher */
  guint last_watcher;
};

EventBus *event_bus_new (guint capacity)
{
  EventBus *bus = g_new0 (EventBus, 1);
  g_mutex_init (&bus->mutex);
  bus->capacity = capacity;
  g_queue_init (&bus->events);
  bus->watchers = g_array_new (FALSE, FALSE, sizeof (Watcher));
  return bus;
}

void event_bus_publish (EventBus *bus, const char *type, const char *json, const char *grid, const char *category,
                        const char *camera, int severity)
{
  Event *event = g_new0 (Event, 1);
  event->references = 1;
  event->type = g_strdup (type);
  event->json = g_strdup (json);
  event->grid = g_strdup (grid);
  event->category = g_strdup (category);
  event->camera = g_strdup (camera);
  event->severity = severity;

  g_mutex_lock (&bus->mutex);
  event->number = ++bus->last;
  g_queue_push_tail (&bus->events, event);
  if (bus->events.length > bus->capacity)
    event_unref (g_queue_pop_head (&bus->events));
  for (guint i = 0; i < bus->watchers->len; i++) {
    Watcher *watcher = &g_array_index (bus->watchers, Watcher, i);
    watcher->wake (watcher->data);
  }
  g_mutex_unlock (&bus->mutex);
}

Event *event_bus_next (EventBus *bus, guint64 after)
{
  Event *next = NULL;
  g_mutex_lock (&bus->mutex);
  guint64 first = bus->last - bus->events.length + 1;
  if (after < bus->last) {
    next = g_queue_peek_nth (&bus->events, after < first ? 0 : (guint) (after + 1 - first));
    g_atomic_int_inc (&next->references);
  }
  g_mutex_unlock (&bus->mutex);
  return next;
}

guint64 event_bus_last (EventBus *bus)
{
  g_mutex_lock (&bus->mutex);
  guint64 last = bus->last;
  g_mutex_unlock (&bus->mutex);
  return last;
}

guint64 event_bus_first (EventBus *bus)
{
  g_mutex_lock (&bus->mutex);
  guint64 first = bus->last - bus->events.length + 1;
  g_mutex_unlock (&bus->mutex);
  return first;
}

guint event_bus_watch (EventBus *bus, EventWake wake, gpointer data)
{
  g_mutex_lock (&bus->mutex);
  Watcher watcher = { ++bus->last_watcher, wake, data };
  g_array_append_val (bus->watchers, watcher);
  g_mutex_unlock (&bus->mutex);
  return watcher.id;
}

void event_bus_unwatch (EventBus *bus, guint id)
{
  g_mutex_lock (&bus->mutex);
  for (guint i = 0; i < bus->watchers->len; i++)
    if (g_array_index (bus->watchers, Watcher, i).id == id) {
      g_array_remove_index_fast (bus->watchers, i);
      break;
    }
  g_mutex_unlock (&bus->mutex);
}

void event_unref (Event *event)
{
  if (event == NULL || !g_atomic_int_dec_and_test (&event->references))
    return;
  g_free (event->type);
  g_free (event->json);
  g_free (event->grid);
  g_free (event->category);
  g_free (event->camera);
  g_free (event);
}

void event_bus_free (EventBus *bus)
{
  if (bus == NULL)
    return;
  g_queue_clear_full (&bus->events, (GDestroyNotify) event_unref);
  g_array_unref (bus->watchers);
  g_mutex_clear (&bus->mutex);
  g_free (bus);
}
