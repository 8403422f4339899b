/* recorder.h: what of one stream is kept: on disk, in memory for a clip that may be asked for, or not at all.
 *
 * A continuous recorder hands batches of at most a second to the archive. An event or off recorder with a pre-roll keeps
 * that much in memory, from a key picture on, bounded in bytes; not of a camera that is pulled on demand, which would then
 * be pulled always. A clip that is asked for holds what it needs until it is cut: in memory, and of an event recorder on disk
 * too, pre-roll first: that is an event. An event that begins while what followed the last one is still in memory goes on in
 * the same recording. What of its pre-roll is not there is a gap: "on_demand", "memory_full" (the bound cut it),
 * "not_received", or why the camera was away.
 *
 * thread: the stream's loop. */
#pragma once

#include "gateway/model/site.h"
#include "pipelines/live/assembler.h"
#include "pipelines/record/archive.h"

enum {
  RECORDER_BATCH_US = G_USEC_PER_SEC,
  RECORDER_BATCH_UNITS = 500,
  RECORDER_BATCH_BYTES = 8 * 1024 * 1024,
  RECORDER_MEMORY_BYTES = 64 * 1024 * 1024, /* for pre-roll and clips of one stream; the oldest group goes first */
};

typedef struct Recorder Recorder;

/* `archive` may be NULL: nothing goes to disk. */
Recorder *recorder_new (Assembler *assembler, Archive *archive);

/* To one that was made without. */
void recorder_set_archive (Recorder *recorder, Archive *archive);

void recorder_set (Recorder *recorder, RecordingMode mode, gint64 pre_roll_us, gboolean is_on_demand);

/* Whether a clip from wall time `from_us` on is cut from what is on disk. */
gboolean recorder_is_on_disk (const Recorder *recorder, gint64 from_us);

/* Keeps everything from wall time `from_us` on until it is released: a clip will be cut. Each hold is released once. */
void recorder_hold (Recorder *recorder, gint64 from_us);
void recorder_release (Recorder *recorder, gint64 from_us);

/* What is in memory; of AccessUnit, with references. */
GPtrArray *recorder_units (const Recorder *recorder);

/* The key picture in memory that is nearest to `at_us`, with a reference; NULL when there is none. */
AccessUnit *recorder_key_near (const Recorder *recorder, gint64 at_us);

/* Hands what was not yet handed to the archive. */
void recorder_flush (Recorder *recorder);

/* `reason`: of the gap that begins; NULL: recording is not wanted any more. NULL is taken. */
void recorder_free (Recorder *recorder, const char *reason);
