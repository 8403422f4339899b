/* sample_stream.h: real coded media as a camera would send it: made by ffmpeg, cut into RTP packets here.
 *
 * Free with sample_stream_free. */
#pragma once

#include "pipelines/rtp/track.h"

typedef struct {
  guint track;
  gboolean is_key; /* the first packet of a key picture's access unit */
  gboolean has_marker;
  gint64 wall_us;
  GBytes *bytes;   /* one RTP packet */
} SamplePacket;

typedef struct {
  TrackList *tracks;
  GPtrArray *packets; /* of SamplePacket, in order of sending */
  guint video_units, audio_units;
  GArray *video_pts;  /* gint64, 90 kHz ticks, in decoding order */
} SampleStream;

typedef enum { SAMPLE_SILENT, SAMPLE_AAC, SAMPLE_PCMA } SampleAudio;

/* `encoder` is an ffmpeg encoder with its options: "libx264 -bf 2 -g 25". 320x240 at 25 pictures a second. */
SampleStream *sample_stream_make (const char *encoder, SampleAudio audio, guint seconds, gint64 start_wall_us);
void sample_stream_free (SampleStream *stream);

/* Sends the packets of the access units [from, to) of the video, and the sound between them, through `stream`, as a camera's
 * source would. On the stream's loop. `begin` and `end` are stream_begin and stream_end. */
#include "pipelines/rtp/stream.h"
void sample_stream_feed (const SampleStream *sample, Stream *stream, guint from, guint to);

/* Fails the test unless ffmpeg decodes the whole file without a word. */
void assert_plays (const char *path);

/* Packets of a file as libavformat sees them; checks that decoding times rise. */
typedef struct {
  guint video, audio, keys;
  gint64 first_us, last_us; /* presentation, of the video */
  gint64 duration_us;       /* the container's; 0 when it says none */
  GArray *video_pts_us;     /* sorted */
} FileFacts;
FileFacts file_facts (const char *path);
void file_facts_clear (FileFacts *facts);

/* The whole sample as access units of the assembler's timeline; of AccessUnit. */
GPtrArray *sample_stream_units (const SampleStream *sample);
