/* sprop.h: the newest VPS, SPS and PPS of a video track, from its SDP or seen in its packets.
 *
 * thread: that of its owner. */
#pragma once

#include "pipelines/rtp/track.h"

enum { SPROP_SET_MAX = 1024 }; /* bytes; longer ones are not kept */

typedef enum { SPROP_VPS, SPROP_SPS, SPROP_PPS, SPROP_COUNT } SpropKind;

typedef struct {
  Codec codec;
  guint16 sizes[SPROP_COUNT]; /* 0: not known */
  guint8 sets[SPROP_COUNT][SPROP_SET_MAX];
} Sprop;

/* Reads sprop-parameter-sets or sprop-vps, -sps, -pps of `track->format`. */
void sprop_init (Sprop *sets, const Track *track);

/* Takes a NAL unit. TRUE when that changed something. */
gboolean sprop_see (Sprop *sets, const guint8 *nal, gsize size);

gboolean sprop_is_whole (const Sprop *sets);

/* The cropped size; FALSE while there is no readable SPS. */
gboolean sprop_picture_size (const Sprop *sets, int *width, int *height);

/* The fmtp parameters with the current sets in them: those of `format` without its own. Free with g_free. */
char *sprop_format (const Sprop *sets, const char *format);
