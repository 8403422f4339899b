/* media_playback.h: recordings out of the media process: exports (media_exports.h), browsers on a WebSocket, RTSP.
 *
 * A part of the media process. Browsers live on the last loop, which has the fewest cameras.
 *
 * thread: main. */
#pragma once

#include "pipelines/media_control.h"

enum { BROWSER_PLAYBACKS_MAX = 32 };

typedef struct MediaPlayback MediaPlayback;

/* Registers its part with `media`. */
MediaPlayback *media_playback_new (Media *media);

/* Rows of media_control's table; each takes `request` and sees that it is answered. */
void media_playback_export (Media *media, LinkMessage *request); /* EXPORT_OPEN */
void media_playback_watch (Media *media, LinkMessage *request);  /* PLAYBACK_SOCKET */

/* Ends exports and viewers, and waits for what is being read, while the loops still run. NULL is taken. */
void media_playback_free (MediaPlayback *playback);
