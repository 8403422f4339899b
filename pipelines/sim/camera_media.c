#include "pipelines/sim/camera_media.h"

#include <gst/app/gstappsrc.h>
#include <gst/rtp/gstrtpbuffer.h>
#include <gst/video/video.h>

#include "gateway/core/log.h"
#include "pipelines/sim/file_source.h"
#include "pipelines/sim/picture.h"

enum { PACE_US = 20000, AAC_HZ = 16000, PCMA_HZ = 8000, MTU_BYTES = 1400 };

/* the factory */

#define CAMERA_TYPE_FACTORY (camera_factory_get_type ())
G_DECLARE_FINAL_TYPE (CameraFactory, camera_factory, CAMERA, FACTORY, GstRTSPMediaFactory)

struct _CameraFactory {
  GstRTSPMediaFactory parent;
  const CameraScript *camera;
  const StreamScript *stream;
  char *font;
  FileUnits *file; /* NULL: drawn */
  CameraFaults *faults;
};

G_DEFINE_TYPE (CameraFactory, camera_factory, GST_TYPE_RTSP_MEDIA_FACTORY)

/* A property as text, so that one form does for numbers and enumerations. */
static GstElement *element (GstBin *bin, const char *kind, ...) G_GNUC_NULL_TERMINATED;

static GstElement *element (GstBin *bin, const char *kind, ...)
{
  GstElement *made = gst_element_factory_make (kind, NULL);
  if (made == NULL) {
    log_error (
        "GStreamer has no element %s: install gstreamer1.0-plugins-base, -good, -bad, -ugly and gstreamer1.0-libav",
        kind);
    return NULL;
  }
  va_list properties;
  va_start (properties, kind);
  for (const char *name; (name = va_arg (properties, const char *)) != NULL;)
    gst_util_set_object_arg (G_OBJECT (made), name, va_arg (properties, const char *));
  va_end (properties);
  gst_bin_add (bin, made);
  return made;
}

static const char *number (char *text, gsize size, gint64 value)
{
  g_snprintf (text, (gulong) size, "%" G_GINT64_FORMAT, value);
  return text;
}

/* drawing */

typedef struct {
  Picture *picture;
  CameraFaults *faults;
  GstVideoInfo info;
  GstBuffer *frozen; /* the last picture before the freeze */
} Painter;

static void painter_free (gpointer data)
{
  Painter *painter = data;
  picture_free (painter->picture);
  camera_faults_unref (painter->faults);
  gst_clear_buffer (&painter->frozen);
  g_free (painter);
}

static void paint (Painter *painter, GstBuffer *buffer)
{
  GstVideoFrame frame;
  if (!gst_video_frame_map (&frame, &painter->info, buffer, GST_MAP_WRITE))
    return;
  g_atomic_int_set (&painter->faults->drawn_us, (int) g_get_monotonic_time ());
  PicturePlanes planes;
  for (int i = 0; i < 3; i++) {
    planes.planes[i] = GST_VIDEO_FRAME_PLANE_DATA (&frame, i);
    planes.strides[i] = GST_VIDEO_FRAME_PLANE_STRIDE (&frame, i);
  }
  if (g_atomic_int_get (&painter->faults->is_black))
    picture_paint_black (painter->picture, &planes, g_get_real_time ());
  else
    picture_paint (painter->picture, &planes, g_get_real_time ());
  gst_video_frame_unmap (&frame);
  g_atomic_int_inc (&painter->faults->pictures);
}

/* A frozen camera sends the same picture under new timestamps. */
static GstBuffer *repeat_frozen (Painter *painter, GstBuffer *buffer)
{
  GstBuffer *repeated = gst_buffer_copy (painter->frozen);
  GST_BUFFER_PTS (repeated) = GST_BUFFER_PTS (buffer);
  GST_BUFFER_DTS (repeated) = GST_BUFFER_DTS (buffer);
  GST_BUFFER_OFFSET (repeated) = GST_BUFFER_OFFSET (buffer);
  gst_buffer_unref (buffer);
  return repeated;
}

static GstPadProbeReturn paint_buffer (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  (void) pad;
  Painter *painter = data;
  gboolean is_frozen = g_atomic_int_get (&painter->faults->is_frozen);
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  if (is_frozen && painter->frozen != NULL) {
    info->data = repeat_frozen (painter, buffer);
    return GST_PAD_PROBE_OK;
  }
  buffer = gst_buffer_make_writable (buffer);
  paint (painter, buffer);
  info->data = buffer;
  gst_clear_buffer (&painter->frozen);
  if (is_frozen)
    painter->frozen = gst_buffer_copy_deep (buffer);
  return GST_PAD_PROBE_OK;
}

