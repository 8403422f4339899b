#include "pipelines/vision/access_unit_picture.h"

#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libswscale/swscale.h>
#include <string.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"

enum { JPEG_QUALITY = 4 /* 2 best … 31 worst; at 4 a 1080p picture is some 200 kB and shows no blocks */ };

static void context_free (AVCodecContext *context)
{
  avcodec_free_context (&context);
}
static void frame_free (AVFrame *frame)
{
  av_frame_free (&frame);
}
static void packet_free (AVPacket *packet)
{
  av_packet_free (&packet);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AVCodecContext, context_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AVFrame, frame_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AVPacket, packet_free)

/* libav tells a hostile stream's every fault: worth a line for who looks for it only. */
static void log_libav (void *unused, int level, const char *format, va_list arguments)
{
  (void) unused;
  if (level > AV_LOG_ERROR)
    return;
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  log_debug ("libav: %s", g_strchomp (text));
}

static gboolean set_libav_error (GError **error, ErrorStep step, int code, const char *what)
{
  char text[AV_ERROR_MAX_STRING_SIZE] = "";
  av_strerror (code, text, sizeof text);
  return error_set (error, step, "%s: %s", what, text);
}

static AVCodecContext *open_decoder (const char *codec, GError **error)
{
  enum AVCodecID id = g_strcmp0 (codec, "h264") == 0   ? AV_CODEC_ID_H264
                      : g_strcmp0 (codec, "h265") == 0 ? AV_CODEC_ID_HEVC
                                                       : AV_CODEC_ID_NONE;
  const AVCodec *decoder = id == AV_CODEC_ID_NONE ? NULL : avcodec_find_decoder (id);
  if (decoder == NULL) {
    error_set (error, ERROR_GIVE_UP, "no picture from codec \"%s\": only h264 and h265 are decoded", codec);
    return NULL;
  }
  g_autoptr (AVCodecContext) context = avcodec_alloc_context3 (decoder);
  context->thread_count = 1;
  context->max_pixels = (int64_t) PICTURE_MAX_DIMENSION * PICTURE_MAX_DIMENSION;
  context->err_recognition = AV_EF_EXPLODE; /* a damaged picture is an error, not an invention */
  context->flags |= AV_CODEC_FLAG_LOW_DELAY;
  int code = avcodec_open2 (context, decoder, NULL);
  if (code < 0) {
    set_libav_error (error, ERROR_GIVE_UP, code, "the decoder can't be opened");
    return NULL;
  }
  return g_steal_pointer (&context);
}

static AVFrame *decode (AVCodecContext *decoder, const guint8 *bytes, gsize size, GError **error)
{
  g_autoptr (AVPacket) packet = av_packet_alloc ();
  g_autoptr (AVFrame) frame = av_frame_alloc ();
  if (av_new_packet (packet, (int) size) < 0) { /* with the padding that libav reads beyond the end */
    error_set (error, ERROR_RETRY, "no memory for an access unit of %zu bytes", size);
    return NULL;
  }
  memcpy (packet->data, bytes, size);
  packet->flags |= AV_PKT_FLAG_KEY;
  int code = avcodec_send_packet (decoder, packet);
  if (code >= 0)
    code = avcodec_send_packet (decoder, NULL);
  if (code >= 0)
    code = avcodec_receive_frame (decoder, frame);
  if (code < 0) {
    set_libav_error (error, ERROR_REFUSE, code,
                     code == AVERROR_EOF ? "the access unit holds no picture" : "the access unit is damaged");
    return NULL;
  }
  if ((frame->flags & AV_FRAME_FLAG_CORRUPT) || frame->decode_error_flags != 0) {
    error_set (error, ERROR_REFUSE, "the access unit is damaged: part of its picture is missing");
    return NULL;
  }
  return g_steal_pointer (&frame);
}

static gboolean is_within_limits (const AVFrame *frame, GError **error)
{
  if (MIN (frame->width, frame->height) >= PICTURE_MIN_DIMENSION
      && MAX (frame->width, frame->height) <= PICTURE_MAX_DIMENSION)
    return TRUE;
  return error_set (error, ERROR_GIVE_UP, "a picture of %dx%d is out of bounds: %d to %d pixels are taken",
                    frame->width, frame->height, PICTURE_MIN_DIMENSION, PICTURE_MAX_DIMENSION);
}

