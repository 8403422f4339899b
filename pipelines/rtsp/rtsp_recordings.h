/* rtsp_recordings.h: what the RTSP server needs of recordings, without knowing where they come from.
 *
 * A session belongs to a connection and its loop. It sends through the connection's outlet, by itself, whenever that has
 * nothing waiting, or by UDP; what takes time is answered by an event, never from inside the call that asked for it.
 *
 * thread: the loop's. */
#pragma once

#include "pipelines/rtp/loop.h"
#include "pipelines/rtp/outlet.h"
#include "pipelines/rtp/udp_outlet.h"

typedef struct {
  gint64 from_us;  /* wall: of the first picture */
  double scale;
  char *rtp_info;  /* "trackID=0;seq=…;rtptime=…,trackID=1;…": the base URL is to be put before each; good for the call */
} RtspRecordedPlay;

typedef struct {
  void (*described) (const char *sdp, gpointer data);               /* NULL: nothing is recorded from there on */
  void (*playing) (const RtspRecordedPlay *play, gpointer data);    /* NULL: nothing is. What is sent follows */
  void (*finished) (gpointer data);                                 /* all is sent: nothing comes until the next play */
  void (*ended) (const char *reason, gpointer data);                /* the connection must end; `reason` is static */
} RtspRecordedEvents;

typedef struct {
  const char *camera, *stream;
  gint64 from_us, to_us; /* wall; to_us -1: as far as there is any */
  Outlet *outlet;
} RtspRecordedTime;

typedef struct {
  /* Finds the first picture and calls `described`. NULL: too many are open already. */
  gpointer (*open) (Loop *loop, const RtspRecordedTime *time, const RtspRecordedEvents *events, gpointer data, gpointer owner);
  /* Before the first track is set up. The connection's; it outlives the session. NULL: over the connection. */
  void (*use_udp) (gpointer session, UdpOutlet *udp);
  gboolean (*has_track) (gpointer session, guint track); /* once it is described */
  /* FALSE when there is no such track, or one of the channels is in use. */
  gboolean (*set_up) (gpointer session, guint track, guint8 rtp_channel, guint8 rtcp_channel, guint32 *ssrc);
  /* From the key picture at or before `from_us` (-1: where it is) up to `to_us` (-1: as far as there is any); then `playing`. */
  void (*play) (gpointer session, gint64 from_us, gint64 to_us, double scale);
  void (*pause) (gpointer session);
  void (*resume) (gpointer session); /* the outlet has nothing waiting any more */
  char *(*watched) (gpointer session); /* recorded time that was sent: "FROM/TO, FROM/TO", NULL: none; free with g_free */
  void (*close) (gpointer session);  /* no event comes any more */
  gpointer owner;
} RtspRecordings;
