#include "pipelines/rtp/loop.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gateway/core/error.h"

/* One turn takes at most so many events; the rest waits in the kernel, in turn. */
enum { EVENTS_A_TURN = 256, TRIM_US = 10 * G_USEC_PER_SEC };

typedef struct {
  LoopTask task;
  gpointer data;
} Posted;

typedef struct {
  gpointer data;
  GDestroyNotify free_function;
} Garbage;

struct Loop {
  GThread *thread;
  const Clock *clock;
  int epoll_fd, patient_fd, wake_fd;
  gint64 now_us;
  gint64 wall_offset_us; /* wall minus monotonic, read anew each second */
  gint64 wall_read_us;
  gint64 trimmed_us;
  LoopWatch *wake_watch;
  LoopTimer *tick;
  guint patient_watches;
  GPtrArray *timers; /* a binary heap of those that are set, by time */
  GArray *garbage;   /* of Garbage, until the end of the turn */
  BlockPool *blocks;

  GMutex mutex; /* guards what follows */
  GArray *posted;
  gboolean is_stopping;
};

struct LoopWatch {
  Loop *loop;
  int fd;
  guint32 events;
  gboolean is_patient;
  LoopReady ready; /* NULL once it is removed */
  gpointer data;
};

struct LoopTimer {
  Loop *loop;
  LoopTask task;
  gpointer data;
  gint64 at_us;
  guint place; /* in the heap, from 1; 0: not set */
};

/* One clock read a turn: a turn is often a single packet. What is due each second comes along. */
static void read_clocks (Loop *loop)
{
  loop->now_us = clock_monotonic_us (loop->clock);
  if (loop->now_us - loop->wall_read_us < G_USEC_PER_SEC && loop->wall_read_us > 0)
    return;
  loop->wall_read_us = loop->now_us;
  loop->wall_offset_us = clock_wall_us (loop->clock) - loop->now_us;
  if (loop->now_us - loop->trimmed_us < TRIM_US)
    return;
  loop->trimmed_us = loop->now_us;
  block_pool_trim (loop->blocks);
}

static LoopTimer *timer_at (Loop *loop, guint place)
{
  return loop->timers->pdata[place - 1];
}

static void timer_place (Loop *loop, LoopTimer *timer, guint place)
{
  loop->timers->pdata[place - 1] = timer;
  timer->place = place;
}

static void timer_sift_up (Loop *loop, LoopTimer *timer)
{
  guint place = timer->place;
  for (; place > 1 && timer_at (loop, place / 2)->at_us > timer->at_us; place /= 2)
    timer_place (loop, timer_at (loop, place / 2), place);
  timer_place (loop, timer, place);
}

static void timer_sift_down (Loop *loop, LoopTimer *timer)
{
  guint place = timer->place, count = loop->timers->len;
  for (guint child = place * 2; child <= count; child = place * 2) {
    if (child < count && timer_at (loop, child + 1)->at_us < timer_at (loop, child)->at_us)
      child++;
    if (timer_at (loop, child)->at_us >= timer->at_us)
      break;
    timer_place (loop, timer_at (loop, child), place);
    place = child;
  }
  timer_place (loop, timer, place);
}

LoopTimer *loop_timer_new (Loop *loop, LoopTask task, gpointer data)
{
  LoopTimer *timer = g_new0 (LoopTimer, 1);
  timer->loop = loop;
  timer->task = task;
  timer->data = data;
  return timer;
}

void loop_timer_set (LoopTimer *timer, gint64 at_monotonic_us)
{
  Loop *loop = timer->loop;
  timer->at_us = at_monotonic_us;
  if (timer->place == 0) {
    g_ptr_array_add (loop->timers, timer);
    timer->place = loop->timers->len;
  }
  timer_sift_up (loop, timer);
  timer_sift_down (loop, timer);
}

void loop_timer_clear (LoopTimer *timer)
{
  Loop *loop = timer->loop;
  guint place = timer->place;
  if (place == 0)
    return;
  LoopTimer *last = timer_at (loop, loop->timers->len);
  g_ptr_array_set_size (loop->timers, (gint) loop->timers->len - 1);
  timer->place = 0;
  if (last == timer)
    return;
  timer_place (loop, last, place);
  timer_sift_up (loop, last);
  timer_sift_down (loop, last);
}

void loop_timer_free (LoopTimer *timer)
{
  if (timer == NULL)
    return;
  loop_timer_clear (timer);
  g_free (timer);
}

