#include "pipelines/live/sound_note.h"

#include "pipelines/live/audio_encoder.h"
#include "pipelines/live/coded_sound.h"
#include "pipelines/live/depacketizer.h"

const char *sound_note (const Track *track)
{
  g_autoptr (Depacketizer) depacketizer = depacketizer_new (track, NULL, NULL, NULL);
  if (depacketizer == NULL)
    return "not_carried";
  if (coded_sound_find (track->encoding) == NULL)
    return NULL;
  g_autoptr (AudioEncoder) encoder = audio_encoder_new (track, NULL, NULL, NULL);
  return encoder != NULL ? "becomes_aac" : "not_carried";
}

char *sound_name (const Track *track)
{
  if (track->codec != CODEC_UNKNOWN || track->encoding == NULL)
    return g_strdup (codec_name (track->codec));
  g_autofree char *lower = g_ascii_strdown (track->encoding, -1);
  return g_utf8_make_valid (lower, -1);
}
