#include "tests/support/mosquitto.h"

#include <signal.h>

#include "tests/support/certificate.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

enum { START_SECONDS = 20, END_SECONDS = 20, PUBLISH_SECONDS = 20 };

struct Mosquitto {
  char *folder, *configuration, *url;
  int port;
  Process *process;
};

/* Debian has it in a folder that only root's PATH has. */
static const char *program (void)
{
  return g_file_test ("/usr/sbin/mosquitto", G_FILE_TEST_IS_EXECUTABLE) ? "/usr/sbin/mosquitto" : "mosquitto";
}

static void write_configuration (Mosquitto *mosquitto, const char *extra)
{
  gboolean is_secured = extra != NULL && g_strstr_len (extra, -1, "allow_anonymous") != NULL;
  g_autofree char *text = g_strdup_printf ("listener %d 127.0.0.1\n"
                                           "persistence true\npersistence_location %s/\npersistence_file mosquitto-%d.db\n"
                                           "max_queued_messages 0\nmax_queued_bytes 0\nuser root\n%s%s",
                                           mosquitto->port, mosquitto->folder, mosquitto->port,
                                           is_secured ? "" : "allow_anonymous true\n", extra != NULL ? extra : "");
  assert_true (g_file_set_contents (mosquitto->configuration, text, -1, NULL));
}

Mosquitto *mosquitto_start (const char *folder, const char *extra)
{
  Mosquitto *mosquitto = g_new0 (Mosquitto, 1);
  mosquitto->folder = g_strdup (folder);
  mosquitto->port = port_free ();
  mosquitto->url = g_strdup_printf ("mqtt://127.0.0.1:%d", mosquitto->port);
  mosquitto->configuration = g_strdup_printf ("%s/mosquitto-%d.conf", folder, mosquitto->port);
  write_configuration (mosquitto, extra);
  mosquitto_start_again (mosquitto);
  return mosquitto;
}

Mosquitto *mosquitto_start_tls (const char *folder, const char *host)
{
  g_free (certificate_make (folder, "authority", &(CertificateForm){ 0 }));
  g_free (certificate_make (folder, "broker", &(CertificateForm){ .host = host, .issuer = "authority" }));
  g_autofree char *extra = g_strdup_printf ("certfile %s/broker.pem\nkeyfile %s/broker.key\n", folder, folder);
  return mosquitto_start (folder, extra);
}

void mosquitto_start_again (Mosquitto *mosquitto)
{
  const char *arguments[] = { program (), "-c", mosquitto->configuration, NULL };
  mosquitto->process = process_start (mosquitto->folder, arguments);
  g_free (process_wait_for (mosquitto->process, " running", START_SECONDS));
}

int mosquitto_port (const Mosquitto *mosquitto)
{
  return mosquitto->port;
}

const char *mosquitto_url (const Mosquitto *mosquitto)
{
  return mosquitto->url;
}

void mosquitto_end (Mosquitto *mosquitto, int signal_number)
{
  process_end (mosquitto->process, signal_number, END_SECONDS);
  g_clear_pointer (&mosquitto->process, process_free);
}

gboolean mosquitto_has_said (Mosquitto *mosquitto, const char *text)
{
  return process_has_said (mosquitto->process, text);
}

void mosquitto_publish (Mosquitto *mosquitto, const char *topic, const char *payload, const char *const *options)
{
  g_autofree char *port = g_strdup_printf ("%d", mosquitto->port);
  g_autoptr (GPtrArray) arguments = g_ptr_array_new ();
  const char *const fixed[] = { "mosquitto_pub", "-h", "127.0.0.1", "-p", port, "-t", topic, "-m", payload };
  for (guint i = 0; i < G_N_ELEMENTS (fixed); i++)
    g_ptr_array_add (arguments, (gpointer) fixed[i]);
  for (guint i = 0; options != NULL && options[i] != NULL; i++)
    g_ptr_array_add (arguments, (gpointer) options[i]);
  g_ptr_array_add (arguments, NULL);
  assert_int_equal (process_run (mosquitto->folder, PUBLISH_SECONDS, NULL, (const char *const *) arguments->pdata), 0);
}

void mosquitto_publish_lines (Mosquitto *mosquitto, const char *topic, const char *qos, const char *lines)
{
  g_autofree char *port = g_strdup_printf ("%d", mosquitto->port);
  g_autofree char *path = g_build_filename (mosquitto->folder, "lines", NULL);
  assert_true (g_file_set_contents (path, lines, -1, NULL));
  const char *const arguments[] = { "sh", "-c", "exec mosquitto_pub -l \"$@\" <\"$0\"", path, "-p", port, "-q", qos, "-t", topic,
                                    NULL };
  assert_int_equal (process_run (mosquitto->folder, PUBLISH_SECONDS, NULL, arguments), 0);
}

char *mosquitto_store_path (const Mosquitto *mosquitto)
{
  return g_strdup_printf ("%s/mosquitto-%d.db", mosquitto->folder, mosquitto->port);
}

void mosquitto_free (Mosquitto *mosquitto)
{
  if (mosquitto == NULL)
    return;
  if (mosquitto->process != NULL)
    mosquitto_end (mosquitto, SIGTERM);
  g_free (mosquitto->url);
  g_free (mosquitto->configuration);
  g_free (mosquitto->folder);
  g_free (mosquitto);
}
