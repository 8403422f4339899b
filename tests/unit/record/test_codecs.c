/* Sound and picture as real payloaders send them (GStreamer's), through the session description, depacketizers and fragments
 * into a file that ffmpeg plays; and what is heard is the tone that was sent. */
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/sdp/gstsdpmessage.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/live/assembler.h"
#include "pipelines/live/fragment.h"
#include "pipelines/live/init_segment.h"
#include "pipelines/live/sound_note.h"
#include "pipelines/record/segment_samples.h"
#include "pipelines/rtsp/sdp.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/record/sample_stream.h"

/* Encoders of strangers run here, and x265 leaks. What ours allocates is watched by the other tests of the same code. */
const char *__asan_default_options (void);

const char *__asan_default_options (void)
{
  return "detect_leaks=0";
}

enum { SECONDS = 2, TRACKS = 2 };

#define H264 "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! rtph264pay config-interval=-1"
#define H265 "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=25 log-level=none ! rtph265pay config-interval=-1"

typedef struct {
  guint track;
  gint64 time_us;
  GBytes *bytes;
} Packet;

typedef struct {
  GPtrArray *packets; /* of Packet, in order of time */
  TrackList *tracks;
} Camera;

typedef struct {
  AssemblerSink sink;
  const Camera *camera;
  Loop *loop;
  GPtrArray *units;
} Watch;

static void packet_free (Packet *packet)
{
  g_bytes_unref (packet->bytes);
  g_free (packet);
}

static gint by_time (gconstpointer a, gconstpointer b)
{
  const Packet *one = *(Packet *const *) a, *other = *(Packet *const *) b;
  return one->time_us < other->time_us ? -1 : one->time_us > other->time_us;
}

static void describe (GstSDPMessage *message, const GstCaps *caps)
{
  GstSDPMedia *media;
  gst_sdp_media_new (&media);
  assert_int_equal (gst_sdp_media_set_media_from_caps (caps, media), GST_SDP_OK);
  gst_sdp_media_set_port_info (media, 0, 1);
  gst_sdp_media_set_proto (media, "RTP/AVP");
  gst_sdp_message_add_media (message, media);
  gst_sdp_media_free (media);
}

static void pull_packets (Camera *camera, GstElement *pipeline, guint track, GstSDPMessage *message)
{
  g_autofree char *name = g_strdup_printf ("sink%u", track);
  GstElement *sink = gst_bin_get_by_name (GST_BIN (pipeline), name);
  GstSample *sample;
  gint64 first_us = -1; /* encoders begin anywhere */
  while ((sample = gst_app_sink_try_pull_sample (GST_APP_SINK (sink), 20 * GST_SECOND)) != NULL) {
    GstBuffer *buffer = gst_sample_get_buffer (sample);
    GstMapInfo map;
    gint64 time_us = (gint64) GST_BUFFER_PTS (buffer) / 1000;
    if (first_us < 0)
      describe (message, gst_sample_get_caps (sample));
    first_us = first_us < 0 ? time_us : first_us;
    assert_true (gst_buffer_map (buffer, &map, GST_MAP_READ));
    Packet *packet = g_new (Packet, 1);
    *packet = (Packet){ track, time_us - first_us, g_bytes_new (map.data, map.size) };
    g_ptr_array_add (camera->packets, packet);
    gst_buffer_unmap (buffer, &map);
    gst_sample_unref (sample);
  }
  assert_true (first_us >= 0);
  gst_object_unref (sink);
}

/* `audio` is an encoder and a payloader, of sound with `rate` and `channels`. */
static Camera camera_new (const char *video, const char *audio, guint rate, guint channels)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *line = g_strdup_printf (
    "videotestsrc num-buffers=%d ! video/x-raw,width=320,height=240,framerate=25/1 ! %s pt=96 ! appsink name=sink0 sync=false "
    "audiotestsrc num-buffers=%d samplesperbuffer=%u freq=440 volume=0.5 ! audio/x-raw,rate=%u,channels=%u ! audioconvert ! "
    "%s pt=97 ! appsink name=sink1 sync=false",
    SECONDS * 25, video, SECONDS * 50, rate / 50, rate, channels, audio);
  GstElement *pipeline = gst_parse_launch (line, &error);
  if (error != NULL)
    fail_msg ("%s: %s", line, error->message);
  Camera camera = { .packets = g_ptr_array_new_with_free_func ((GDestroyNotify) packet_free) };
  GstSDPMessage *message;
  gst_sdp_message_new (&message);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (guint track = 0; track < TRACKS; track++)
    pull_packets (&camera, pipeline, track, message);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  g_autofree char *text = gst_sdp_message_as_text (message);
  camera.tracks = sdp_read (text, strlen (text), "rtsp://camera/", &error);
  if (camera.tracks == NULL)
    fail_msg ("%s: %s", text, error->message);
  gst_sdp_message_free (message);
  g_ptr_array_sort (camera.packets, by_time);
  return camera;
}

