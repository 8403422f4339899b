/* rtsp_file_server: a camera that we did not write: GStreamer's RTSP server over a file that ffmpeg made.
 *
 *   rtsp_file_server PORT NAME=FILE.mp4:CODECS …      CODECS: h264, h265, each optionally with +aac or +pcma
 *
 * Serves rtsp://127.0.0.1:PORT/NAME, with digest login viewer/secret when GRIDGATE_TEST_LOGIN is set. Prints "ready". */
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
  return g_strdup_printf ("( filesrc location=%s ! %s name=d d. ! queue ! %sparse ! rtp%spay name=pay0 pt=96 %s )", file,
                          g_str_has_suffix (file, ".mov") || g_str_has_suffix (file, ".mp4") ? "qtdemux" : "matroskademux",
                          video, video, audio != NULL ? audio : "");
}

static void require_login (GstRTSPServer *server, GstRTSPMediaFactory *factory)
{
  g_autoptr (GstRTSPAuth) auth = gst_rtsp_auth_new ();
  GstRTSPToken *token = gst_rtsp_token_new (GST_RTSP_TOKEN_MEDIA_FACTORY_ROLE, G_TYPE_STRING, "viewer", NULL);
  gst_rtsp_auth_set_supported_methods (auth, GST_RTSP_AUTH_DIGEST);
  gst_rtsp_auth_add_digest (auth, "viewer", "secret", token);
  gst_rtsp_token_unref (token);
  gst_rtsp_server_set_auth (server, auth);
  gst_rtsp_media_factory_add_role (factory, "viewer", GST_RTSP_PERM_MEDIA_FACTORY_ACCESS, G_TYPE_BOOLEAN, TRUE,
                                   GST_RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, G_TYPE_BOOLEAN, TRUE, NULL);
}

static gboolean mount (GstRTSPServer *server, GstRTSPMountPoints *mounts, const char *argument)
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
  if (g_getenv ("GRIDGATE_TEST_LOGIN") != NULL)
    require_login (server, factory);
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
    if (!mount (server, mounts, arguments[i])) {
      fprintf (stderr, "not NAME=FILE:CODECS: %s\n", arguments[i]);
      return EXIT_FAILURE;
    }
  if (gst_rtsp_server_attach (server, NULL) == 0) {
    fprintf (stderr, "cannot listen on port %s\n", arguments[1]);
    return EXIT_FAILURE;
  }
  puts ("ready");
  fflush (stdout);
  g_main_loop_run (g_main_loop_new (NULL, FALSE));
}
