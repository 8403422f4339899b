/* player.h: the media side of one RTSP viewer: which tracks it set up, and the tap that sends them.
 *
 * Over TCP, a viewer that set up all tracks on the channels that we use (2 × track, + 1: what ffmpeg and rtspsrc do) gets the units
 * untouched; any other gets a filtered, rewritten copy. Over UDP the packets of a unit go to the viewer's ports. While the camera is away the viewer stays and waits.
 *
 * thread: its stream's loop. */
#pragma once

#include "pipelines/rtp/outlet.h"
#include "pipelines/rtp/stream.h"
#include "pipelines/rtp/udp_outlet.h"

enum { PLAYER_NO_CHANNEL = 0xff };

typedef struct Player Player;

/* The viewer's connection must end: `reason` is static. Called from inside a walk over the stream's taps. */
typedef void (*PlayerEnded) (const char *reason, gpointer data);

struct Player {
  StreamTap tap; /* first */
  Stream *stream;
  Outlet *outlet;
  UdpOutlet *udp;                    /* the session's; NULL: over TCP */
  PlayerEnded ended;
  gpointer data;
  TrackList *tracks;                 /* as they were described to the viewer */
  guint8 channels[2 * TRACKS_MAX];   /* ours → the viewer's */
  gboolean is_playing, passes_untouched, has_video;
  gboolean misses;                   /* for want of memory, until the next random access point */
  Block *copies;                     /* that filtered units are copied into, one behind the other; NULL: none yet */
  guint32 copied;                    /* bytes */
  gint64 away_since_us;              /* monotonic: since when the camera is away; 0: it isn't */
};

/* Copies `tracks`. */
void player_init (Player *player, Stream *stream, const TrackList *tracks, Outlet *outlet, PlayerEnded ended, gpointer data);

/* Before the first track is set up: it plays over UDP, on our own channels. The outlet outlives the player. */
void player_use_udp (Player *player, UdpOutlet *udp);

/* FALSE when the viewer uses one of the channels already. */
gboolean player_set_up (Player *player, guint track, guint8 rtp_channel, guint8 rtcp_channel);

/* The SSRC of a track's packets; FALSE while none is kept. */
gboolean player_ssrc (const Player *player, guint track, guint32 *ssrc);

/* The value of RTP-Info for what player_start will send first; NULL when nothing is kept. Free with g_free. */
char *player_rtp_info (const Player *player, const char *base_url);

/* Sends the kept group at once and all that follows. The player may have ended when this returns. */
void player_start (Player *player);

void player_finish (Player *player);
