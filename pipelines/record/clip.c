#include "pipelines/record/clip.h"

#include <errno.h>
#include <libavformat/avformat.h>
#include <string.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "pipelines/live/fragment.h"
#include "pipelines/live/init_segment.h"
#include "pipelines/record/segment_reader.h"

enum { IO_BYTES = 64 * 1024, READ_BYTES = 64 * 1024 };

/* One packet on its way: `time_us` and `wall_us` are of its decoding time. */
typedef struct {
  AVPacket *packet;
  gboolean is_video, is_key;
  gint64 wall_us;
  gint64 end_us; /* wall time where its picture ends */
} Sample;

typedef struct {
  int fd;
  gint64 from_us, to_us;
  AVFormatContext *context; /* NULL until the first file or unit told the formats */
  AVRational time_base[2];  /* of the samples that come: sound, pictures */
  gboolean is_started;      /* the first picture is chosen; until then samples wait */
  gboolean is_done;
  GArray *waiting;          /* of Sample: from the newest key picture at or before from_us on */
  gint64 zero_us;           /* the timeline's time that becomes 0 */
  gint64 last_dts[2];
  gint64 first_wall_us, end_wall_us;
} Cutter;

/* A position of its own on one descriptor: moving the index to the front reads and writes the file at once. */
typedef struct {
  int fd;
  gint64 at;
} Place;

static int read_place (void *data, uint8_t *bytes, int size)
{
  Place *place = data;
  gssize count = pread (place->fd, bytes, (gsize) size, place->at);
  if (count <= 0)
    return count == 0 ? AVERROR_EOF : AVERROR (errno);
  place->at += count;
  return (int) count;
}

static int write_place (void *data, uint8_t *bytes, int size)
{
  Place *place = data;
  for (int done = 0; done < size;) {
    gssize count = pwrite (place->fd, bytes + done, (gsize) (size - done), place->at);
    if (count < 0)
      return AVERROR (errno);
    done += (int) count;
    place->at += count;
  }
  return size;
}

static int64_t seek_place (void *data, int64_t offset, int whence)
{
  Place *place = data;
  gint64 size = lseek (place->fd, 0, SEEK_END);
  if (whence == AVSEEK_SIZE)
    return size;
  return place->at = offset + (whence == SEEK_CUR ? place->at : whence == SEEK_END ? size : 0);
}

static AVIOContext *place_open (int fd)
{
  Place *place = g_new0 (Place, 1);
  place->fd = fd;
  return avio_alloc_context (av_malloc (IO_BYTES), IO_BYTES, 1, place, read_place, write_place, seek_place);
}

static void place_close (AVIOContext *io)
{
  avio_flush (io);
  g_free (io->opaque);
  av_freep (&io->buffer);
  avio_context_free (&io);
}

/* libavformat opens its own output a second time to read it. */
static int open_again (AVFormatContext *context, AVIOContext **io, const char *url, int flags, AVDictionary **options)
{
  (void) url;
  (void) flags;
  (void) options;
  *io = place_open (((Place *) context->pb->opaque)->fd);
  (*io)->write_flag = 0;
  return 0;
}

static int close_again (AVFormatContext *context, AVIOContext *io)
{
  (void) context;
  place_close (io);
  return 0;
}

static gboolean cutter_open (Cutter *cutter, GError **error)
{
  if (ftruncate (cutter->fd, 0) != 0) /* asked again: what an earlier cut wrote goes */
    return error_set_errno (error, errno, "clip");
  if (avformat_alloc_output_context2 (&cutter->context, NULL, "mp4", NULL) < 0)
    return error_set (error, ERROR_RETRY, "no memory for a clip");
  cutter->context->pb = place_open (cutter->fd);
  cutter->context->flags |= AVFMT_FLAG_CUSTOM_IO;
  cutter->context->io_open = open_again;
  cutter->context->io_close2 = close_again;
  return TRUE;
}

static gboolean cutter_write_header (Cutter *cutter, GError **error)
{
  AVDictionary *options = NULL;
  av_dict_set (&options, "movflags", "faststart", 0);
  int result = avformat_write_header (cutter->context, &options);
  av_dict_free (&options);
  return result >= 0 || error_set (error, ERROR_GIVE_UP, "libavformat can't begin the clip: %s", av_err2str (result));
}

