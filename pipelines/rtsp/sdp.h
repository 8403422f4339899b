/* sdp.h: a camera's session description → our tracks → the description that we serve (RFC 4566, RFC 2326 C).
 *
 * thread: any. */
#pragma once

#include "pipelines/rtp/track.h"

enum { SDP_BYTES_MAX = 64 * 1024, SDP_MEDIA_MAX = 16, SDP_FORMAT_MAX = 4096 };

/* Reads what DESCRIBE brought. `base` is the URL that controls are relative to. Takes the first H.264 or H.265 video and
 * audio of any codec; other media are left out. ERROR_REFUSE: it is no session description; ERROR_GIVE_UP: its video is of a
 * codec that we don't carry. */
TrackList *sdp_read (const char *text, gsize size, const char *base, GError **error);

/* Our description of `tracks`; `video_format` replaces the video's fmtp parameters unless it is NULL. Free with g_free. */
char *sdp_write (const TrackList *tracks, const char *video_format);

/* Joins a control attribute to its base (RFC 2326 C.1.1), behind its query, if it has one, as cameras want it. Of an absolute
 * one the path counts: host and port are the base's. Free with g_free. */
char *sdp_join_control (const char *base, const char *control);