static void camera_finish (Camera *camera)
{
  g_ptr_array_unref (camera->packets);
  track_list_free (camera->tracks);
}

static void keep_unit (AssemblerSink *sink, AccessUnit *unit)
{
  Watch *watch = (Watch *) ((char *) sink - G_STRUCT_OFFSET (Watch, sink));
  g_ptr_array_add (watch->units, access_unit_ref (unit));
}

static void ignore_end (AssemblerSink *sink, const char *reason)
{
  (void) sink, (void) reason;
}

static void publish (Stream *stream, const Packet *packet)
{
  gsize size;
  const guint8 *bytes = g_bytes_get_data (packet->bytes, &size);
  Block *block = block_new (loop_blocks (stream_loop (stream)));
  memcpy (block->bytes, (guint8[]){ '$', (guint8) (2 * packet->track), (guint8) (size >> 8), (guint8) size }, 4);
  memcpy (block->bytes + 4, bytes, size);
  Unit unit = { .block = block, .size = 4 + (guint32) size, .packets = 1, .is_random_access = TRUE,
                .ends_access_unit = packet->track == 0 && bytes[1] & 0x80, .wall_us = G_USEC_PER_SEC + packet->time_us };
  stream_publish (stream, &unit);
  block_unref (block);
}

/* thread: the loop's. */
static void watch_camera (gpointer data)
{
  Watch *watch = data;
  Stream *stream = stream_new (watch->loop, "bridge", "main");
  Assembler *assembler = assembler_new (stream);
  watch->sink = (AssemblerSink){ .unit = keep_unit, .ended = ignore_end };
  assembler_add_sink (assembler, &watch->sink);
  stream_begin (stream, track_list_copy (watch->camera->tracks));
  for (guint i = 0; i < watch->camera->packets->len; i++)
    publish (stream, watch->camera->packets->pdata[i]);
  AssemblerCounts counts = assembler_counts (assembler);
  assert_int_equal (counts.video.broken + counts.video.malformed + counts.audio.broken + counts.audio.malformed, 0);
  assembler_remove_sink (assembler, &watch->sink);
  assembler_free (assembler);
  stream_free (stream);
}

static GPtrArray *units_of (const Camera *camera)
{
  Watch watch = { .camera = camera, .loop = loop_new (NULL),
                  .units = g_ptr_array_new_with_free_func ((GDestroyNotify) access_unit_unref) };
  loop_call (watch.loop, watch_camera, &watch);
  loop_free (watch.loop);
  return watch.units;
}

static MediaFormat *format_of (const GPtrArray *units, Medium medium)
{
  for (guint i = 0; i < units->len; i++)
    if (((const AccessUnit *) units->pdata[i])->format->medium == medium)
      return ((const AccessUnit *) units->pdata[i])->format;
  fail_msg ("there is no medium %d", medium);
  return NULL;
}

static void write_file (const char *path, const GPtrArray *units)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) init = init_segment_new (format_of (units, MEDIUM_VIDEO), format_of (units, MEDIUM_AUDIO), &error);
  if (init == NULL)
    fail_msg ("%s", error->message);
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_byte_array_append (out, g_bytes_get_data (init, NULL), (guint) g_bytes_get_size (init));
  fragment_append (out, 1, units, 0);
  assert_true (g_file_set_contents (path, (const char *) out->data, out->len, NULL));
}

/* In dB, after the ffmpeg audio filter `filter`. */
static double volume (const char *path, const char *filter)
{
  g_autofree char *chain = g_strconcat (filter, "volumedetect", NULL);
  const char *command[] = { "ffmpeg", "-nostdin", "-hide_banner", "-i", path, "-vn", "-af", chain, "-f", "null", "-", NULL };
  g_autofree char *said = NULL;
  g_spawn_sync (NULL, (char **) command, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, &said, NULL, NULL);
  const char *mean = said != NULL ? strstr (said, "mean_volume: ") : NULL;
  if (mean == NULL)
    fail_msg ("ffmpeg: %s", said);
  return strtod (mean + strlen ("mean_volume: "), NULL);
}

