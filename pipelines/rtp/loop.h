/* loop.h: one epoll loop on a thread of its own.
 *
 * A camera lives on one loop, its viewers and taps with it, so nothing on the path takes a lock. What a turn of the loop
 * frees through loop_free_later is freed at the end of that turn, so that events already fetched never meet freed memory.
 *
 * thread: the loop's own, unless a function says otherwise. */
#pragma once

#include <glib.h>
#include <sys/epoll.h>

#include "gateway/core/clock.h"
#include "pipelines/rtp/block.h"

enum { LOOP_TICK_US = 8 * 1000 };

typedef struct Loop Loop;
typedef struct LoopWatch LoopWatch;
typedef struct LoopTimer LoopTimer;

typedef void (*LoopReady) (guint32 events, gpointer data); /* EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP */
typedef void (*LoopTask) (gpointer data);

/* thread: any. Starts the thread. */
Loop *loop_new (GError **error);

/* The same by a clock of the caller's, which outlives the loop. One that stands still is looked at when something wakes the
 * loop, as loop_call does. */
Loop *loop_new_with_clock (const Clock *clock, GError **error);

/* thread: any but the loop's. Stops the thread after the tasks that wait have run; everything on it must be closed. */
void loop_free (Loop *loop);

/* thread: any. Runs `task` on the loop's thread; tasks of one thread keep their order. */
void loop_post (Loop *loop, LoopTask task, gpointer data);

/* thread: any but the loop's. Runs `task` on the loop's thread and waits until it has run. */
void loop_call (Loop *loop, LoopTask task, gpointer data);

gboolean loop_is_current (const Loop *loop);
gint64 loop_now_us (const Loop *loop); /* monotonic, read once a turn */
gint64 loop_wall_us (const Loop *loop); /* the same moment's wall time */
BlockPool *loop_blocks (const Loop *loop);

/* Level-triggered. The descriptor stays the caller's; remove the watch before closing it. NULL with errno set. */
LoopWatch *loop_watch_add (Loop *loop, int fd, guint32 events, LoopReady ready, gpointer data);
void loop_watch_change (LoopWatch *watch, guint32 events);
/* A patient watch is looked at every LOOP_TICK_US only, all of them at once: it wakes nobody. */
void loop_watch_set_patient (LoopWatch *watch, gboolean is_patient);
void loop_watch_remove (LoopWatch *watch); /* NULL is taken */

/* A timer is set again and again by its owner; it fires once per setting. */
LoopTimer *loop_timer_new (Loop *loop, LoopTask task, gpointer data);
void loop_timer_set (LoopTimer *timer, gint64 at_monotonic_us);
void loop_timer_clear (LoopTimer *timer);
void loop_timer_free (LoopTimer *timer); /* NULL is taken */

/* Calls free_function (data) at the end of this turn. */
void loop_free_later (Loop *loop, gpointer data, GDestroyNotify free_function);
