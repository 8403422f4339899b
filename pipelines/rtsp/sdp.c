#include "pipelines/rtsp/sdp.h"

#include <gst/sdp/gstsdpmessage.h>
#include <string.h>

#include "gateway/core/error.h"
#include "pipelines/rtsp/rtsp_url.h"

/* RFC 3551 tables 4 and 5: what stands without a=rtpmap. */
static const struct {
  guint8 payload_type;
  const char *encoding;
  guint32 clock_rate;
} static_types[] = {
  { 0, "PCMU", 8000 }, { 3, "GSM", 8000 },   { 4, "G723", 8000 }, { 8, "PCMA", 8000 },   { 9, "G722", 8000 },
  { 14, "MPA", 90000 }, { 18, "G729", 8000 }, { 26, "JPEG", 90000 }, { 32, "MPV", 90000 }, { 33, "MP2T", 90000 },
};

static const struct {
  const char *encoding;
  Codec codec;
} codecs[] = {
  { "H264", CODEC_H264 },    { "H265", CODEC_H265 },    { "HEVC", CODEC_H265 },    { "MPEG4-GENERIC", CODEC_AAC },
  { "MP4A-LATM", CODEC_AAC }, { "PCMA", CODEC_PCMA },    { "PCMU", CODEC_PCMU },    { "G726-16", CODEC_G726 },
  { "G726-24", CODEC_G726 }, { "G726-32", CODEC_G726 }, { "G726-40", CODEC_G726 }, { "OPUS", CODEC_OPUS },
};

char *sdp_join_control (const char *base, const char *control)
{
  if (control == NULL || *control == '\0' || strcmp (control, "*") == 0)
    return g_strdup (base);
  const char *path = rtsp_url_path (control), *base_path = rtsp_url_path (base);
  if (path != NULL && base_path != NULL) /* behind a router the camera names an address that isn't where we reach it */
    return g_strdup_printf ("%.*s%s", (int) (base_path - base), base, path);
  if (g_str_has_suffix (base, "/") && *control == '/')
    control++;
  gboolean joins = g_str_has_suffix (base, "/") || *control == '/' || *control == '?';
  return g_strconcat (base, joins ? "" : "/", control, NULL);
}

static gboolean is_text (const char *text)
{
  for (const char *c = text; *c; c++)
    if ((guchar) *c < ' ' || *c == 0x7f)
      return FALSE;
  return TRUE;
}

static Codec codec_of (const char *encoding)
{
  for (guint i = 0; i < G_N_ELEMENTS (codecs); i++)
    if (g_ascii_strcasecmp (encoding, codecs[i].encoding) == 0)
      return codecs[i].codec;
  return CODEC_UNKNOWN;
}

/* The text after "PAYLOAD_TYPE " of the attribute `name` that is about this payload type; NULL when there is none. */
static const char *attribute_of_type (const GstSDPMedia *media, const char *name, guint payload_type)
{
  for (guint i = 0;; i++) {
    const char *value = gst_sdp_media_get_attribute_val_n (media, name, i);
    char *rest = NULL;
    if (value == NULL)
      return NULL;
    guint64 number = g_ascii_strtoull (value, &rest, 10);
    if (rest != value && number == payload_type && (*rest == ' ' || *rest == '\t'))
      return rest + 1;
  }
}

/* "H264/90000", "MPEG4-GENERIC/16000/2" */
static gboolean read_rtpmap (Track *track, const char *text)
{
  g_auto (GStrv) parts = g_strsplit (text, "/", 3);
  guint64 rate, channels = 1;
  if (g_strv_length (parts) < 2 || !is_text (text) || strlen (g_strstrip (parts[0])) > 32
      || !g_ascii_string_to_unsigned (g_strstrip (parts[1]), 10, 1000, 1000000, &rate, NULL))
    return FALSE;
  if (parts[2] != NULL && !g_ascii_string_to_unsigned (g_strstrip (parts[2]), 10, 1, 16, &channels, NULL))
    channels = 1;
  track->encoding = g_strdup (parts[0]);
  track->clock_rate = (guint32) rate;
  track->channels = (guint) channels;
  return TRUE;
}

static gboolean read_static_type (Track *track)
{
  for (guint i = 0; i < G_N_ELEMENTS (static_types); i++)
    if (static_types[i].payload_type == track->payload_type) {
      track->encoding = g_strdup (static_types[i].encoding);
      track->clock_rate = static_types[i].clock_rate;
      track->channels = 1;
      return TRUE;
    }
  return FALSE;
}

static Medium medium_of (const char *name)
{
  return g_strcmp0 (name, "video") == 0 ? MEDIUM_VIDEO : g_strcmp0 (name, "audio") == 0 ? MEDIUM_AUDIO : MEDIUM_OTHER;
}

static void track_clear (Track *track)
{
  g_free (track->encoding);
  g_free (track->format);
  g_free (track->control);
  *track = (Track){ 0 };
}

