/* rtsp_path.h: what a request's URI names: /live/CAMERA[/sub][/trackID=N][?token=…], or
 * /playback/CAMERA[/sub]?from=TIME[&to=TIME][&reason=WHY].
 *
 * thread: any. */
#pragma once

#include <glib.h>

typedef struct {
  char *camera;
  const char *stream; /* static: "main" or "sub" */
  int track;          /* -1: none named */
  gboolean is_playback;
  gint64 from_us, to_us; /* wall; -1: not named */
  char *token;        /* NULL: none */
  char *reason;       /* UTF-8; NULL: none */
  char *base;         /* the URI up to the stream, without track and query */
} RtspPath;

/* FALSE when it names nothing that we could have. */
gboolean rtsp_path_parse (const char *uri, RtspPath *path);
void rtsp_path_clear (RtspPath *path);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RtspPath, rtsp_path_clear)
