/* audio_encoder.h: G.711 to AAC-LC at the same rate, for files and browsers, which take no G.711.
 *
 * thread: one at a time; the stream's loop. */
#pragma once

#include "pipelines/live/access_unit.h"

typedef struct AudioEncoder AudioEncoder;

/* Takes `unit`, an AAC frame in ticks of the samples' rate. */
typedef void (*AudioEncoderOutput) (AccessUnit *unit, gpointer data);

/* ERROR_GIVE_UP when the track can't be decoded, or AAC has no such rate. */
AudioEncoder *audio_encoder_new (const Track *track, AudioEncoderOutput output, gpointer data, GError **error);

/* Where samples are missing, silence up to a second fills the hole; after a larger jump a new run begins there. */
void audio_encoder_push (AudioEncoder *encoder, const AccessUnit *samples);

void audio_encoder_free (AudioEncoder *encoder); /* NULL is taken */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AudioEncoder, audio_encoder_free)
