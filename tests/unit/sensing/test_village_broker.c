/* The broker configuration that we ship for villages, in a real mosquitto. */
#include <signal.h>
#include <string.h>

#include "tests/support/certificate.h"
#include "tests/support/folder.h"
#include "tests/support/mosquitto.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

#define WAITING "3000" /* more than the 1000 that mosquitto keeps by itself */
enum { WAIT_S = 60 };

typedef struct {
  const char *folder;
  Mosquitto *broker;
  char *port, *tls_port, *authority;
} Village;

static void replace (GString *text, const char *what, const char *with)
{
  if (g_string_replace (text, what, with, 0) == 0)
    fail_msg ("the shipped configuration has no \"%s\"", what);
}

/* With a password for each user, its own name, and paths and ports of the test; the plain listener is the fixture's. */
static char *shipped_configuration (const Village *village, const char *passwords)
{
  g_autofree char *file = NULL;
  assert_true (g_file_get_contents (SOURCE_ROOT "/config/examples/village-broker/mosquitto.conf", &file, NULL, NULL));
  g_autoptr (GString) text = g_string_new (file);
  g_autofree char *listener = g_strdup_printf ("listener %s 127.0.0.1\n", village->tls_port);
  g_autofree char *certificate = certificate_path (village->folder, "server", "pem");
  g_autofree char *key = certificate_path (village->folder, "server", "key");
  replace (text, "listener 8883\n", listener);
  replace (text, "listener 1883\n", "");
  replace (text, "/etc/mosquitto/certs/ca.pem", village->authority);
  replace (text, "/etc/mosquitto/certs/server.pem", certificate);
  replace (text, "/etc/mosquitto/certs/server.key", key);
  replace (text, "/etc/mosquitto/passwd", passwords);
  replace (text, "/etc/mosquitto/acl", SOURCE_ROOT "/config/examples/village-broker/acl");
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static int setup (void **state)
{
  static const char *const users[] = { "gateway", "level-1", "level-2", "sparkplug" };
  Village *village = g_new0 (Village, 1);
  folder_setup ((void **) &village->folder);
  g_autofree char *passwords = g_build_filename (village->folder, "passwd", NULL);
  assert_true (g_file_set_contents (passwords, "", 0, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (users); i++)
    assert_int_equal (process_run (village->folder, WAIT_S, NULL,
                                   (const char *const[]){ "mosquitto_passwd", "-b", passwords, users[i], users[i], NULL }),
                      0);
  g_free (certificate_make (village->folder, "authority", &(CertificateForm){ 0 }));
  g_free (certificate_make (village->folder, "server", &(CertificateForm){ .host = "127.0.0.1", .issuer = "authority" }));
  village->authority = certificate_path (village->folder, "authority", "pem");
  village->tls_port = g_strdup_printf ("%d", port_free ());
  g_autofree char *extra = shipped_configuration (village, passwords);
  village->broker = mosquitto_start (village->folder, extra);
  village->port = g_strdup_printf ("%d", mosquitto_port (village->broker));
  *state = village;
  return 0;
}

static int teardown (void **state)
{
  Village *village = *state;
  mosquitto_free (village->broker);
  folder_teardown ((void **) &village->folder);
  g_free (village->port);
  g_free (village->tls_port);
  g_free (village->authority);
  g_free (village);
  return 0;
}

static Process *gateway_listens (Village *village, const char *topic)
{
  Process *listener = process_start (village->folder, (const char *const[]){
    "stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", village->tls_port, "--cafile", village->authority, "-u", "gateway",
    "-P", "gateway", "-q", "1", "-v", "-d", "-t", topic, NULL });
  g_free (process_wait_for (listener, "Subscribed", WAIT_S));
  return listener;
}

static int publish_as (Village *village, const char *user, const char *topic, const char *payload)
{
  return process_run (village->folder, WAIT_S, NULL, (const char *const[]){
    "mosquitto_pub", "-h", "127.0.0.1", "-p", village->port, "-u", user, "-P", user, "-q", "1", "-t", topic, "-m", payload, NULL });
}

static void the_gateway_reads_what_each_device_writes_below_its_own_name (void **state)
{
  Village *village = *state;
  g_autoptr (Process) gateway = gateway_listens (village, "#");
  publish_as (village, "level-2", "village/shimiao/level-1", "forged");
  publish_as (village, "level-1", "spBv1.0/shimiao/NDATA/station", "forged");
  publish_as (village, "gateway", "village/shimiao/level-1", "forged");
  publish_as (village, "level-1", "village/shimiao/level-1", "true-level");
  publish_as (village, "level-2", "village/peak/level-2/battery", "true-battery");
  publish_as (village, "sparkplug", "spBv1.0/shimiao/NDATA/station", "true-birth");
  g_free (process_wait_for (gateway, "true-birth", WAIT_S));
  assert_true (process_has_said (gateway, "true-level"));
  assert_true (process_has_said (gateway, "true-battery"));
  assert_false (process_has_said (gateway, "forged"));
}

static void nobody_connects_without_an_account (void **state)
{
  Village *village = *state;
  assert_int_not_equal (process_run (village->folder, WAIT_S, NULL, (const char *const[]){
    "mosquitto_pub", "-h", "127.0.0.1", "-p", village->port, "-t", "village/shimiao/level-1", "-m", "x", NULL }), 0);
  assert_int_equal (publish_as (village, "level-1", "village/shimiao/level-1", "x"), 0);
}

/* mosquitto_sub that keeps its session, as the gateway does. */
static int gateway_session (Village *village, const char *option, const char *value)
{
  return process_run (village->folder, WAIT_S, NULL, (const char *const[]){
    "mosquitto_sub", "-h", "127.0.0.1", "-p", village->port, "-u", "gateway", "-P", "gateway", "-i", "gridgate-village", "-c", "-q", "1",
    "-t", "village/#", option, value, NULL });
}

static void what_waits_for_the_gateway_outlives_the_broker (void **state)
{
  Village *village = *state;
  assert_int_equal (gateway_session (village, "-E", NULL), 0);
  assert_int_equal (process_run (village->folder, WAIT_S, NULL, (const char *const[]){
    "mosquitto_pub", "-h", "127.0.0.1", "-p", village->port, "-u", "level-1", "-P", "level-1", "-q", "1", "-t", "village/shimiao/level-1",
    "-m", "7", "--repeat", WAITING, NULL }), 0);
  mosquitto_end (village->broker, SIGTERM);
  mosquitto_start_again (village->broker);
  assert_int_equal (gateway_session (village, "-C", WAITING), 0);
}

static void the_gateway_is_told_what_the_broker_has_dropped (void **state)
{
  Village *village = *state;
  g_autoptr (Process) gateway = gateway_listens (village, "$SYS/broker/publish/messages/dropped");
  g_free (process_wait_for (gateway, "$SYS/broker/publish/messages/dropped 0", WAIT_S));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (the_gateway_reads_what_each_device_writes_below_its_own_name, setup, teardown),
    cmocka_unit_test_setup_teardown (nobody_connects_without_an_account, setup, teardown),
    cmocka_unit_test_setup_teardown (what_waits_for_the_gateway_outlives_the_broker, setup, teardown),
    cmocka_unit_test_setup_teardown (the_gateway_is_told_what_the_broker_has_dropped, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
