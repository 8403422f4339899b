#include "pipelines/playback/playback_command.h"

#include <jansson.h>
#include <string.h>

#include "gateway/core/clock.h"
#include "gateway/core/error.h"

gboolean playback_speed_is_valid (double speed)
{
  return speed >= PLAYBACK_SPEED_MIN && speed <= PLAYBACK_SPEED_MAX;
}

static gboolean read_seek (json_t *object, PlaybackCommand *command, GError **error)
{
  const char *at = json_string_value (json_object_get (object, "at"));
  if (at == NULL || !time_from_rfc3339 (at, &command->at_us) || command->at_us < 0)
    return error_set (error, ERROR_REFUSE, "seek needs \"at\", a time such as 2026-05-01T08:00:00Z");
  return TRUE;
}

static gboolean read_speed (json_t *object, PlaybackCommand *command, GError **error)
{
  json_t *value = json_object_get (object, "value");
  command->speed = json_number_value (value);
  if (!json_is_number (value) || !playback_speed_is_valid (command->speed))
    return error_set (error, ERROR_REFUSE, "speed needs \"value\", a number from 0.25 to 16");
  return TRUE;
}

static gboolean read_command (json_t *object, PlaybackCommand *command, GError **error)
{
  static const char *const actions[] = { "pause", "play", "seek", "speed" };
  const char *action = json_string_value (json_object_get (object, "action"));
  for (guint i = 0; action != NULL && i < G_N_ELEMENTS (actions); i++) {
    if (strcmp (action, actions[i]) != 0)
      continue;
    *command = (PlaybackCommand){ .action = (PlaybackAction) i };
    if (command->action == PLAYBACK_SEEK)
      return read_seek (object, command, error);
    return command->action != PLAYBACK_SPEED || read_speed (object, command, error);
  }
  return error_set (error, ERROR_REFUSE, "\"action\" must be pause, play, seek or speed");
}

gboolean playback_command_parse (const char *text, gsize size, PlaybackCommand *command, GError **error)
{
  json_t *object = json_loadb (text, size, JSON_REJECT_DUPLICATES, NULL);
  gboolean is_good = json_is_object (object) ? read_command (object, command, error)
                                             : error_set (error, ERROR_REFUSE, "a command is one JSON object");
  json_decref (object);
  return is_good;
}
