#include "pipelines/rtsp/player.h"

#include <string.h>

#include "pipelines/rtp/big_endian.h"
#include "pipelines/rtp/interleaved.h"

static void on_started (StreamTap *tap, const TrackList *tracks)
{
  Player *player = (Player *) tap;
  player->away_since_us = 0;
  if (!track_list_fits (player->tracks, tracks))
    player->ended ("the camera's tracks have changed", player->data);
}

static gsize frame_size (const guint8 *frame)
{
  return INTERLEAVED_HEADER + (read_16 (frame + 2));
}

/* Units share blocks: a viewer that is behind must not hold 128 KiB for each small one. */
static gboolean make_room (Player *player, guint32 size)
{
  BlockPool *pool = loop_blocks (stream_loop (player->stream));
  if (player->copies != NULL && BLOCK_BYTES - player->copied >= size)
    return TRUE;
  g_clear_pointer (&player->copies, block_unref);
  if (!block_pool_has_room (pool))
    return FALSE;
  player->copies = block_new (pool);
  player->copied = 0;
  return TRUE;
}

/* The viewer's own tracks on its own channels, copied. FALSE when nothing of the unit is for it. Who has no video may start
 * anywhere. The block is the player's. */
static gboolean filter (Player *player, const Unit *unit, Unit *filtered)
{
  gboolean starts = unit->is_random_access || !player->has_video;
  player->misses = (player->misses && !starts) || !make_room (player, unit->size);
  if (player->misses)
    return FALSE;
  *filtered = *unit;
  filtered->block = player->copies;
  filtered->offset = player->copied;
  filtered->size = 0;
  filtered->packets = 0;
  filtered->is_random_access = starts;
  const guint8 *frame = unit->block->bytes + unit->offset, *end = frame + unit->size;
  for (; frame < end; frame += frame_size (frame)) {
    guint8 channel = player->channels[frame[1]];
    if (channel == PLAYER_NO_CHANNEL)
      continue;
    guint8 *copy = filtered->block->bytes + filtered->offset + filtered->size;
    memcpy (copy, frame, frame_size (frame));
    copy[1] = channel;
    filtered->size += (guint32) frame_size (frame);
    filtered->packets++;
  }
  player->copied += filtered->size;
  return filtered->packets > 0;
}

static void on_unit (StreamTap *tap, const Unit *unit)
{
  Player *player = (Player *) tap;
  gint64 now = loop_now_us (stream_loop (player->stream));
  gboolean is_open;
  Unit filtered;
  if (player->udp != NULL) {
    udp_outlet_send (player->udp, unit);
    return;
  }
  if (player->passes_untouched) {
    is_open = outlet_send (player->outlet, unit, now);
  } else {
    if (!filter (player, unit, &filtered))
      return;
    is_open = outlet_send (player->outlet, &filtered, now);
  }
  if (!is_open)
    player->ended ("closed", player->data);
}

static void on_ended (StreamTap *tap, const char *reason)
{
  (void) reason;
  Player *player = (Player *) tap;
  player->away_since_us = loop_now_us (stream_loop (player->stream));
}

void player_init (Player *player, Stream *stream, const TrackList *tracks, Outlet *outlet, PlayerEnded ended, gpointer data)
{
  *player = (Player){ .tap = { on_started, on_unit, on_ended }, .stream = stream, .outlet = outlet, .ended = ended,
                      .data = data, .tracks = track_list_copy (tracks) };
  memset (player->channels, PLAYER_NO_CHANNEL, sizeof player->channels);
}

gboolean player_set_up (Player *player, guint track, guint8 rtp_channel, guint8 rtcp_channel)
{
  for (guint i = 0; i < G_N_ELEMENTS (player->channels); i++)
    if (i / 2 != track && (player->channels[i] == rtp_channel || player->channels[i] == rtcp_channel))
      return FALSE;
  player->channels[2 * track] = rtp_channel;
  player->channels[2 * track + 1] = rtcp_channel;
  return TRUE;
}

void player_use_udp (Player *player, UdpOutlet *udp)
{
  player->udp = udp;
}

static gboolean has_all_on_our_channels (const Player *player)
{
  for (guint i = 0; i < 2 * player->tracks->count; i++)
    if (player->channels[i] != i)
      return FALSE;
  return TRUE;
}

