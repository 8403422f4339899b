/* track.h: one medium of a stream, as its SDP described it.
 *
 * thread: any, immutable once its stream is live. */
#pragma once

#include <glib.h>

typedef enum { MEDIUM_VIDEO, MEDIUM_AUDIO, MEDIUM_OTHER } Medium;
typedef enum { CODEC_UNKNOWN, CODEC_H264, CODEC_H265, CODEC_AAC, CODEC_PCMA, CODEC_PCMU, CODEC_G726, CODEC_OPUS, CODEC_PCM } Codec;

enum { TRACKS_MAX = 4 };

typedef struct {
  Medium medium;
  Codec codec;
  guint8 payload_type;
  guint32 clock_rate; /* Hz */
  guint channels;     /* audio */
  char *encoding;     /* as in a=rtpmap */
  char *format;       /* a=fmtp parameters, without the payload type; "" when there are none */
  char *control;      /* the camera's control URL */
} Track;

typedef struct {
  guint count;
  Track tracks[TRACKS_MAX];
  char *control; /* the camera's aggregate control URL */
  char *sdp; /* what DESCRIBE serves: our control URLs, the camera's parameter sets */
} TrackList;

/* The first video track; -1: there is none. */
int track_list_video (const TrackList *tracks);

/* Whether a viewer of `a` can go on with `b`: the same tracks in the same order, of the same codecs, payload types and clock
 * rates. Parameter sets may differ. */
gboolean track_list_fits (const TrackList *a, const TrackList *b);

TrackList *track_list_copy (const TrackList *tracks);
void track_list_free (TrackList *tracks); /* NULL is taken */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TrackList, track_list_free)

const char *codec_name (Codec codec); /* "h264" "h265" "aac" "pcma" "pcmu" … */
