#include "pipelines/live/coded_sound.h"

#include <libavutil/channel_layout.h>
#include <string.h>

#include "gateway/core/error.h"

/* G.726: RFC 3551 4.5.4 puts the first sample into the low bits, its AAL2 form (ITU-T I.366.2) into the high ones. */
static const CodedSound sounds[] = {
  { "PCMA", AV_CODEC_ID_PCM_ALAW, 8 },
  { "PCMU", AV_CODEC_ID_PCM_MULAW, 8 },
  { "L8", AV_CODEC_ID_PCM_U8, 8 },
  { "L16", AV_CODEC_ID_PCM_S16BE, 16 },
  { "G726-16", AV_CODEC_ID_ADPCM_G726LE, 2 },
  { "G726-24", AV_CODEC_ID_ADPCM_G726LE, 3 },
  { "G726-32", AV_CODEC_ID_ADPCM_G726LE, 4 },
  { "G726-40", AV_CODEC_ID_ADPCM_G726LE, 5 },
  { "AAL2-G726-16", AV_CODEC_ID_ADPCM_G726, 2 },
  { "AAL2-G726-24", AV_CODEC_ID_ADPCM_G726, 3 },
  { "AAL2-G726-32", AV_CODEC_ID_ADPCM_G726, 4 },
  { "AAL2-G726-40", AV_CODEC_ID_ADPCM_G726, 5 },
};

struct SoundDecoder {
  AVCodecContext *context;
  AVPacket *packet;
  AVFrame *frame;
  guint channels;
};

const CodedSound *coded_sound_find (const char *encoding)
{
  for (guint i = 0; encoding != NULL && i < G_N_ELEMENTS (sounds); i++)
    if (g_ascii_strcasecmp (sounds[i].encoding, encoding) == 0)
      return &sounds[i];
  return NULL;
}

guint32 coded_sound_ticks (const CodedSound *sound, guint channels, gsize bytes)
{
  return (guint32) (bytes * 8 / sound->bits / MAX (channels, 1));
}

SoundDecoder *sound_decoder_new (const Track *track, GError **error)
{
  const CodedSound *sound = coded_sound_find (track->encoding);
  guint channels = MAX (track->channels, 1);
  const AVCodec *codec = sound != NULL ? avcodec_find_decoder (sound->id) : NULL;
  if (codec == NULL || channels > CODED_SOUND_CHANNELS_MAX) {
    error_set (error, ERROR_GIVE_UP, "sound as %s with %u channels can't be decoded", track->encoding, channels);
    return NULL;
  }
  g_autoptr (SoundDecoder) decoder = g_new0 (SoundDecoder, 1);
  decoder->channels = channels;
  decoder->packet = av_packet_alloc ();
  decoder->frame = av_frame_alloc ();
  decoder->context = avcodec_alloc_context3 (codec);
  decoder->context->sample_rate = (int) track->clock_rate;
  decoder->context->bits_per_coded_sample = (int) sound->bits;
  decoder->context->thread_count = 1;
  av_channel_layout_default (&decoder->context->ch_layout, (int) channels);
  if (avcodec_open2 (decoder->context, codec, NULL) < 0) {
    error_set (error, ERROR_GIVE_UP, "libavcodec does not decode %s at %u Hz", track->encoding, track->clock_rate);
    return NULL;
  }
  return g_steal_pointer (&decoder);
}

static float value_at (const AVFrame *frame, guint index)
{
  if (frame->format == AV_SAMPLE_FMT_U8)
    return (float) (frame->data[0][index] - 128) / 128;
  return (float) ((const gint16 *) frame->data[0])[index] / 32768;
}

static void hand_on_frame (const SoundDecoder *decoder, SoundTake take, gpointer data)
{
  const AVFrame *frame = decoder->frame;
  if (frame->format != AV_SAMPLE_FMT_S16 && frame->format != AV_SAMPLE_FMT_U8)
    return;
  for (guint i = 0; i < (guint) frame->nb_samples; i++) {
    float values[CODED_SOUND_CHANNELS_MAX];
    for (guint channel = 0; channel < decoder->channels; channel++)
      values[channel] = value_at (frame, i * decoder->channels + channel);
    take (values, data);
  }
}

void sound_decoder_push (SoundDecoder *decoder, const guint8 *bytes, gsize size, SoundTake take, gpointer data)
{
  if (size == 0 || av_new_packet (decoder->packet, (int) size) < 0)
    return;
  memcpy (decoder->packet->data, bytes, size);
  gboolean is_good = avcodec_send_packet (decoder->context, decoder->packet) >= 0;
  av_packet_unref (decoder->packet);
  while (is_good && avcodec_receive_frame (decoder->context, decoder->frame) >= 0) {
    hand_on_frame (decoder, take, data);
    av_frame_unref (decoder->frame);
  }
}

void sound_decoder_free (SoundDecoder *decoder)
{
  if (decoder == NULL)
    return;
  avcodec_free_context (&decoder->context);
  av_packet_free (&decoder->packet);
  av_frame_free (&decoder->frame);
  g_free (decoder);
}
