#include "tests/unit/record/sample_stream.h"

#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <string.h>

#include "pipelines/live/assembler.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

enum { PAYLOAD_MAX = 1200, VIDEO_TYPE = 96, AUDIO_TYPE = 97, PCMA_TYPE = 8 };

typedef struct {
  SampleStream *stream;
  guint16 sequence[2];
  guint32 base[2]; /* RTP time of presentation time 0 */
  gboolean is_h265;
  gint64 start_wall_us;
} Packetizer;

static void packet_free (SamplePacket *packet)
{
  g_bytes_unref (packet->bytes);
  g_free (packet);
}

static void add_packet (Packetizer *packetizer, guint track, guint32 time, gint64 wall_us, gboolean has_marker,
                        gboolean is_key, const guint8 *head, gsize head_size, const guint8 *body, gsize body_size)
{
  guint8 type = track == 0 ? VIDEO_TYPE : packetizer->stream->tracks->tracks[1].payload_type;
  guint16 sequence = packetizer->sequence[track]++;
  guint8 rtp[12] = { 0x80, (guint8) (type | (has_marker ? 0x80 : 0)), (guint8) (sequence >> 8), (guint8) sequence,
                     (guint8) (time >> 24), (guint8) (time >> 16), (guint8) (time >> 8), (guint8) time, 1, 2, 3,
                     (guint8) track };
  GByteArray *bytes = g_byte_array_new ();
  g_byte_array_append (bytes, rtp, 12);
  g_byte_array_append (bytes, head, (guint) head_size);
  g_byte_array_append (bytes, body, (guint) body_size);
  SamplePacket *packet = g_new (SamplePacket, 1);
  *packet = (SamplePacket){ track, is_key, has_marker, wall_us, g_byte_array_free_to_bytes (bytes) };
  g_ptr_array_add (packetizer->stream->packets, packet);
}

static void add_nal (Packetizer *packetizer, const guint8 *nal, gsize size, guint32 time, gint64 wall_us, gboolean is_last,
                     gboolean is_key)
{
  gsize head = packetizer->is_h265 ? 2 : 1;
  if (size <= PAYLOAD_MAX) {
    add_packet (packetizer, 0, time, wall_us, is_last, is_key, NULL, 0, nal, size);
    return;
  }
  for (gsize at = head; at < size; at += PAYLOAD_MAX) {
    gsize part = MIN (PAYLOAD_MAX, size - at);
    guint8 bits = (guint8) ((at == head ? 0x80 : 0) | (at + part == size ? 0x40 : 0));
    guint8 h264[2] = { (guint8) ((nal[0] & 0xe0) | 28), (guint8) (bits | (nal[0] & 31)) };
    guint8 h265[3] = { (guint8) ((nal[0] & 0x81) | 49 << 1), nal[1], (guint8) (bits | (nal[0] >> 1 & 63)) };
    add_packet (packetizer, 0, time, wall_us, is_last && at + part == size, is_key && at == head,
                packetizer->is_h265 ? h265 : h264, head + 1, nal + at, part);
  }
}

static const guint8 *next_start (const guint8 *bytes, const guint8 *end)
{
  while (bytes + 3 <= end && memcmp (bytes, "\0\0\1", 3) != 0)
    bytes++;
  return bytes + 3 <= end ? bytes : end;
}

static void add_picture (Packetizer *packetizer, const AVPacket *picture)
{
  const guint8 *end = picture->data + picture->size;
  guint32 time = packetizer->base[0] + (guint32) picture->pts;
  gint64 wall_us = packetizer->start_wall_us + picture->pts * 1000 / 90;
  gboolean is_key = picture->flags & AV_PKT_FLAG_KEY;

  for (const guint8 *at = next_start (picture->data, end); at < end;) {
    const guint8 *nal = at + 3, *next = next_start (nal, end), *stop = next;
    while (next < end && stop > nal && stop[-1] == 0)
      stop--;
    add_nal (packetizer, nal, (gsize) (stop - nal), time, wall_us, next == end, is_key);
    is_key = FALSE;
    at = next;
  }
  gint64 pts = picture->pts;
  g_array_append_val (packetizer->stream->video_pts, pts);
  packetizer->stream->video_units++;
}

