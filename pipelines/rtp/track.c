#include "pipelines/rtp/track.h"

static const char *const names[] = {
  [CODEC_UNKNOWN] = "unknown", [CODEC_H264] = "h264", [CODEC_H265] = "h265", [CODEC_AAC] = "aac",
  [CODEC_PCMA] = "pcma",       [CODEC_PCMU] = "pcmu", [CODEC_G726] = "g726", [CODEC_OPUS] = "opus",
  [CODEC_PCM] = "pcm",
};

int track_list_video (const TrackList *tracks)
{
  for (guint i = 0; i < tracks->count; i++)
    if (tracks->tracks[i].medium == MEDIUM_VIDEO)
      return (int) i;
  return -1;
}

gboolean track_list_fits (const TrackList *a, const TrackList *b)
{
  if (a == NULL || b == NULL || a->count != b->count)
    return FALSE;
  for (guint i = 0; i < a->count; i++) {
    const Track *one = &a->tracks[i], *other = &b->tracks[i];
    if (one->medium != other->medium || one->codec != other->codec || one->payload_type != other->payload_type
        || one->clock_rate != other->clock_rate || one->channels != other->channels)
      return FALSE;
  }
  return TRUE;
}

TrackList *track_list_copy (const TrackList *tracks)
{
  TrackList *copy = g_memdup2 (tracks, sizeof *tracks);
  copy->control = g_strdup (tracks->control);
  copy->sdp = g_strdup (tracks->sdp);
  for (guint i = 0; i < copy->count; i++) {
    Track *track = &copy->tracks[i];
    track->encoding = g_strdup (track->encoding);
    track->format = g_strdup (track->format);
    track->control = g_strdup (track->control);
  }
  return copy;
}

void track_list_free (TrackList *tracks)
{
  if (tracks == NULL)
    return;
  for (guint i = 0; i < tracks->count; i++) {
    g_free (tracks->tracks[i].encoding);
    g_free (tracks->tracks[i].format);
    g_free (tracks->tracks[i].control);
  }
  g_free (tracks->control);
  g_free (tracks->sdp);
  g_free (tracks);
}

const char *codec_name (Codec codec)
{
  return names[codec];
}
