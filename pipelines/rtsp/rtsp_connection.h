/* rtsp_connection.h: one client of rtsp_server, and what connections of one loop share. Only rtsp_server and its tests include it.
 *
 * thread: the loop that the connection is on. */
#pragma once

#include "pipelines/rtsp/player.h"
#include "pipelines/rtsp/rtsp_server.h"
#include "pipelines/rtsp/udp_ports.h"

typedef struct RtspConnection RtspConnection;

/* What the server keeps for each loop. */
typedef struct {
  RtspServer *server;
  Loop *loop;
  GQueue connections; /* by their embedded links */
  GHashTable *counts; /* Stream → RtspServerCounts */
  LoopTimer *tick;
  gint64 tick_due_us;
  Lateness lateness;
  LoopTimer *handshakes; /* those that were put off go on */
  gint64 handshakes_since_us, handshakes_us; /* the present slice, and the time that they took in it */
} RtspServerLoop;

typedef struct {
  Directory *directory;
  RtspServerHandlers handlers;
  gpointer data;
  gint connections; /* atomic */
  gint asks;        /* atomic, that wait */
  gint put_off;     /* atomic: handshakes of TLS, ever */
  Admission admission; /* of sessions */
  const RtspRecordings *recordings; /* NULL: none are served */
} RtspServerShared;

RtspServerShared *rtsp_server_shared (RtspServer *server);
RtspServerLoop *rtsp_server_loop (RtspServer *server, Loop *loop);

/* What viewers over UDP share, with a reference for the caller; NULL: UDP is not offered. thread: any loop. */
UdpPorts *rtsp_server_udp_ports (RtspServer *server);

/* Takes `fd`. `tls`, which is used on, is what the client expects; NULL: no TLS. */
void rtsp_connection_open (RtspServerLoop *place, int fd, const char *address, WireContext *tls);

/* A new slice of time: handshakes that were put off may go on. */
void rtsp_connection_shake_hands_again (RtspConnection *connection);

/* Each second. */
void rtsp_connection_tick (RtspConnection *connection);

/* Ends it; freed at the end of the turn. */
void rtsp_connection_close (RtspConnection *connection, const char *reason);

gboolean rtsp_connection_is_viewer (const RtspConnection *connection, const char *viewer);
gboolean rtsp_connection_watches (const RtspConnection *connection, const Stream *stream);

/* The viewer that plays `stream`, and since when (wall time); NULL: it does not. */
const char *rtsp_connection_viewer (const RtspConnection *connection, const Stream *stream, gint64 *at_us);

/* The viewer of recordings, of which, and since when (wall time); NULL: it is none. */
const char *rtsp_connection_recorded (const RtspConnection *connection, const char **camera, const char **stream, gint64 *at_us);
