#include "pipelines/playback/recorded_sdp.h"

#include "pipelines/playback/header_units.h"
#include "pipelines/rtsp/rtsp_range.h"

/* The NAL units of the format's header whose type is `type`, in base64 with commas between. */
static char *sets_of (const MediaFormat *format, guint8 type)
{
  HeaderUnits units = header_units (format);
  const guint8 *nal;
  gsize size;
  GString *text = g_string_new (NULL);
  while (header_units_next (&units, &nal, &size))
    if (size > 0 && (format->codec == CODEC_H265 ? nal[0] >> 1 & 63 : nal[0] & 31) == type) {
      g_autofree char *base64 = g_base64_encode (nal, size);
      g_string_append_printf (text, "%s%s", text->len > 0 ? "," : "", base64);
    }
  return g_string_free (text, FALSE);
}

static void append_video (GString *sdp, const MediaFormat *video)
{
  g_string_append_printf (sdp, "m=video 0 RTP/AVP %d\r\n", RECORDED_VIDEO_TYPE);
  if (video->codec == CODEC_H264) {
    g_autofree char *sps = sets_of (video, 7), *pps = sets_of (video, 8);
    g_string_append_printf (sdp, "a=rtpmap:%d H264/%d\r\na=fmtp:%d packetization-mode=1;sprop-parameter-sets=%s,%s\r\n",
                            RECORDED_VIDEO_TYPE, RECORDED_VIDEO_RATE, RECORDED_VIDEO_TYPE, sps, pps);
  } else {
    g_autofree char *vps = sets_of (video, 32), *sps = sets_of (video, 33), *pps = sets_of (video, 34);
    g_string_append_printf (sdp, "a=rtpmap:%d H265/%d\r\na=fmtp:%d sprop-vps=%s;sprop-sps=%s;sprop-pps=%s\r\n",
                            RECORDED_VIDEO_TYPE, RECORDED_VIDEO_RATE, RECORDED_VIDEO_TYPE, vps, sps, pps);
  }
  g_string_append (sdp, "a=control:trackID=0\r\n");
}

static void append_audio (GString *sdp, const MediaFormat *audio)
{
  gsize size;
  const guint8 *config = g_bytes_get_data (audio->header, &size);
  g_string_append_printf (sdp, "m=audio 0 RTP/AVP %d\r\na=rtpmap:%d MPEG4-GENERIC/%u/%u\r\n", RECORDED_AUDIO_TYPE,
                          RECORDED_AUDIO_TYPE, audio->time_scale, audio->channels);
  g_string_append_printf (sdp, "a=fmtp:%d streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;"
                               "indexdeltalength=3;config=", RECORDED_AUDIO_TYPE);
  for (gsize i = 0; i < size; i++)
    g_string_append_printf (sdp, "%02X", config[i]);
  g_string_append (sdp, "\r\na=control:trackID=1\r\n");
}

char *recorded_sdp (const char *camera, const MediaFormat *video, const MediaFormat *audio, gint64 from_us, gint64 to_us)
{
  GString *sdp = g_string_new ("v=0\r\n");
  g_autofree char *from = rtsp_clock_text (from_us), *to = to_us >= 0 ? rtsp_clock_text (to_us) : g_strdup ("");
  g_string_append_printf (sdp, "o=- %" G_GINT64_FORMAT " 1 IN IP4 127.0.0.1\r\ns=%s\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n",
                          from_us, camera);
  /* In both units: rtspsrc takes the first, and turns clock times into npt since 1900; VLC seeks by clock times. */
  g_string_append (sdp, "a=range:npt=0-");
  if (to_us >= 0)
    g_string_append_printf (sdp, "%.3f", (double) (to_us - from_us) / G_USEC_PER_SEC);
  g_string_append_printf (sdp, "\r\na=range:clock=%s-%s\r\n", from, to);
  append_video (sdp, video);
  if (audio != NULL)
    append_audio (sdp, audio);
  return g_string_free (sdp, FALSE);
}
