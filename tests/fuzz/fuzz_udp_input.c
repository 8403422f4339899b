/* What may arrive at a camera's UDP ports: packets of a byte that says track and kind, a byte of size, and so many bytes. */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipelines/rtp/reception.h"
#include "pipelines/rtp/udp_input.h"
#include "tests/fuzz/fuzz_target.h"

typedef struct {
  Loop *loop;
  int fd;
  const uint8_t *bytes;
  size_t size;
  Stream *stream;
  TrackList tracks;
} Input;

static gssize on_message (const guint8 *bytes, gsize size, gpointer data)
{
  (void) bytes, (void) data;
  return (gssize) size;
}

static void on_first_packet (gpointer data)
{
  Input *input = data;
  stream_begin (input->stream, track_list_copy (&input->tracks));
}

static void nothing (gpointer data)
{
  (void) data;
}

/* A report of what came; its lengths must fit. */
static void report (Reception *reception, const guint8 *packet, gsize size, gboolean is_rtcp, gint64 now_us)
{
  guint8 bytes[RECEPTION_REPORT_MAX];
  g_autofree guint8 *copy = g_malloc (MAX (size, 1)); /* of its exact size */
  memcpy (copy, packet, size);
  if (is_rtcp)
    reception_rtcp (reception, copy, size, now_us);
  else if (size >= 12)
    reception_packet (reception, copy, now_us);
  g_assert (reception_write (reception, 1, "name", now_us, bytes) <= sizeof bytes);
}

static void feed (UdpInput *udp, Receiver *receiver, const Input *input)
{
  Reception reception;
  reception_init (&reception, 90000);
  for (size_t at = 0; at + 2 <= input->size;) {
    const uint8_t *packet = input->bytes + at + 2;
    size_t size = MIN (input->bytes[at + 1], input->size - at - 2);
    gboolean is_rtcp = input->bytes[at] & 1;
    memcpy (receiver_room (receiver), packet, size);
    udp_input_take (udp, input->bytes[at] >> 1 & 1, is_rtcp, size);
    report (&reception, packet, size, is_rtcp, loop_now_us (input->loop) + (gint64) at * 1000);
    at += 2 + size;
  }
}

static void arrive (gpointer data)
{
  static const ReceiverEvents events = { on_message, on_first_packet, nothing, nothing };
  Input *input = data;
  input->stream = stream_new (input->loop, "camera", "main");
  input->tracks = (TrackList){ .count = 2 };
  input->tracks.tracks[0] = (Track){ MEDIUM_VIDEO, CODEC_H264, 96, 90000, 1, (char *) "H264", (char *) "", (char *) "" };
  input->tracks.tracks[1] = (Track){ MEDIUM_AUDIO, CODEC_PCMA, 8, 8000, 1, (char *) "PCMA", (char *) "", (char *) "" };
  Receiver *receiver = receiver_new (input->stream, &events, input);
  receiver_set_tracks (receiver, &input->tracks);
  for (guint8 i = 0; i < 4; i++)
    receiver_map (receiver, i, i);
  UdpInput *udp = udp_input_new (input->loop, receiver, input->fd, "camera", NULL);
  feed (udp, receiver, input);
  receiver_end_turn (receiver);
  udp_input_free (udp);
  receiver_free (receiver);
  stream_free (input->stream);
  g_assert (block_pool_used (loop_blocks (input->loop)) == 0);
}

/* Connected to itself, so that it has both addresses. */
static int open_socket (void)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  int fd = socket (AF_INET, SOCK_DGRAM, 0);
  g_assert (bind (fd, (struct sockaddr *) &address, size) == 0);
  getsockname (fd, (struct sockaddr *) &address, &size);
  g_assert (connect (fd, (struct sockaddr *) &address, size) == 0);
  return fd;
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  static Input input;
  if (input.loop == NULL) {
    input.loop = loop_new (NULL);
    input.fd = open_socket ();
  }
  input.bytes = bytes;
  input.size = size;
  loop_call (input.loop, arrive, &input);
  return 0;
}