/* sending */

typedef struct {
  CameraFaults *faults;
  gint64 pace_us;    /* over which the packets of a frame are spread; 0: in a burst */
  gboolean is_ahead; /* of its time, as a file's packets are, which the sink holds back until it comes */
  gboolean is_drawn; /* pictures of ours */
  gboolean is_pushing;
} Sender;

static void sender_free (gpointer data)
{
  Sender *sender = data;
  camera_faults_unref (sender->faults);
  g_free (sender);
}

static guint clock_rate (GstPad *pad)
{
  GstCaps *caps = gst_pad_get_current_caps (pad);
  int rate = 90000;
  if (caps) {
    gst_structure_get_int (gst_caps_get_structure (caps, 0), "clock-rate", &rate);
    gst_caps_unref (caps);
  }
  return (guint) rate;
}

static gboolean shift_time (GstBuffer **buffer, guint index, gpointer ticks)
{
  (void) index;
  GstRTPBuffer packet = GST_RTP_BUFFER_INIT;
  *buffer = gst_buffer_make_writable (*buffer);
  if (gst_rtp_buffer_map (*buffer, GST_MAP_READWRITE, &packet)) {
    gst_rtp_buffer_set_timestamp (&packet, gst_rtp_buffer_get_timestamp (&packet) + *(guint32 *) ticks);
    gst_rtp_buffer_unmap (&packet);
  }
  return TRUE;
}

/* A real camera's frame comes in packets spread over some of the frame's time, one write each. */
static void send_spread (GstPad *pad, GstBufferList *list, Sender *sender)
{
  guint count = gst_buffer_list_length (list);
  gint64 gap_us = sender->pace_us / count;
  sender->is_pushing = TRUE;
  for (guint i = 0; i < count; i++) {
    GstBuffer *packet = gst_buffer_ref (gst_buffer_list_get (list, i));
    if (sender->is_ahead) {
      packet = gst_buffer_make_writable (packet);
      GST_BUFFER_PTS (packet) += i * (GstClockTime) gap_us * 1000;
    }
    if (gst_pad_push (pad, packet) != GST_FLOW_OK)
      break;
    if (!sender->is_ahead)
      g_usleep ((gulong) gap_us);
  }
  sender->is_pushing = FALSE;
  gst_buffer_list_unref (list);
}

/* No picture waits for another in the encoder, without B-frames: what leaves is the last one that was drawn. */
static void note_encoding (CameraFaults *faults)
{
  int took_us = (int) ((guint) g_get_monotonic_time () - (guint) g_atomic_int_get (&faults->drawn_us));
  int mean_us = g_atomic_int_get (&faults->encoding_us);
  g_atomic_int_set (&faults->encoding_us, mean_us == 0 ? took_us : mean_us + (took_us - mean_us) / 16);
}

static GstPadProbeReturn send_packets (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Sender *sender = data;
  if (sender->is_pushing)
    return GST_PAD_PROBE_OK;
  if (g_atomic_int_get (&sender->faults->is_stalled))
    return GST_PAD_PROBE_DROP;
  if (sender->is_drawn)
    note_encoding (sender->faults);

  gboolean is_list = (info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) != 0;
  gint64 offset_ms = g_atomic_int_get (&sender->faults->time_offset_ms);
  if (offset_ms != 0) {
    guint32 ticks = (guint32) (offset_ms * (gint64) clock_rate (pad) / 1000);
    if (is_list) {
      info->data = gst_buffer_list_make_writable (info->data);
      gst_buffer_list_foreach (info->data, shift_time, &ticks);
    } else {
      shift_time ((GstBuffer **) &info->data, 0, &ticks);
    }
  }
  if (!is_list || sender->pace_us == 0)
    return GST_PAD_PROBE_OK;
  send_spread (pad, g_steal_pointer (&info->data), sender);
  return GST_PAD_PROBE_HANDLED;
}

static void watch_sending (CameraFactory *factory, GstElement *payloader, gint64 pace_us, gboolean is_drawn)
{
  GstPad *pad = gst_element_get_static_pad (payloader, "src");
  Sender *sender = g_new0 (Sender, 1);
  sender->faults = camera_faults_ref (factory->faults);
  sender->pace_us = pace_us;
  sender->is_drawn = is_drawn;
  sender->is_ahead = factory->file != NULL;
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST, send_packets, sender,
                     sender_free);
  gst_object_unref (pad);
}