/* Nearly all that is heard lies around 440 Hz: samples put together wrongly would be noise. */
static void assert_tone (const char *path)
{
  double all = volume (path, ""), tone = volume (path, "bandpass=f=440:width_type=h:w=80,");
  if (all < -20 || tone < all - 2)
    fail_msg ("%.1f dB in all, %.1f dB around 440 Hz", all, tone);
}

/* GStreamer's payloader packs 24 and 40 kbit/s otherwise than it says, so the camera's sound is replaced by what ffmpeg's
 * encoder wrote, 20 ms a packet, and told of in a description of its own. */
static void replace_by_g726 (Camera *camera, const char *encoding, const char *encoder, guint bits)
{
  g_autofree char *folder = folder_make_temporary (), *path = g_build_filename (folder, "sound", NULL);
  g_autofree char *command = g_strdup_printf ("ffmpeg -nostdin -v error -f lavfi -i sine=f=440:sample_rate=8000:duration=%d,volume=4"
                                              " -c:a %s -code_size %u -f %s %s", SECONDS, encoder, bits, encoder, path);
  g_autofree char *bytes = NULL;
  gsize size, step = 20 * bits;
  assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
  assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  for (guint i = camera->packets->len; i > 0; i--)
    if (((const Packet *) camera->packets->pdata[i - 1])->track == 1)
      g_ptr_array_remove_index (camera->packets, i - 1);
  for (guint32 n = 0; (n + 1) * step <= size; n++) {
    guint32 time = n * 160;
    guint8 head[12] = { 0x80, 97, (guint8) (n >> 8), (guint8) n, 0, (guint8) (time >> 16), (guint8) (time >> 8), (guint8) time };
    GByteArray *packet_bytes = g_byte_array_append (g_byte_array_append (g_byte_array_new (), head, sizeof head),
                                                    (const guint8 *) bytes + n * step, (guint) step);
    Packet *packet = g_new (Packet, 1);
    *packet = (Packet){ 1, n * 20000, g_byte_array_free_to_bytes (packet_bytes) };
    g_ptr_array_add (camera->packets, packet);
  }
  g_ptr_array_sort (camera->packets, by_time);
  g_free (camera->tracks->tracks[1].encoding);
  camera->tracks->tracks[1].encoding = g_strdup (encoding);
  g_autofree char *text = sdp_write (camera->tracks, NULL);
  track_list_free (camera->tracks);
  camera->tracks = sdp_read (text, strlen (text), "rtsp://camera/", NULL);
  folder_drop (g_steal_pointer (&folder));
}

static void check_camera (const Camera *camera, Codec codec, const char *codec_string)
{
  g_autofree char *folder = folder_make_temporary (), *path = g_build_filename (folder, "camera.mp4", NULL);
  assert_int_equal (camera->tracks->tracks[1].codec, codec);
  g_autoptr (GPtrArray) units = units_of (camera);
  assert_string_equal (format_of (units, MEDIUM_AUDIO)->codec_string, codec_string);
  write_file (path, units);
  assert_plays (path);
  FileFacts facts = file_facts (path);
  assert_in_range (facts.video, SECONDS * 25 - 1, SECONDS * 25);
  assert_in_range (facts.duration_us, (SECONDS - 1) * G_USEC_PER_SEC, (SECONDS + 1) * G_USEC_PER_SEC);
  file_facts_clear (&facts);
  assert_tone (path);
  folder_drop (g_steal_pointer (&folder));
}

static void check (const char *video, const char *audio, guint rate, guint channels, Codec codec, const char *codec_string)
{
  Camera camera = camera_new (video, audio, rate, channels);
  check_camera (&camera, codec, codec_string);
  camera_finish (&camera);
}

static void aac_in_its_two_modes_and_in_latm_is_carried (void **state)
{
  (void) state;
  check (H264, "avenc_aac ! aacparse ! rtpmp4gpay", 48000, 1, CODEC_AAC, "mp4a.40.2");
  check (H264, "avenc_aac ! aacparse ! rtpmp4apay", 16000, 1, CODEC_AAC, "mp4a.40.2");
  check (H265, "avenc_aac ! aacparse ! rtpmp4apay", 44100, 2, CODEC_AAC, "mp4a.40.2");
}

