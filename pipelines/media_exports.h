/* media_exports.h: stretches of recordings as files, for gridgate: two at a time, each on a thread, into pipes that gridgate reads.
 *
 * Each keeps what it still has to send from retention (recording_pins.h). A client that takes less than 32 KB/s over a minute, or
 * half a day in all, is ended: it would keep the place from others.
 *
 * thread: main, unless a function says otherwise. */
#pragma once

#include "pipelines/media_control.h"

enum { EXPORTS_MAX = 2 };

typedef struct MediaExports MediaExports;

MediaExports *media_exports_new (Media *media);

/* EXPORT_OPEN; takes `request`. `data_dir` NULL: there is no site yet. */
void media_exports_open (MediaExports *exports, LinkMessage *request, const char *data_dir);

/* Ends that viewer's (NULL: all). Whether there was any. */
gboolean media_exports_cancel (MediaExports *exports, const char *viewer, const char *reason);

/* Adds the body of a VIEWER_STARTED (json_t) for each. */
void media_exports_list (MediaExports *exports, GPtrArray *bodies);

/* Ends all and waits for them. NULL is taken. */
void media_exports_free (MediaExports *exports);
