/* directory.h: which stream is where: from a camera's id and "main" or "sub" to its loop, its stream and its source.
 *
 * An entry is put and removed on its own loop, so that whoever finds it there may use it for the rest of the turn.
 *
 * thread: any, where a function says nothing else. */
#pragma once

#include "pipelines/rtsp/camera_source.h"

typedef struct Directory Directory;

typedef struct {
  Loop *loop;
  Stream *stream;
  CameraSource *source;
} DirectoryEntry;

Directory *directory_new (void);

/* thread: the stream's loop. Replaces the entry of the same stream. */
void directory_put (Directory *directory, const DirectoryEntry *entry);
void directory_remove (Directory *directory, Stream *stream);

/* The loop that the stream is on; NULL: there is no such stream. */
Loop *directory_loop (Directory *directory, const char *camera, const char *stream);

/* thread: `loop`. FALSE when there is no such stream on it. The entry holds until the loop's turn ends. */
gboolean directory_find (Directory *directory, Loop *loop, const char *camera, const char *stream, DirectoryEntry *entry);

void directory_free (Directory *directory);
