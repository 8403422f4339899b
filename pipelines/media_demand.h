/* media_demand.h: what is demanded of the streams besides RTSP: recording, browsers, clips and key pictures.
 *
 * A part of the media process: it follows the desired state as a MediaPart and handles some kinds of the link's messages.
 *
 * thread: main. */
#pragma once

#include "pipelines/media_control.h"

typedef struct MediaDemand MediaDemand;

/* Registers its part with `media`. */
MediaDemand *media_demand_new (Media *media);

/* Rows of media_control's table; each takes `request` and sees that it is answered. */
void media_demand_view (Media *media, LinkMessage *request);    /* VIEWER_SOCKET */
void media_demand_cut (Media *media, LinkMessage *request);     /* CLIP_CUT */
void media_demand_picture (Media *media, LinkMessage *request); /* PICTURE_TAKE */
void media_demand_list (Media *media, LinkMessage *request);    /* RECORDINGS_LIST DELETIONS_LIST DELETIONS_DAY */

/* All streams must be closed. Ends the files and whatever is being cut; NULL is taken. */
void media_demand_free (MediaDemand *demand);