static void add_audio (Packetizer *packetizer, const AVPacket *frame, SampleAudio audio, guint rate)
{
  guint32 time = packetizer->base[1] + (guint32) frame->pts;
  gint64 wall_us = packetizer->start_wall_us + frame->pts * G_USEC_PER_SEC / rate;
  guint8 head[4] = { 0, 16, (guint8) (frame->size >> 5), (guint8) (frame->size << 3) };
  if (audio == SAMPLE_AAC) {
    add_packet (packetizer, 1, time, wall_us, TRUE, FALSE, head, 4, frame->data, (gsize) frame->size);
  } else {
    for (int at = 0; at < frame->size; at += 160)
      add_packet (packetizer, 1, time + (guint32) at, wall_us + at * 125, TRUE, FALSE, NULL, 0, frame->data + at,
                  (gsize) MIN (160, frame->size - at));
  }
  packetizer->stream->audio_units++;
}

static void make_file (const char *path, const char *encoder, SampleAudio audio, guint seconds)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *sound
    = audio == SAMPLE_SILENT
        ? g_strdup ("")
        : g_strdup_printf ("-f lavfi -i sine=frequency=440:sample_rate=%d:duration=%u", audio == SAMPLE_AAC ? 48000 : 8000,
                           seconds);
  g_autofree char *command
    = g_strdup_printf ("ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=size=320x240:rate=25:duration=%u %s -c:v %s "
                       "-pix_fmt yuv420p %s -video_track_timescale 90000 %s",
                       seconds, sound, encoder,
                       audio == SAMPLE_AAC    ? "-c:a aac"
                       : audio == SAMPLE_PCMA ? "-c:a pcm_alaw"
                                              : "",
                       path);
  int status;
  gboolean is_good = g_spawn_command_line_sync (command, NULL, NULL, &status, &error) && status == 0;
  if (!is_good)
    fail_msg ("%s failed: %s", command, error != NULL ? error->message : "see above");
}

static void describe_video (Track *track, gboolean is_h265)
{
  *track = (Track){ .medium = MEDIUM_VIDEO, .codec = is_h265 ? CODEC_H265 : CODEC_H264, .payload_type = VIDEO_TYPE,
                    .clock_rate = 90000, .encoding = g_strdup (is_h265 ? "H265" : "H264"), .format = g_strdup (""),
                    .control = g_strdup ("") };
}

static void describe_audio (Track *track, const AVCodecParameters *parameters, SampleAudio audio)
{
  GString *format = g_string_new (NULL);
  if (audio == SAMPLE_AAC) {
    g_string_append (format, "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;"
                             "indexdeltalength=3;config=");
    for (int i = 0; i < parameters->extradata_size; i++)
      g_string_append_printf (format, "%02X", parameters->extradata[i]);
  }
  *track = (Track){ .medium = MEDIUM_AUDIO, .codec = audio == SAMPLE_AAC ? CODEC_AAC : CODEC_PCMA,
                    .payload_type = audio == SAMPLE_AAC ? AUDIO_TYPE : PCMA_TYPE,
                    .clock_rate = (guint32) parameters->sample_rate, .channels = 1,
                    .encoding = g_strdup (audio == SAMPLE_AAC ? "MPEG4-GENERIC" : "PCMA"),
                    .format = g_string_free (format, FALSE), .control = g_strdup ("") };
}

