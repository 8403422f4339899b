#include "pipelines/sim/file_source.h"

#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>

#include "gateway/core/error.h"

enum { FILE_MAX_BYTES = 256 * 1024 * 1024 };

typedef struct {
  GBytes *bytes;
  gint64 pts_ns, dts_ns;
  gboolean is_key;
} Unit;

struct FileUnits {
  GArray *units; /* of Unit, in decoding order */
  gint64 duration_ns;
};

struct FilePlayer {
  FileUnits *units;
  guint next;
  gint64 round_ns; /* where the present round started */
};

static void unit_clear (gpointer data)
{
  g_bytes_unref (((Unit *) data)->bytes);
}

static void units_clear (gpointer data)
{
  g_array_unref (((FileUnits *) data)->units);
}

void file_units_unref (FileUnits *units)
{
  g_atomic_rc_box_release_full (units, units_clear);
}

/* Takes the packets out of the filter. */
static int collect (FileUnits *units, AVBSFContext *filter, AVPacket *packet, gsize *total)
{
  const AVRational nanoseconds = { 1, G_USEC_PER_SEC * 1000 };
  int code;
  while ((code = av_bsf_receive_packet (filter, packet)) >= 0) {
    gint64 dts = packet->dts == AV_NOPTS_VALUE ? packet->pts : packet->dts;
    Unit unit = { .bytes = g_bytes_new (packet->data, (gsize) packet->size),
                  .pts_ns = av_rescale_q (packet->pts == AV_NOPTS_VALUE ? dts : packet->pts, filter->time_base_out,
                                          nanoseconds),
                  .dts_ns = av_rescale_q (dts, filter->time_base_out, nanoseconds),
                  .is_key = (packet->flags & AV_PKT_FLAG_KEY) != 0 };
    *total += (gsize) packet->size;
    g_array_append_val (units->units, unit);
    units->duration_ns = unit.dts_ns + av_rescale_q (packet->duration, filter->time_base_out, nanoseconds);
    av_packet_unref (packet);
    if (*total > FILE_MAX_BYTES)
      return AVERROR (EFBIG);
  }
  return code == AVERROR (EAGAIN) || code == AVERROR_EOF ? 0 : code;
}

static AVBSFContext *annex_b_filter (const AVStream *stream, VideoCodec codec)
{
  AVBSFContext *filter = NULL;
  const AVBitStreamFilter *kind = av_bsf_get_by_name (codec == CODEC_H264 ? "h264_mp4toannexb" : "hevc_mp4toannexb");
  if (kind == NULL || av_bsf_alloc (kind, &filter) < 0)
    return NULL;
  filter->time_base_in = stream->time_base;
  if (avcodec_parameters_copy (filter->par_in, stream->codecpar) < 0 || av_bsf_init (filter) < 0)
    av_bsf_free (&filter);
  return filter;
}

static int read_packets (FileUnits *units, AVFormatContext *file, int stream, AVBSFContext *filter)
{
  AVPacket *packet = av_packet_alloc ();
  gsize total = 0;
  int code = 0;
  while (code >= 0 && (code = av_read_frame (file, packet)) >= 0) {
    if (packet->stream_index != stream) {
      av_packet_unref (packet);
      continue;
    }
    code = av_bsf_send_packet (filter, packet);
    if (code >= 0)
      code = collect (units, filter, packet, &total);
  }
  av_packet_free (&packet);
  return code == AVERROR_EOF ? 0 : code;
}

/* Times start at 0, however the file's do. */
static void shift_to_zero (FileUnits *units)
{
  gint64 first = g_array_index (units->units, Unit, 0).dts_ns;
  for (guint i = 0; i < units->units->len; i++) {
    Unit *unit = &g_array_index (units->units, Unit, i);
    unit->dts_ns -= first;
    unit->pts_ns -= first;
  }
  units->duration_ns -= first;
}

static int fill (FileUnits *units, const char *path, VideoCodec codec)
{
  AVFormatContext *file = NULL;
  int code = avformat_open_input (&file, path, NULL, NULL);
  if (code >= 0)
    code = avformat_find_stream_info (file, NULL);
  int stream = code >= 0 ? code = av_find_best_stream (file, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0) : -1;
  if (code >= 0) {
    enum AVCodecID wanted = codec == CODEC_H264 ? AV_CODEC_ID_H264 : AV_CODEC_ID_HEVC;
    gboolean fits = file->streams[stream]->codecpar->codec_id == wanted;
    AVBSFContext *filter = fits ? annex_b_filter (file->streams[stream], codec) : NULL;
    code = filter ? read_packets (units, file, stream, filter) : AVERROR_STREAM_NOT_FOUND;
    av_bsf_free (&filter);
  }
  avformat_close_input (&file);
  return code >= 0 && units->units->len == 0 ? AVERROR_STREAM_NOT_FOUND : code;
}

FileUnits *file_units_read (const char *path, VideoCodec codec, GError **error)
{
  FileUnits *units = g_atomic_rc_box_new0 (FileUnits);
  units->units = g_array_new (FALSE, FALSE, sizeof (Unit));
  g_array_set_clear_func (units->units, unit_clear);
  int code = fill (units, path, codec);
  if (code < 0) {
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror (code, text, sizeof text);
    error_set (error, ERROR_RECONFIGURE, "%s: no %s video can be read from it: %s", path,
               codec == CODEC_H264 ? "h264" : "h265", text);
    file_units_unref (units);
    return NULL;
  }
  shift_to_zero (units);
  return units;
}

FilePlayer *file_player_new (FileUnits *units)
{
  FilePlayer *player = g_new0 (FilePlayer, 1);
  player->units = g_atomic_rc_box_acquire (units);
  return player;
}

GstBuffer *file_player_next (FilePlayer *player)
{
  const Unit *unit = &g_array_index (player->units->units, Unit, player->next);
  GstBuffer *buffer = gst_buffer_new_wrapped_bytes (unit->bytes);
  GST_BUFFER_PTS (buffer) = (GstClockTime) (player->round_ns + unit->pts_ns);
  GST_BUFFER_DTS (buffer) = (GstClockTime) (player->round_ns + unit->dts_ns);
  if (!unit->is_key)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  if (++player->next == player->units->units->len) {
    player->next = 0;
    player->round_ns += player->units->duration_ns;
  }
  return buffer;
}

void file_player_free (FilePlayer *player)
{
  if (player)
    file_units_unref (player->units);
  g_free (player);
}
