/* access_unit.h: one coded picture or audio frame, and the format that it is in.
 *
 * Both are immutable once published and reference-counted, and shared by recording, browsers, clips and key pictures.
 * A changed format pointer is a changed format: equal parameter sets keep the pointer.
 *
 * thread: any; references are atomic. */
#pragma once

#include <glib.h>

#include "pipelines/rtp/track.h"

/* What a file's or a browser's track needs to know of its samples. */
typedef struct {
  gint references;
  Medium medium;
  Codec codec;        /* CODEC_H264, CODEC_H265, CODEC_AAC or CODEC_OPUS: other sound was made AAC before */
  guint32 time_scale; /* ticks a second */
  GBytes *header;     /* video: VPS, SPS, PPS in Annex B; AAC: the AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1);
                       * Opus: the identification header (RFC 7845 5.1) */
  char *codec_string; /* RFC 6381: "avc1.640028" "hvc1.1.6.L93.B0" "mp4a.40.2" "opus" */
  int width, height;  /* video, cropped */
  guint reorder;      /* video: how many pictures may come before one that is shown earlier; as far as the SPS says */
  guint sample_rate, channels; /* audio */
} MediaFormat;

/* Video bytes are NAL units with four bytes of length each, without parameter sets and delimiters; audio is one frame. */
typedef struct {
  gint references;
  MediaFormat *format;
  gboolean is_key;
  gint64 pts, dts;    /* ticks of format->time_scale on the stream's timeline; the assembler sets them */
  guint32 duration;   /* ticks; audio exactly, video as expected */
  gint64 wall_us;     /* when it was captured, as far as is known */
  gboolean is_reported; /* by sender reports, which are right to a tenth of a second; else by arrival */
  gsize size;
  guint8 bytes[];
} AccessUnit;

enum { ACCESS_UNIT_BYTES_MAX = 8 * 1024 * 1024 };

/* Takes `header` and `codec_string`. */
MediaFormat *media_format_new_video (Codec codec, guint32 time_scale, GBytes *header, char *codec_string, int width,
                                     int height, guint reorder);
/* `config` is an AudioSpecificConfig; NULL when it is none that we can carry. */
MediaFormat *media_format_new_aac (guint32 time_scale, const guint8 *config, gsize size);
/* Opus has a clock of 48 kHz always, and two channels for whoever listens (RFC 7587 4.1, 7). */
enum { OPUS_HZ = 48000 };
MediaFormat *media_format_new_opus (void);
MediaFormat *media_format_ref (MediaFormat *format);
void media_format_unref (MediaFormat *format); /* NULL is taken */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MediaFormat, media_format_unref)

/* video/mp4; codecs="…" of one or both; either may be NULL. Free with g_free. */
char *media_format_mime (const MediaFormat *video, const MediaFormat *audio);

/* A unit with room for `size` bytes, which the caller fills before it publishes the unit. Takes a reference to `format`. */
AccessUnit *access_unit_new (MediaFormat *format, gsize size);
AccessUnit *access_unit_ref (AccessUnit *unit);
void access_unit_unref (AccessUnit *unit); /* NULL is taken */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AccessUnit, access_unit_unref)

static inline gboolean access_unit_is_video (const AccessUnit *unit)
{
  return unit->format->medium == MEDIUM_VIDEO;
}

/* Annex B with the parameter sets in front: what a decoder can start with. Video only. */
GBytes *access_unit_to_annex_b (const AccessUnit *unit);

/* The same for the bytes of a sample that a file held. NULL when the lengths lie. */
GBytes *annex_b_from_sample (const MediaFormat *format, const guint8 *bytes, gsize size);