/* A recording is read again for playback: its sample entry must say what went in. */
static void opus_is_known_again_in_a_file (void **state)
{
  (void) state;
  g_autoptr (MediaFormat) sound = media_format_new_opus ();
  Camera camera = camera_new (H264, "opusenc ! rtpopuspay", 48000, 2);
  g_autoptr (GPtrArray) units = units_of (&camera);
  g_autoptr (GBytes) init = init_segment_new (format_of (units, MEDIUM_VIDEO), sound, NULL);
  gsize size;
  const guint8 *bytes = g_bytes_get_data (init, &size), *type = memmem (bytes, size, "Opus", 4);
  g_autoptr (GBytes) entry = g_bytes_new_from_bytes (init, (gsize) (type - 4 - bytes), type[-2] << 8 | type[-1]);
  g_autoptr (MediaFormat) again = sample_entry_format (entry, OPUS_HZ);
  assert_non_null (again);
  assert_int_equal (again->codec, CODEC_OPUS);
  assert_true (g_bytes_equal (again->header, sound->header));
  camera_finish (&camera);
}

static void opus_is_carried_as_it_is (void **state)
{
  (void) state;
  check (H264, "opusenc ! rtpopuspay", 48000, 2, CODEC_OPUS, "opus");
  check (H264, "opusenc frame-size=60 ! rtpopuspay", 16000, 1, CODEC_OPUS, "opus");
}

static void g711_becomes_aac (void **state)
{
  (void) state;
  check (H265, "alawenc ! rtppcmapay", 8000, 1, CODEC_PCMA, "mp4a.40.2");
  check (H264, "mulawenc ! rtppcmupay", 8000, 1, CODEC_PCMU, "mp4a.40.2");
}

static void g726_becomes_aac_in_each_rate_and_packing (void **state)
{
  (void) state;
  for (guint bits = 2; bits <= 5; bits++)
    for (guint aal2 = 0; aal2 < 2; aal2++) {
      Camera camera = camera_new (H264, "mulawenc ! rtppcmupay", 8000, 1);
      g_autofree char *encoding = g_strdup_printf ("%sG726-%u", aal2 ? "AAL2-" : "", bits * 8);
      replace_by_g726 (&camera, encoding, aal2 ? "g726" : "g726le", bits);
      check_camera (&camera, CODEC_G726, "mp4a.40.2");
      camera_finish (&camera);
    }
}

static void what_can_not_be_carried_is_told (void **state)
{
  (void) state;
  static const struct {
    const char *encoding;
    Codec codec;
    guint32 clock_rate;
    guint channels;
    const char *format, *note, *name;
  } cases[] = {
    { "PCMA", CODEC_PCMA, 8000, 1, "", "becomes_aac", "pcma" },
    { "L16", CODEC_PCM, 48000, 2, "", "becomes_aac", "pcm" },
    { "L16", CODEC_PCM, 48000, 6, "", "not_carried", "pcm" },
    { "PCMU", CODEC_PCMU, 9000, 1, "", "not_carried", "pcmu" },
    { "opus", CODEC_OPUS, 48000, 2, "", NULL, "opus" },
    { "MPEG4-GENERIC", CODEC_AAC, 16000, 1, "mode=AAC-hbr;config=1408", NULL, "aac" },
    { "MPEG4-GENERIC", CODEC_AAC, 16000, 1, "mode=CELP-vbr;config=1408", "not_carried", "aac" },
    { "MP4A-LATM", CODEC_AAC, 16000, 1, "cpresent=1", "not_carried", "aac" },
    { "G722", CODEC_UNKNOWN, 8000, 1, "", "not_carried", "g722" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    Track track = { .medium = MEDIUM_AUDIO, .codec = cases[i].codec, .payload_type = 97, .clock_rate = cases[i].clock_rate,
                    .channels = cases[i].channels, .encoding = (char *) cases[i].encoding, .format = (char *) cases[i].format };
    g_autofree char *name = sound_name (&track);
    assert_string_equal (name, cases[i].name);
    if (g_strcmp0 (sound_note (&track), cases[i].note) != 0)
      fail_msg ("%s: %s", cases[i].encoding, sound_note (&track));
  }
}

static void plain_samples_become_aac (void **state)
{
  (void) state;
  check (H264, "rtpL16pay", 44100, 2, CODEC_PCM, "mp4a.40.2");
  check (H264, "audio/x-raw,format=U8 ! rtpL8pay", 16000, 1, CODEC_PCM, "mp4a.40.2");
}

int main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (aac_in_its_two_modes_and_in_latm_is_carried),
    cmocka_unit_test (opus_is_carried_as_it_is),
    cmocka_unit_test (opus_is_known_again_in_a_file),
    cmocka_unit_test (g711_becomes_aac),
    cmocka_unit_test (g726_becomes_aac_in_each_rate_and_packing),
    cmocka_unit_test (plain_samples_become_aac),
    cmocka_unit_test (what_can_not_be_carried_is_told),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
