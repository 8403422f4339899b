#include "pipelines/rtp/stream.h"

#include <string.h>

/* With 25 pictures a second a picture that ends 80 ms after the run's first byte is its third, of a camera that writes at once and
 * of one that spreads a picture over 20 ms: waiting for another would take it over the bound. */
enum { RUN_FULL_US = 80 * 1000, RUN_UNITS_MAX = 4 };

/* What is held back for the crowd, each unit as long as could be joined. */
typedef struct {
  Unit units[RUN_UNITS_MAX];
  guint count;
  LoopTimer *timer; /* NULL until there is a crowd */
} Run;

typedef enum { TAPS_ALL, TAPS_MERGING, TAPS_OTHER } Taps;

/* One replay of the kept group to a tap that joined: its callbacks may remove it. */
typedef struct Replay Replay;
struct Replay {
  StreamTap *tap; /* NULL once it was removed */
  Replay *outer;
};

/* One walk over the taps: their callbacks may remove any of them, or start another walk. */
typedef struct Walk Walk;
struct Walk {
  GList *next;
  Walk *outer;
};

struct Stream {
  Loop *loop;
  char *camera, *name;
  char cname[9];
  TrackList *tracks; /* NULL while the camera is not live */
  Group group;
  GQueue taps;       /* by their embedded links */
  Walk *walks;
  Replay *replays;
  guint merging_taps, watchers;
  Run run;
  StreamWanted wanted;
  gpointer wanted_data;
  StreamCounters counters;
  SenderReport reports[TRACKS_MAX];
  CaptureTime captures[TRACKS_MAX];
};

Stream *stream_new (Loop *loop, const char *camera, const char *name)
{
  Stream *stream = g_new0 (Stream, 1);
  stream->loop = loop;
  stream->camera = g_strdup (camera);
  stream->name = g_strdup (name);
  g_autofree char *path = g_strconcat (camera, "/", name, NULL);
  g_snprintf (stream->cname, sizeof stream->cname, "%08x", g_str_hash (path));
  group_init (&stream->group, GROUP_BYTES_DEFAULT);
  g_queue_init (&stream->taps);
  return stream;
}

void stream_set_wanted (Stream *stream, StreamWanted wanted, gpointer data)
{
  stream->wanted = wanted;
  stream->wanted_data = data;
}

Loop *stream_loop (const Stream *stream)
{
  return stream->loop;
}

const char *stream_camera (const Stream *stream)
{
  return stream->camera;
}

const char *stream_name (const Stream *stream)
{
  return stream->name;
}

const char *stream_cname (const Stream *stream)
{
  return stream->cname;
}

const TrackList *stream_tracks (const Stream *stream)
{
  return stream->tracks;
}

const Group *stream_group (const Stream *stream)
{
  return &stream->group;
}

StreamCounters *stream_counters (Stream *stream)
{
  return &stream->counters;
}

gboolean stream_is_wanted (const Stream *stream)
{
  return stream->taps.length > 0;
}

gboolean stream_is_watched (const Stream *stream)
{
  return stream->merging_taps + stream->watchers > 0;
}

void stream_add_watcher (Stream *stream)
{
  stream->watchers++;
}

void stream_remove_watcher (Stream *stream)
{
  stream->watchers--;
}

SenderReport *stream_sender_report (Stream *stream, guint track)
{
  return &stream->reports[track];
}

CaptureTime *stream_capture_time (Stream *stream, guint track)
{
  return &stream->captures[track];
}

/* ---- to the taps ---- */

static gboolean is_among (const StreamTap *tap, Taps taps)
{
  return taps == TAPS_ALL || tap->merges == (taps == TAPS_MERGING);
}

/* The next tap; NULL after the last, which ends the walk. */
static StreamTap *walk_on (Stream *stream, Walk *walk)
{
  GList *link = walk->next;
  if (link == NULL) {
    stream->walks = walk->outer;
    return NULL;
  }
  walk->next = link->next;
  return link->data;
}

/* Called, not inlined: gcc 12 would warn of an address that outlives its function, for it doesn't see walk_on end the walk. */
static G_NO_INLINE void walk_start (Stream *stream, Walk *walk)
{
  *walk = (Walk){ stream->taps.head, stream->walks };
  stream->walks = walk;
}

static void deliver (Stream *stream, const Unit *unit, Taps taps)
{
  Walk walk;
  StreamTap *tap;
  walk_start (stream, &walk);
  while ((tap = walk_on (stream, &walk)) != NULL) {
    if (!is_among (tap, taps))
      continue;
    tap->waits_for_access_point &= !unit->is_random_access;
    if (!tap->waits_for_access_point)
      tap->unit (tap, unit);
  }
}

/* Gives the crowd what is held back for it. */
static void flush_run (Stream *stream)
{
  Run *run = &stream->run;
  guint count = run->count;
  if (count == 0)
    return;
  run->count = 0;
  loop_timer_clear (run->timer);
  for (guint i = 0; i < count; i++) {
    deliver (stream, &run->units[i], TAPS_MERGING);
    block_unref (run->units[i].block);
  }
}

