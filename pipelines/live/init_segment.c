#include "pipelines/live/init_segment.h"

#include <string.h>

#include "gateway/core/error.h"

AVStream *init_segment_add_stream (AVFormatContext *context, const MediaFormat *format)
{
  gsize size;
  const guint8 *header = g_bytes_get_data (format->header, &size);
  AVStream *stream = avformat_new_stream (context, NULL);
  guint8 *extradata = stream != NULL ? av_mallocz (size + AV_INPUT_BUFFER_PADDING_SIZE) : NULL;
  if (extradata == NULL)
    return NULL;

  AVCodecParameters *parameters = stream->codecpar;
  memcpy (extradata, header, size);
  parameters->extradata = extradata;
  parameters->extradata_size = (int) size;
  if (format->medium == MEDIUM_VIDEO) {
    gboolean is_h264 = format->codec == CODEC_H264;
    parameters->codec_type = AVMEDIA_TYPE_VIDEO;
    parameters->codec_id = is_h264 ? AV_CODEC_ID_H264 : AV_CODEC_ID_HEVC;
    parameters->codec_tag = is_h264 ? MKTAG ('a', 'v', 'c', '1') : MKTAG ('h', 'v', 'c', '1');
    parameters->width = format->width;
    parameters->height = format->height;
  } else {
    parameters->codec_type = AVMEDIA_TYPE_AUDIO;
    gboolean is_opus = format->codec == CODEC_OPUS;
    parameters->codec_id = is_opus ? AV_CODEC_ID_OPUS : AV_CODEC_ID_AAC;
    parameters->sample_rate = (int) format->time_scale; /* which the muxer takes as the track's time scale */
    parameters->frame_size = is_opus ? OPUS_HZ / 50 : 1024;
    av_channel_layout_default (&parameters->ch_layout, (int) format->channels);
  }
  stream->time_base = (AVRational){ 1, (int) format->time_scale };
  return stream;
}

static gboolean write_header (AVFormatContext *context, const MediaFormat *video, const MediaFormat *audio)
{
  AVDictionary *options = NULL;
  gboolean is_good = init_segment_add_stream (context, video) != NULL
                     && (audio == NULL || init_segment_add_stream (context, audio) != NULL);
  av_dict_set (&options, "movflags", "empty_moov+default_base_moof+frag_custom", 0);
  is_good = is_good && avio_open_dyn_buf (&context->pb) >= 0 && avformat_write_header (context, &options) >= 0;
  av_dict_free (&options);
  for (guint i = 0; is_good && i < context->nb_streams; i++)
    is_good = context->streams[i]->time_base.den == (int) (i == 0 ? video : audio)->time_scale;
  return is_good;
}

GBytes *init_segment_new (const MediaFormat *video, const MediaFormat *audio, GError **error)
{
  AVFormatContext *context = NULL;
  guint8 *bytes = NULL;
  int size = 0;

  if (avformat_alloc_output_context2 (&context, NULL, "mp4", NULL) < 0) {
    error_set (error, ERROR_RETRY, "no memory for an mp4 header");
    return NULL;
  }
  gboolean is_good = write_header (context, video, audio);
  if (context->pb != NULL)
    size = avio_close_dyn_buf (context->pb, &bytes);
  context->pb = NULL;
  avformat_free_context (context);
  GBytes *segment = is_good && size > 0 ? g_bytes_new (bytes, (gsize) size) : NULL;
  av_free (bytes);
  if (segment == NULL)
    error_set (error, ERROR_GIVE_UP, "libavformat refuses the parameter sets of %s", video->codec_string);
  return segment;
}