/* A task may free its own timer or set it again. */
static void run_timers (Loop *loop)
{
  while (loop->timers->len > 0 && timer_at (loop, 1)->at_us <= loop->now_us) {
    LoopTimer *timer = timer_at (loop, 1);
    loop_timer_clear (timer);
    timer->task (timer->data);
  }
}

static int wait_ms (Loop *loop)
{
  if (loop->timers->len == 0)
    return -1;
  gint64 us = timer_at (loop, 1)->at_us - loop->now_us;
  return us <= 0 ? 0 : (int) MIN ((us + 999) / 1000, G_MAXINT);
}

static void wake (Loop *loop)
{
  guint64 one = 1;
  (void) !write (loop->wake_fd, &one, sizeof one);
}

static void run_posted (guint32 events, gpointer data)
{
  (void) events;
  Loop *loop = data;
  guint64 count;
  (void) !read (loop->wake_fd, &count, sizeof count);

  g_mutex_lock (&loop->mutex);
  GArray *posted = loop->posted;
  loop->posted = g_array_new (FALSE, FALSE, sizeof (Posted));
  g_mutex_unlock (&loop->mutex);
  for (guint i = 0; i < posted->len; i++) {
    Posted *one = &g_array_index (posted, Posted, i);
    one->task (one->data);
  }
  g_array_unref (posted);
}

/* Freeing may put more here, which is freed as well. */
static void run_garbage (Loop *loop)
{
  for (guint i = 0; i < loop->garbage->len; i++) {
    Garbage one = g_array_index (loop->garbage, Garbage, i);
    one.free_function (one.data);
  }
  g_array_set_size (loop->garbage, 0);
}

static gboolean is_over (Loop *loop)
{
  g_mutex_lock (&loop->mutex);
  gboolean is_over = loop->is_stopping && loop->posted->len == 0;
  g_mutex_unlock (&loop->mutex);
  return is_over;
}

static void dispatch (const struct epoll_event *events, int count)
{
  for (int i = 0; i < count; i++) {
    LoopWatch *watch = events[i].data.ptr;
    if (watch->ready != NULL)
      watch->ready (events[i].events, watch->data);
  }
}

static gpointer run (gpointer data)
{
  Loop *loop = data;
  struct epoll_event events[EVENTS_A_TURN];

  while (!is_over (loop)) {
    int count = epoll_wait (loop->epoll_fd, events, EVENTS_A_TURN, wait_ms (loop));
    read_clocks (loop);
    dispatch (events, count);
    run_timers (loop);
    run_garbage (loop);
  }
  return NULL;
}

static void set_tick (Loop *loop)
{
  loop_timer_set (loop->tick, (loop->now_us / LOOP_TICK_US + 1) * LOOP_TICK_US);
}

/* What doesn't fit comes with the next tick. */
static void on_tick (gpointer data)
{
  Loop *loop = data;
  struct epoll_event events[EVENTS_A_TURN];
  if (loop->patient_watches == 0)
    return;
  set_tick (loop);
  dispatch (events, epoll_wait (loop->patient_fd, events, EVENTS_A_TURN, 0));
}

static int epoll_of (const LoopWatch *watch)
{
  return watch->is_patient ? watch->loop->patient_fd : watch->loop->epoll_fd;
}

static gboolean control (LoopWatch *watch, int operation)
{
  struct epoll_event event = { .events = watch->events, .data.ptr = watch };
  return epoll_ctl (epoll_of (watch), operation, watch->fd, &event) == 0;
}

LoopWatch *loop_watch_add (Loop *loop, int fd, guint32 events, LoopReady ready, gpointer data)
{
  LoopWatch *watch = g_new (LoopWatch, 1);
  *watch = (LoopWatch){ loop, fd, events, FALSE, ready, data };
  if (control (watch, EPOLL_CTL_ADD))
    return watch;
  g_free (watch);
  return NULL;
}

void loop_watch_change (LoopWatch *watch, guint32 events)
{
  watch->events = events;
  control (watch, EPOLL_CTL_MOD);
}

void loop_watch_set_patient (LoopWatch *watch, gboolean is_patient)
{
  Loop *loop = watch->loop;
  if (watch->is_patient == is_patient)
    return;
  control (watch, EPOLL_CTL_DEL);
  watch->is_patient = is_patient;
  if (!control (watch, EPOLL_CTL_ADD)) { /* the kernel is short of memory: better the former set than none */
    watch->is_patient = !is_patient;
    control (watch, EPOLL_CTL_ADD);
    return;
  }
  loop->patient_watches += is_patient ? 1 : -1;
  if (is_patient && loop->patient_watches == 1)
    set_tick (loop);
}