/* the branches */

static GstElement *encoder (GstBin *bin, const StreamScript *stream)
{
  char bitrate[32], key_frames[32], b_frames[32], options[160];
  int key_interval = (int) MAX (stream->key_interval_us * stream->fps / G_USEC_PER_SEC, 1);
  number (bitrate, sizeof bitrate, stream->bitrate / 1000);
  number (key_frames, sizeof key_frames, key_interval);
  if (stream->codec == CODEC_H264)
    return element (bin, "x264enc", "speed-preset", "ultrafast", "tune", stream->b_frames ? "0" : "zerolatency",
                    "threads", "1", "bitrate", bitrate, "key-int-max", key_frames, "bframes",
                    number (b_frames, sizeof b_frames, stream->b_frames), "rc-lookahead",
                    stream->b_frames ? "5" : "0", "option-string", "scenecut=0:open-gop=0", NULL);
  g_snprintf (options, sizeof options,
              "pools=none:frame-threads=1:wpp=0:scenecut=0:open-gop=0:repeat-headers=1:bframes=%d", stream->b_frames);
  return element (bin, "x265enc", "speed-preset", "ultrafast", "tune", stream->b_frames ? "psnr" : "zerolatency",
                  "bitrate", bitrate, "key-int-max", key_frames, "log-level", "none", "option-string", options, NULL);
}

static GstElement *payloader (GstBin *bin, const StreamScript *stream)
{
  char mtu[32];
  return element (bin, stream->codec == CODEC_H264 ? "rtph264pay" : "rtph265pay", "name", "pay0", "pt", "96",
                  "config-interval", "-1", "aggregate-mode", "zero-latency", "mtu", number (mtu, sizeof mtu, MTU_BYTES),
                  NULL);
}

static void watch_drawing (CameraFactory *factory, GstElement *source, const GstCaps *caps)
{
  const StreamScript *stream = factory->stream;
  const CameraScript *camera = factory->camera;
  Painter *painter = g_new0 (Painter, 1);
  gst_video_info_from_caps (&painter->info, caps);
  painter->picture
      = picture_new (stream->size[0], stream->size[1], camera->name ? camera->name : camera->id, factory->font);
  painter->faults = camera_faults_ref (factory->faults);
  GstPad *pad = gst_element_get_static_pad (source, "src");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, paint_buffer, painter, painter_free);
  gst_object_unref (pad);
}

static gboolean add_live_video (CameraFactory *factory, GstBin *bin, gint64 pace_us)
{
  const StreamScript *stream = factory->stream;
  GstCaps *caps = gst_caps_new_simple ("video/x-raw", "format", G_TYPE_STRING, "I420", "width", G_TYPE_INT,
                                       stream->size[0], "height", G_TYPE_INT, stream->size[1], "framerate",
                                       GST_TYPE_FRACTION, stream->fps, 1, NULL);
  GstElement *source = element (bin, "videotestsrc", "is-live", "true", "pattern", "black", NULL);
  GstElement *filter = element (bin, "capsfilter", NULL);
  GstElement *encode = encoder (bin, stream);
  GstElement *queue
      = element (bin, "queue", "max-size-time", "0", "max-size-bytes", "0", "max-size-buffers", "30", NULL);
  GstElement *pay = payloader (bin, stream);
  gboolean made = source && filter && encode && queue && pay;
  if (made) {
    g_object_set (filter, "caps", caps, NULL);
    made = gst_element_link_many (source, filter, encode, queue, pay, NULL);
    watch_drawing (factory, filter, caps);
    watch_sending (factory, pay, pace_us, TRUE);
  }
  gst_caps_unref (caps);
  return made;
}

static void file_wanted (GstAppSrc *source, guint length, gpointer player)
{
  (void) length;
  gst_app_src_push_buffer (source, file_player_next (player));
}

static gboolean add_file_video (CameraFactory *factory, GstBin *bin, gint64 pace_us)
{
  const StreamScript *stream = factory->stream;
  GstElement *source = element (bin, "appsrc", "format", "time", NULL);
  GstElement *pay = payloader (bin, stream);
  if (!source || !pay)
    return FALSE;
  const char *media = stream->codec == CODEC_H264 ? "video/x-h264" : "video/x-h265";
  GstCaps *caps = gst_caps_new_simple (media, "stream-format", G_TYPE_STRING, "byte-stream", "alignment", G_TYPE_STRING,
                                       "au", NULL);
  GstAppSrcCallbacks callbacks = { .need_data = file_wanted };
  g_object_set (source, "caps", caps, NULL);
  gst_caps_unref (caps);
  gst_app_src_set_callbacks (GST_APP_SRC (source), &callbacks, file_player_new (factory->file),
                             (GDestroyNotify) file_player_free);
  watch_sending (factory, pay, pace_us, FALSE);
  return gst_element_link (source, pay);
}

