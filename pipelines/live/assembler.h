/* assembler.h: the one depacketizer of a stream, shared by recording, browsers, clips and key pictures.
 *
 * It taps its stream only while it has sinks. Units come on one timeline, which starts near zero and never runs backward:
 * when the camera went and came back, or its clock jumped, the timeline goes on where it was. Sound is AAC or Opus always
 * (samples are encoded here), aligned to the picture by wall time. The units since the newest key picture are kept for who joins.
 *
 * thread: the stream's loop. */
#pragma once

#include "pipelines/live/access_unit.h"
#include "pipelines/live/depacketizer.h"
#include "pipelines/rtp/stream.h"

enum { ASSEMBLER_KEPT_BYTES = 16 * 1024 * 1024, ASSEMBLER_KEPT_UNITS = 4096 };

typedef struct Assembler Assembler;
typedef struct AssemblerSink AssemblerSink;

/* Embed it. Units come from a key picture on (the kept ones first). `ended`: no more units until the camera is back; not
 * called for the sink's own removal. A sink may remove itself or others from its callbacks. */
struct AssemblerSink {
  void (*unit) (AssemblerSink *sink, AccessUnit *unit); /* borrowed */
  void (*ended) (AssemblerSink *sink, const char *reason); /* a camera_state reason, or "restarted" after a jump in time */
  GList link;
};

typedef struct {
  DepacketizerCounts video, audio;
  guint64 jumps; /* in time, after which the timeline was joined again */
} AssemblerCounts;

Assembler *assembler_new (Stream *stream);

void assembler_add_sink (Assembler *assembler, AssemblerSink *sink);
void assembler_remove_sink (Assembler *assembler, AssemblerSink *sink); /* one that is not on it is taken */

/* Whether sound that can be carried was announced and has not been missing for seconds. */
gboolean assembler_expects_audio (const Assembler *assembler);

/* The newest format of the video; NULL while unknown. Borrowed. */
MediaFormat *assembler_video_format (const Assembler *assembler);
MediaFormat *assembler_audio_format (const Assembler *assembler);

/* The newest key picture that is kept; NULL when there is none. Borrowed. */
AccessUnit *assembler_key_unit (const Assembler *assembler);

AssemblerCounts assembler_counts (const Assembler *assembler);
Stream *assembler_stream (const Assembler *assembler);

/* No sink may be on it. NULL is taken. */
void assembler_free (Assembler *assembler);
