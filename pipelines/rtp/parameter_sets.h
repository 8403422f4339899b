/* parameter_sets.h: the newest VPS, SPS and PPS of a video track, from its SDP or seen in its packets.
 *
 * thread: that of its owner. */
#pragma once

#include "pipelines/rtp/track.h"

enum { PARAMETER_SET_MAX = 1024 }; /* bytes; longer ones are not kept */

typedef enum { SET_VPS, SET_SPS, SET_PPS, SET_COUNT } ParameterSetKind;

typedef struct {
  Codec codec;
  guint16 sizes[SET_COUNT]; /* 0: not known */
  guint8 sets[SET_COUNT][PARAMETER_SET_MAX];
} ParameterSets;

/* Reads sprop-parameter-sets or sprop-vps, -sps, -pps of `track->format`. */
void parameter_sets_init (ParameterSets *sets, const Track *track);

/* Takes a NAL unit. TRUE when that changed something. */
gboolean parameter_sets_see (ParameterSets *sets, const guint8 *nal, gsize size);

gboolean parameter_sets_are_whole (const ParameterSets *sets);

/* The cropped size; FALSE while there is no readable SPS. */
gboolean parameter_sets_picture_size (const ParameterSets *sets, int *width, int *height);

/* The fmtp parameters with the current sets in them: those of `format` without its own. Free with g_free. */
char *parameter_sets_format (const ParameterSets *sets, const char *format);
