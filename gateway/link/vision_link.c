#include "gateway/link/vision_link.h"

#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"

enum { ENCODE_TIMEOUT_US = 20 * G_USEC_PER_SEC };

struct VisionLink {
  LinkEndpoint *endpoint;
  gint is_connected;
};

static void on_message (LinkEndpoint *endpoint, LinkMessage *message, gpointer data)
{
  (void) endpoint, (void) data;
  log_limited (LOG_LEVEL_WARNING, "vision sent a %s, which is not its to send", link_kind_name (message->kind));
  link_message_free (message);
}

static void on_changed (LinkEndpoint *endpoint, gboolean is_connected, gpointer data)
{
  (void) endpoint;
  VisionLink *link = data;
  g_atomic_int_set (&link->is_connected, is_connected);
  log_info ("vision: %s", is_connected ? "connected" : "away");
}

VisionLink *vision_link_new (const char *runtime_dir)
{
  VisionLink *link = g_new0 (VisionLink, 1);
  g_autofree char *path = g_build_filename (runtime_dir, "vision.sock", NULL);
  link->endpoint = link_endpoint_connect (path, on_message, on_changed, link);
  return link;
}

gboolean vision_link_encode (VisionLink *link, int access_unit_fd, const char *codec, int max_width, int file_fd,
                             VisionPicture *picture, GError **error)
{
  LinkMessage *message = link_message_new (LINK_PICTURE_ENCODE,
                                           json_pack ("{s:s, s:i}", "codec", codec, "max_width", max_width));
  link_message_add_fd (message, access_unit_fd);
  link_message_add_fd (message, dup (file_fd));
  g_autoptr (LinkMessage) reply = link_endpoint_call (link->endpoint, message, ENCODE_TIMEOUT_US, error);
  if (reply == NULL)
    return FALSE;
  picture->width = (int) link_message_integer (reply, "width");
  picture->height = (int) link_message_integer (reply, "height");
  picture->bytes = link_message_integer (reply, "bytes");
  g_strlcpy (picture->sha256, link_message_string (reply, "sha256"), sizeof picture->sha256);
  return TRUE;
}

gboolean vision_link_is_connected (VisionLink *link)
{
  return g_atomic_int_get (&link->is_connected);
}

int vision_link_pid (VisionLink *link)
{
  return link_endpoint_peer_pid (link->endpoint);
}

void vision_link_free (VisionLink *link)
{
  if (link == NULL)
    return;
  link_endpoint_free (link->endpoint);
  g_free (link);
}