/* JPEG is full range, BT.601; a camera's picture mostly is neither. */
static AVFrame *scale (const AVFrame *from, int width, int height, GError **error)
{
  g_autoptr (AVFrame) to = av_frame_alloc ();
  to->format = AV_PIX_FMT_YUVJ420P;
  to->width = width;
  to->height = height;
  struct SwsContext *scaler = sws_getContext (from->width, from->height, from->format, width, height, to->format,
                                              SWS_BICUBIC, NULL, NULL, NULL);
  if (scaler == NULL || av_frame_get_buffer (to, 0) < 0) {
    sws_freeContext (scaler);
    error_set (error, ERROR_GIVE_UP, "a picture of %dx%d in format %d can't be scaled", from->width, from->height,
               from->format);
    return NULL;
  }
  gboolean is_full_range = from->color_range == AVCOL_RANGE_JPEG || from->format == AV_PIX_FMT_YUVJ420P;
  int matrix = from->colorspace == AVCOL_SPC_BT709 ? SWS_CS_ITU709 : SWS_CS_ITU601;
  sws_setColorspaceDetails (scaler, sws_getCoefficients (matrix), is_full_range, sws_getCoefficients (SWS_CS_ITU601), 1,
                            0, 1 << 16, 1 << 16);
  sws_scale (scaler, (const uint8_t *const *) from->data, from->linesize, 0, from->height, to->data, to->linesize);
  sws_freeContext (scaler);
  return g_steal_pointer (&to);
}

static GBytes *encode (AVFrame *frame, GError **error)
{
  const AVCodec *mjpeg = avcodec_find_encoder (AV_CODEC_ID_MJPEG);
  g_autoptr (AVCodecContext) context = avcodec_alloc_context3 (mjpeg);
  g_autoptr (AVPacket) packet = av_packet_alloc ();
  context->width = frame->width;
  context->height = frame->height;
  context->pix_fmt = frame->format;
  context->time_base = (AVRational){ 1, 1 };
  context->thread_count = 1;
  context->flags |= AV_CODEC_FLAG_QSCALE;
  context->global_quality = frame->quality = FF_QP2LAMBDA * JPEG_QUALITY;
  frame->pts = 0;
  int code = avcodec_open2 (context, mjpeg, NULL);
  if (code >= 0)
    code = avcodec_send_frame (context, frame);
  if (code >= 0)
    code = avcodec_receive_packet (context, packet);
  if (code < 0) {
    set_libav_error (error, ERROR_GIVE_UP, code, "the picture can't be written as JPEG");
    return NULL;
  }
  return g_bytes_new (packet->data, (gsize) packet->size);
}

gboolean access_unit_to_jpeg (const guint8 *bytes, gsize size, const char *codec, int max_width,
                              EncodedPicture *picture, GError **error)
{
  av_log_set_callback (log_libav);
  if (size == 0 || size > ACCESS_UNIT_MAX_BYTES)
    return error_set (error, ERROR_GIVE_UP, "an access unit of %zu bytes is out of bounds: up to %d are taken", size,
                      ACCESS_UNIT_MAX_BYTES);
  g_autoptr (AVCodecContext) decoder = open_decoder (codec, error);
  if (decoder == NULL)
    return FALSE;
  g_autoptr (AVFrame) decoded = decode (decoder, bytes, size, error);
  if (decoded == NULL || !is_within_limits (decoded, error))
    return FALSE;

  int width = decoded->width, height = decoded->height;
  if (max_width > 0 && width > max_width) {
    width = MAX (max_width, PICTURE_MIN_DIMENSION);
    height = MAX ((int) ((gint64) decoded->height * width / decoded->width), PICTURE_MIN_DIMENSION);
  }
  g_autoptr (AVFrame) scaled = scale (decoded, width, height, error);
  picture->jpeg = scaled ? encode (scaled, error) : NULL;
  picture->width = width;
  picture->height = height;
  return picture->jpeg != NULL;
}

void encoded_picture_clear (EncodedPicture *picture)
{
  g_clear_pointer (&picture->jpeg, g_bytes_unref);
}
