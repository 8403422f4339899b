/* depacketizer_private.h: what the payload formats share. Only depacketize*.c include it. */
#pragma once

#include "pipelines/live/coded_sound.h"
#include "pipelines/live/depacketizer.h"
#include "pipelines/live/parameter_sets.h"

typedef void (*DepacketizePayload) (Depacketizer *depacketizer, const guint8 *payload, gsize size, gboolean has_marker);

struct Depacketizer {
  Codec codec;
  guint8 payload_type;
  guint32 clock_rate;
  DepacketizePayload take;
  DepacketizerOutput output;
  gpointer data;
  DepacketizerCounts counts;

  gboolean has_sequence;
  guint16 next_sequence;
  guint32 last_timestamp;
  gint64 time;            /* of the present packet, unwrapped */

  ParameterSets *sets;    /* video */
  MediaFormat *format;    /* audio */
  GByteArray *assembly;   /* video: the access unit; AAC: a frame in pieces */
  gsize nal_start;        /* where the NAL unit under assembly has its length field; G_MAXSIZE: there is none */
  gboolean is_broken, is_key;
  gboolean has_parameter_set, has_recovery_point; /* H.264, since the last whole unit */
  gint64 unit_time, unit_wall_us, wall_us;
  gsize expected;         /* AAC: whole size of the frame in pieces */
  guint size_bits, index_bits, delta_bits; /* AAC: RFC 3640 4.1 */
  guint latm_frames;      /* of an AudioMuxElement */
  const CodedSound *sound; /* samples */
  guint channels;
};

void depacketize_h264 (Depacketizer *depacketizer, const guint8 *payload, gsize size, gboolean has_marker);
void depacketize_h265 (Depacketizer *depacketizer, const guint8 *payload, gsize size, gboolean has_marker);
void depacketize_aac (Depacketizer *depacketizer, const guint8 *payload, gsize size, gboolean has_marker);
void depacketize_latm (Depacketizer *depacketizer, const guint8 *payload, gsize size, gboolean has_marker);
void depacketize_opus (Depacketizer *depacketizer, const guint8 *payload, gsize size, gboolean has_marker);
void depacketize_samples (Depacketizer *depacketizer, const guint8 *payload, gsize size, gboolean has_marker);

/* Reads mode, sizes and config from the fmtp line. */
gboolean depacketize_aac_configure (Depacketizer *depacketizer, const Track *track, GError **error);
gboolean depacketize_latm_configure (Depacketizer *depacketizer, const Track *track, GError **error);
gboolean depacketize_samples_configure (Depacketizer *depacketizer, const Track *track, GError **error);

/* AAC: takes an AudioSpecificConfig; format stays NULL when it is none. Hands on the packet's frame number `index`. */
void depacketizer_set_aac (Depacketizer *depacketizer, const guint8 *config, gsize size);
void depacketizer_hand_on_aac (Depacketizer *depacketizer, const guint8 *bytes, gsize size, guint index);
gsize depacketizer_bytes_from_hex (const char *hex, guint8 *bytes, gsize room);

/* Video: appends a whole NAL unit, or opens, extends and closes one that comes in pieces. */
void depacketizer_add_nal (Depacketizer *depacketizer, const guint8 *nal, gsize size);
void depacketizer_open_nal (Depacketizer *depacketizer, const guint8 *header, gsize header_size);
void depacketizer_extend_nal (Depacketizer *depacketizer, const guint8 *bytes, gsize size);
void depacketizer_close_nal (Depacketizer *depacketizer);

/* Ends the access unit under assembly: hands it on or drops it. */
void depacketizer_end_unit (Depacketizer *depacketizer);

/* The unit under assembly lacks something. */
void depacketizer_break_unit (Depacketizer *depacketizer);