static gboolean write_sample (Cutter *cutter, Sample *sample, GError **error)
{
  AVPacket *packet = sample->packet;
  AVRational time_base = cutter->time_base[sample->is_video];
  packet->stream_index = sample->is_video ? 0 : 1;
  gint64 zero = av_rescale_q (cutter->zero_us, AV_TIME_BASE_Q, time_base);
  packet->dts -= zero;
  packet->pts -= zero;
  gboolean is_late = packet->dts <= cutter->last_dts[sample->is_video] || packet->dts < 0;
  if (is_late || packet->stream_index >= (int) cutter->context->nb_streams) {
    av_packet_free (&sample->packet);
    return TRUE;
  }
  cutter->last_dts[sample->is_video] = packet->dts;
  if (sample->is_video)
    cutter->end_wall_us = MAX (cutter->end_wall_us, sample->end_us);
  av_packet_rescale_ts (packet, time_base, cutter->context->streams[packet->stream_index]->time_base);
  int result = av_interleaved_write_frame (cutter->context, packet);
  av_packet_free (&sample->packet);
  return result >= 0 || error_set (error, ERROR_RETRY, "the clip can't be written: %s", av_err2str (result));
}

static void drop_waiting (Cutter *cutter)
{
  for (guint i = 0; i < cutter->waiting->len; i++)
    av_packet_free (&g_array_index (cutter->waiting, Sample, i).packet);
  g_array_set_size (cutter->waiting, 0);
}

/* The first of what waits is the picture that the clip begins with. */
static gboolean start_writing (Cutter *cutter, GError **error)
{
  gboolean is_good = TRUE;
  if (cutter->waiting->len == 0)
    return TRUE;
  const Sample *first = &g_array_index (cutter->waiting, Sample, 0);
  cutter->is_started = TRUE;
  cutter->zero_us = av_rescale_q (first->packet->dts, cutter->time_base[1], AV_TIME_BASE_Q);
  cutter->first_wall_us = first->wall_us;
  cutter->last_dts[0] = cutter->last_dts[1] = G_MININT64;
  if (!cutter_write_header (cutter, error))
    return FALSE;
  for (guint i = 0; i < cutter->waiting->len && is_good; i++)
    is_good = write_sample (cutter, &g_array_index (cutter->waiting, Sample, i), error);
  drop_waiting (cutter);
  return is_good;
}

/* Takes the sample's packet. */
static gboolean take_sample (Cutter *cutter, Sample sample, GError **error)
{
  if (sample.wall_us >= cutter->to_us) {
    cutter->is_done |= sample.is_video;
    av_packet_free (&sample.packet);
    return TRUE;
  }
  if (cutter->is_started)
    return write_sample (cutter, &sample, error);
  gboolean is_start = sample.is_video && sample.is_key;
  if (is_start && sample.wall_us <= cutter->from_us)
    drop_waiting (cutter);
  if (cutter->waiting->len == 0 && !is_start) {
    av_packet_free (&sample.packet);
    return TRUE;
  }
  g_array_append_val (cutter->waiting, sample);
  return !(sample.is_video && sample.wall_us > cutter->from_us) || start_writing (cutter, error);
}

static gboolean take_sum (int fd, ClipResult *result, GError **error)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guint8 *bytes = g_malloc (READ_BYTES);
  gssize count;
  result->bytes = 0;
  while ((count = pread (fd, bytes, READ_BYTES, result->bytes)) > 0) {
    g_checksum_update (sum, bytes, count);
    result->bytes += count;
  }
  if (count < 0 || fsync (fd) != 0)
    return error_set_errno (error, errno, "clip");
  g_strlcpy (result->sha256, g_checksum_get_string (sum), sizeof result->sha256);
  return TRUE;
}

/* Ends the file when `is_good`, and frees all. */
static gboolean cutter_finish (Cutter *cutter, gboolean is_good, ClipResult *result, GError **error)
{
  if (is_good && !cutter->is_started)
    is_good = start_writing (cutter, error);
  if (is_good && !cutter->is_started)
    is_good = error_set (error, ERROR_GIVE_UP, "nothing was recorded in this time");
  if (is_good && av_write_trailer (cutter->context) < 0)
    is_good = error_set (error, ERROR_RETRY, "the clip can't be ended");
  drop_waiting (cutter);
  g_array_unref (cutter->waiting);
  if (cutter->context != NULL) {
    place_close (cutter->context->pb);
    cutter->context->pb = NULL;
    avformat_free_context (cutter->context);
  }
  result->from_us = cutter->first_wall_us;
  result->to_us = MIN (cutter->end_wall_us, cutter->to_us);
  return is_good && take_sum (cutter->fd, result, error);
}

