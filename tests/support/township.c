#include "tests/support/township.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

#include "tests/support/folder.h"
#include "tests/support/small_disk.h"
#include "tests/support/test.h"

enum { START_S = 40, END_S = 30 };

static const char password[] = "admin-password-1";

static void write_file (const char *folder, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  assert_true (g_file_set_contents (path, text, -1, NULL));
  g_chmod (path, 0600);
}

static void replace_all (char **text, const char *from, const char *to)
{
  g_auto (GStrv) parts = g_strsplit (*text, from, -1);
  g_free (*text);
  *text = g_strjoinv (to, parts);
}

static void replace_port (char **text, const char *name, int port)
{
  g_autofree char *number = g_strdup_printf ("%d", port);
  replace_all (text, name, number);
}

static char *fill_template (Township *township, const char *name, const char *target)
{
  g_autofree char *source = g_build_filename (g_getenv ("GRIDGATE_SOURCE_ROOT"), "tests/system/sites", name, NULL);
  g_autofree char *text = NULL;
  if (!g_file_get_contents (source, &text, NULL, NULL))
    fail_msg ("cannot read %s", source);
  replace_all (&text, "@FOLDER@", township->folder);
  replace_port (&text, "@VILLAGE@", mosquitto_port (township->village));
  replace_port (&text, "@CENTER@", mosquitto_port (township->center));
  replace_port (&text, "@HTTP@", township->http_port);
  replace_port (&text, "@RTSP@", township->rtsp_port);
  replace_port (&text, "@WEBHOOK@", township->webhook_port);
  for (gsize i = 0; i < G_N_ELEMENTS (township->camera_ports); i++) {
    g_autofree char *placeholder = g_strdup_printf ("@CAMERA%zu@", i + 1);
    replace_port (&text, placeholder, township->camera_ports[i]);
  }
  write_file (township->folder, target, text);
  return g_build_filename (township->folder, target, NULL);
}

static char *command_output (Township *township, const char *const *arguments)
{
  char *output;
  int status = process_run (township->folder, START_S, &output, arguments);
  if (status != 0)
    fail_msg ("%s %s ended with %d: %s", arguments[0], arguments[1], status, output);
  return output;
}

static void start_subscriber (Township *township)
{
  g_autofree char *port = g_strdup_printf ("%d", mosquitto_port (township->center));
  g_clear_pointer (&township->subscriber, process_free);
  g_free (command_output (township, (const char *[]){ "mosquitto_pub", "-p", port, "-r", "-q", "1", "-t", "gridgate/v1/subscribed",
                                                      "-m", "yes", NULL }));
  township->subscriber = process_start (
    township->folder, (const char *[]){ "mosquitto_sub", "-p", port, "-t", "gridgate/v1/#", "-q", "1", "-i", "subscriber",
                                        "-c", "-F", "%I %t %p", NULL });
  g_free (process_wait_for (township->subscriber, "gridgate/v1/subscribed", START_S));
}

void township_start_center_again (Township *township)
{
  mosquitto_start_again (township->center);
  start_subscriber (township);
}

void township_start_simulator (Township *township)
{
  g_autofree char *program = built_program ("gridgate-sim");
  g_clear_pointer (&township->simulator, process_free);
  township->simulator = process_start (township->folder, (const char *[]){ program, township->script_path, NULL });
  g_free (process_wait_for (township->simulator, "\nready", START_S));
}

static gboolean has_subscribed (gpointer gateway)
{
  return process_has_said (gateway, "broker village: subscribed");
}

/* Before that nobody keeps what is published. */
static void wait_for_subscriptions (Township *township)
{
  g_autofree char *site = NULL;
  assert_true (g_file_get_contents (township->site_path, &site, NULL, NULL));
  if (strstr (site, "broker: village") != NULL)
    assert_true (wait_until (has_subscribed, township->gateway, START_S));
}

static void add_accounts (Township *township)
{
  g_autofree char *program = built_program ("gridgate");
  g_autofree char *file = g_build_filename (township->folder, "admin.password", NULL);
  write_file (township->folder, "admin.password", password);
  g_free (command_output (township, (const char *[]){ program, "user", "add", "-c", township->site_path, "admin", "--role",
                                                      "admin", "--password-file", file, NULL }));
  g_autofree char *answer = command_output (township, (const char *[]){ program, "token", "add", "-c", township->site_path,
                                                                        "player", "--role", "operator", NULL });
  json_t *token = json_loads (strchr (answer, '{') != NULL ? strchr (answer, '{') : "", JSON_DISABLE_EOF_CHECK, NULL);
  township->token_id = g_strdup (json_string_value (json_object_get (token, "id")));
  township->token_secret = g_strdup (json_string_value (json_object_get (token, "secret")));
  json_decref (token);
  assert_non_null (township->token_secret);
}

