/* media_playback.h: recordings out of the media process: exports into a pipe, browsers on a WebSocket.
 *
 * A part of the media process. Exports have threads of their own, which wait for whoever reads the pipe; browsers live on the
 * last loop, which has the fewest cameras.
 *
 * thread: main. */
#pragma once

#include "pipelines/media_control.h"

enum { EXPORTS_MAX = 2, BROWSER_PLAYBACKS_MAX = 32 };

typedef struct MediaPlayback MediaPlayback;

/* Registers its part with `media`. */
MediaPlayback *media_playback_new (Media *media);

/* Rows of media_control's table; each takes `request` and sees that it is answered. */
void media_playback_export (Media *media, LinkMessage *request); /* EXPORT_OPEN */
void media_playback_watch (Media *media, LinkMessage *request);  /* PLAYBACK_SOCKET */

/* Ends exports and viewers, and waits for what is being read, while the loops still run. NULL is taken. */
void media_playback_free (MediaPlayback *playback);
