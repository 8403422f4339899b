/* site_script_cameras.c: cameras and their streams, as SITE.yaml has them. */
#include <stdio.h>

#include "pipelines/sim/site_script_private.h"

enum { DIMENSION_MIN = 64, DIMENSION_MAX = 4096 };

static const char *const codecs[] = { "h264", "h265", NULL };
static const char *const audios[] = { "none", "aac", "pcma", NULL };
static const char *const pacings[] = { "paced", "burst", NULL };
static const char *const modes[] = { "normal", "raw", NULL };
static const char *const raw_faults[] = {
  "none",   "no_sdp",  "empty_sdp",      "unknown_codec",        "truncated_rtp", "lying_lengths",     "early_rtp",
  "silent", "garbage", "endless_header", "lying_content_length", "not_found",     "closes_after_play", "jumping_time",
  "stalls", "floods",  "resets",         NULL,
};

/* a stream */

static void convert_size (YamlReader *reader, struct fy_node *node, gpointer target)
{
  g_autofree char *text = yaml_text (reader, node);
  int *size = target, end = 0;
  if (text == NULL)
    return;
  if (sscanf (text, "%5dx%5d%n", &size[0], &size[1], &end) != 2 || text[end] != '\0')
    yaml_fault (reader, node, "\"%s\" is no picture size: write 640x360", text);
  else if (MIN (size[0], size[1]) < DIMENSION_MIN || MAX (size[0], size[1]) > DIMENSION_MAX || size[0] % 2
           || size[1] % 2)
    yaml_fault (reader, node, "a picture is %d to %d pixels wide and high, in even numbers", DIMENSION_MIN,
                DIMENSION_MAX);
}

static void convert_bitrate (YamlReader *reader, struct fy_node *node, gpointer target)
{
  g_autofree char *text = yaml_text (reader, node);
  if (text == NULL)
    return;
  char *end = NULL;
  double value = g_ascii_strtod (text, &end);
  if (end != text && (*end == 'k' || *end == 'M') && end[1] == '\0')
    value *= *end == 'k' ? 1e3 : 1e6;
  else if (end == text || *end != '\0')
    value = 0;
  if (value >= 1e4 && value <= 1e8)
    *(int *) target = (int) value;
  else
    yaml_fault (reader, node, "\"%s\" is no bit rate between 10k and 100M: write 400k or 2M", text);
}

static void stream_init (gpointer item)
{
  StreamScript *stream = item;
  stream->size[0] = 640;
  stream->size[1] = 360;
  stream->fps = 15;
  stream->bitrate = 400000;
  stream->key_interval_us = 2 * G_USEC_PER_SEC;
}

static void stream_free (gpointer item)
{
  StreamScript *stream = item;
  if (stream)
    g_free (stream->file);
  g_free (stream);
}

/* A camera has these keys for its main stream, and again under `sub`. */
#define STREAM_ROWS(base)                                                                                              \
  { "codec", FIELD_CHOICE, (base) + G_STRUCT_OFFSET (StreamScript, codec), .choices = codecs },                        \
      { "size", FIELD_CUSTOM, (base) + G_STRUCT_OFFSET (StreamScript, size), .convert = convert_size },                \
      { "fps", FIELD_INTEGER, (base) + G_STRUCT_OFFSET (StreamScript, fps), .least = 1, .most = 60 },                  \
      { "bitrate", FIELD_CUSTOM, (base) + G_STRUCT_OFFSET (StreamScript, bitrate), .convert = convert_bitrate },       \
      { "key_frame_interval", FIELD_DURATION, (base) + G_STRUCT_OFFSET (StreamScript, key_interval_us), .least = 0.1,  \
        .most = 600 },                                                                                                 \
      { "b_frames", FIELD_INTEGER, (base) + G_STRUCT_OFFSET (StreamScript, b_frames), .least = 0, .most = 4 },         \
  {                                                                                                                    \
    "file", FIELD_CUSTOM, (base) + G_STRUCT_OFFSET (StreamScript, file), .convert = site_script_path                       \
  }

