/* media_rtsp.h: the RTSP server's part of the media process: where it listens, and gridgate's word on who may play.
 *
 * thread: main. */
#pragma once

#include "pipelines/media_control.h"

/* For rtsp_server_new, with the Media as data. */
extern const RtspServerHandlers media_rtsp_handlers;

/* Follows SITE_BEGIN. With an error, of the first thing that went wrong, that stays as it was. */
gboolean media_rtsp_apply (Media *media, const LinkMessage *request, GError **error);

/* Tells gridgate what strains the process and who was refused, if that has changed, or `always`. */
void media_rtsp_tell_load (Media *media, gboolean always);

void media_rtsp_clear (MediaRtsp *rtsp);
