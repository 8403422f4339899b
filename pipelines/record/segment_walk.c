#include "pipelines/record/segment_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "pipelines/live/init_segment.h"
#include "pipelines/record/boxes.h"

enum { BOXES_MAX = 100000, SEARCH_BYTES = 64 * 1024 };

/* The time scale of the video track (8.4.2); 0 when there is none. */
static guint32 video_time_scale (BoxSpan moov)
{
  char type[5];
  BoxSpan trak, tkhd, mdia, mdhd;
  while (box_next (&moov, type, &trak)) {
    if (strcmp (type, "trak") != 0 || !box_find (trak, "tkhd", &tkhd) || !box_find (trak, "mdia", &mdia)
        || !box_find (mdia, "mdhd", &mdhd))
      continue;
    gsize id_at = tkhd.size > 0 && tkhd.bytes[0] == 1 ? 20 : 12;
    gsize scale_at = mdhd.size > 0 && mdhd.bytes[0] == 1 ? 20 : 12;
    if (tkhd.size >= id_at + 4 && mdhd.size >= scale_at + 4 && box_get_32 (tkhd.bytes + id_at) == VIDEO_TRACK_ID)
      return box_get_32 (mdhd.bytes + scale_at);
  }
  return 0;
}

/* What the tracks are (8.5.2): an entry of stsd has the codec's name as its type. */
static void take_tracks (SegmentFacts *facts, BoxSpan moov)
{
  char type[5];
  BoxSpan trak, mdia, minf, stbl, stsd;
  while (box_next (&moov, type, &trak)) {
    if (strcmp (type, "trak") != 0 || !box_find (trak, "mdia", &mdia) || !box_find (mdia, "minf", &minf)
        || !box_find (minf, "stbl", &stbl) || !box_find (stbl, "stsd", &stsd) || stsd.size < 16)
      continue;
    facts->is_h265 |= memcmp (stsd.bytes + 12, "hvc1", 4) == 0;
    facts->has_audio |= memcmp (stsd.bytes + 12, "mp4a", 4) == 0;
  }
}

/* Ticks that the samples of a trun last (8.8.8); only the form that we write is known. */
static guint64 run_ticks (BoxSpan trun)
{
  guint64 ticks = 0;
  if (trun.size < 12 || (box_get_32 (trun.bytes) & 0xffffff) != 0xf01)
    return 0;
  guint32 count = box_get_32 (trun.bytes + 4);
  if (count > (trun.size - 12) / 16)
    return 0;
  for (guint32 i = 0; i < count; i++)
    ticks += box_get_32 (trun.bytes + 12 + 16 * (gsize) i);
  return ticks;
}

/* Where the video of a moof ends, in ticks; 0 when it has none. */
static guint64 video_end (BoxSpan moof)
{
  char type[5];
  BoxSpan traf, tfhd, tfdt, trun;
  while (box_next (&moof, type, &traf)) {
    if (strcmp (type, "traf") != 0 || !box_find (traf, "tfhd", &tfhd) || !box_find (traf, "tfdt", &tfdt)
        || !box_find (traf, "trun", &trun))
      continue;
    if (tfhd.size >= 8 && tfdt.size >= 12 && tfdt.bytes[0] == 1 && box_get_32 (tfhd.bytes + 4) == VIDEO_TRACK_ID)
      return box_get_64 (tfdt.bytes + 4) + run_ticks (trun);
  }
  return 0;
}

static guint8 *read_body (SegmentRead read, gpointer data, gint64 offset, gint64 size)
{
  if (size > SEGMENT_MOOF_BYTES_MAX)
    return NULL;
  guint8 *bytes = g_malloc ((gsize) size + 1);
  if (read (offset, bytes, (gsize) size, data))
    return bytes;
  g_free (bytes);
  return NULL;
}

static void take_end (SegmentFacts *facts, guint64 ticks, guint32 time_scale)
{
  if (time_scale > 0 && ticks < G_MAXINT64 / G_USEC_PER_SEC)
    facts->duration_us = MAX (facts->duration_us, (gint64) (ticks * G_USEC_PER_SEC / time_scale));
}

/* ---- beyond damage ---- */

/* Whether a moof as we write it, mfhd first, and its mdat are there as a whole. */
static gboolean is_fragment (SegmentRead read, gpointer data, gint64 at, gint64 size)
{
  guint8 moof[2 * BOX_HEAD], mdat[BOX_HEAD];
  if (size - at < (gint64) sizeof moof + BOX_HEAD || !read (at, moof, sizeof moof, data))
    return FALSE;
  gint64 length = box_get_32 (moof);
  if (memcmp (moof + 4, "moof", 4) != 0 || memcmp (moof + BOX_HEAD + 4, "mfhd", 4) != 0 || length < (gint64) sizeof moof
      || length > SEGMENT_MOOF_BYTES_MAX || length > size - at - BOX_HEAD || !read (at + length, mdat, sizeof mdat, data))
    return FALSE;
  gint64 data_length = box_get_32 (mdat);
  return memcmp (mdat + 4, "mdat", 4) == 0 && data_length >= BOX_HEAD && data_length <= size - at - length;
}

