/* rtsp_file_server: a camera that we did not write: GStreamer's RTSP server over a file that ffmpeg made.
 *
 *   rtsp_file_server PORT NAME=FILE.mp4:CODECS …      CODECS: h264, h265, each optionally with +aac, +opus, +pcma, or +g726 of a file
 *                                                     with pcma
 *
 * Serves rtsp://127.0.0.1:PORT/NAME, over TCP and UDP, with digest login viewer/secret when GRIDGATE_TEST_LOGIN is set; and
 * rtsps:// when GRIDGATE_TEST_TLS names a certificate and its key, FILE.pem and FILE.key, without the ending. Prints "ready". */
#include <gst/rtsp-server/rtsp-server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *launch_line (const char *file, const char *codecs)
{
  const char *video = g_str_has_prefix (codecs, "h265") ? "h265" : "h264";
  g_autofree char *audio = NULL;
  if (strstr (codecs, "+aac") != NULL)
    audio = g_strdup ("d. ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97");
  else if (strstr (codecs, "+pcma") != NULL)
    audio = g_strdup ("d. ! queue ! rtppcmapay name=pay1 pt=8");
  else if (strstr (codecs, "+opus") != NULL)
    audio = g_strdup ("d. ! queue ! opusparse ! rtpopuspay name=pay1 pt=98");
  else if (strstr (codecs, "+g726") != NULL)
    audio = g_strdup ("d. ! queue ! alawdec ! avenc_g726 bitrate=32000 ! rtpg726pay name=pay1 pt=99");
  return g_strdup_printf ("( filesrc location=%s ! %s name=d d. ! queue ! %sparse ! rtp%spay name=pay0 pt=96 %s )", file,
                          g_str_has_suffix (file, ".mov") || g_str_has_suffix (file, ".mp4") ? "qtdemux" : "matroskademux",
                          video, video, audio != NULL ? audio : "");
}

static void admit (GstRTSPMediaFactory *factory, const char *role)
{
  gst_rtsp_media_factory_add_role (factory, role, GST_RTSP_PERM_MEDIA_FACTORY_ACCESS, G_TYPE_BOOLEAN, TRUE,
                                   GST_RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, G_TYPE_BOOLEAN, TRUE, NULL);
}

static GstRTSPToken *token_of (const char *role)
{
  return gst_rtsp_token_new (GST_RTSP_TOKEN_MEDIA_FACTORY_ROLE, G_TYPE_STRING, role, NULL);
}

static gboolean set_certificate (GstRTSPAuth *auth, const char *path)
{
  g_autofree char *cert_file = g_strconcat (path, ".pem", NULL), *key_file = g_strconcat (path, ".key", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GTlsCertificate) certificate = g_tls_certificate_new_from_files (cert_file, key_file, &error);
  if (certificate == NULL) {
    fprintf (stderr, "%s: %s\n", path, error->message);
    return FALSE;
  }
  gst_rtsp_auth_set_tls_certificate (auth, certificate);
  return TRUE;
}

/* Who may do what, with a login or without, in TLS or not. */
static gboolean protect (GstRTSPServer *server)
{
  const char *certificate = g_getenv ("GRIDGATE_TEST_TLS");
  gboolean has_login = g_getenv ("GRIDGATE_TEST_LOGIN") != NULL;
  g_autoptr (GstRTSPAuth) auth = gst_rtsp_auth_new ();
  GstRTSPToken *token = token_of ("viewer");
  if (!has_login && certificate == NULL)
    return TRUE;
  if (has_login) {
    gst_rtsp_auth_set_supported_methods (auth, GST_RTSP_AUTH_DIGEST);
    gst_rtsp_auth_add_digest (auth, "viewer", "secret", token);
  } else {
    gst_rtsp_auth_set_default_token (auth, token);
  }
  gst_rtsp_token_unref (token);
  gst_rtsp_server_set_auth (server, auth);
  return certificate == NULL || set_certificate (auth, certificate);
}

static gboolean mount (GstRTSPMountPoints *mounts, const char *argument)
{
  g_auto (GStrv) pair = g_strsplit (argument, "=", 2);
  char *colon = pair[1] != NULL ? strrchr (pair[1], ':') : NULL;
  if (colon == NULL)
    return FALSE;
  *colon = '\0';
  g_autofree char *launch = launch_line (pair[1], colon + 1);
  g_autofree char *path = g_strconcat ("/", pair[0], NULL);
  GstRTSPMediaFactory *factory = gst_rtsp_media_factory_new ();
  gst_rtsp_media_factory_set_launch (factory, launch);
  admit (factory, "viewer");
  gst_rtsp_mount_points_add_factory (mounts, path, factory);
  return TRUE;
}

int main (int count, char **arguments)
{
  gst_init (NULL, NULL);
  g_autoptr (GstRTSPServer) server = gst_rtsp_server_new ();
  g_autoptr (GstRTSPMountPoints) mounts = gst_rtsp_server_get_mount_points (server);
  if (count < 3)
    return EXIT_FAILURE;
  gst_rtsp_server_set_address (server, "127.0.0.1");
  gst_rtsp_server_set_service (server, arguments[1]);
  for (int i = 2; i < count; i++)
    if (!mount (mounts, arguments[i])) {
      fprintf (stderr, "not NAME=FILE:CODECS: %s\n", arguments[i]);
      return EXIT_FAILURE;
    }
  if (!protect (server))
    return EXIT_FAILURE;
  if (gst_rtsp_server_attach (server, NULL) == 0) {
    fprintf (stderr, "cannot listen on port %s\n", arguments[1]);
    return EXIT_FAILURE;
  }
  puts ("ready");
  fflush (stdout);
  g_main_loop_run (g_main_loop_new (NULL, FALSE));
}
