#include "pipelines/live/audio_encoder.h"

#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <string.h>

#include "gateway/core/error.h"
#include "pipelines/live/coded_sound.h"

enum { FRAME_SAMPLES = 1024, PENDING_MAX = 8 };

typedef struct {
  gint64 pts, wall_us;
} FrameTime;

struct AudioEncoder {
  SoundDecoder *decoder;
  guint channels;
  AVCodecContext *context;
  AVFrame *frame;
  AVPacket *packet;
  MediaFormat *format;
  AudioEncoderOutput output;
  gpointer data;
  float samples[CODED_SOUND_CHANNELS_MAX][FRAME_SAMPLES];
  guint filled;
  gboolean has_time;
  gint64 next_pts;      /* of the sample that comes next */
  gint64 next_wall_us;
  gint64 sent;          /* frames, as the encoder's own time */
  FrameTime pending[PENDING_MAX]; /* frames that the encoder has and no packet came for */
  guint pending_count;
};

/* Speech at 8 kHz is well kept in 24 kbit/s; music at 48 kHz wants 64 a channel. */
static int bits_per_second (guint32 sample_rate, guint channels)
{
  return (int) (channels * (sample_rate <= 16000 ? 24000 : 64000));
}

static gboolean open_context (AudioEncoder *encoder, guint32 sample_rate, GError **error)
{
  const AVCodec *codec = avcodec_find_encoder (AV_CODEC_ID_AAC);
  encoder->context = codec != NULL ? avcodec_alloc_context3 (codec) : NULL;
  if (encoder->context == NULL)
    return error_set (error, ERROR_GIVE_UP, "libavcodec has no AAC encoder");
  encoder->context->sample_fmt = AV_SAMPLE_FMT_FLTP;
  encoder->context->sample_rate = (int) sample_rate;
  encoder->context->bit_rate = bits_per_second (sample_rate, encoder->channels);
  encoder->context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  encoder->context->time_base = (AVRational){ 1, (int) sample_rate };
  encoder->context->thread_count = 1;
  av_channel_layout_default (&encoder->context->ch_layout, (int) encoder->channels);
  if (avcodec_open2 (encoder->context, codec, NULL) < 0)
    return error_set (error, ERROR_GIVE_UP, "the AAC encoder does not take %u Hz", sample_rate);
  encoder->format = media_format_new_aac (sample_rate, encoder->context->extradata,
                                          (gsize) MAX (encoder->context->extradata_size, 0));
  return encoder->format != NULL || error_set (error, ERROR_GIVE_UP, "the AAC encoder gave no configuration");
}

AudioEncoder *audio_encoder_new (const Track *track, AudioEncoderOutput output, gpointer data, GError **error)
{
  g_autoptr (AudioEncoder) encoder = g_new0 (AudioEncoder, 1);
  encoder->channels = MAX (track->channels, 1);
  encoder->output = output;
  encoder->data = data;
  encoder->decoder = sound_decoder_new (track, error);
  if (encoder->decoder == NULL || !open_context (encoder, track->clock_rate, error))
    return NULL;
  encoder->packet = av_packet_alloc ();
  encoder->frame = av_frame_alloc ();
  encoder->frame->nb_samples = FRAME_SAMPLES;
  encoder->frame->format = AV_SAMPLE_FMT_FLTP;
  encoder->frame->sample_rate = (int) track->clock_rate;
  av_channel_layout_default (&encoder->frame->ch_layout, (int) encoder->channels);
  if (av_frame_get_buffer (encoder->frame, 0) < 0) {
    error_set (error, ERROR_RETRY, "no memory for audio");
    return NULL;
  }
  return g_steal_pointer (&encoder);
}

void audio_encoder_free (AudioEncoder *encoder)
{
  if (encoder == NULL)
    return;
  av_frame_free (&encoder->frame);
  av_packet_free (&encoder->packet);
  media_format_unref (encoder->format);
  avcodec_free_context (&encoder->context);
  sound_decoder_free (encoder->decoder);
  g_free (encoder);
}

static void hand_on_packets (AudioEncoder *encoder)
{
  while (avcodec_receive_packet (encoder->context, encoder->packet) >= 0) {
    if (encoder->pending_count > 0) {
      FrameTime time = encoder->pending[0];
      encoder->pending_count--;
      memmove (encoder->pending, encoder->pending + 1, encoder->pending_count * sizeof time);
      AccessUnit *unit = access_unit_new (encoder->format, (gsize) encoder->packet->size);
      memcpy (unit->bytes, encoder->packet->data, unit->size);
      unit->is_key = TRUE;
      unit->pts = unit->dts = time.pts - encoder->context->initial_padding;
      unit->duration = FRAME_SAMPLES;
      unit->wall_us = time.wall_us - encoder->context->initial_padding * G_USEC_PER_SEC / encoder->context->sample_rate;
      encoder->output (unit, encoder->data);
    }
    av_packet_unref (encoder->packet);
  }
}

static void encode_frame (AudioEncoder *encoder)
{
  gint64 rate = encoder->context->sample_rate;
  if (av_frame_make_writable (encoder->frame) < 0)
    return;
  for (guint channel = 0; channel < encoder->channels; channel++)
    memcpy (encoder->frame->data[channel], encoder->samples[channel], sizeof encoder->samples[channel]);
  encoder->frame->pts = encoder->sent++ * FRAME_SAMPLES;
  if (encoder->pending_count < PENDING_MAX)
    encoder->pending[encoder->pending_count++]
      = (FrameTime){ encoder->next_pts - FRAME_SAMPLES,
                     encoder->next_wall_us - FRAME_SAMPLES * G_USEC_PER_SEC / rate };
  encoder->filled = 0;
  if (avcodec_send_frame (encoder->context, encoder->frame) >= 0)
    hand_on_packets (encoder);
}

static void add_sample (const float *values, gpointer data)
{
  AudioEncoder *encoder = data;
  for (guint channel = 0; channel < encoder->channels; channel++)
    encoder->samples[channel][encoder->filled] = values[channel];
  encoder->filled++;
  encoder->next_pts++;
  if (encoder->filled == FRAME_SAMPLES)
    encode_frame (encoder);
}

void audio_encoder_push (AudioEncoder *encoder, const AccessUnit *samples)
{
  static const float silence[CODED_SOUND_CHANNELS_MAX];
  gint64 missing = samples->pts - encoder->next_pts;
  if (!encoder->has_time || missing < 0 || missing > encoder->context->sample_rate) {
    encoder->has_time = TRUE;
    encoder->filled = 0;
    encoder->next_pts = samples->pts;
  }
  encoder->next_wall_us = samples->wall_us;
  while (encoder->next_pts < samples->pts)
    add_sample (silence, encoder);
  sound_decoder_push (encoder->decoder, samples->bytes, samples->size, add_sample, encoder);
}