static void on_run_is_late (gpointer data)
{
  flush_run (data);
}

static void hold_back (Stream *stream, const Unit *unit)
{
  Run *run = &stream->run;
  if (run->timer == NULL)
    run->timer = loop_timer_new (stream->loop, on_run_is_late, stream);
  if (run->count == 0 || !unit_join (&run->units[run->count - 1], unit)) {
    if (run->count == RUN_UNITS_MAX)
      flush_run (stream);
    run->units[run->count++] = *unit;
    block_ref (unit->block);
  }
  gint64 first_us = run->units[0].arrival_us;
  if (unit->ends_access_unit && loop_now_us (stream->loop) - first_us >= RUN_FULL_US)
    flush_run (stream);
  else if (run->count == 1)
    loop_timer_set (run->timer, first_us + CROWD_HOLD_US);
}

/* The kept group, to a tap that has just been added. */
static void replay_units (Stream *stream, const Replay *replay)
{
  const Group *group = &stream->group;
  for (guint i = 0; replay->tap != NULL && i < group_count (group);) {
    Unit unit = *group_unit (group, i++);
    while (replay->tap->merges && i < group_count (group) && unit_join (&unit, group_unit (group, i)))
      i++;
    replay->tap->unit (replay->tap, &unit);
  }
}

static void replay_group (Stream *stream, StreamTap *tap)
{
  Replay replay = { tap, stream->replays };
  stream->replays = &replay;
  tap->waits_for_access_point = group_count (&stream->group) == 0;
  tap->started (tap, stream->tracks);
  replay_units (stream, &replay);
  stream->replays = replay.outer;
}

/* ---- taps come and go ---- */

void stream_add_tap (Stream *stream, StreamTap *tap)
{
  gboolean is_first = stream->taps.length == 0;
  if (tap->merges) {
    flush_run (stream); /* it is in the group as well */
    stream->merging_taps++;
  }
  tap->link = (GList){ .data = tap };
  g_queue_push_head_link (&stream->taps, &tap->link); /* a walk that is under way goes on without it */
  if (is_first && stream->wanted != NULL)
    stream->wanted (stream, TRUE, stream->wanted_data);
  if (stream->tracks != NULL)
    replay_group (stream, tap);
}

/* Off the list, unknown to every walk. */
static void unlink_tap (Stream *stream, StreamTap *tap)
{
  for (Walk *walk = stream->walks; walk != NULL; walk = walk->outer)
    if (walk->next == &tap->link)
      walk->next = tap->link.next;
  for (Replay *replay = stream->replays; replay != NULL; replay = replay->outer)
    if (replay->tap == tap)
      replay->tap = NULL;
  g_queue_unlink (&stream->taps, &tap->link);
  stream->merging_taps -= tap->merges ? 1 : 0;
  tap->link.data = NULL;
}

void stream_remove_tap (Stream *stream, StreamTap *tap)
{
  if (tap->link.data == NULL)
    return;
  unlink_tap (stream, tap);
  if (stream->tracks != NULL)
    tap->ended (tap, "removed");
  if (stream->taps.length == 0 && stream->wanted != NULL)
    stream->wanted (stream, FALSE, stream->wanted_data);
}

void stream_begin (Stream *stream, TrackList *tracks)
{
  g_assert (stream->tracks == NULL);
  stream->tracks = tracks;
  Walk walk;
  StreamTap *tap;
  walk_start (stream, &walk);
  while ((tap = walk_on (stream, &walk)) != NULL) {
    tap->waits_for_access_point = TRUE;
    tap->started (tap, tracks);
  }
}

void stream_publish (Stream *stream, const Unit *unit)
{
  group_push (&stream->group, unit);
  if (stream->merging_taps > CROWD_TAPS) {
    deliver (stream, unit, TAPS_OTHER);
    hold_back (stream, unit);
  } else {
    flush_run (stream);
    deliver (stream, unit, TAPS_ALL);
  }
}

void stream_shed (Stream *stream)
{
  flush_run (stream);
  group_clear (&stream->group);
}

void stream_end (Stream *stream, const char *reason)
{
  if (stream->tracks == NULL)
    return;
  flush_run (stream);
  TrackList *tracks = g_steal_pointer (&stream->tracks);
  group_clear (&stream->group);
  memset (stream->reports, 0, sizeof stream->reports);
  memset (stream->captures, 0, sizeof stream->captures);
  Walk walk;
  StreamTap *tap;
  walk_start (stream, &walk);
  while ((tap = walk_on (stream, &walk)) != NULL) {
    tap->ended (tap, reason);
  }
  track_list_free (tracks); /* only now: taps may look at it until they were told */
}

void stream_free (Stream *stream)
{
  if (stream == NULL)
    return;
  stream->wanted = NULL;
  while (stream->taps.head != NULL)
    stream_remove_tap (stream, stream->taps.head->data);
  flush_run (stream); /* to nobody */
  loop_timer_free (stream->run.timer);
  track_list_free (stream->tracks);
  group_finish (&stream->group);
  g_free (stream->camera);
  g_free (stream->name);
  g_free (stream);
}
