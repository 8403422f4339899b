/* What a camera may answer to a client that is connecting. The first byte: whether the client asks for UDP, and has a login. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipelines/rtsp/rtsp_client_private.h"
#include "tests/fuzz/fuzz_target.h"

typedef struct {
  Loop *loop;
  int fds[2]; /* a connection; nobody reads what the client says */
  const uint8_t *bytes;
  size_t size;
} Input;

static gssize on_message (const guint8 *bytes, gsize size, gpointer data)
{
  (void) bytes, (void) data;
  return (gssize) size;
}

static void nothing (gpointer data)
{
  (void) data;
}

static void on_failed (const char *reason, const char *detail, gpointer data)
{
  (void) reason, (void) detail, (void) data;
}

/* As if it had just connected. */
static RtspClient *client_on (const Input *input, Receiver *receiver, const RtspClientSettings *settings)
{
  RtspClient *client = g_new0 (RtspClient, 1);
  client->loop = input->loop;
  client->receiver = receiver;
  client->settings = settings;
  client->failed = on_failed;
  rtsp_url_read (&client->url, settings->url);
  rtsp_url_read (&client->home, settings->url);
  client->visited = g_ptr_array_new_with_free_func (g_free);
  client->timer = loop_timer_new (input->loop, nothing, client);
  client->unsent = g_string_new (NULL);
  client->control = g_byte_array_new ();
  wire_init (&client->wire, dup (input->fds[0]));
  client->phase = PHASE_OPEN;
  client->is_udp = settings->is_udp;
  return client;
}

static void answer (gpointer data)
{
  static const ReceiverEvents events = { on_message, nothing, nothing, nothing };
  const Input *input = data;
  Stream *stream = stream_new (input->loop, "camera", "main");
  Receiver *receiver = receiver_new (stream, &events, NULL);
  const RtspClientSettings settings = { .name = "camera", .url = "rtsp://127.0.0.1/s?x=1", .is_udp = input->bytes[0] & 1,
                                        .username = input->bytes[0] & 2 ? "viewer" : NULL, .password = "secret" };
  RtspClient *client = client_on (input, receiver, &settings);
  dialog_begin (client);
  gssize used = 1;
  size_t at = 1;
  for (; at < input->size && used > 0; at += (size_t) MAX (used, 0))
    used = rtsp_client_message (client, input->bytes + at, input->size - at);
  if (used == 0)
    dialog_take_short_answer (client, input->bytes + at, input->size - at);
  if (client->is_playing)
    dialog_keep_alive (client);
  rtsp_client_free (client);
  receiver_free (receiver);
  stream_free (stream);
}

static void connect_pair (int fds[2])
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  int listener = socket (AF_INET, SOCK_STREAM, 0);
  g_assert (bind (listener, (struct sockaddr *) &address, size) == 0 && listen (listener, 1) == 0);
  getsockname (listener, (struct sockaddr *) &address, &size);
  fds[0] = socket (AF_INET, SOCK_STREAM, 0);
  g_assert (connect (fds[0], (struct sockaddr *) &address, size) == 0);
  fds[1] = accept (listener, NULL, NULL);
  close (listener);
}

static void drain (int fd)
{
  char bytes[65536];
  while (recv (fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
    ;
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  static Input input;
  if (size < 2)
    return 0;
  if (input.loop == NULL) {
    input.loop = loop_new (NULL);
    connect_pair (input.fds);
  }
  input.bytes = bytes;
  input.size = size;
  loop_call (input.loop, answer, &input);
  drain (input.fds[1]);
  return 0;
}