gint64 segment_find_fragment (SegmentRead read, gpointer data, gint64 from, gint64 size)
{
  g_autofree guint8 *chunk = g_malloc (SEARCH_BYTES);
  for (gint64 at = from; size - at >= BOX_HEAD; at += SEARCH_BYTES - (BOX_HEAD - 1)) {
    gsize length = (gsize) MIN (SEARCH_BYTES, size - at), skipped = 0;
    if (!read (at, chunk, length, data))
      return -1;
    for (const guint8 *type; (type = memmem (chunk + skipped, length - skipped, "moof", 4)) != NULL;
         skipped = (gsize) (type - chunk) + 1)
      if (type - chunk >= 4 && is_fragment (read, data, at + (type - chunk) - 4, size))
        return at + (type - chunk) - 4;
  }
  return -1;
}

/* ---- the walk ---- */

typedef struct {
  SegmentRead read;
  gpointer data;
  gint64 size, at;
  gint64 moof_at; /* of the fragment that it is in */
  guint32 time_scale;
  guint64 end_ticks;
  gboolean has_moov, in_fragment;
} Walk;

static gboolean take_body (Walk *walk, SegmentFacts *facts, gint64 length, gboolean is_moov)
{
  g_autofree guint8 *body = read_body (walk->read, walk->data, walk->at + BOX_HEAD, length - BOX_HEAD);
  if (body == NULL || (!is_moov && (!walk->has_moov || walk->in_fragment)))
    return FALSE;
  BoxSpan span = { body, (gsize) length - BOX_HEAD };
  if (is_moov) {
    walk->time_scale = video_time_scale (span);
    take_tracks (facts, span);
  } else {
    walk->end_ticks = video_end (span);
  }
  walk->has_moov |= is_moov;
  walk->in_fragment = !is_moov;
  walk->moof_at = walk->at;
  return TRUE;
}

/* FALSE: what is here is not whole, or not ours. */
static gboolean take_box (Walk *walk, SegmentFacts *facts)
{
  guint8 head[BOX_HEAD];
  if (!walk->read (walk->at, head, BOX_HEAD, walk->data))
    return FALSE;
  gint64 length = box_get_32 (head);
  if (length < BOX_HEAD || length > walk->size - walk->at)
    return FALSE;
  gboolean is_moov = memcmp (head + 4, "moov", 4) == 0, is_moof = memcmp (head + 4, "moof", 4) == 0;
  if (is_moov || is_moof) {
    if (!take_body (walk, facts, length, is_moov))
      return FALSE;
  } else if (memcmp (head + 4, "mdat", 4) == 0) {
    if (!walk->in_fragment)
      return FALSE;
    walk->in_fragment = FALSE;
    facts->fragments++;
    take_end (facts, walk->end_ticks, walk->time_scale);
  } else if (memcmp (head + 4, "ftyp", 4) != 0) {
    return FALSE;
  }
  walk->at += length;
  if (walk->has_moov && !walk->in_fragment)
    facts->good_bytes = walk->at;
  return TRUE;
}

/* A moof without its mdat may be followed by a whole fragment at once. */
static gboolean step_over_damage (Walk *walk)
{
  gint64 from = walk->in_fragment ? walk->at : walk->at + 1;
  gint64 next = walk->has_moov ? segment_find_fragment (walk->read, walk->data, from, walk->size) : -1;
  walk->in_fragment = FALSE;
  if (next >= 0)
    walk->at = next;
  return next >= 0;
}

SegmentFacts segment_walk (SegmentRead read, gpointer data, gint64 size)
{
  SegmentFacts facts = { 0 };
  Walk walk = { .read = read, .data = data, .size = size };
  for (guint i = 0; i < BOXES_MAX && walk.at + BOX_HEAD <= size; i++)
    if (!take_box (&walk, &facts)) {
      if (!step_over_damage (&walk))
        break;
      facts.is_damaged = TRUE;
    }
  return facts;
}

GArray *segment_holes (SegmentRead read, gpointer data, gint64 size)
{
  SegmentFacts facts = { 0 };
  Walk walk = { .read = read, .data = data, .size = size };
  GArray *holes = g_array_new (FALSE, FALSE, sizeof (SegmentHole));
  for (guint i = 0; i < BOXES_MAX && walk.at + BOX_HEAD <= size; i++) {
    if (take_box (&walk, &facts))
      continue;
    SegmentHole hole = { walk.in_fragment ? walk.moof_at : walk.at, size };
    gboolean goes_on = step_over_damage (&walk);
    if (goes_on)
      hole.to = walk.at;
    g_array_append_val (holes, hole);
    if (!goes_on)
      break;
  }
  return holes;
}

typedef struct {
  int fd, problem; /* errno of a read that failed; 0: none did */
} OpenFile;

static gboolean read_file (gint64 offset, guint8 *bytes, gsize size, gpointer data)
{
  OpenFile *file = data;
  gssize got = pread (file->fd, bytes, size, offset);
  if (got < 0)
    file->problem = errno;
  return got == (gssize) size;
}

gboolean segment_walk_file (const char *path, gboolean repair, SegmentFacts *facts, GError **error)
{
  struct stat status;
  OpenFile file = { open (path, (repair ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW), 0 };
  if (file.fd < 0 || fstat (file.fd, &status) != 0)
    file.problem = errno;
  else
    *facts = segment_walk (read_file, &file, status.st_size);
  if (file.problem == 0 && facts->is_damaged)
    log_limited (LOG_LEVEL_WARNING, "recording %s is damaged in its middle: what is behind the damage is kept", path);
  if (repair && file.problem == 0 && facts->fragments > 0 && facts->good_bytes < status.st_size)
    (void) !(ftruncate (file.fd, facts->good_bytes) == 0 && fsync (file.fd) == 0);
  if (file.fd >= 0)
    close (file.fd);
  return file.problem == 0 || error_set_errno (error, file.problem, "recording %s", path);
}
