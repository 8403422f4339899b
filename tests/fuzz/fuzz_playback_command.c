/* What a browser says while it watches a recording. */
#include "pipelines/playback/playback_command.h"
#include "tests/fuzz/fuzz_target.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  g_autoptr (GError) error = NULL;
  PlaybackCommand command;
  if (!playback_command_parse ((const char *) bytes, size, &command, &error)) {
    g_assert (error != NULL);
    return 0;
  }
  g_assert (command.action <= PLAYBACK_SPEED);
  g_assert (command.action != PLAYBACK_SEEK || command.at_us >= 0);
  g_assert (command.action != PLAYBACK_SPEED || playback_speed_is_valid (command.speed));
  return 0;
}