void township_start_gateway (Township *township)
{
  g_autofree char *program = built_program ("gridgate");
  g_clear_pointer (&township->gateway, process_free);
  township->gateway = process_start_with (township->folder, (const char *[]){ program, "run", "-c", township->site_path, NULL },
                                          township->clock != NULL ? stepped_clock_environment (township->clock) : NULL);
  g_free (process_wait_for (township->gateway, "ready", START_S));
  wait_for_subscriptions (township);
  g_clear_pointer (&township->http, http_client_free);
  township->http = http_client_new (township->base_url);
  assert_int_equal (http_client_login (township->http, "admin", password), 200);
}

char *township_data_dir (Township *township)
{
  return g_build_filename (township->folder, "data", NULL);
}

static gboolean mount_data (Township *township, int megabytes)
{
  g_autofree char *data = township_data_dir (township);
  assert_int_equal (g_mkdir (data, 0700), 0);
  return small_disk_mount (data, megabytes);
}

static void choose_ports (Township *township)
{
  int *ports[] = { &township->http_port, &township->rtsp_port, &township->webhook_port };
  for (gsize i = 0; i < G_N_ELEMENTS (ports); i++)
    *ports[i] = port_free ();
  for (gsize i = 0; i < G_N_ELEMENTS (township->camera_ports); i++)
    township->camera_ports[i] = port_free ();
}

