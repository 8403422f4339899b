/* What a camera's connection may carry once it plays: packets, reports, messages, garbage. The first byte chooses the codec
 * and the size of the reads. */
#include <sys/socket.h>
#include <unistd.h>

#include "pipelines/rtp/receiver.h"
#include "pipelines/rtsp/player.h"
#include "pipelines/rtsp/rtsp_message.h"
#include "tests/fuzz/fuzz_target.h"

typedef struct {
  Stream *stream;
  TrackList tracks;
} Camera;

static gssize on_message (const guint8 *bytes, gsize size, gpointer data)
{
  (void) data;
  g_autoptr (GstRTSPMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  gsize used;
  switch (rtsp_message_parse (bytes, size, RTSP_BODY_MAX, &message, &used, &error)) {
  case RTSP_MORE:
    return 0;
  case RTSP_BROKEN:
    return RECEIVER_STOP;
  case RTSP_WHOLE:
    break;
  }
  return (gssize) used;
}

static void on_first_packet (gpointer data)
{
  Camera *camera = data;
  stream_begin (camera->stream, track_list_copy (&camera->tracks));
}

static void nothing (gpointer data)
{
  (void) data;
}

static void on_player_ended (const char *reason, gpointer data)
{
  (void) reason, (void) data;
}

static void feed (Receiver *receiver, const int fds[2], const uint8_t *bytes, size_t size, size_t step)
{
  gboolean goes_on = TRUE;
  Wire wire = { .fd = fds[0] };
  for (size_t at = 0; at < size && goes_on; at += step) {
    g_autoptr (GError) error = NULL;
    size_t part = MIN (step, size - at);
    if (send (fds[1], bytes + at, part, MSG_DONTWAIT) != (ssize_t) part)
      return;
    goes_on = receiver_read (receiver, &wire, &error);
  }
}

/* A viewer that wants the audio alone, so that filtering walks all units too. */
static void add_viewer (Player *player, Outlet *outlet, Stream *stream, const TrackList *tracks, Wire *wire)
{
  outlet_init (outlet, wire, &outlet_limits_default, nothing, NULL);
  player_init (player, stream, tracks, outlet, on_player_ended, NULL);
  player_set_up (player, 1, 4, 5);
  player_start (player);
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  static const ReceiverEvents events = { on_message, on_first_packet, nothing, nothing };
  static Loop *loop; /* its thread is not used */
  int fds[2], viewer_fds[2];
  if (size < 2 || socketpair (AF_UNIX, SOCK_STREAM, 0, fds) != 0 || socketpair (AF_UNIX, SOCK_STREAM, 0, viewer_fds) != 0)
    return 0;
  if (loop == NULL)
    loop = loop_new (NULL);
  Camera camera = { .stream = stream_new (loop, "camera", "main"), .tracks = { .count = 2 } };
  camera.tracks.tracks[0] = (Track){ MEDIUM_VIDEO, bytes[0] & 1 ? CODEC_H265 : CODEC_H264, 96, 90000, 1, (char *) "H26x",
                                     (char *) "", (char *) "" };
  camera.tracks.tracks[1] = (Track){ MEDIUM_AUDIO, CODEC_PCMA, 8, 8000, 1, (char *) "PCMA", (char *) "", (char *) "" };
  Receiver *receiver = receiver_new (camera.stream, &events, &camera);
  receiver_set_tracks (receiver, &camera.tracks);
  for (guint8 i = 0; i < 4; i++)
    receiver_map (receiver, i, i);
  Player player;
  Outlet outlet;
  Wire wire = { .fd = viewer_fds[1] };
  add_viewer (&player, &outlet, camera.stream, &camera.tracks, &wire);

  feed (receiver, fds, bytes + 1, size - 1, 1 + (size_t) (bytes[0] >> 1) * 37);
  receiver_flush (receiver);

  player_finish (&player);
  outlet_finish (&outlet);
  receiver_free (receiver);
  stream_free (camera.stream);
  g_assert (block_pool_used (loop_blocks (loop)) == 0);
  for (int i = 0; i < 2; i++) {
    close (fds[i]);
    close (viewer_fds[i]);
  }
  return 0;
}
