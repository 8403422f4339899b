#include "pipelines/live/audio_encoder.h"

#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <string.h>

#include "gateway/core/error.h"

enum { FRAME_SAMPLES = 1024, BITS_PER_SECOND = 24000, PENDING_MAX = 8 };

typedef struct {
  gint64 pts, wall_us;
} FrameTime;

struct AudioEncoder {
  Codec codec;
  AVCodecContext *context;
  AVFrame *frame;
  AVPacket *packet;
  MediaFormat *format;
  AudioEncoderOutput output;
  gpointer data;
  float samples[FRAME_SAMPLES];
  guint filled;
  gboolean has_time;
  gint64 next_pts;      /* of the sample that comes next */
  gint64 next_wall_us;
  gint64 sent;          /* frames, as the encoder's own time */
  FrameTime pending[PENDING_MAX]; /* frames that the encoder has and no packet came for */
  guint pending_count;
};

static gboolean open_context (AudioEncoder *encoder, guint32 sample_rate, GError **error)
{
  const AVCodec *codec = avcodec_find_encoder (AV_CODEC_ID_AAC);
  encoder->context = codec != NULL ? avcodec_alloc_context3 (codec) : NULL;
  if (encoder->context == NULL)
    return error_set (error, ERROR_GIVE_UP, "libavcodec has no AAC encoder");
  encoder->context->sample_fmt = AV_SAMPLE_FMT_FLTP;
  encoder->context->sample_rate = (int) sample_rate;
  encoder->context->bit_rate = BITS_PER_SECOND;
  encoder->context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  encoder->context->time_base = (AVRational){ 1, (int) sample_rate };
  encoder->context->thread_count = 1;
  av_channel_layout_default (&encoder->context->ch_layout, 1);
  if (avcodec_open2 (encoder->context, codec, NULL) < 0)
    return error_set (error, ERROR_GIVE_UP, "the AAC encoder does not take %u Hz", sample_rate);
  encoder->format = media_format_new_aac (sample_rate, encoder->context->extradata,
                                          (gsize) MAX (encoder->context->extradata_size, 0));
  return encoder->format != NULL || error_set (error, ERROR_GIVE_UP, "the AAC encoder gave no configuration");
}

AudioEncoder *audio_encoder_new (Codec codec, guint32 sample_rate, AudioEncoderOutput output, gpointer data, GError **error)
{
  g_autoptr (AudioEncoder) encoder = g_new0 (AudioEncoder, 1);
  encoder->codec = codec;
  encoder->output = output;
  encoder->data = data;
  if (!open_context (encoder, sample_rate, error))
    return NULL;
  encoder->packet = av_packet_alloc ();
  encoder->frame = av_frame_alloc ();
  encoder->frame->nb_samples = FRAME_SAMPLES;
  encoder->frame->format = AV_SAMPLE_FMT_FLTP;
  encoder->frame->sample_rate = (int) sample_rate;
  av_channel_layout_default (&encoder->frame->ch_layout, 1);
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
  g_free (encoder);
}

/* ITU-T G.711 tables 1 and 2, as in the reference of G.191. */
static int sample_from_a_law (guint8 code)
{
  code ^= 0x55;
  int exponent = code >> 4 & 7, magnitude = (code & 15) << 4;
  magnitude = exponent == 0 ? magnitude + 8 : (magnitude + 0x108) << (exponent - 1);
  return code & 0x80 ? magnitude : -magnitude;
}

static int sample_from_mu_law (guint8 code)
{
  code = (guint8) ~code;
  int magnitude = (((code & 15) << 3) + 0x84) << (code >> 4 & 7);
  return code & 0x80 ? 0x84 - magnitude : magnitude - 0x84;
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
  memcpy (encoder->frame->data[0], encoder->samples, sizeof encoder->samples);
  encoder->frame->pts = encoder->sent++ * FRAME_SAMPLES;
  if (encoder->pending_count < PENDING_MAX)
    encoder->pending[encoder->pending_count++]
      = (FrameTime){ encoder->next_pts - FRAME_SAMPLES,
                     encoder->next_wall_us - FRAME_SAMPLES * G_USEC_PER_SEC / rate };
  encoder->filled = 0;
  if (avcodec_send_frame (encoder->context, encoder->frame) >= 0)
    hand_on_packets (encoder);
}

static void add_sample (AudioEncoder *encoder, float sample)
{
  encoder->samples[encoder->filled++] = sample;
  encoder->next_pts++;
  if (encoder->filled == FRAME_SAMPLES)
    encode_frame (encoder);
}

void audio_encoder_push (AudioEncoder *encoder, const AccessUnit *samples)
{
  gint64 missing = samples->pts - encoder->next_pts;
  if (!encoder->has_time || missing < 0 || missing > encoder->context->sample_rate) {
    encoder->has_time = TRUE;
    encoder->filled = 0;
    encoder->next_pts = samples->pts;
  }
  encoder->next_wall_us = samples->wall_us;
  while (encoder->next_pts < samples->pts)
    add_sample (encoder, 0);
  for (gsize i = 0; i < samples->size; i++) {
    guint8 code = samples->bytes[i];
    int sample = encoder->codec == CODEC_PCMA ? sample_from_a_law (code) : sample_from_mu_law (code);
    add_sample (encoder, (float) sample / 32768.0f);
  }
}
