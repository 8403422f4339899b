/* interleaved.h: finds the next thing in bytes that came over an RTSP connection (RFC 2326 10.12).
 *
 * thread: any; no state. */
#pragma once

#include <glib.h>

enum { INTERLEAVED_HEADER = 4, INTERLEAVED_FRAME_MAX = INTERLEAVED_HEADER + 65535 };

typedef enum {
  INTERLEAVED_MORE,    /* not enough bytes to tell, or a frame that is not whole yet */
  INTERLEAVED_FRAME,   /* a whole `$ channel length packet` */
  INTERLEAVED_MESSAGE, /* what starts here may be an RTSP message */
  INTERLEAVED_GARBAGE, /* neither: skip to `size` */
} InterleavedKind;

/* `*size` is that of the frame with its header, or of the garbage; 0 for the others. */
InterleavedKind interleaved_next (const guint8 *bytes, gsize available, gsize *size);