void loop_watch_remove (LoopWatch *watch)
{
  if (watch == NULL)
    return;
  control (watch, EPOLL_CTL_DEL);
  watch->loop->patient_watches -= watch->is_patient ? 1 : 0;
  watch->ready = NULL;
  loop_free_later (watch->loop, watch, g_free);
}

void loop_free_later (Loop *loop, gpointer data, GDestroyNotify free_function)
{
  Garbage one = { data, free_function };
  g_array_append_val (loop->garbage, one);
}

Loop *loop_new (GError **error)
{
  return loop_new_with_clock (clock_system (), error);
}

Loop *loop_new_with_clock (const Clock *clock, GError **error)
{
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  int patient_fd = epoll_create1 (EPOLL_CLOEXEC);
  int wake_fd = epoll_fd < 0 || patient_fd < 0 ? -1 : eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) {
    error_set_errno (error, errno, "cannot make an event loop");
    if (epoll_fd >= 0)
      close (epoll_fd);
    if (patient_fd >= 0)
      close (patient_fd);
    return NULL;
  }
  Loop *loop = g_new0 (Loop, 1);
  loop->clock = clock;
  loop->epoll_fd = epoll_fd;
  loop->patient_fd = patient_fd;
  loop->wake_fd = wake_fd;
  loop->timers = g_ptr_array_new ();
  loop->garbage = g_array_new (FALSE, FALSE, sizeof (Garbage));
  loop->posted = g_array_new (FALSE, FALSE, sizeof (Posted));
  loop->blocks = block_pool_new ();
  g_mutex_init (&loop->mutex);
  read_clocks (loop);
  loop->tick = loop_timer_new (loop, on_tick, loop);
  loop->wake_watch = loop_watch_add (loop, wake_fd, EPOLLIN, run_posted, loop);
  loop->thread = g_thread_new ("media-loop", run, loop);
  return loop;
}

void loop_post (Loop *loop, LoopTask task, gpointer data)
{
  Posted one = { task, data };
  g_mutex_lock (&loop->mutex);
  g_array_append_val (loop->posted, one);
  gboolean is_first = loop->posted->len == 1;
  g_mutex_unlock (&loop->mutex);
  if (is_first)
    wake (loop);
}

typedef struct {
  LoopTask task;
  gpointer data;
  GMutex mutex;
  GCond condition;
  gboolean is_done;
} Call;

static void run_call (gpointer data)
{
  Call *call = data;
  call->task (call->data);
  g_mutex_lock (&call->mutex);
  call->is_done = TRUE;
  g_cond_signal (&call->condition);
  g_mutex_unlock (&call->mutex);
}

void loop_call (Loop *loop, LoopTask task, gpointer data)
{
  Call call = { .task = task, .data = data };
  g_assert (!loop_is_current (loop));
  g_mutex_init (&call.mutex);
  g_cond_init (&call.condition);
  loop_post (loop, run_call, &call);
  g_mutex_lock (&call.mutex);
  while (!call.is_done)
    g_cond_wait (&call.condition, &call.mutex);
  g_mutex_unlock (&call.mutex);
  g_cond_clear (&call.condition);
  g_mutex_clear (&call.mutex);
}

gboolean loop_is_current (const Loop *loop)
{
  return g_thread_self () == loop->thread;
}

gint64 loop_now_us (const Loop *loop)
{
  return loop->now_us;
}

gint64 loop_wall_us (const Loop *loop)
{
  return loop->now_us + loop->wall_offset_us;
}

BlockPool *loop_blocks (const Loop *loop)
{
  return loop->blocks;
}

void loop_free (Loop *loop)
{
  if (loop == NULL)
    return;
  g_mutex_lock (&loop->mutex);
  loop->is_stopping = TRUE;
  g_mutex_unlock (&loop->mutex);
  wake (loop);
  g_thread_join (loop->thread);
  loop_watch_remove (loop->wake_watch);
  run_garbage (loop);
  loop_timer_free (loop->tick);
  block_pool_free (loop->blocks);
  g_ptr_array_unref (loop->timers);
  g_array_unref (loop->garbage);
  g_array_unref (loop->posted);
  g_mutex_clear (&loop->mutex);
  close (loop->wake_fd);
  close (loop->patient_fd);
  close (loop->epoll_fd);
  g_free (loop);
}
