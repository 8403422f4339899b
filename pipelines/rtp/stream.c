#include "pipelines/rtp/stream.h"

#include <string.h>

/* One replay of the kept group to a tap that joined: its callbacks may remove it. */
typedef struct Replay Replay;
struct Replay {
  StreamTap *tap; /* NULL once it was removed */
  Replay *outer;
};

struct Stream {
  Loop *loop;
  char *camera, *name;
  TrackList *tracks; /* NULL while the camera is not live */
  Group group;
  GQueue taps;       /* by their embedded links */
  GList *next_tap;   /* where the walk over the taps goes on */
  Replay *replays;
  StreamWanted wanted;
  gpointer wanted_data;
  StreamCounters counters;
  SenderReport reports[TRACKS_MAX];
};

Stream *stream_new (Loop *loop, const char *camera, const char *name)
{
  Stream *stream = g_new0 (Stream, 1);
  stream->loop = loop;
  stream->camera = g_strdup (camera);
  stream->name = g_strdup (name);
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

SenderReport *stream_sender_report (Stream *stream, guint track)
{
  return &stream->reports[track];
}

static void replay_group (Stream *stream, StreamTap *tap)
{
  Replay replay = { tap, stream->replays };
  stream->replays = &replay;
  tap->waits_for_access_point = group_count (&stream->group) == 0;
  tap->started (tap, stream->tracks);
  for (guint i = 0; replay.tap != NULL && i < group_count (&stream->group); i++)
    tap->unit (tap, group_unit (&stream->group, i));
  stream->replays = replay.outer;
}

void stream_add_tap (Stream *stream, StreamTap *tap)
{
  gboolean is_first = stream->taps.length == 0;
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
  if (stream->next_tap == &tap->link)
    stream->next_tap = tap->link.next;
  for (Replay *replay = stream->replays; replay != NULL; replay = replay->outer)
    if (replay->tap == tap)
      replay->tap = NULL;
  g_queue_unlink (&stream->taps, &tap->link);
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
  for (GList *link = stream->taps.head; link != NULL; link = stream->next_tap) {
    StreamTap *tap = link->data;
    stream->next_tap = link->next;
    tap->waits_for_access_point = TRUE;
    tap->started (tap, tracks);
  }
}

void stream_publish (Stream *stream, const Unit *unit)
{
  group_push (&stream->group, unit);
  for (GList *link = stream->taps.head; link != NULL; link = stream->next_tap) {
    StreamTap *tap = link->data;
    stream->next_tap = link->next;
    tap->waits_for_access_point &= !unit->is_random_access;
    if (!tap->waits_for_access_point)
      tap->unit (tap, unit);
  }
}

void stream_end (Stream *stream, const char *reason)
{
  if (stream->tracks == NULL)
    return;
  TrackList *tracks = g_steal_pointer (&stream->tracks);
  group_clear (&stream->group);
  memset (stream->reports, 0, sizeof stream->reports);
  for (GList *link = stream->taps.head; link != NULL; link = stream->next_tap) {
    StreamTap *tap = link->data;
    stream->next_tap = link->next;
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
  track_list_free (stream->tracks);
  group_finish (&stream->group);
  g_free (stream->camera);
  g_free (stream->name);
  g_free (stream);
}
