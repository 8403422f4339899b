/* camera_faults.h: what is wrong with a camera at the moment, shared by its media's streaming threads and its commands.
 *
 * thread: the fields are atomics (g_atomic_int_*); reference-counted. */
#pragma once

#include <glib.h>

typedef struct {
  int is_stalled; /* nothing more comes, connections stay */
  int is_black, is_frozen;
  int time_offset_ms; /* added to all RTP timestamps */
  int pictures;       /* drawn since the start, for tests and the curious */
  int drawn_us;       /* when the last one was begun: the low bits of the monotonic clock */
  int encoding_us;    /* from there to its first packet: a running mean */
} CameraFaults;

static inline CameraFaults *camera_faults_new (void)
{
  return g_atomic_rc_box_new0 (CameraFaults);
}

static inline CameraFaults *camera_faults_ref (CameraFaults *faults)
{
  return g_atomic_rc_box_acquire (faults);
}

static inline void camera_faults_unref (gpointer faults)
{
  g_atomic_rc_box_release (faults);
}