static Cutter cutter_new (int fd, gint64 from_us, gint64 to_us)
{
  return (Cutter){ .fd = fd, .from_us = from_us, .to_us = to_us, .waiting = g_array_new (FALSE, FALSE, sizeof (Sample)) };
}

/* ---- from memory ---- */

static gboolean open_for_units (Cutter *cutter, const MediaFormat *video, const MediaFormat *audio, GError **error)
{
  if (!cutter_open (cutter, error))
    return FALSE;
  cutter->time_base[1] = (AVRational){ 1, (int) video->time_scale };
  cutter->time_base[0] = (AVRational){ 1, audio != NULL ? (int) audio->time_scale : 1 };
  return (init_segment_add_stream (cutter->context, video) != NULL
          && (audio == NULL || init_segment_add_stream (cutter->context, audio) != NULL))
         || error_set (error, ERROR_RETRY, "no memory for a clip");
}

static MediaFormat *first_format (const GPtrArray *units, Medium medium)
{
  for (guint i = 0; i < units->len; i++)
    if (((const AccessUnit *) units->pdata[i])->format->medium == medium)
      return ((const AccessUnit *) units->pdata[i])->format;
  return NULL;
}

/* The muxer was given parameter sets in Annex B and takes that form for the pictures, too: start codes for the lengths. */
static void set_start_codes (guint8 *bytes, gsize size)
{
  for (gsize at = 0; at + 4 <= size;) {
    gsize length = (gsize) bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3];
    memcpy (bytes + at, "\0\0\0\1", 4);
    at += 4 + length;
  }
}

static Sample sample_of_unit (const AccessUnit *unit)
{
  AVPacket *packet = av_packet_alloc ();
  if (av_new_packet (packet, (int) unit->size) >= 0) {
    memcpy (packet->data, unit->bytes, unit->size);
    if (access_unit_is_video (unit))
      set_start_codes (packet->data, unit->size);
  }
  packet->pts = unit->pts;
  packet->dts = unit->dts;
  packet->duration = unit->duration;
  packet->flags = unit->is_key ? AV_PKT_FLAG_KEY : 0;
  gint64 duration_us = (gint64) unit->duration * G_USEC_PER_SEC / unit->format->time_scale;
  gint64 wall_us = access_unit_dts_wall_us (unit);
  return (Sample){ packet, access_unit_is_video (unit), unit->is_key, wall_us, wall_us + duration_us };
}

/* Units of another format than the group that the clip begins in are left out. */
gboolean clip_from_units (int fd, const GPtrArray *units, gint64 from_us, gint64 to_us, ClipResult *result,
                          GError **error)
{
  Cutter cutter = cutter_new (fd, from_us, to_us);
  guint start = 0;
  for (guint i = 0; i < units->len; i++) {
    const AccessUnit *unit = units->pdata[i];
    if (access_unit_is_video (unit) && unit->is_key && access_unit_dts_wall_us (unit) <= from_us)
      start = i;
  }
  g_autoptr (GPtrArray) wanted = g_ptr_array_new ();
  for (guint i = start; i < units->len; i++)
    g_ptr_array_add (wanted, units->pdata[i]);
  MediaFormat *video = first_format (wanted, MEDIUM_VIDEO), *audio = first_format (wanted, MEDIUM_AUDIO);
  gboolean is_good = video == NULL ? error_set (error, ERROR_GIVE_UP, "nothing of this time is in memory")
                                   : open_for_units (&cutter, video, audio, error);
  for (guint i = 0; i < wanted->len && is_good && !cutter.is_done; i++) {
    const AccessUnit *unit = wanted->pdata[i];
    if (access_unit_is_video (unit) && unit->format != video)
      break;
    if (access_unit_is_video (unit) || unit->format == audio)
      is_good = take_sample (&cutter, sample_of_unit (unit), error);
  }
  return cutter_finish (&cutter, is_good, result, error);
}

/* ---- from files ---- */

