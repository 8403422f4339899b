#include "pipelines/record/segment_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <libavcodec/bsf.h>
#include <string.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "pipelines/record/boxes.h"
#include "pipelines/record/segment_walk.h"

enum { IO_BYTES = 64 * 1024 };

/* libavformat ends at what is no box, though whole fragments may follow: each hole is shown to it as a box that is to be skipped
 * (ISO/IEC 14496-12 8.1.2), so that all else stays where it is. */
static void cover_holes (const SegmentReader *reader, gint64 offset, guint8 *bytes, gsize size)
{
  for (guint i = 0; i < reader->holes->len; i++) {
    const SegmentHole *hole = &g_array_index (reader->holes, SegmentHole, i);
    guint8 head[BOX_HEAD] = { 0, 0, 0, 0, 'f', 'r', 'e', 'e' };
    guint32 length = GUINT32_TO_BE ((guint32) (hole->to - hole->from));
    memcpy (head, &length, sizeof length);
    gint64 from = MAX (hole->from, offset), to = MIN (hole->from + BOX_HEAD, offset + (gint64) size);
    if (from < to)
      memcpy (bytes + (from - offset), head + (from - hole->from), (gsize) (to - from));
  }
}

static int read_some (void *data, uint8_t *bytes, int size)
{
  SegmentReader *reader = data;
  gint64 left = reader->size - reader->at;
  gssize count = left > 0 ? pread (reader->fd, bytes, (gsize) MIN (left, size), reader->at) : 0;
  if (count <= 0)
    return AVERROR_EOF;
  cover_holes (reader, reader->at, bytes, (gsize) count);
  reader->at += count;
  return (int) count;
}

static int64_t seek (void *data, int64_t offset, int whence)
{
  SegmentReader *reader = data;
  if (whence == AVSEEK_SIZE)
    return reader->size;
  gint64 base = whence == SEEK_CUR ? reader->at : whence == SEEK_END ? reader->size : 0;
  if (base + offset < 0)
    return AVERROR (EINVAL);
  return reader->at = base + offset;
}

static gboolean read_at (gint64 offset, guint8 *bytes, gsize size, gpointer data)
{
  return pread (((const SegmentReader *) data)->fd, bytes, size, offset) == (gssize) size;
}

/* One that reaches to the end is the file's end. */
static void find_holes (SegmentReader *reader)
{
  reader->holes = segment_holes (read_at, reader, reader->size);
  for (guint i = reader->holes->len; i > 0; i--) {
    const SegmentHole *hole = &g_array_index (reader->holes, SegmentHole, i - 1);
    if (hole->to == reader->size)
      reader->size = hole->from;
    if (hole->to - hole->from < BOX_HEAD || hole->to - hole->from > G_MAXUINT32 || hole->from == reader->size)
      g_array_remove_index (reader->holes, i - 1);
  }
}

/* The demuxer gets the format named, so nothing is probed. */
static gboolean open_context (SegmentReader *reader)
{
  guint8 *buffer = av_malloc (IO_BYTES);
  reader->io = buffer != NULL ? avio_alloc_context (buffer, IO_BYTES, 0, reader, read_some, NULL, seek) : NULL;
  reader->context = avformat_alloc_context ();
  if (reader->io == NULL || reader->context == NULL)
    return FALSE;
  reader->context->pb = reader->io;
  reader->context->flags |= AVFMT_FLAG_CUSTOM_IO;
  if (avformat_open_input (&reader->context, NULL, av_find_input_format ("mp4"), NULL) < 0)
    return FALSE;
  reader->video = reader->audio = -1;
  for (guint i = 0; i < reader->context->nb_streams; i++) {
    enum AVMediaType type = reader->context->streams[i]->codecpar->codec_type;
    if (type == AVMEDIA_TYPE_VIDEO && reader->video < 0)
      reader->video = (int) i;
    else if (type == AVMEDIA_TYPE_AUDIO && reader->audio < 0)
      reader->audio = (int) i;
  }
  return reader->video >= 0;
}

SegmentReader *segment_reader_open (const char *data_dir, const SegmentRow *row, GError **error)
{
  g_autofree char *path = g_build_filename (data_dir, row->file, NULL);
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    error_set (error, ERROR_RETRY, "recording %s: %s", path, g_strerror (errno));
    return NULL;
  }
  g_autoptr (SegmentReader) reader = g_new0 (SegmentReader, 1);
  reader->fd = fd;
  reader->size = row->bytes;
  find_holes (reader);
  if (!open_context (reader)) {
    error_set (error, ERROR_GIVE_UP, "recording %s is broken", path);
    return NULL;
  }
  return g_steal_pointer (&reader);
}

void segment_reader_close (SegmentReader *reader)
{
  if (reader == NULL)
    return;
  avformat_close_input (&reader->context);
  if (reader->io != NULL)
    av_freep (&reader->io->buffer);
  avio_context_free (&reader->io);
  g_array_unref (reader->holes);
  close (reader->fd);
  g_free (reader);
}

static GBytes *to_annex_b (const AVStream *stream, AVPacket *packet)
{
  gboolean is_h264 = stream->codecpar->codec_id == AV_CODEC_ID_H264;
  AVBSFContext *filter = NULL;
  GBytes *bytes = NULL;
  if (av_bsf_alloc (av_bsf_get_by_name (is_h264 ? "h264_mp4toannexb" : "hevc_mp4toannexb"), &filter) < 0)
    return NULL;
  if (avcodec_parameters_copy (filter->par_in, stream->codecpar) >= 0 && av_bsf_init (filter) >= 0
      && av_bsf_send_packet (filter, packet) >= 0 && av_bsf_receive_packet (filter, packet) >= 0)
    bytes = g_bytes_new (packet->data, (gsize) packet->size);
  av_bsf_free (&filter);
  return bytes;
}

GBytes *segment_reader_key_near (const char *data_dir, const SegmentRow *row, gint64 at_us, const char **codec,
                                 gint64 *taken_at_us, GError **error)
{
  g_autoptr (SegmentReader) reader = segment_reader_open (data_dir, row, error);
  AVPacket *packet = av_packet_alloc (), *nearest = av_packet_alloc ();
  GBytes *bytes = NULL;
  gint64 best_us = G_MAXINT64;

  while (reader != NULL && av_read_frame (reader->context, packet) >= 0) {
    const AVStream *stream = reader->context->streams[packet->stream_index];
    gint64 wall_us = row->from_us + av_rescale_q (packet->pts, stream->time_base, AV_TIME_BASE_Q);
    if (packet->stream_index == reader->video && packet->flags & AV_PKT_FLAG_KEY
        && ABS (wall_us - at_us) < best_us) {
      best_us = ABS (wall_us - at_us);
      *taken_at_us = wall_us;
      av_packet_unref (nearest);
      av_packet_move_ref (nearest, packet);
    }
    av_packet_unref (packet);
  }
  if (best_us < G_MAXINT64) {
    const AVStream *stream = reader->context->streams[reader->video];
    *codec = stream->codecpar->codec_id == AV_CODEC_ID_H264 ? "h264" : "h265";
    bytes = to_annex_b (stream, nearest);
  }
  av_packet_free (&packet);
  av_packet_free (&nearest);
  if (bytes == NULL && (error == NULL || *error == NULL))
    error_set (error, ERROR_GIVE_UP, "there is no picture in %s", row->file);
  return bytes;
}