/* Pictures leave the filter as Annex B, with the parameter sets in front of each key picture. */
static void packetize (Packetizer *packetizer, AVFormatContext *file, SampleAudio audio)
{
  const AVBitStreamFilter *filter = av_bsf_get_by_name (packetizer->is_h265 ? "hevc_mp4toannexb" : "h264_mp4toannexb");
  AVBSFContext *annex_b;
  AVPacket *packet = av_packet_alloc ();

  assert_true (av_bsf_alloc (filter, &annex_b) >= 0);
  avcodec_parameters_copy (annex_b->par_in, file->streams[0]->codecpar);
  annex_b->time_base_in = file->streams[0]->time_base;
  assert_true (av_bsf_init (annex_b) >= 0);
  while (av_read_frame (file, packet) >= 0) {
    av_packet_rescale_ts (packet, file->streams[packet->stream_index]->time_base,
                          packet->stream_index == 0 ? (AVRational){ 1, 90000 }
                                                    : (AVRational){ 1, file->streams[1]->codecpar->sample_rate });
    if (packet->stream_index != 0) {
      add_audio (packetizer, packet, audio, (guint) file->streams[1]->codecpar->sample_rate);
      av_packet_unref (packet);
      continue;
    }
    assert_true (av_bsf_send_packet (annex_b, packet) >= 0);
    while (av_bsf_receive_packet (annex_b, packet) >= 0) {
      add_picture (packetizer, packet);
      av_packet_unref (packet);
    }
  }
  av_packet_free (&packet);
  av_bsf_free (&annex_b);
}

SampleStream *sample_stream_make (const char *encoder, SampleAudio audio, guint seconds, gint64 start_wall_us)
{
  char *folder = folder_make_temporary ();
  g_autofree char *path = g_build_filename (folder, audio == SAMPLE_PCMA ? "sample.mov" : "sample.mp4", NULL);
  AVFormatContext *file = NULL;

  make_file (path, encoder, audio, seconds);
  assert_true (avformat_open_input (&file, path, NULL, NULL) >= 0);
  assert_true (avformat_find_stream_info (file, NULL) >= 0);
  SampleStream *stream = g_new0 (SampleStream, 1);
  stream->packets = g_ptr_array_new_with_free_func ((GDestroyNotify) packet_free);
  stream->video_pts = g_array_new (FALSE, FALSE, sizeof (gint64));
  stream->tracks = g_new0 (TrackList, 1);
  stream->tracks->sdp = g_strdup ("");
  stream->tracks->count = audio == SAMPLE_SILENT ? 1 : 2;
  Packetizer packetizer = { .stream = stream, .sequence = { 65500, 100 }, .base = { 0xfffff000, 0x12345678 },
                            .is_h265 = strstr (encoder, "265") != NULL, .start_wall_us = start_wall_us };
  describe_video (&stream->tracks->tracks[0], packetizer.is_h265);
  if (audio != SAMPLE_SILENT)
    describe_audio (&stream->tracks->tracks[1], file->streams[1]->codecpar, audio);
  packetize (&packetizer, file, audio);
  avformat_close_input (&file);
  folder_drop (folder);
  return stream;
}

void sample_stream_free (SampleStream *stream)
{
  if (stream == NULL)
    return;
  g_ptr_array_unref (stream->packets);
  g_array_unref (stream->video_pts);
  track_list_free (stream->tracks);
  g_free (stream);
}

static void publish (const SampleStream *sample, Stream *stream, guint from, guint to)
{
  Loop *loop = stream_loop (stream);
  Block *block = block_new (loop_blocks (loop));
  const SamplePacket *first = sample->packets->pdata[from], *last = sample->packets->pdata[to - 1];
  Unit unit = { .block = block, .packets = (guint16) (to - from), .is_random_access = first->is_key,
                .ends_access_unit = last->has_marker && last->track == 0, .arrival_us = loop_now_us (loop),
                .wall_us = first->wall_us };
  for (guint i = from; i < to; i++) {
    const SamplePacket *packet = sample->packets->pdata[i];
    gsize size;
    const guint8 *bytes = g_bytes_get_data (packet->bytes, &size);
    memcpy (block->bytes + unit.size,
            (guint8[]){ '$', (guint8) (2 * packet->track), (guint8) (size >> 8), (guint8) size }, 4);
    memcpy (block->bytes + unit.size + 4, bytes, size);
    unit.size += 4 + (guint32) size;
  }
  stream_publish (stream, &unit);
  block_unref (block);
}

void sample_stream_feed (const SampleStream *sample, Stream *stream, guint from, guint to)
{
  guint picture = 0, start = 0;
  gsize bytes = 0;
  for (guint i = 0; i < sample->packets->len && picture < to; i++) {
    const SamplePacket *packet = sample->packets->pdata[i];
    gboolean is_video_end = packet->track == 0 && packet->has_marker;
    bytes += g_bytes_get_size (packet->bytes) + 4;
    if (!packet->has_marker && bytes < 48 * 1024)
      continue;
    if (picture >= from)
      publish (sample, stream, start, i + 1);
    picture += is_video_end;
    start = i + 1;
    bytes = 0;
  }
}

