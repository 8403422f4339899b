#include "pipelines/rtsp/sdp.h"

#include <gst/sdp/gstsdpmessage.h>
#include <string.h>

#include "gateway/core/error.h"
#include "pipelines/rtsp/rtsp_url.h"

enum { VIDEO_HZ = 90000, DYNAMIC_TYPES = 96 };

/* RFC 3551 tables 4 and 5: what stands without a=rtpmap. */
static const struct {
  guint8 payload_type;
  const char *encoding;
  guint32 clock_rate;
  guint channels;
} static_types[] = {
  { 0, "PCMU", 8000, 1 },  { 2, "G726-32", 8000, 1 }, { 3, "GSM", 8000, 1 },   { 4, "G723", 8000, 1 },
  { 8, "PCMA", 8000, 1 },  { 9, "G722", 8000, 1 },    { 10, "L16", 44100, 2 }, { 11, "L16", 44100, 1 },
  { 14, "MPA", 90000, 1 }, { 18, "G729", 8000, 1 },   { 26, "JPEG", 90000, 1 }, { 32, "MPV", 90000, 1 },
  { 33, "MP2T", 90000, 1 },
};

static const struct {
  const char *encoding;
  Codec codec;
} codecs[] = {
  { "H264", CODEC_H264 },    { "H265", CODEC_H265 },    { "HEVC", CODEC_H265 },    { "MPEG4-GENERIC", CODEC_AAC },
  { "MP4A-LATM", CODEC_AAC }, { "PCMA", CODEC_PCMA },    { "PCMU", CODEC_PCMU },    { "G726-16", CODEC_G726 },
  { "G726-24", CODEC_G726 }, { "G726-32", CODEC_G726 }, { "G726-40", CODEC_G726 }, { "AAL2-G726-16", CODEC_G726 },
  { "AAL2-G726-24", CODEC_G726 }, { "AAL2-G726-32", CODEC_G726 }, { "AAL2-G726-40", CODEC_G726 },
  { "OPUS", CODEC_OPUS },    { "L8", CODEC_PCM },       { "L16", CODEC_PCM },
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

/* The text after the payload type of the attribute `name` that is about this type, with a space between or without; NULL
 * when there is none. Where there is only one, cameras sometimes give it the number of another (Hikvision's 97 for 104). */
static const char *attribute_of_type (const GstSDPMedia *media, const char *name, guint payload_type, gboolean takes_only_one)
{
  const char *only = NULL;
  for (guint i = 0;; i++) {
    const char *value = gst_sdp_media_get_attribute_val_n (media, name, i);
    char *rest = NULL;
    if (value == NULL)
      return i == 1 && takes_only_one ? only : NULL;
    guint64 number = g_ascii_strtoull (value, &rest, 10);
    if (rest == value)
      continue;
    only = rest + strspn (rest, " \t");
    if (number == payload_type)
      return only;
  }
}

/* "H264/90000", "MPEG4-GENERIC/16000/2". The clock of video is always 90 kHz (RFC 6184 8.2.1, RFC 7798 7.1). */
static gboolean read_rtpmap (Track *track, const char *text)
{
  g_auto (GStrv) parts = g_strsplit (text, "/", 3);
  guint64 rate = 0, channels = 1;
  if (parts[0] == NULL || !is_text (text) || strlen (g_strstrip (parts[0])) > 32)
    return FALSE;
  Codec codec = codec_of (parts[0]);
  gboolean has_rate = parts[1] != NULL && g_ascii_string_to_unsigned (g_strstrip (parts[1]), 10, 1000, 1000000, &rate, NULL);
  if (!has_rate && (codec == CODEC_H264 || codec == CODEC_H265))
    rate = VIDEO_HZ;
  else if (!has_rate)
    return FALSE;
  if (track->medium == MEDIUM_AUDIO && has_rate && parts[2] != NULL && !g_ascii_string_to_unsigned (g_strstrip (parts[2]), 10, 1, 16, &channels, NULL))
    channels = 1;
  track->encoding = g_strdup (codec == CODEC_H264 ? "H264" : codec == CODEC_H265 ? "H265" : parts[0]); /* not "HEVC" */
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
      track->channels = static_types[i].channels;
      return TRUE;
    }
  return FALSE;
}

/* No rtpmap for a dynamic type: parameter sets tell as much. */
static gboolean read_parameters (Track *track, const char *format)
{
  const char *encoding = format == NULL                                 ? NULL
                         : strstr (format, "sprop-parameter-sets") != NULL ? "H264"
                         : strstr (format, "sprop-vps") != NULL            ? "H265"
                                                                        : NULL;
  if (encoding == NULL || track->medium != MEDIUM_VIDEO)
    return FALSE;
  track->encoding = g_strdup (encoding);
  track->clock_rate = VIDEO_HZ;
  track->channels = 1;
  return TRUE;
}

