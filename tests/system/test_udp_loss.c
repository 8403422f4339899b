/* A camera that we did not write, GStreamer's server, over UDP through a network that loses, doubles and reorders: what is
 * lost is counted exactly, what is late is put in order, nothing leaves twice. */
#include <string.h>

#include "pipelines/rtsp/camera_source.h"
#include "tests/support/folder.h"
#include "tests/support/process.h"
#include "tests/support/test.h"
#include "tests/support/udp_relay.h"

enum { WAIT_S = 30, PACKETS = 4000, HEADER = 4 };

typedef struct {
  StreamTap tap; /* first */
  char *folder;
  int port;
  Process *server;
  UdpRelay *relay;
  Loop *loop;
  Resolver *resolver;
  Stream *stream;
  CameraSource *source;
  GMutex mutex; /* guards what follows */
  guint packets, gaps, disorder;
  gboolean has_sequence;
  guint16 sequence;
  guint64 lost, malformed;
} Bench;

static void on_started (StreamTap *tap, const TrackList *tracks)
{
  (void) tap, (void) tracks;
}

static void on_ended (StreamTap *tap, const char *reason)
{
  (void) tap, (void) reason;
}

static void see_packet (Bench *bench, const guint8 *packet)
{
  guint16 sequence = (guint16) (packet[2] << 8 | packet[3]);
  gint16 step = (gint16) (sequence - bench->sequence);
  bench->packets++;
  if (bench->has_sequence && step > 1)
    bench->gaps += (guint) step - 1;
  bench->disorder += bench->has_sequence && step < 1;
  bench->has_sequence = TRUE;
  bench->sequence = sequence;
}

static void on_unit (StreamTap *tap, const Unit *unit)
{
  Bench *bench = (Bench *) tap;
  const guint8 *frame = unit->block->bytes + unit->offset, *end = frame + unit->size;
  g_mutex_lock (&bench->mutex);
  for (; frame < end; frame += HEADER + (frame[2] << 8 | frame[3]))
    if (frame[1] == 0)
      see_packet (bench, frame + HEADER);
  bench->lost = stream_counters (bench->stream)->lost_packets;
  bench->malformed = stream_counters (bench->stream)->malformed_packets;
  g_mutex_unlock (&bench->mutex);
}

static void on_changed (CameraSource *source, gpointer data)
{
  (void) source, (void) data;
}

static void open_source (gpointer data)
{
  Bench *bench = data;
  g_autofree char *url = g_strdup_printf ("rtsp://127.0.0.1:%u/cam", udp_relay_port (bench->relay));
  const CameraSettings settings = { .url = url, .is_udp = TRUE };
  bench->stream = stream_new (bench->loop, "cam", "main");
  bench->tap = (StreamTap){ on_started, on_unit, on_ended };
  stream_add_tap (bench->stream, &bench->tap);
  bench->source = camera_source_new (bench->stream, &settings, bench->resolver, on_changed, bench);
}

static void close_source (gpointer data)
{
  Bench *bench = data;
  stream_remove_tap (bench->stream, &bench->tap);
  camera_source_free (bench->source);
  stream_free (bench->stream);
}

/* Two megabits, so that a picture is several packets. */
static void make_file (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, "cam.mp4", NULL);
  assert_int_equal (process_run (folder, 60, NULL,
                                 (const char *[]){ "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=25", "-t", "60",
                                                   "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "0", "-b:v", "4M",
                                                   "-minrate", "4M", "-maxrate", "4M", "-bufsize", "4M", "-x264-params", "nal-hrd=cbr",
                                                   path, NULL }), 0);
}

static int setup (void **state)
{
  Bench *bench = *state = g_new0 (Bench, 1);
  bench->folder = folder_make_temporary ();
  bench->port = port_free ();
  g_mutex_init (&bench->mutex);
  make_file (bench->folder);
  g_autofree char *program = built_program ("tests/support/rtsp_file_server");
  g_autofree char *number = g_strdup_printf ("%d", bench->port);
  g_autofree char *camera = g_strdup_printf ("cam=%s/cam.mp4:h264", bench->folder);
  bench->server = process_start (bench->folder, (const char *[]){ program, number, camera, NULL });
  g_free (process_wait_for (bench->server, "ready", 20));
  bench->loop = loop_new (NULL);
  bench->resolver = resolver_new ();
  return 0;
}

static int teardown (void **state)
{
  Bench *bench = *state;
  loop_call (bench->loop, close_source, bench);
  resolver_free (bench->resolver);
  loop_free (bench->loop);
  udp_relay_free (bench->relay);
  process_free (bench->server);
  g_mutex_clear (&bench->mutex);
  folder_drop (bench->folder);
  g_free (bench);
  return 0;
}

static Bench look (Bench *bench)
{
  g_mutex_lock (&bench->mutex);
  Bench seen = *bench;
  g_mutex_unlock (&bench->mutex);
  return seen;
}

static gboolean has_enough (gpointer data)
{
  return look (data).packets >= PACKETS;
}

/* Some seconds after the harm has ended, nothing is under way any more. */
static gboolean has_some_more (gpointer data)
{
  return look (data).packets >= PACKETS + PACKETS / 4;
}

static void what_the_network_does_is_mended_or_counted (void **state)
{
  Bench *bench = *state;
  const UdpRelayHarm harm = { .seed = 20260501, .spare = 50, .loss = 0.01, .duplicate = 0.02, .reorder = 0.05,
                              .reorder_packets = 3, .reorder_ms = 30, .delay_ms = 0 };
  bench->relay = udp_relay_new (0, (guint16) bench->port, &harm);
  loop_call (bench->loop, open_source, bench);
  assert_true (wait_until (has_enough, bench, WAIT_S));
  udp_relay_end_harm (bench->relay);
  assert_true (wait_until (has_some_more, bench, WAIT_S));
  UdpRelayCounts done = udp_relay_counts (bench->relay);
  Bench seen = look (bench);
  assert_true (done.lost > 10 && done.doubled > 20 && done.reordered > 50);
  assert_int_equal (seen.disorder, 0); /* none twice, none out of order */
  assert_int_equal (seen.lost, done.lost);
  assert_int_equal (seen.gaps, done.lost);
  assert_int_equal (seen.malformed, 0);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (what_the_network_does_is_mended_or_counted, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