/* FALSE when the medium isn't one that we carry. */
static gboolean read_track (Track *track, const GstSDPMedia *media, const char *base)
{
  const char *first = gst_sdp_media_formats_len (media) > 0 ? gst_sdp_media_get_format (media, 0) : NULL;
  const char *protocol = gst_sdp_media_get_proto (media);
  guint64 payload_type;
  *track = (Track){ .medium = medium_of (gst_sdp_media_get_media (media)) };
  if (track->medium == MEDIUM_OTHER || protocol == NULL || !g_str_has_prefix (protocol, "RTP/") || first == NULL
      || !g_ascii_string_to_unsigned (first, 10, 0, 127, &payload_type, NULL))
    return FALSE;
  track->payload_type = (guint8) payload_type;
  const char *map = attribute_of_type (media, "rtpmap", track->payload_type);
  const char *format = attribute_of_type (media, "fmtp", track->payload_type);
  const char *control = gst_sdp_media_get_attribute_val (media, "control");
  if (!(map != NULL ? read_rtpmap (track, map) : read_static_type (track)))
    return FALSE;
  if (control != NULL && (!is_text (control) || strchr (control, ' ') != NULL || strlen (control) > 1024))
    control = NULL;
  track->codec = codec_of (track->encoding);
  track->format = g_strdup (format != NULL && is_text (format) && strlen (format) <= SDP_FORMAT_MAX ? format : "");
  track->control = sdp_join_control (base, control);
  return TRUE;
}

static gboolean is_carried_video (const Track *track)
{
  return track->codec == CODEC_H264 || track->codec == CODEC_H265;
}

/* Takes the tracks that we carry; `*other_video` names a video codec that we don't (g_free). */
static void read_media (TrackList *tracks, const GstSDPMessage *message, const char *base, char **other_video)
{
  guint count = MIN (gst_sdp_message_medias_len (message), SDP_MEDIA_MAX);
  for (guint i = 0; i < count && tracks->count < TRACKS_MAX; i++) {
    Track track;
    if (!read_track (&track, gst_sdp_message_get_media (message, i), base)) {
      track_clear (&track);
      continue;
    }
    gboolean is_video = track.medium == MEDIUM_VIDEO;
    if (is_video && (!is_carried_video (&track) || track_list_video (tracks) >= 0)) {
      if (!is_carried_video (&track) && *other_video == NULL)
        *other_video = g_strdup (track.encoding);
      track_clear (&track);
      continue;
    }
    tracks->tracks[tracks->count++] = track;
  }
}

TrackList *sdp_read (const char *text, gsize size, const char *base, GError **error)
{
  if (size == 0) {
    error_set (error, ERROR_REFUSE, "the camera answers DESCRIBE without a session description");
    return NULL;
  }
  if (size > SDP_BYTES_MAX || memchr (text, '\0', size) != NULL) {
    error_set (error, ERROR_REFUSE, "the session description is over %d bytes or not text", SDP_BYTES_MAX);
    return NULL;
  }
  GstSDPMessage *message = NULL;
  gst_sdp_message_new (&message);
  g_autoptr (TrackList) tracks = g_new0 (TrackList, 1);
  g_autofree char *other_video = NULL;
  if (gst_sdp_message_parse_buffer ((const guint8 *) text, (guint) size, message) == GST_SDP_OK) {
    const char *session_control = gst_sdp_message_get_attribute_val (message, "control");
    gboolean is_usable = session_control != NULL && is_text (session_control) && strlen (session_control) <= 1024;
    tracks->control = sdp_join_control (base, is_usable ? session_control : NULL);
    read_media (tracks, message, tracks->control, &other_video);
  }
  gst_sdp_message_free (message);

  if (other_video != NULL && track_list_video (tracks) < 0) {
    error_set (error, ERROR_GIVE_UP, "its video is %s: set the camera to H.264 or H.265", other_video);
    return NULL;
  }
  if (tracks->count == 0) {
    error_set (error, ERROR_REFUSE, "the session description has no video or audio over RTP");
    return NULL;
  }
  tracks->sdp = sdp_write (tracks, NULL);
  return g_steal_pointer (&tracks);
}

char *sdp_write (const TrackList *tracks, const char *video_format)
{
  GString *sdp = g_string_new ("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=gridgate\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
                               "a=tool:gridgate\r\na=range:npt=now-\r\na=control:*\r\n");
  for (guint i = 0; i < tracks->count; i++) {
    const Track *track = &tracks->tracks[i];
    const char *format = track->medium == MEDIUM_VIDEO && video_format != NULL ? video_format : track->format;
    g_string_append_printf (sdp, "m=%s 0 RTP/AVP %u\r\n", track->medium == MEDIUM_VIDEO ? "video" : "audio",
                            track->payload_type);
    g_string_append_printf (sdp, "a=rtpmap:%u %s/%u", track->payload_type, track->encoding, track->clock_rate);
    if (track->medium == MEDIUM_AUDIO && track->channels > 1)
      g_string_append_printf (sdp, "/%u", track->channels);
    g_string_append (sdp, "\r\n");
    if (*format != '\0')
      g_string_append_printf (sdp, "a=fmtp:%u %s\r\n", track->payload_type, format);
    g_string_append_printf (sdp, "a=control:trackID=%u\r\n", i);
  }
  return g_string_free (sdp, FALSE);
}