static Medium medium_of (const char *name)
{
  return name == NULL                               ? MEDIUM_OTHER
         : g_ascii_strcasecmp (name, "video") == 0 ? MEDIUM_VIDEO
         : g_ascii_strcasecmp (name, "audio") == 0 ? MEDIUM_AUDIO
                                                    : MEDIUM_OTHER;
}


static void track_clear (Track *track)
{
  g_free (track->encoding);
  g_free (track->format);
  g_free (track->control);
  *track = (Track){ 0 };
}

/* "RTP/AVP", also with /TCP behind it or TCP/ before it; RTP/SAVP is encrypted. */
static gboolean is_carried_protocol (const char *protocol)
{
  return protocol != NULL && strstr (protocol, "RTP/AVP") != NULL;
}

static gboolean read_format (Track *track, const GstSDPMedia *media, const char *payload_type)
{
  guint64 number;
  if (!g_ascii_string_to_unsigned (payload_type, 10, 0, 127, &number, NULL))
    return FALSE;
  gboolean is_single = gst_sdp_media_formats_len (media) == 1;
  const char *map = attribute_of_type (media, "rtpmap", (guint) number, is_single && number >= DYNAMIC_TYPES);
  const char *format = attribute_of_type (media, "fmtp", (guint) number, is_single);
  track->payload_type = (guint8) number;
  if (!(map != NULL ? read_rtpmap (track, map) : read_static_type (track) || read_parameters (track, format)))
    return FALSE;
  track->codec = codec_of (track->encoding);
  track->format = g_strdup (format != NULL && is_text (format) && strlen (format) <= SDP_FORMAT_MAX ? format : "");
  return TRUE;
}

/* Of several payload types the first that we carry, else the first that can be read. */
static gboolean choose_format (Track *track, const GstSDPMedia *media)
{
  guint count = MIN (gst_sdp_media_formats_len (media), SDP_MEDIA_MAX);
  Track first = { 0 };
  for (guint i = 0; i < count; i++) {
    Track one = { .medium = track->medium };
    if (read_format (&one, media, gst_sdp_media_get_format (media, i)) && one.codec != CODEC_UNKNOWN) {
      track_clear (&first);
      *track = one;
      return TRUE;
    }
    if (first.encoding == NULL)
      first = one;
    else
      track_clear (&one);
  }
  if (first.encoding == NULL)
    return FALSE;
  *track = first;
  return TRUE;
}

static char *control_of (const GstSDPMedia *media, const char *base)
{
  const char *given = gst_sdp_media_get_attribute_val (media, "control");
  g_autofree char *control = g_strstrip (g_strdup (given != NULL ? given : ""));
  gboolean is_usable = is_text (control) && strchr (control, ' ') == NULL && strlen (control) <= 1024;
  return sdp_join_control (base, is_usable ? control : NULL);
}

/* FALSE when the medium isn't one that we carry. */
static gboolean read_track (Track *track, const GstSDPMedia *media, const char *base)
{
  *track = (Track){ .medium = medium_of (gst_sdp_media_get_media (media)) };
  if (track->medium == MEDIUM_OTHER || !is_carried_protocol (gst_sdp_media_get_proto (media))
      || !choose_format (track, media))
    return FALSE;
  track->control = control_of (media, base);
  return TRUE;
}

/* Audio that the camera wants to have instead of giving it (ONVIF Streaming 5.3): "sendonly" as the client sees it. Cameras
 * that say so as they see it themselves say it of their video too. */
static gboolean is_backchannel (const GstSDPMessage *message, const GstSDPMedia *media)
{
  if (medium_of (gst_sdp_media_get_media (media)) != MEDIUM_AUDIO
      || gst_sdp_media_get_attribute_val (media, "sendonly") == NULL)
    return FALSE;
  for (guint i = 0; i < gst_sdp_message_medias_len (message); i++) {
    const GstSDPMedia *other = gst_sdp_message_get_media (message, i);
    if (medium_of (gst_sdp_media_get_media (other)) == MEDIUM_VIDEO
        && gst_sdp_media_get_attribute_val (other, "sendonly") != NULL)
      return FALSE;
  }
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
    const GstSDPMedia *media = gst_sdp_message_get_media (message, i);
    if (!read_track (&track, media, base) || is_backchannel (message, media)) {
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

/* A byte order mark before it, zero bytes behind it. */
static void skip_what_is_no_text (const char **text, gsize *size)
{
  if (*size >= 3 && memcmp (*text, "\xef\xbb\xbf", 3) == 0) {
    *text += 3;
    *size -= 3;
  }
  const char *zero = *size > 0 ? memchr (*text, '\0', *size) : NULL;
  if (zero != NULL)
    *size = (gsize) (zero - *text);
}

TrackList *sdp_read (const char *text, gsize size, const char *base, GError **error)
{
  skip_what_is_no_text (&text, &size);
  if (size == 0) {
    error_set (error, ERROR_REFUSE, "the camera answers DESCRIBE without a session description");
    return NULL;
  }
  if (size > SDP_BYTES_MAX) {
    error_set (error, ERROR_REFUSE, "the session description is over %d bytes", SDP_BYTES_MAX);
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