void assert_plays (const char *path)
{
  const char *command[] = { "ffmpeg", "-nostdin", "-v", "warning", "-xerror", "-i", path, "-f", "null", "-", NULL };
  g_autofree char *said = NULL;
  int status = -1;
  g_spawn_sync (NULL, (char **) command, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, &said, &status, NULL);
  if (status != 0 || (said != NULL && *said != '\0'))
    fail_msg ("ffmpeg does not play %s: %s", path, said);
}

static int compare_times (gconstpointer a, gconstpointer b)
{
  gint64 one = *(const gint64 *) a, other = *(const gint64 *) b;
  return one < other ? -1 : one > other;
}

FileFacts file_facts (const char *path)
{
  FileFacts facts = { .video_pts_us = g_array_new (FALSE, FALSE, sizeof (gint64)) };
  AVFormatContext *file = NULL;
  AVPacket *packet = av_packet_alloc ();
  gint64 last_dts[2] = { G_MININT64, G_MININT64 };

  assert_true (avformat_open_input (&file, path, NULL, NULL) >= 0);
  assert_true (avformat_find_stream_info (file, NULL) >= 0);
  facts.duration_us = MAX (file->duration, 0);
  while (av_read_frame (file, packet) >= 0) {
    AVStream *stream = file->streams[packet->stream_index];
    gboolean is_video = stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO;
    assert_true (packet->dts > last_dts[is_video]);
    last_dts[is_video] = packet->dts;
    gint64 pts_us = av_rescale_q (packet->pts, stream->time_base, (AVRational){ 1, 1000000 });
    if (is_video)
      g_array_append_val (facts.video_pts_us, pts_us);
    facts.video += is_video;
    facts.audio += !is_video;
    facts.keys += is_video && packet->flags & AV_PKT_FLAG_KEY;
    av_packet_unref (packet);
  }
  av_packet_free (&packet);
  avformat_close_input (&file);
  g_array_sort (facts.video_pts_us, compare_times);
  if (facts.video > 0) {
    facts.first_us = g_array_index (facts.video_pts_us, gint64, 0);
    facts.last_us = g_array_index (facts.video_pts_us, gint64, facts.video - 1);
  }
  return facts;
}

void file_facts_clear (FileFacts *facts)
{
  g_array_unref (facts->video_pts_us);
}

typedef struct {
  AssemblerSink sink;
  const SampleStream *sample;
  Loop *loop;
  GPtrArray *units;
} Collection;

static void collect_unit (AssemblerSink *sink, AccessUnit *unit)
{
  Collection *collection = (Collection *) ((char *) sink - G_STRUCT_OFFSET (Collection, sink));
  g_ptr_array_add (collection->units, access_unit_ref (unit));
}

static void ignore_end (AssemblerSink *sink, const char *reason)
{
  (void) sink;
  (void) reason;
}

static void collect_on_loop (gpointer data)
{
  Collection *collection = data;
  Stream *stream = stream_new (collection->loop, "bridge", "main");
  Assembler *assembler = assembler_new (stream);
  collection->sink = (AssemblerSink){ .unit = collect_unit, .ended = ignore_end };
  assembler_add_sink (assembler, &collection->sink);
  stream_begin (stream, track_list_copy (collection->sample->tracks));
  sample_stream_feed (collection->sample, stream, 0, G_MAXUINT);
  assembler_remove_sink (assembler, &collection->sink);
  assembler_free (assembler);
  stream_free (stream);
}

GPtrArray *sample_stream_units (const SampleStream *sample)
{
  Collection collection = { .sample = sample, .loop = loop_new (NULL),
                            .units = g_ptr_array_new_with_free_func ((GDestroyNotify) access_unit_unref) };
  loop_call (collection.loop, collect_on_loop, &collection);
  loop_free (collection.loop);
  return collection.units;
}
