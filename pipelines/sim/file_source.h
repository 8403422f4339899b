/* file_source.h: the access units of a prerecorded file, read once and played round and round with timestamps that go
 * on.
 *
 * thread: read on the main thread, immutable and reference-counted afterwards; a FilePlayer belongs to one streaming
 * thread. */
#pragma once

#include <gst/gst.h>

#include "pipelines/sim/site_script.h"

typedef struct FileUnits FileUnits;
typedef struct FilePlayer FilePlayer;

/* The first video of `path` in Annex B. An error when it can't be read, is of another codec, or is over 256 MiB. */
FileUnits *file_units_read (const char *path, VideoCodec codec, GError **error);

void file_units_unref (FileUnits *units);

/* Starts at the file's beginning, at time 0. */
FilePlayer *file_player_new (FileUnits *units);

/* The next access unit with its time from the player's start; it never ends. */
GstBuffer *file_player_next (FilePlayer *player);

void file_player_free (FilePlayer *player);
