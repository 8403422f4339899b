/* event_bus.h: what just happened, for those who watch live: a bounded memory of numbered events.
 *
 * Producers publish after their rows are committed; each watcher reads from the number it has seen, in its own time. A
 * watcher that falls behind the memory's start is told so. Nothing is lost by that: the rows are in the store.
 *
 * thread: any. */
#pragma once

#include <glib.h>

typedef struct EventBus EventBus;

/* Immutable. The attributes are for the watcher's access check; each may be NULL. */
typedef struct {
  gint references;
  guint64 number; /* gapless, from 1 */
  char *type;     /* "camera" "alert" "incident" "observation" */
  char *json;     /* the data, one line */
  char *grid, *category, *camera;
  int severity; /* 0: none */
} Event;

typedef void (*EventWake) (gpointer data);

EventBus *event_bus_new (guint capacity);

/* `json` and the attributes are copied. Wakes the watchers. */
void event_bus_publish (EventBus *bus, const char *type, const char *json, const char *grid, const char *category,
                        const char *camera, int severity);

/* The first event with a number over `after`; free with event_unref. NULL when there is none yet. */
Event *event_bus_next (EventBus *bus, guint64 after);

guint64 event_bus_last (EventBus *bus);  /* number of the newest event; 0: none yet */
guint64 event_bus_first (EventBus *bus); /* number of the oldest one kept */

/* `wake` is called from the publisher's thread after each event: it must only signal. Returns an id for unwatch, after
 * which `wake` is not called any more. */
guint event_bus_watch (EventBus *bus, EventWake wake, gpointer data);
void event_bus_unwatch (EventBus *bus, guint id);

void event_unref (Event *event);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Event, event_unref)

void event_bus_free (EventBus *bus);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EventBus, event_bus_free)
