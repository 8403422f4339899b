/* rtsp_playback.h: recordings for the RTSP server (rtsp_recordings.h): access units packetized anew, paced by their own times.
 *
 * RTP time runs evenly over gaps and seeks, as ffmpeg, VLC and rtspsrc play it best: what is missing takes no time. The wall time that it
 * stands for comes with a sender report at each start, after each gap and every five seconds. At the end comes a BYE. With a scale over 1 only
 * key pictures are sent, without sound, and RTP time runs as it passes (RFC 2326 12.34).
 *
 * thread: made on main; sessions belong to their loops. */
#pragma once

#include "pipelines/playback/playback_feed.h"
#include "pipelines/rtsp/rtsp_recordings.h"

enum { RTSP_PLAYBACKS_MAX = 32 };

typedef struct RtspPlaybacks RtspPlaybacks;

/* `data_dir` is asked for at each open: a copy for the caller to g_free, NULL: there is no site yet. thread of it: any loop. */
RtspPlaybacks *rtsp_playbacks_new (FeedPool *pool, char *(*data_dir) (gpointer data), gpointer data);
const RtspRecordings *rtsp_playbacks_recordings (const RtspPlaybacks *playbacks);

/* After the server's connections are gone. NULL is taken. */
void rtsp_playbacks_free (RtspPlaybacks *playbacks);
