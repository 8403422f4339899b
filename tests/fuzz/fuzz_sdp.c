/* What a camera's DESCRIBE may bring, and what may be served of it. */
#include <string.h>

#include "pipelines/rtp/sprop.h"
#include "pipelines/rtsp/sdp.h"
#include "tests/fuzz/fuzz_target.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TrackList) tracks = sdp_read ((const char *) bytes, size, "rtsp://camera/stream", &error);
  int video = tracks != NULL ? track_list_video (tracks) : -1;
  if (video >= 0) {
    Sprop sprop;
    int width, height;
    sprop_init (&sprop, &tracks->tracks[video]);
    sprop_picture_size (&sprop, &width, &height);
    g_autofree char *format = sprop_format (&sprop, tracks->tracks[video].format);
    g_autofree char *served = sdp_write (tracks, format);
    g_autoptr (TrackList) again = sdp_read (served, strlen (served), "rtsp://gateway/live", NULL);
    g_assert (again != NULL && track_list_fits (tracks, again)); /* viewers read what the camera said */
  }
  return 0;
}
