/* site_script.h: what gridgate-sim is told to simulate: SITE.yaml as structs (docs/gridgate-sim.md explains each key).
 *
 * thread: read on the main thread, immutable afterwards. */
#pragma once

#include <glib.h>
#include <jansson.h>

#include "pipelines/sim/curve.h"

typedef enum { CODEC_H264, CODEC_H265 } VideoCodec;
typedef enum { AUDIO_NONE, AUDIO_AAC, AUDIO_PCMA } AudioCodec;
typedef enum { PACING_PACED, PACING_BURST } Pacing;
typedef enum { PAYLOAD_JSON, PAYLOAD_VALUE, PAYLOAD_SENML, PAYLOAD_CSV, PAYLOAD_BINARY } PayloadFormat;

/* What a raw camera does wrong; raw_camera.h says each. */
typedef enum {
  RAW_NOTHING,
  RAW_NO_SDP,
  RAW_EMPTY_SDP,
  RAW_UNKNOWN_CODEC,
  RAW_TRUNCATED_RTP,
  RAW_LYING_LENGTHS,
  RAW_EARLY_RTP,
  RAW_SILENT,
  RAW_GARBAGE,
  RAW_ENDLESS_HEADER,
  RAW_LYING_CONTENT_LENGTH,
  RAW_NOT_FOUND,
  RAW_CLOSES_AFTER_PLAY,
  RAW_JUMPING_TIME,
  RAW_STALLS,
  RAW_FLOODS,
  RAW_RESETS,
} RawFault;

typedef struct {
  int codec;   /* VideoCodec */
  int size[2]; /* width, height */
  int fps;
  int bitrate; /* bits a second */
  gint64 key_interval_us;
  int b_frames;
  char *file; /* a prerecorded MP4 played in a loop instead; NULL: drawn and encoded live */
} StreamScript;

typedef struct {
  char *id, *name, *path, *username, *password;
  char *cert_file, *key_file; /* PEM: it serves RTSPS; NULL: RTSP */
  int port;          /* 0: any free one */
  int audio, pacing; /* AudioCodec, Pacing */
  StreamScript main;
  StreamScript *sub; /* at PATH/sub; NULL: none */
  gboolean is_raw;
  int raw_fault; /* RawFault */
} CameraScript;

typedef struct {
  char *id, *host, *username, *password;
  int port;
} BrokerScript;

typedef struct {
  char *id, *broker, *topic;
  char *unit;      /* of SenML (RFC 8428 12.1); NULL: none is said */
  int format, qos; /* PayloadFormat */
  gboolean retain, is_sequenced;
  gint64 interval_us;
  Curve *curve;
  double noise; /* at most this much to either side */
  int seed, decimals;
  json_t *fields; /* template of the JSON payload; NULL: {"value": …, "time": …} */
} SensorScript;

typedef struct {
  char *id, *name, *broker, *topic;
  gboolean acknowledges; /* answers what arrives on …/acks */
} CenterScript;

typedef struct {
  char *id, *name, *secret_file;
  int port;
} ReceiverScript;

typedef struct {
  gint64 at_us;
  char *command;
} ScriptStep;

typedef struct {
  char *name, *font, *control;                                          /* control: path of a unix socket, or NULL */
  GPtrArray *brokers, *cameras, *sensors, *centers, *receivers, *steps; /* of the types above */
} SiteScript;

/* NULL with the faults, one "FILE:LINE:COLUMN: message" each. */
SiteScript *site_script_read (const char *path, GPtrArray *faults);

const BrokerScript *site_script_broker (const SiteScript *script, const char *id);

void site_script_free (SiteScript *script);
