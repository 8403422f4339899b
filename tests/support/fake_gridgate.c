/* fake-gridgate: the deciding side of the link for tests and benchmarks of gridgate-media.
 *
 * usage: fake-gridgate [-u USER:PASSWORD] [-t TOKEN] [-l LOGIN:PASSWORD] [-d] [--udp-port N]
 *                      [--record DIR [--max-bytes N]] RUNTIME_DIR RTSP_LISTEN CAMERA=URL…
 * -u: the cameras' login; -t, -l: who may play (without them everybody may); -d: cameras on demand;
 * --udp-port: viewers may play over UDP, from N and N + 1.
 * --record: everything is recorded below DIR, in segments of a minute.
 * Sends the site whenever media comes, answers PLAY_ASK, prints each event as one line of JSON; on SIGUSR1 also what the last
 * forty seconds of each camera's recordings are ("kind":"recordings_list"). A request that media refuses ends it with 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib-unix.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "gateway/link/link_endpoint.h"
#include "pipelines/rtsp/digest.h"

enum { SEGMENT_US = 60 * G_USEC_PER_SEC, LIST_US = 40 * G_USEC_PER_SEC };

typedef struct {
  GMainLoop *main_loop;
  LinkEndpoint *link;
  const char *rtsp_listen, *token;
  char **camera_login, **client_login; /* {user, password} or NULL */
  gboolean is_on_demand, was_refused;
  const char *data_dir; /* NULL: nothing is recorded */
  gint64 max_bytes;
  int udp_port; /* 0: no UDP */
  char **cameras;
} Fake;

static void refused (Fake *fake, const GError *error)
{
  log_error ("media: %s", error->message);
  if (g_error_matches (error, GRIDGATE_ERROR, ERROR_RETRY))
    return;
  fake->was_refused = TRUE;
  g_main_loop_quit (fake->main_loop);
}

static void on_reply (LinkMessage *reply, const GError *error, gpointer data)
{
  (void) reply;
  if (error != NULL)
    refused (data, error);
}

static void ask (Fake *fake, LinkKind kind, json_t *body)
{
  link_endpoint_request (fake->link, link_message_new (kind, body), 0, on_reply, fake);
}

static void put_camera (Fake *fake, const char *camera)
{
  g_auto (GStrv) parts = g_strsplit (camera, "=", 2);
  g_auto (GStrv) names = g_strsplit (parts[0], "/", 2);
  json_t *body = json_pack ("{s:s, s:s, s:s, s:s, s:b, s:I, s:s, s:i}", "camera", names[0], "stream",
                            names[1] != NULL ? names[1] : "main", "url", parts[1], "transport", "tcp", "on_demand",
                            fake->is_on_demand, "linger", (json_int_t) 10 * G_USEC_PER_SEC, "record",
                            fake->data_dir != NULL ? "continuous" : "off", "pre_roll", 0);
  if (fake->camera_login != NULL) {
    json_object_set_new (body, "username", json_string (fake->camera_login[0]));
    json_object_set_new (body, "password", json_string (fake->camera_login[1]));
  }
  ask (fake, LINK_CAMERA_PUT, body);
}

static void on_changed (LinkEndpoint *endpoint, gboolean is_connected, gpointer data)
{
  Fake *fake = data;
  if (!is_connected)
    return;
  fake->link = endpoint;
  ask (fake, LINK_HELLO, json_pack ("{s:s}", "version", GRIDGATE_VERSION));
  ask (fake, LINK_SITE_BEGIN,
       json_pack ("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:i, s:i}", "gateway", "fake-1", "rtsp_listen", fake->rtsp_listen,
                  "data_dir", fake->data_dir != NULL ? fake->data_dir : "/nonexistent", "segment", (json_int_t) SEGMENT_US,
                  "retain", (json_int_t) 0, "keep_at_least", (json_int_t) 0, "max_bytes", (json_int_t) fake->max_bytes,
                  "min_free_bytes", (json_int_t) 0, "min_free_percent", 5, "rtsp_udp_port", fake->udp_port));
  for (char **camera = fake->cameras; *camera != NULL; camera++)
    put_camera (fake, *camera);
  ask (fake, LINK_SITE_END, NULL);
}

static gboolean digest_fits (const Fake *fake, const LinkMessage *request)
{
  DigestInput input = {
    .algorithm = g_strcmp0 (link_message_string (request, "algorithm"), "SHA-256") == 0 ? DIGEST_SHA256 : DIGEST_MD5,
    .username = link_message_string (request, "username"), .realm = link_message_string (request, "realm"),
    .password = fake->client_login[1], .nonce = link_message_string (request, "nonce"),
    .uri = link_message_string (request, "uri"), .method = link_message_string (request, "method"),
    .qop = link_message_string (request, "qop"), .nc = link_message_string (request, "nc"),
    .cnonce = link_message_string (request, "cnonce"),
  };
  if (g_strcmp0 (input.username, fake->client_login[0]) != 0)
    return FALSE;
  g_autofree char *response = digest_response (&input);
  return g_strcmp0 (response, link_message_string (request, "response")) == 0;
}

