#include "pipelines/playback/rtsp_packets.h"

#include <string.h>

#include "pipelines/playback/recorded_sdp.h"
#include "pipelines/rtp/interleaved.h"
#include "pipelines/rtp/sender_report.h"

enum { BYE_BYTES = 8, RTP_HEADER = 12 };

/* What a second counts for a second later. */
static const double fading = 0.5;

void rtsp_packets_init (RtspPackets *packets, Loop *loop, Outlet *outlet)
{
  *packets = (RtspPackets){ .loop = loop, .outlet = outlet };
  for (guint i = 0; i < RTSP_PACKETS_TRACKS; i++)
    packets->tracks[i] = (RtspPacketTrack){ .rtp = RTSP_PACKETS_NO_CHANNEL, .rtcp = RTSP_PACKETS_NO_CHANNEL, .first = g_random_int (),
                                            .packetizer = { i == 0 ? RECORDED_VIDEO_TYPE : RECORDED_AUDIO_TYPE,
                                                            (guint16) g_random_int (), g_random_int () } };
}

gboolean rtsp_packets_set_up (RtspPackets *packets, guint track, guint8 rtp_channel, guint8 rtcp_channel)
{
  if (track >= RTSP_PACKETS_TRACKS || packets->tracks[track].rate == 0 || rtp_channel == rtcp_channel)
    return FALSE;
  const RtspPacketTrack *other = &packets->tracks[1 - track];
  if (other->rtp == rtp_channel || other->rtp == rtcp_channel || other->rtcp == rtp_channel || other->rtcp == rtcp_channel)
    return FALSE;
  packets->tracks[track].rtp = rtp_channel;
  packets->tracks[track].rtcp = rtcp_channel;
  return TRUE;
}

guint32 rtsp_packets_time (const RtspPacketTrack *track, gint64 media_us)
{
  gint64 seconds = media_us / G_USEC_PER_SEC, rest = media_us % G_USEC_PER_SEC;
  return track->first + (guint32) (seconds * track->rate + rest * track->rate / G_USEC_PER_SEC);
}

void rtsp_packets_pace (RtspPackets *packets, gsize bytes, double duration_us)
{
  if (packets->udp == NULL || duration_us <= 0)
    return;
  packets->paced_bytes = packets->paced_bytes * fading + (double) bytes;
  packets->paced_us = packets->paced_us * fading + duration_us;
  udp_outlet_pace (packets->udp, (gint64) (2 * packets->paced_bytes * G_USEC_PER_SEC / packets->paced_us));
}

/* ---- what is written ---- */

void rtsp_packets_flush (RtspPackets *packets)
{
  guint32 size = packets->filled - packets->begun;
  gint64 now_us = loop_now_us (packets->loop);
  if (size == 0 || packets->is_broken)
    return;
  Unit unit = { .block = packets->block, .offset = packets->begun, .size = size, .packets = packets->waiting,
                .is_random_access = packets->starts, .ends_access_unit = TRUE, .arrival_us = now_us, .wall_us = now_us };
  packets->begun = packets->filled;
  packets->waiting = 0;
  packets->starts = FALSE;
  if (packets->udp != NULL)
    udp_outlet_send (packets->udp, &unit);
  else if (!outlet_send (packets->outlet, &unit, now_us))
    packets->is_broken = TRUE;
}

static void put_frame (RtspPackets *packets, guint8 channel, const guint8 *packet, gsize size)
{
  if (packets->block != NULL && BLOCK_BYTES - packets->filled < INTERLEAVED_HEADER + size) {
    rtsp_packets_flush (packets);
    g_clear_pointer (&packets->block, block_unref);
  }
  if (packets->is_broken)
    return;
  if (packets->block == NULL) {
    packets->block = block_new (loop_blocks (packets->loop));
    packets->filled = packets->begun = 0;
  }
  guint8 *to = packets->block->bytes + packets->filled;
  to[0] = '$';
  to[1] = channel;
  to[2] = (guint8) (size >> 8);
  to[3] = (guint8) size;
  memcpy (to + INTERLEAVED_HEADER, packet, size);
  packets->filled += (guint32) (INTERLEAVED_HEADER + size);
  packets->waiting++;
}

typedef struct {
  RtspPackets *packets;
  RtspPacketTrack *track;
} Sending;

static void take_packet (const guint8 *packet, gsize size, gpointer data)
{
  Sending *sending = data;
  sending->track->packets++;
  sending->track->bytes += (guint32) (size - RTP_HEADER);
  put_frame (sending->packets, sending->track->rtp, packet, size);
}

gboolean rtsp_packets_send (RtspPackets *packets, const AccessUnit *unit, gint64 media_us)
{
  gboolean is_video = access_unit_is_video (unit);
  RtspPacketTrack *track = &packets->tracks[!is_video];
  Sending sending = { packets, track };
  if (track->rtp == RTSP_PACKETS_NO_CHANNEL || (!is_video && unit->format->time_scale != track->rate))
    return TRUE;
  if (packets->udp != NULL)
    udp_outlet_allow (packets->udp, unit->size * 2 + BLOCK_BYTES);
  else
    outlet_allow (packets->outlet, unit->size * 2 + BLOCK_BYTES);
  rtsp_packets_flush (packets); /* a report before it is none of its packets */
  packets->starts = is_video && unit->is_key;
  return packetizer_push (&track->packetizer, unit, rtsp_packets_time (track, media_us), take_packet, &sending);
}

static void put_32 (guint8 *bytes, guint32 value)
{
  guint32 big_endian = GUINT32_TO_BE (value);
  memcpy (bytes, &big_endian, 4);
}

static void put_report (RtspPackets *packets, RtspPacketTrack *track, gint64 media_us, gint64 wall_us, gboolean says_bye)
{
  guint8 packet[SENDER_REPORT_BYTES + RTCP_NAME_MAX + BYE_BYTES];
  char name[9]; /* one for both tracks */
  SenderReport report = { .ntp = ntp_from_wall_us (wall_us), .timestamp = rtsp_packets_time (track, media_us),
                          .ssrc = track->packetizer.ssrc, .clock_rate = track->rate };
  if (track->rtcp == RTSP_PACKETS_NO_CHANNEL)
    return;
  sender_report_write (&report, report.timestamp, packet);
  put_32 (packet + 20, track->packets);
  put_32 (packet + 24, track->bytes);
  g_snprintf (name, sizeof name, "%08x", packets->tracks[0].packetizer.ssrc);
  gsize size = SENDER_REPORT_BYTES;
  size += rtcp_write_name (report.ssrc, name, packet + size);
  memcpy (packet + size, (guint8[]){ 0x81, 203, 0, 1 }, 4);
  put_32 (packet + size + 4, report.ssrc);
  put_frame (packets, track->rtcp, packet, size + (says_bye ? BYE_BYTES : 0));
}

void rtsp_packets_report (RtspPackets *packets, gint64 media_us, gint64 wall_us, gboolean says_bye)
{
  for (guint i = 0; i < RTSP_PACKETS_TRACKS; i++)
    put_report (packets, &packets->tracks[i], media_us, wall_us, says_bye);
}

void rtsp_packets_forget (RtspPackets *packets)
{
  if (packets->udp != NULL)
    udp_outlet_forget (packets->udp);
}

void rtsp_packets_finish (RtspPackets *packets)
{
  g_clear_pointer (&packets->block, block_unref);
  packets->is_broken = TRUE;
}
