/* coded_sound.h: sound of fixed-size samples (RFC 3551 4.5), which files and browsers don't take, decoded.
 *
 * G.711, G.726 in both packings, and plain PCM: a row of one table each. By libavcodec.
 *
 * thread: one at a time; the stream's loop. */
#pragma once

#include <libavcodec/avcodec.h>

#include "pipelines/rtp/track.h"

enum { CODED_SOUND_CHANNELS_MAX = 2 };

typedef struct {
  const char *encoding; /* as in a=rtpmap */
  enum AVCodecID id;
  guint bits;           /* of a coded sample of one channel */
} CodedSound;

/* NULL when the encoding is none of them. */
const CodedSound *coded_sound_find (const char *encoding);

/* Sampling moments in so many bytes: ticks of an RTP clock that counts samples. */
guint32 coded_sound_ticks (const CodedSound *sound, guint channels, gsize bytes);

typedef struct SoundDecoder SoundDecoder;

/* ERROR_GIVE_UP when the track is none that it can decode. */
SoundDecoder *sound_decoder_new (const Track *track, GError **error);

/* Decodes; `take` gets each sampling moment's `channels` values in -1…1. */
typedef void (*SoundTake) (const float *values, gpointer data);
void sound_decoder_push (SoundDecoder *decoder, const guint8 *bytes, gsize size, SoundTake take, gpointer data);

void sound_decoder_free (SoundDecoder *decoder); /* NULL is taken */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SoundDecoder, sound_decoder_free)