static int decide (const Fake *fake, const LinkMessage *request)
{
  if (fake->token == NULL && fake->client_login == NULL)
    return 200;
  if (fake->token != NULL && g_strcmp0 (link_message_string (request, "token"), fake->token) == 0)
    return 200;
  return fake->client_login != NULL && digest_fits (fake, request) ? 200 : 401;
}

static void print_line (json_t *body, LinkKind kind)
{
  json_object_set_new (body, "kind", json_string (link_kind_name (kind)));
  char *text = json_dumps (body, JSON_COMPACT);
  puts (text);
  fflush (stdout);
  free (text);
}

static void on_list (LinkMessage *reply, const GError *error, gpointer data)
{
  if (error != NULL)
    refused (data, error);
  else
    print_line (reply->body, LINK_RECORDINGS_LIST);
}

static gboolean on_list_wanted (gpointer data)
{
  Fake *fake = data;
  gint64 now = g_get_real_time ();
  for (char **camera = fake->cameras; *camera != NULL && fake->link != NULL; camera++) {
    g_auto (GStrv) parts = g_strsplit (*camera, "=", 2);
    json_t *body = json_pack ("{s:s, s:I, s:I}", "camera", parts[0], "from", (json_int_t) (now - LIST_US), "to", (json_int_t) now);
    link_endpoint_request (fake->link, link_message_new (LINK_RECORDINGS_LIST, body), 0, on_list, fake);
  }
  return G_SOURCE_CONTINUE;
}

static void on_received (LinkEndpoint *endpoint, LinkMessage *message, gpointer data)
{
  g_autoptr (LinkMessage) taken = message;
  if (message->kind == LINK_PLAY_ASK)
    link_endpoint_send (endpoint, link_message_reply (message, json_pack ("{s:i}", "status", decide (data, message))));
  print_line (message->body, message->kind);
}

static gboolean on_signal (gpointer data)
{
  g_main_loop_quit (((Fake *) data)->main_loop);
  return G_SOURCE_REMOVE;
}

int main (int argument_count, char **arguments)
{
  Fake fake = { 0 };
  g_autofree char *camera_login = NULL, *client_login = NULL, *token = NULL, *data_dir = NULL;
  const GOptionEntry entries[] = {
    { "camera-login", 'u', 0, G_OPTION_ARG_STRING, &camera_login, NULL, NULL },
    { "client-login", 'l', 0, G_OPTION_ARG_STRING, &client_login, NULL, NULL },
    { "token", 't', 0, G_OPTION_ARG_STRING, &token, NULL, NULL },
    { "on-demand", 'd', 0, G_OPTION_ARG_NONE, &fake.is_on_demand, NULL, NULL },
    { "udp-port", 0, 0, G_OPTION_ARG_INT, &fake.udp_port, NULL, NULL },
    { "record", 0, 0, G_OPTION_ARG_FILENAME, &data_dir, NULL, NULL },
    { "max-bytes", 0, 0, G_OPTION_ARG_INT64, &fake.max_bytes, NULL, NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("RUNTIME_DIR RTSP_LISTEN CAMERA=URL…");
  g_option_context_add_main_entries (context, entries, NULL);
  log_open ("fake-gridgate");
  if (!g_option_context_parse (context, &argument_count, &arguments, NULL) || argument_count < 3)
    return EXIT_FAILURE;

  g_autofree char *path = g_build_filename (arguments[1], "media.sock", NULL);
  g_auto (GStrv) camera_pair = camera_login != NULL ? g_strsplit (camera_login, ":", 2) : NULL;
  g_auto (GStrv) client_pair = client_login != NULL ? g_strsplit (client_login, ":", 2) : NULL;
  fake.rtsp_listen = arguments[2];
  fake.cameras = arguments + 3;
  fake.token = token;
  fake.data_dir = data_dir;
  fake.camera_login = camera_pair;
  fake.client_login = client_pair;
  fake.main_loop = g_main_loop_new (NULL, FALSE);
  g_unix_signal_add (SIGTERM, on_signal, &fake);
  g_unix_signal_add (SIGINT, on_signal, &fake);
  g_unix_signal_add (SIGUSR1, on_list_wanted, &fake);
  fake.link = link_endpoint_connect (path, on_received, on_changed, &fake);
  g_main_loop_run (fake.main_loop);
  link_endpoint_free (fake.link);
  g_main_loop_unref (fake.main_loop);
  return fake.was_refused ? EXIT_FAILURE : EXIT_SUCCESS;
}
