/* rtsp_packets.h: what goes out to one RTSP client of recordings: access units as packets, sender reports, goodbyes; over the
 * connection, or to the client's UDP ports.
 *
 * A unit's packets are written into the loop's blocks one behind the other, with interleaved headers, as those of a camera
 * come; so both ways out take them as they take what is live. What is broken stays broken: nothing more is sent.
 *
 * thread: the loop's. */
#pragma once

#include "pipelines/playback/packetizer.h"
#include "pipelines/rtp/loop.h"
#include "pipelines/rtp/outlet.h"
#include "pipelines/rtp/udp_outlet.h"

enum { RTSP_PACKETS_TRACKS = 2, RTSP_PACKETS_NO_CHANNEL = 0xff };

typedef struct {
  guint8 rtp, rtcp;   /* channels; RTSP_PACKETS_NO_CHANNEL: not set up */
  guint32 rate;       /* Hz, of its RTP time; 0: there is no such track */
  guint32 first;      /* RTP time of media time 0 */
  Packetizer packetizer;
  guint32 packets, bytes;
} RtspPacketTrack;

typedef struct {
  Loop *loop;
  Outlet *outlet;     /* the connection's */
  UdpOutlet *udp;     /* the connection's; NULL: over `outlet` */
  RtspPacketTrack tracks[RTSP_PACKETS_TRACKS]; /* video, sound */
  Block *block;       /* that packets are written into */
  guint32 filled, begun;
  guint16 waiting;    /* packets behind `begun` */
  gboolean starts;    /* they are the first of a key picture */
  gboolean is_broken; /* the client is gone */
  double paced_bytes, paced_us; /* of the last seconds */
} RtspPackets;

void rtsp_packets_init (RtspPackets *packets, Loop *loop, Outlet *outlet);

/* FALSE when there is no such track, or one of the channels is in use. */
gboolean rtsp_packets_set_up (RtspPackets *packets, guint track, guint8 rtp_channel, guint8 rtcp_channel);

/* Media time is in microseconds. */
guint32 rtsp_packets_time (const RtspPacketTrack *track, gint64 media_us);

/* `bytes` are to be played in `duration_us`: over UDP, what comes next goes out at twice the rate of the last seconds. So a
 * picture that is most of a second's bytes takes no more than half a second, and none comes as a burst that a thin link drops. */
void rtsp_packets_pace (RtspPackets *packets, gsize bytes, double duration_us);

/* FALSE when the unit is broken. One of a track that isn't set up is left out. */
gboolean rtsp_packets_send (RtspPackets *packets, const AccessUnit *unit, gint64 media_us);

/* A sender report of each track, all at once, so that they are moved together; `says_bye`: each with a BYE (RFC 3550 6.4.1, 6.6). */
void rtsp_packets_report (RtspPackets *packets, gint64 media_us, gint64 wall_us, gboolean says_bye);

/* What was written leaves as one unit. */
void rtsp_packets_flush (RtspPackets *packets);

/* A seek: over UDP, what waits for its pace is of before. */
void rtsp_packets_forget (RtspPackets *packets);

void rtsp_packets_finish (RtspPackets *packets);