Township *township_new_as (const TownshipForm *form)
{
  Township *township = g_new0 (Township, 1);
  township->folder = folder_make_temporary ();
  if (form->data_megabytes > 0 && !mount_data (township, form->data_megabytes)) {
    township_free (township);
    return NULL;
  }
  township->clock = form->has_stepped_clock ? stepped_clock_new (township->folder) : NULL;
  choose_ports (township);
  township->village = mosquitto_start (township->folder, NULL);
  township->center = mosquitto_start (township->folder, NULL);
  start_subscriber (township);
  township->base_url = g_strdup_printf ("http://127.0.0.1:%d", township->http_port);
  write_file (township->folder, "webhook.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
  write_file (township->folder, "camera.password", "camera-secret\n");
  write_file (township->folder, "viewer.password", "secret\n");
  township->site_path = fill_template (township, form->site, "gridgate.yaml");
  if (form->script != NULL) {
    township->script_path = fill_template (township, form->script, "township.yaml");
    township_start_simulator (township);
  }
  add_accounts (township);
  township_start_gateway (township);
  return township;
}

Township *township_new (const char *site, const char *script)
{
  return township_new_as (&(TownshipForm){ .site = site, .script = script });
}

void township_publish (Township *township, const char *topic, const char *payload)
{
  mosquitto_publish (township->village, topic, payload, (const char *[]){ "-q", "1", NULL });
}

void township_edit_site (Township *township, const char *from, const char *to)
{
  g_autofree char *text = NULL;
  assert_true (g_file_get_contents (township->site_path, &text, NULL, NULL));
  if (strstr (text, from) == NULL)
    fail_msg ("the site has no \"%s\"", from);
  replace_all (&text, from, to);
  assert_true (g_file_set_contents (township->site_path, text, -1, NULL));
}

typedef struct {
  Township *township;
  const char *path, *state;
  gboolean (*is_it) (const json_t *answer);
  json_t *answer;
} Wanted;

static gboolean has_come (gpointer data)
{
  Wanted *wanted = data;
  g_autoptr (HttpAnswer) answer = http_client_call (wanted->township->http, "GET", wanted->path, NULL);
  json_decref (wanted->answer);
  wanted->answer = json_incref (answer->json);
  if (answer->status != 200)
    return FALSE;
  if (wanted->state != NULL)
    return g_strcmp0 (json_string_value (json_object_get (answer->json, "state")), wanted->state) == 0;
  return wanted->is_it (answer->json);
}

static json_t *wait_for_answer (Wanted *wanted, int seconds)
{
  if (!wait_until (has_come, wanted, seconds)) {
    g_autofree char *log = process_output (wanted->township->gateway);
    char *text = json_dumps (wanted->answer, JSON_INDENT (1) | JSON_ENCODE_ANY);
    fail_msg ("GET %s did not become what was waited for; last: %s\nthe gateway's log:\n%s", wanted->path, text, log);
  }
  return wanted->answer;
}

void township_wait_camera (Township *township, const char *camera, const char *state, int seconds)
{
  g_autofree char *path = g_strdup_printf ("/api/v1/cameras/%s", camera);
  Wanted wanted = { .township = township, .path = path, .state = state };
  json_decref (wait_for_answer (&wanted, seconds));
}

json_t *township_wait_for (Township *township, const char *path, gboolean (*is_it) (const json_t *answer), int seconds)
{
  Wanted wanted = { .township = township, .path = path, .is_it = is_it };
  return wait_for_answer (&wanted, seconds);
}

char *recordings_first_times (const json_t *recordings)
{
  const json_t *span = json_array_get (json_object_get (recordings, "spans"), 0);
  return g_strdup_printf ("from=%s&to=%s", json_string_value (json_object_get (span, "from")),
                          json_string_value (json_object_get (span, "to")));
}

char *township_token (Township *township, const char *cameras, const char *purpose)
{
  json_t *of = strcmp (cameras, "all") == 0 ? json_string (cameras) : json_pack ("[s]", cameras);
  json_t *body = json_pack ("{s:o, s:s}", "cameras", of, "for", purpose);
  g_autoptr (HttpAnswer) answer = http_client_call (township->http, "POST", "/api/v1/tokens", body);
  json_decref (body);
  char *token = g_strdup (json_string_value (json_object_get (answer->json, "token")));
  assert_non_null (token);
  return token;
}

double township_metric (Township *township, const char *sample)
{
  g_autoptr (HttpAnswer) answer = http_client_call (township->http, "GET", "/metrics", NULL);
  const char *line = answer->body != NULL ? strstr (answer->body, sample) : NULL;
  const char *value = line != NULL ? strstr (line, "} ") : NULL;
  return value != NULL ? g_ascii_strtod (value + 2, NULL) : 0;
}

char *township_rtsp_url (Township *township, const char *camera)
{
  return g_strdup_printf ("rtsp://%s:%s@127.0.0.1:%d/live/%s", township->token_id, township->token_secret,
                          township->rtsp_port, camera);
}

/* Whether /proc/PID/cmdline is "…/NAME --runtime-dir FOLDER…". */
static gboolean is_worker (const char *pid, const char *name, const char *folder)
{
  g_autofree char *path = g_build_filename ("/proc", pid, "cmdline", NULL);
  g_autofree char *line = NULL;
  gsize size;
  if (!g_file_get_contents (path, &line, &size, NULL) || size == 0)
    return FALSE;
  for (gsize i = 0; i + 1 < size; i++)
    if (line[i] == '\0')
      line[i] = ' ';
  return strstr (line, name) != NULL && strstr (line, folder) != NULL && strstr (line, "--runtime-dir") != NULL;
}

pid_t township_worker_pid (Township *township, const char *name)
{
  g_autoptr (GDir) processes = g_dir_open ("/proc", 0, NULL);
  const char *entry;
  while ((entry = g_dir_read_name (processes)) != NULL)
    if (g_ascii_isdigit (entry[0]) && is_worker (entry, name, township->folder))
      return (pid_t) g_ascii_strtoll (entry, NULL, 10);
  return 0;
}

static void end_worker (Township *township, const char *name)
{
  pid_t pid = township_worker_pid (township, name);
  if (pid > 0)
    kill (pid, SIGKILL);
}

void township_free (Township *township)
{
  if (township == NULL)
    return;
  int status = township->gateway != NULL ? process_end (township->gateway, SIGTERM, END_S) : 0;
  g_autofree char *log = township->gateway != NULL ? process_output (township->gateway) : NULL;
  end_worker (township, "gridgate-media"); /* only if the gateway was killed and never came back */
  end_worker (township, "gridgate-vision");
  process_free (township->gateway);
  process_free (township->simulator);
  process_free (township->subscriber);
  mosquitto_free (township->center);
  mosquitto_free (township->village);
  http_client_free (township->http);
  stepped_clock_free (township->clock);
  g_autofree char *data = township_data_dir (township);
  small_disk_unmount (data); /* where there is one */
  folder_drop (township->folder);
  g_free (township->site_path);
  g_free (township->script_path);
  g_free (township->base_url);
  g_free (township->token_id);
  g_free (township->token_secret);
  g_free (township);
  if (status != 0 && status != -SIGKILL)
    fail_msg ("gridgate ended with %d; its log:\n%s", status, log);
}