/* The first RTP packet of our `channel` in the kept group; NULL: none. */
static const guint8 *first_packet (const Group *group, guint8 channel)
{
  for (guint i = 0; i < group_count (group); i++) {
    const Unit *unit = group_unit (group, i);
    const guint8 *frame = unit->block->bytes + unit->offset, *end = frame + unit->size;
    for (; frame < end; frame += frame_size (frame))
      if (frame[1] == channel)
        return frame + INTERLEAVED_HEADER;
  }
  return NULL;
}

static guint32 timestamp_of (const guint8 *packet)
{
  return read_32 (packet + 4);
}

gboolean player_ssrc (const Player *player, guint track, guint32 *ssrc)
{
  const guint8 *packet = first_packet (stream_group (player->stream), (guint8) (2 * track));
  if (packet == NULL)
    return FALSE;
  *ssrc = read_32 (packet + 8);
  return TRUE;
}

/* NULL when the viewer doesn't want the track or nothing of it is kept. */
static const guint8 *first_packet_of_track (const Player *player, guint track)
{
  if (player->channels[2 * track] == PLAYER_NO_CHANNEL)
    return NULL;
  return first_packet (stream_group (player->stream), (guint8) (2 * track));
}

char *player_rtp_info (const Player *player, const char *base_url)
{
  GString *info = g_string_new (NULL);
  for (guint i = 0; i < player->tracks->count; i++) {
    const guint8 *packet = first_packet_of_track (player, i);
    if (packet != NULL)
      g_string_append_printf (info, "%surl=%s/trackID=%u;seq=%u;rtptime=%u", info->len > 0 ? "," : "", base_url, i,
                              read_16 (packet + 2), timestamp_of (packet));
  }
  return g_string_free (info, info->len == 0);
}

/* Cameras report every few seconds. A viewer that got its first report then would move its clock in the middle of play
 * (ffmpeg does), so it gets one at once, for the time of the first packet, or the newest where none is kept. */
static gboolean send_report (Player *player, guint track, const SenderReport *report, guint32 timestamp)
{
  Loop *loop = stream_loop (player->stream);
  guint8 channel = player->channels[2 * track + 1];
  guint8 frame[INTERLEAVED_HEADER + SENDER_REPORT_BYTES + RTCP_NAME_MAX] = { '$', channel };
  guint8 *packet = frame + INTERLEAVED_HEADER;
  sender_report_write (report, timestamp, packet);
  gsize size = SENDER_REPORT_BYTES;
  size += rtcp_write_name (report->ssrc, stream_cname (player->stream), packet + size);
  frame[3] = (guint8) size;
  if (player->udp == NULL)
    return outlet_send_bytes (player->outlet, loop_blocks (loop), frame, INTERLEAVED_HEADER + size, loop_now_us (loop));
  udp_outlet_send_packet (player->udp, channel, packet, size);
  return TRUE;
}

static gboolean send_reports (Player *player)
{
  gboolean is_open = TRUE;
  for (guint i = 0; i < player->tracks->count && is_open; i++) {
    const SenderReport *report = stream_sender_report (player->stream, i);
    const guint8 *packet = first_packet_of_track (player, i);
    if (report->ntp != 0 && player->channels[2 * i] != PLAYER_NO_CHANNEL)
      is_open = send_report (player, i, report, packet != NULL ? timestamp_of (packet) : report->timestamp);
  }
  return is_open;
}

void player_start (Player *player)
{
  int video = track_list_video (player->tracks);
  player->is_playing = TRUE;
  player->passes_untouched = has_all_on_our_channels (player);
  player->has_video = video >= 0 && player->channels[2 * video] != PLAYER_NO_CHANNEL;
  player->away_since_us = stream_tracks (player->stream) != NULL ? 0 : loop_now_us (stream_loop (player->stream));
  if (!send_reports (player)) {
    player->ended ("closed", player->data);
    return;
  }
  player->tap.merges = TRUE;
  gsize kept_bytes = stream_group (player->stream)->bytes;
  if (player->udp != NULL) {
    player->udp->starts_anywhere = !player->has_video;
    udp_outlet_allow (player->udp, kept_bytes);
  } else {
    outlet_allow (player->outlet, kept_bytes);
  }
  stream_add_tap (player->stream, &player->tap);
}

void player_finish (Player *player)
{
  if (player->tracks == NULL)
    return;
  stream_remove_tap (player->stream, &player->tap);
  g_clear_pointer (&player->tracks, track_list_free);
  g_clear_pointer (&player->copies, block_unref);
  player->stream = NULL;
  player->udp = NULL;
  player->is_playing = FALSE;
}
