/* playback_command.h: what a browser says while it watches a recording: one JSON object in a text message.
 *
 * {"action":"pause"} {"action":"play"} {"action":"seek","at":TIME} {"action":"speed","value":NUMBER}
 *
 * thread: any. */
#pragma once

#include <glib.h>

#define PLAYBACK_SPEED_MIN 0.25
#define PLAYBACK_SPEED_MAX 16.0
#define PLAYBACK_SPEED_ALL_PICTURES 4.0 /* above it, key pictures alone */

typedef enum { PLAYBACK_PAUSE, PLAYBACK_PLAY, PLAYBACK_SEEK, PLAYBACK_SPEED } PlaybackAction;

typedef struct {
  PlaybackAction action;
  gint64 at_us;  /* seek: wall */
  double speed;  /* speed */
} PlaybackCommand;

gboolean playback_speed_is_valid (double speed);

/* ERROR_REFUSE with what is wrong. `text` need not end with a NUL. */
gboolean playback_command_parse (const char *text, gsize size, PlaybackCommand *command, GError **error);
