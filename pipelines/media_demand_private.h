/* media_demand_private.h: shared by media_demand.c (streams, browsers), media_clips.c and media_pictures.c.
 *
 * thread: main, but for what belongs to a stream's loop. */
#pragma once

#include "pipelines/live/live_hub.h"
#include "pipelines/media_demand.h"
#include "pipelines/record/archive.h"
#include "pipelines/record/recorder.h"

enum { READER_THREADS = 2, READER_JOBS_MAX = 256 };

typedef struct StreamDemand StreamDemand;

struct MediaDemand {
  Media *media;
  Archive *archive;      /* NULL until the first site said where, or when it can't be opened */
  char *data_dir;
  GHashTable *streams;   /* MediaStream → StreamDemand */
  GThreadPool *readers;  /* threads that read what is recorded: lists, clips, pictures; each job is a ReaderJob */
  GMutex mutex;
  json_t *recording;     /* under mutex: camera → its last RECORDING_STATE, told again when gridgate is met anew */
};

struct StreamDemand {
  MediaDemand *demand;
  MediaStream *stream;
  /* what follows belongs to the loop */
  Assembler *assembler;
  LiveHub *hub;
  Recorder *recorder;
  GPtrArray *clips;      /* of Clip that waits for its end */
  GPtrArray *pictures;   /* of Picture that waits for a key frame */
};

/* A job for the reader threads: `run` frees what it must. */
typedef struct {
  void (*run) (gpointer data);
  gpointer data;
} ReaderJob;

/* thread: any. FALSE when too many wait: nothing was taken. */
gboolean media_demand_read (MediaDemand *demand, void (*run) (gpointer data), gpointer data);

/* NULL, and the request is answered, when there is no such stream. */
StreamDemand *media_demand_find (Media *media, LinkMessage *request);

/* Answers from any thread; takes `request`, `body` and `fd` (-1: none). */
void media_demand_answer (MediaDemand *demand, LinkMessage *request, json_t *body, int fd);
void media_demand_answer_error (MediaDemand *demand, LinkMessage *request, const GError *error);

/* On the loop: the stream goes. `is_removed`: gridgate took it from the site, so nobody will ask again. */
void media_clips_close (StreamDemand *stream, gboolean is_removed);
void media_pictures_close (StreamDemand *stream);