static gboolean copy_stream (Cutter *cutter, const AVStream *from, GError **error)
{
  AVStream *stream = avformat_new_stream (cutter->context, NULL);
  if (stream == NULL || avcodec_parameters_copy (stream->codecpar, from->codecpar) < 0)
    return error_set (error, ERROR_RETRY, "no memory for a clip");
  stream->time_base = from->time_base;
  if (stream->codecpar->codec_type == AVMEDIA_TYPE_AUDIO && stream->codecpar->frame_size == 0)
    stream->codecpar->frame_size = 1024; /* which the demuxer does not say */
  return TRUE;
}

static gboolean open_for_file (Cutter *cutter, const SegmentReader *reader, GError **error)
{
  AVStream *const *streams = reader->context->streams;
  if (!cutter_open (cutter, error) || !copy_stream (cutter, streams[reader->video], error))
    return FALSE;
  cutter->time_base[1] = streams[reader->video]->time_base;
  if (reader->audio < 0)
    return TRUE;
  cutter->time_base[0] = streams[reader->audio]->time_base;
  return copy_stream (cutter, streams[reader->audio], error);
}

static gboolean same_parameters (const Cutter *cutter, const SegmentReader *reader)
{
  const AVCodecParameters *now = cutter->context->streams[0]->codecpar;
  const AVCodecParameters *next = reader->context->streams[reader->video]->codecpar;
  return now->extradata_size == next->extradata_size && now->codec_id == next->codec_id
         && memcmp (now->extradata, next->extradata, (gsize) now->extradata_size) == 0;
}

/* `offset_us` is the file's zero on the clip's timeline. Returns where its video ends there. */
static gint64 take_file (Cutter *cutter, SegmentReader *reader, const SegmentRow *row, gint64 offset_us, GError **error)
{
  AVPacket *packet = av_packet_alloc ();
  gint64 end_us = offset_us;
  gboolean is_good = TRUE;
  while (is_good && !cutter->is_done && av_read_frame (reader->context, packet) >= 0) {
    gboolean is_video = packet->stream_index == reader->video;
    AVRational time_base = reader->context->streams[packet->stream_index]->time_base;
    gint64 dts_us = av_rescale_q (packet->dts, time_base, AV_TIME_BASE_Q);
    gint64 duration_us = av_rescale_q (packet->duration, time_base, AV_TIME_BASE_Q);
    if (!is_video && packet->stream_index != reader->audio) {
      av_packet_unref (packet);
      continue;
    }
    Sample sample = { av_packet_clone (packet), is_video, packet->flags & AV_PKT_FLAG_KEY, row->from_us + dts_us,
                      row->from_us + dts_us + duration_us };
    gint64 offset = av_rescale_q (offset_us, AV_TIME_BASE_Q, time_base);
    sample.packet->dts += offset;
    sample.packet->pts += offset;
    av_packet_rescale_ts (sample.packet, time_base, cutter->time_base[is_video]);
    if (is_video)
      end_us = offset_us + dts_us + duration_us;
    is_good = take_sample (cutter, sample, error);
    av_packet_unref (packet);
  }
  av_packet_free (&packet);
  return is_good ? end_us : -1;
}

gboolean clip_from_segments (int fd, const char *data_dir, const GPtrArray *rows, gint64 from_us, gint64 to_us,
                             ClipResult *result, GError **error)
{
  Cutter cutter = cutter_new (fd, from_us, to_us);
  gint64 end_us = 0, end_wall_us = 0, first_us = 0;
  gboolean is_good = TRUE;

  for (guint i = 0; i < rows->len && is_good && !cutter.is_done; i++) {
    const SegmentRow *row = rows->pdata[i];
    g_autoptr (SegmentReader) reader = segment_reader_open (data_dir, row, NULL);
    if (reader == NULL)
      continue;
    if (cutter.context == NULL) {
      first_us = row->from_us;
      is_good = open_for_file (&cutter, reader, error);
    } else if (!same_parameters (&cutter, reader)) {
      if (cutter.is_started)
        break;
      continue;
    }
    /* Neighbours join exactly; after a gap, the wall's time counts. */
    gboolean is_neighbour = end_wall_us != 0 && ABS (row->from_us - end_wall_us) < GAP_MIN_US;
    gint64 offset_us = is_neighbour ? end_us : MAX (row->from_us - first_us, end_us);
    if (is_good)
      end_us = take_file (&cutter, reader, row, offset_us, error);
    is_good = is_good && end_us >= 0;
    end_wall_us = row->to_us;
  }
  return cutter_finish (&cutter, is_good, result, error);
}
