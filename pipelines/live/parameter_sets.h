/* parameter_sets.h: the VPS, SPS and PPS of a video track, from its SDP and in-band, and the format that follows from them.
 *
 * thread: the stream's loop. */
#pragma once

#include "pipelines/live/access_unit.h"

enum { PARAMETER_SET_BYTES_MAX = 4096, PARAMETER_SETS_MAX = 16 };

typedef enum { PARAMETER_VPS, PARAMETER_SPS, PARAMETER_PPS, PARAMETER_KINDS } ParameterKind;

typedef struct ParameterSets ParameterSets;

/* `codec` is CODEC_H264 or CODEC_H265; `fmtp` the track's format parameters (RFC 6184 8.1, RFC 7798 7.1). */
ParameterSets *parameter_sets_new (Codec codec, guint32 clock_rate, const char *fmtp);

/* Whether the NAL unit is a parameter set (which is then taken over) or one that no sample should hold. */
gboolean parameter_sets_take (ParameterSets *sets, const guint8 *nal, gsize size);

/* The present format, borrowed; a new pointer only after something changed. NULL while there is no whole and sane set. */
MediaFormat *parameter_sets_format (ParameterSets *sets);

void parameter_sets_free (ParameterSets *sets); /* NULL is taken */

/* The value of `name` in an fmtp line ("a=1; b=2"); NULL when it is absent. Free with g_free. */
char *fmtp_value (const char *fmtp, const char *name);