static gboolean add_audio (CameraFactory *factory, GstBin *bin)
{
  gboolean is_aac = factory->camera->audio == AUDIO_AAC;
  GstCaps *caps = gst_caps_new_simple ("audio/x-raw", "rate", G_TYPE_INT, is_aac ? AAC_HZ : PCMA_HZ, "channels",
                                       G_TYPE_INT, 1, NULL);
  GstElement *source
      = element (bin, "audiotestsrc", "is-live", "true", "wave", "ticks", "samplesperbuffer", "320", NULL);
  GstElement *filter = element (bin, "capsfilter", NULL);
  GstElement *convert = element (bin, "audioconvert", NULL);
  GstElement *encode = is_aac ? element (bin, "avenc_aac", "bitrate", "32000", NULL) : element (bin, "alawenc", NULL);
  GstElement *queue = element (bin, "queue", NULL);
  GstElement *pay = is_aac ? element (bin, "rtpmp4gpay", "name", "pay1", "pt", "97", NULL)
                           : element (bin, "rtppcmapay", "name", "pay1", "pt", "8", NULL);
  gboolean made = source && filter && convert && encode && queue && pay;
  if (made) {
    g_object_set (filter, "caps", caps, NULL);
    made = gst_element_link_many (source, filter, convert, encode, queue, pay, NULL);
    watch_sending (factory, pay, 0, FALSE);
  }
  gst_caps_unref (caps);
  return made;
}

static GstElement *create_element (GstRTSPMediaFactory *base, const GstRTSPUrl *url)
{
  (void) url;
  CameraFactory *factory = CAMERA_FACTORY (base);
  const StreamScript *stream = factory->stream;
  GstElement *bin = gst_bin_new (NULL);
  gint64 pace_us = factory->camera->pacing == PACING_PACED ? MIN (PACE_US, G_USEC_PER_SEC / stream->fps / 2) : 0;
  gboolean made = factory->file ? add_file_video (factory, GST_BIN (bin), pace_us)
                                : add_live_video (factory, GST_BIN (bin), pace_us);
  if (made && factory->camera->audio != AUDIO_NONE && stream == &factory->camera->main)
    made = add_audio (factory, GST_BIN (bin));
  if (!made) {
    log_error ("camera %s: its pipeline can't be built", factory->camera->id);
    gst_object_unref (bin);
    return NULL;
  }
  return bin;
}

static void camera_factory_finalize (GObject *object)
{
  CameraFactory *factory = CAMERA_FACTORY (object);
  g_free (factory->font);
  g_clear_pointer (&factory->file, file_units_unref);
  camera_faults_unref (factory->faults);
  G_OBJECT_CLASS (camera_factory_parent_class)->finalize (object);
}

static void camera_factory_class_init (CameraFactoryClass *class)
{
  GST_RTSP_MEDIA_FACTORY_CLASS (class)->create_element = create_element;
  G_OBJECT_CLASS (class)->finalize = camera_factory_finalize;
}

static void camera_factory_init (CameraFactory *factory)
{
  (void) factory;
}

GstRTSPMediaFactory *camera_media_factory_new (const CameraScript *camera, const StreamScript *stream, const char *font,
                                               CameraFaults *faults, GError **error)
{
  FileUnits *file = stream->file ? file_units_read (stream->file, stream->codec, error) : NULL;
  if (stream->file && !file)
    return NULL;
  CameraFactory *factory = g_object_new (CAMERA_TYPE_FACTORY, NULL);
  factory->file = file;
  factory->camera = camera;
  factory->stream = stream;
  factory->font = g_strdup (font);
  factory->faults = camera_faults_ref (faults);
  gst_rtsp_media_factory_set_shared (GST_RTSP_MEDIA_FACTORY (factory), TRUE);
  if (camera->username != NULL || camera->cert_file != NULL)
    gst_rtsp_media_factory_add_role (GST_RTSP_MEDIA_FACTORY (factory), "viewer", GST_RTSP_PERM_MEDIA_FACTORY_ACCESS,
                                     G_TYPE_BOOLEAN, TRUE, GST_RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, G_TYPE_BOOLEAN, TRUE,
                                     NULL);
  return GST_RTSP_MEDIA_FACTORY (factory);
}
