#include <signal.h>
#include <string.h>

#include "tests/support/folder.h"
#include "tests/support/mosquitto.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

enum { WAIT_S = 20 };

/* mosquitto with the shipped access list and a password for each user: its own name. */
static Mosquitto *start_broker (const char *folder)
{
  static const char *const users[] = { "gateway-yigang-1", "center", "water", "fire" };
  g_autofree char *passwords = g_build_filename (folder, "passwd", NULL);
  const char *acl = SOURCE_ROOT "/config/examples/center-broker/acl";
  g_assert_true (g_file_set_contents (passwords, "", 0, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (users); i++)
    assert_int_equal (process_run (folder, WAIT_S, NULL,
                                   (const char *const[]) { "mosquitto_passwd", "-b", passwords, users[i], users[i],
                                                           NULL }),
                      0);
  g_autofree char *extra = g_strdup_printf ("allow_anonymous false\npassword_file %s\nacl_file %s\n", passwords, acl);
  return mosquitto_start (folder, extra);
}

static Process *listen_as (Mosquitto *broker, const char *folder, const char *user, const char *topic)
{
  g_autofree char *port = g_strdup_printf ("%d", mosquitto_port (broker));
  Process *listener = process_start (folder, (const char *const[]) { "stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1",
                                                                     "-p", port, "-u", user, "-P", user, "-q", "1",
                                                                     "-v", "-d", "-t", topic, NULL });
  g_free (process_wait_for (listener, "Subscribed", WAIT_S));
  return listener;
}

static void publish_as (Mosquitto *broker, const char *folder, const char *user, const char *topic, const char *payload)
{
  g_autofree char *port = g_strdup_printf ("%d", mosquitto_port (broker));
  process_run (folder, WAIT_S, NULL,
               (const char *const[]) { "mosquitto_pub", "-h", "127.0.0.1", "-p", port, "-u", user, "-P", user, "-q", "1",
                                       "-t", topic, "-m", payload, NULL });
}

static void an_agency_reads_its_own_feed_and_nothing_else (void **state)
{
  const char *folder = *state;
  g_autoptr (Mosquitto) broker = start_broker (folder);
  g_autoptr (Process) water = listen_as (broker, folder, "water", "gridgate/v1/#");
  g_autoptr (Process) center = listen_as (broker, folder, "center", "gridgate/v1/#");
  publish_as (broker, folder, "gateway-yigang-1", "gridgate/v1/yigang-1/incidents", "for-the-center");
  publish_as (broker, folder, "gateway-yigang-1", "gridgate/v1/yigang-1/agencies/fire/incidents", "for-fire");
  publish_as (broker, folder, "gateway-yigang-1", "gridgate/v1/yigang-1/agencies/water/incidents", "for-water");
  g_free (process_wait_for (center, "for-water", WAIT_S));
  g_free (process_wait_for (water, "for-water", WAIT_S));
  assert_true (process_has_said (center, "for-the-center"));
  assert_true (process_has_said (center, "for-fire"));
  assert_false (process_has_said (water, "for-the-center"));
  assert_false (process_has_said (water, "for-fire"));
}

static void nobody_writes_where_it_is_not_theirs (void **state)
{
  const char *folder = *state;
  g_autoptr (Mosquitto) broker = start_broker (folder);
  g_autoptr (Process) center = listen_as (broker, folder, "center", "gridgate/v1/#");
  publish_as (broker, folder, "water", "gridgate/v1/yigang-1/commands", "forged-command");
  publish_as (broker, folder, "water", "gridgate/v1/yigang-1/agencies/water/incidents", "forged-incident");
  publish_as (broker, folder, "gateway-yigang-1", "gridgate/v1/other-1/incidents", "forged-gateway");
  publish_as (broker, folder, "center", "gridgate/v1/yigang-1/commands", "true-command");
  g_free (process_wait_for (center, "true-command", WAIT_S));
  assert_false (process_has_said (center, "forged"));
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (an_agency_reads_its_own_feed_and_nothing_else, folder_setup, folder_teardown),
    cmocka_unit_test_setup_teardown (nobody_writes_where_it_is_not_theirs, folder_setup, folder_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