static const Field stream_fields[] = { STREAM_ROWS (0), { NULL } };
static const Form stream_form = { "a stream", stream_fields, sizeof (StreamScript), stream_init, NULL, stream_free };

/* a camera */

static void camera_check (YamlReader *reader, struct fy_node *node, gpointer item)
{
  CameraScript *camera = item;
  if (camera->path == NULL)
    camera->path = g_strconcat ("/", camera->id, NULL);
  else if (camera->path[0] != '/')
    yaml_fault (reader, yaml_at (node, "path"), "a path starts with /");
  if ((camera->username == NULL) != (camera->password == NULL))
    yaml_fault (reader, node, "username and password stand together or not at all");
  if ((camera->cert_file == NULL) != (camera->key_file == NULL))
    yaml_fault (reader, node, "cert_file and key_file stand together or not at all");
  if (!camera->is_raw && camera->raw_fault != RAW_NOTHING)
    yaml_fault (reader, yaml_at (node, "fault"),
                "only a camera with “mode: raw” has a fault; others are told by commands");
  if (camera->is_raw && (camera->sub || camera->username || camera->cert_file || camera->main.file || camera->audio))
    yaml_fault (reader, node, "a raw camera has no sub, login, certificate, file or audio");
  if (camera->main.file && camera->audio)
    yaml_fault (reader, yaml_at (node, "audio"), "a camera that plays a file has no audio");
}

static void camera_init (gpointer item)
{
  CameraScript *camera = item;
  stream_init (&camera->main);
}

static void camera_free (gpointer item)
{
  CameraScript *camera = item;
  if (camera == NULL)
    return;
  g_free (camera->id);
  g_free (camera->name);
  g_free (camera->path);
  g_free (camera->username);
  g_free (camera->password);
  g_free (camera->cert_file);
  g_free (camera->key_file);
  g_free (camera->main.file);
  stream_free (camera->sub);
  g_free (camera);
}

static const Field camera_fields[] = {
  { "id", FIELD_ID, G_STRUCT_OFFSET (CameraScript, id), TRUE },
  { "name", FIELD_TEXT, G_STRUCT_OFFSET (CameraScript, name) },
  { "port", FIELD_INTEGER, G_STRUCT_OFFSET (CameraScript, port), .least = 0, .most = 65535 },
  { "path", FIELD_TEXT, G_STRUCT_OFFSET (CameraScript, path) },
  { "username", FIELD_TEXT, G_STRUCT_OFFSET (CameraScript, username) },
  { "password", FIELD_TEXT, G_STRUCT_OFFSET (CameraScript, password) },
  { "cert_file", FIELD_CUSTOM, G_STRUCT_OFFSET (CameraScript, cert_file), .convert = site_script_path },
  { "key_file", FIELD_CUSTOM, G_STRUCT_OFFSET (CameraScript, key_file), .convert = site_script_path },
  { "audio", FIELD_CHOICE, G_STRUCT_OFFSET (CameraScript, audio), .choices = audios },
  { "pacing", FIELD_CHOICE, G_STRUCT_OFFSET (CameraScript, pacing), .choices = pacings },
  STREAM_ROWS (G_STRUCT_OFFSET (CameraScript, main)),
  { "sub", FIELD_FORM, G_STRUCT_OFFSET (CameraScript, sub), .form = &stream_form },
  { "mode", FIELD_CHOICE, G_STRUCT_OFFSET (CameraScript, is_raw), .choices = modes },
  { "fault", FIELD_CHOICE, G_STRUCT_OFFSET (CameraScript, raw_fault), .choices = raw_faults },
  { NULL },
};
const Form site_script_camera_form
  = { "a camera", camera_fields, sizeof (CameraScript), camera_init, camera_check, camera_free };
