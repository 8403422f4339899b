#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/share/grants.h"
#include "gateway/share/outbox.h"
#include "gateway/share/sharing.h"
#include "tests/support/test.h"
#include "tests/unit/incident/book_fixture.h"
#include "tests/unit/incident/fake_port.h"

static gboolean nothing (Database *database, gpointer data, GError **error)
{
  (void) database, (void) data, (void) error;
  return TRUE;
}

/* What was submitted before is done when this returns. */
static void settle (BookFixture *fixture)
{
  for (int i = 0; i < 3; i++) /* a job's hook may submit another */
    assert_true (store_run (fixture->store, nothing, NULL, NULL));
}

static gint64 waiting_for (BookFixture *fixture, const char *receiver)
{
  settle (fixture);
  return database_integer (store_reader (fixture->store, NULL), -1, "SELECT count(*) FROM outbox WHERE receiver = ?",
                           "s", receiver);
}

static void an_agency_gets_its_granted_categories_and_nothing_else (void **state)
{
  BookFixture *fixture = *state;
  g_autoptr (Sharing) sharing = sharing_new (fixture->store, fixture->book, fixture->site);
  alert_free (raise_alert (fixture, "flood", "flood", "v1", SEVERITY_SEVERE));
  assert_int_equal (waiting_for (fixture, "center"), 2); /* the incident and the alert */
  assert_int_equal (waiting_for (fixture, "water@center"), 2);
  assert_int_equal (waiting_for (fixture, "fire@center"), 0);
  alert_free (raise_alert (fixture, "smoke", "fire", "v1", SEVERITY_MINOR)); /* below what fire is granted */
  assert_int_equal (waiting_for (fixture, "center"), 4);
  assert_int_equal (waiting_for (fixture, "fire@center"), 0);
  alert_free (raise_alert (fixture, "blaze", "fire", "v2", SEVERITY_SEVERE));
  assert_int_equal (waiting_for (fixture, "fire@center"), 2);
  assert_int_equal (waiting_for (fixture, "water@center"), 2);
  store_close (g_steal_pointer (&fixture->store));
}

static void a_grant_ends_at_its_time_and_holds_in_its_grids_only (void **state)
{
  BookFixture *fixture = *state;
  Grant *grant = site_agency (fixture->site, "water")->grants->pdata[0];
  gboolean evidence;
  grant->until_us = 1000;
  assert_true (grants_admit (fixture->site, "water", "flood", "v1", SEVERITY_SEVERE, 999, &evidence));
  assert_true (evidence);
  assert_false (grants_admit (fixture->site, "water", "flood", "v1", SEVERITY_SEVERE, 1000, NULL));
  assert_false (grants_admit (fixture->site, "water", "flood", "v1", SEVERITY_MINOR, 999, NULL));
  assert_false (grants_admit (fixture->site, "nobody", "flood", "v1", SEVERITY_SEVERE, 999, NULL));
  g_strfreev (grant->grids);
  grant->grids = g_strdupv ((char *[]) { (char *) "v1", NULL });
  assert_true (grants_admit (fixture->site, "water", "flood", "v1", SEVERITY_SEVERE, 999, NULL));
  assert_false (grants_admit (fixture->site, "water", "flood", "v2", SEVERITY_SEVERE, 999, NULL));
}

static void events_have_the_form_that_the_interface_names (void **state)
{
  BookFixture *fixture = *state;
  FakePort *port = fake_port_new ();
  g_autoptr (Sharing) sharing = sharing_new (fixture->store, fixture->book, fixture->site);
  assert_true (sharing_attach (sharing, "center", fake_port_port (port), NULL));
  fake_port_set_ready (port, TRUE);
  g_autoptr (Alert) alert = raise_alert (fixture, "flood", "flood", "v1", SEVERITY_SEVERE);
  fake_port_wait (port, 2);
  for (guint i = 0; i < 2; i++) {
    const FakeDelivery *delivery = fake_port_at (port, i);
    gboolean is_alert = strcmp (delivery->kind, "alerts") == 0;
    g_autofree char *subject = g_strdup_printf (is_alert ? "alerts/%s" : "incidents/%s",
                                                is_alert ? alert->id : alert->incident);
    json_t *event = json_loads (delivery->payload, 0, NULL), *data = json_object_get (event, "data");
    assert_string_equal (text_of (event, "specversion"), "1.0");
    assert_string_equal (text_of (event, "id"), delivery->event);
    assert_string_equal (text_of (event, "source"), "/gridgate/gateway-1");
    assert_string_equal (text_of (event, "subject"), subject);
    assert_string_equal (text_of (event, "type"), is_alert ? "gridgate.alert.opened" : "gridgate.incident.opened");
    assert_string_equal (text_of (event, "time"), "2026-05-01T12:00:00.000Z");
    assert_string_equal (text_of (data, is_alert ? "incident" : "id"), alert->incident);
    json_decref (event);
  }
  assert_int_equal (waiting_for (fixture, "center"), 0);
  assert_int_equal (database_integer (store_reader (fixture->store, NULL), -1,
                                      "SELECT count(*) FROM receipts WHERE receiver = 'center'"
                                      " AND outcome = 'delivered'", ""), 2);
  store_close (g_steal_pointer (&fixture->store));
  fake_port_free (port);
}

static void who_may_not_see_evidence_gets_the_incident_without_it (void **state)
{
  BookFixture *fixture = *state;
  FakePort *port = fake_port_new ();
  Rule *rule = (Rule *) site_rule (fixture->site, "flood");
  g_free (rule->category);
  rule->category = g_strdup ("fire"); /* what the agency fire sees, without evidence */
  g_autoptr (Sharing) sharing = sharing_new (fixture->store, fixture->book, fixture->site);
  assert_true (sharing_attach (sharing, "fire@center", fake_port_port (port), NULL));
  fake_port_set_ready (port, TRUE);
  alert_free (raise_alert (fixture, "flood", "fire", "v1", SEVERITY_SEVERE));
  fake_port_wait (port, 2);
  for (guint i = 0; i < 2; i++) {
    const FakeDelivery *delivery = fake_port_at (port, i);
    json_t *event = json_loads (delivery->payload, 0, NULL);
    if (strcmp (delivery->kind, "incidents") == 0)
      assert_int_equal (json_array_size (json_object_get (json_object_get (event, "data"), "evidence")), 0);
    json_decref (event);
  }
  store_close (g_steal_pointer (&fixture->store));
  fake_port_free (port);
}

static void the_most_severe_goes_first_and_no_more_than_twenty_at_a_time (void **state)
{
  BookFixture *fixture = *state;
  FakePort *port = fake_port_new ();
  g_autoptr (Sharing) sharing = sharing_new (fixture->store, fixture->book, fixture->site);
  for (int i = 0; i < 15; i++) {
    g_autofree char *rule = g_strdup_printf ("r%d", i);
    alert_free (raise_alert (fixture, rule, "x", "v1", i == 14 ? SEVERITY_EXTREME : SEVERITY_MINOR));
  }
  fake_port_hold (port, TRUE);
  assert_true (sharing_attach (sharing, "center", fake_port_port (port), NULL));
  fake_port_set_ready (port, TRUE);
  fake_port_wait (port, DELIVERY_IN_FLIGHT_MAX);
  settle (fixture);
  assert_int_equal (fake_port_count (port), DELIVERY_IN_FLIGHT_MAX);
  assert_non_null (strstr (fake_port_at (port, 0)->payload, "extreme"));
  assert_non_null (strstr (fake_port_at (port, 1)->payload, "extreme"));
  assert_string_not_equal (fake_port_at (port, 0)->kind, fake_port_at (port, 1)->kind);
  fake_port_complete (port, fake_port_at (port, 3)->event, DELIVERY_DONE);
  fake_port_wait (port, DELIVERY_IN_FLIGHT_MAX + 1);
  store_close (g_steal_pointer (&fixture->store));
  fake_port_free (port);
}

static void what_is_returned_or_retried_comes_again_with_the_same_id (void **state)
{
  BookFixture *fixture = *state;
  FakePort *port = fake_port_new ();
  g_autoptr (Sharing) sharing = sharing_new (fixture->store, fixture->book, fixture->site);
  fake_port_hold (port, TRUE);
  assert_true (sharing_attach (sharing, "center", fake_port_port (port), NULL));
  fake_port_set_ready (port, TRUE);
  alert_free (raise_alert (fixture, "r", "x", "v1", SEVERITY_MINOR));
  fake_port_wait (port, 2);
  g_autofree char *first = g_strdup (fake_port_at (port, 0)->event);
  fake_port_complete (port, first, DELIVERY_RETURNED);
  fake_port_wait (port, 3);
  assert_string_equal (fake_port_at (port, 2)->event, first);
  fake_port_complete (port, first, DELIVERY_RETRY);
  assert_int_equal (waiting_for (fixture, "center"), 2);
  assert_int_equal (fake_port_count (port), 3);
  clock_fake_advance (fixture->clock, 10 * G_TIME_SPAN_SECOND);
  settle (fixture);
  fake_port_wait (port, 4);
  assert_string_equal (fake_port_at (port, 3)->event, first);
  fake_port_complete (port, first, DELIVERY_REFUSED);
  assert_int_equal (waiting_for (fixture, "center"), 1);
  json_t *receipts = receipts_list (store_reader (fixture->store, NULL), "center", NULL, 0, 0, NULL);
  json_t *receipt = json_array_get (json_object_get (receipts, "items"), 0);
  assert_string_equal (text_of (receipt, "outcome"), "refused");
  json_decref (receipts);
  store_close (g_steal_pointer (&fixture->store));
  fake_port_free (port);
}

static void a_way_that_is_configured_twice_is_one (void **state)
{
  BookFixture *fixture = *state;
  const Agency *water = site_agency (fixture->site, "water");
  Delivery *again = g_new0 (Delivery, 1);
  again->mqtt_center = g_strdup ("center");
  g_ptr_array_add (water->deliveries, again);
  g_autoptr (Sharing) sharing = sharing_new (fixture->store, fixture->book, fixture->site);
  alert_free (raise_alert (fixture, "flood", "flood", "v1", SEVERITY_SEVERE));
  assert_int_equal (waiting_for (fixture, "water@center"), 2);
  store_close (g_steal_pointer (&fixture->store));
}

static void pauses_hold_when_the_wall_clock_steps_back (void **state)
{
  BookFixture *fixture = *state;
  FakePort *port = fake_port_new ();
  g_autoptr (Sharing) sharing = sharing_new (fixture->store, fixture->book, fixture->site);
  fake_port_hold (port, TRUE);
  assert_true (sharing_attach (sharing, "center", fake_port_port (port), NULL));
  fake_port_set_ready (port, TRUE);
  alert_free (raise_alert (fixture, "flood", "flood", "v1", SEVERITY_SEVERE));
  fake_port_wait (port, 2);
  fake_port_complete (port, fake_port_at (port, 0)->event, DELIVERY_RETRY);
  settle (fixture);
  clock_fake_step_wall (fixture->clock, -G_TIME_SPAN_HOUR);
  clock_fake_advance (fixture->clock, 10 * G_TIME_SPAN_SECOND);
  settle (fixture);
  assert_int_equal (fake_port_count (port), 3);
  store_close (g_steal_pointer (&fixture->store));
  fake_port_free (port);
}

static void a_clock_that_jumps_ahead_gives_up_nothing_that_waits (void **state)
{
  BookFixture *fixture = *state;
  g_autoptr (Sharing) sharing = sharing_new (fixture->store, fixture->book, fixture->site);
  alert_free (raise_alert (fixture, "flood", "flood", "v1", SEVERITY_SEVERE));
  assert_int_equal (waiting_for (fixture, "center"), 2);
  clock_fake_step_wall (fixture->clock, 400 * G_TIME_SPAN_DAY);
  clock_fake_advance (fixture->clock, 2 * G_TIME_SPAN_HOUR);
  assert_int_equal (waiting_for (fixture, "center"), 2);
  clock_fake_advance (fixture->clock, 31 * G_TIME_SPAN_DAY);
  assert_int_equal (waiting_for (fixture, "center"), 0);
  store_close (g_steal_pointer (&fixture->store));
}

static void an_event_waits_in_the_outbox_over_a_kill (void **state)
{
  BookFixture *fixture = *state;
  incident_book_free (fixture->book);
  store_close (fixture->store); /* no thread, no second writer when we fork */
  pid_t child = fork ();
  if (child == 0) { /* a process of its own that dies with its store open */
    Store *store = store_open (fixture->folder, fixture->clock, NULL);
    BookFixture mine = { fixture->folder, fixture->clock, store, NULL, fixture->site, NULL };
    mine.book = incident_book_new (store, NULL, mine.site);
    sharing_new (store, mine.book, mine.site);
    raise_alert (&mine, "flood", "flood", "v1", SEVERITY_SEVERE);
    kill (getpid (), SIGKILL);
  }
  int status;
  assert_int_equal (waitpid (child, &status, 0), child);
  assert_true (WIFSIGNALED (status));
  fixture->store = store_open (fixture->folder, fixture->clock, NULL);
  fixture->book = incident_book_new (fixture->store, fixture->events, fixture->site);
  FakePort *port = fake_port_new ();
  g_autoptr (Sharing) sharing = sharing_new (fixture->store, fixture->book, fixture->site);
  assert_true (sharing_attach (sharing, "center", fake_port_port (port), NULL));
  fake_port_set_ready (port, TRUE);
  fake_port_wait (port, 2);
  assert_int_equal (waiting_for (fixture, "center"), 0);
  store_close (g_steal_pointer (&fixture->store));
  fake_port_free (port);
}

static void events_for_a_receiver_that_is_gone_are_withdrawn (void **state)
{
  BookFixture *fixture = *state;
  g_autoptr (Sharing) sharing = sharing_new (fixture->store, fixture->book, fixture->site);
  alert_free (raise_alert (fixture, "flood", "flood", "v1", SEVERITY_SEVERE));
  assert_int_equal (waiting_for (fixture, "water@center"), 2);
  Site *other = site_new ();
  other->gateway.id = g_strdup ("gateway-1");
  site_publish (other);
  sharing_set_site (sharing, other);
  assert_int_equal (waiting_for (fixture, "water@center"), 0);
  assert_int_equal (database_integer (store_reader (fixture->store, NULL), -1,
                                      "SELECT count(*) FROM receipts WHERE outcome = 'withdrawn'", ""), 4);
  site_unref (other);
  store_close (g_steal_pointer (&fixture->store));
}

/* The site again, with the grants of water for another category, or for the same one without evidence. */
static Site *site_with_grants (const char *category, gboolean evidence)
{
  Site *site = site_for_test ();
  Grant *grant = site_agency (site, "water")->grants->pdata[0];
  g_strfreev (grant->categories);
  grant->categories = g_strdupv ((char *[]) { (char *) category, NULL });
  grant->evidence = evidence;
  return site;
}

static void what_a_reload_takes_from_an_agency_is_withdrawn_with_a_receipt (void **state)
{
  BookFixture *fixture = *state;
  g_autoptr (Sharing) sharing = sharing_new (fixture->store, fixture->book, fixture->site);
  alert_free (raise_alert (fixture, "flood", "flood", "v1", SEVERITY_SEVERE));
  assert_true (store_run (fixture->store, (StoreJob) database_script,
                          (gpointer) "UPDATE outbox SET payload = json_set (payload, '$.data.evidence', json_array ('e1'))"
                                     " WHERE kind = 'incidents'", NULL));
  g_autoptr (Site) same = site_with_grants ("flood", FALSE);
  sharing_set_site (sharing, same);
  assert_int_equal (waiting_for (fixture, "water@center"), 2);
  assert_int_equal (database_integer (store_reader (fixture->store, NULL), -1,
                                      "SELECT sum (json_array_length (payload, '$.data.evidence')) FROM outbox"
                                      " WHERE receiver = 'water@center' AND kind = 'incidents'", ""), 0);
  g_autoptr (Site) other = site_with_grants ("landslide", TRUE);
  sharing_set_site (sharing, other);
  assert_int_equal (waiting_for (fixture, "water@center"), 0);
  assert_int_equal (waiting_for (fixture, "center"), 2);
  json_t *receipts = receipts_list (store_reader (fixture->store, NULL), "water@center", NULL, 0, 0, NULL);
  const json_t *items = json_object_get (receipts, "items");
  assert_int_equal (json_array_size (items), 2);
  assert_string_equal (text_of (json_array_get (items, 0), "outcome"), "withdrawn");
  assert_string_equal (text_of (json_array_get (items, 0), "detail"), "the agency's grants no longer cover it");
  json_decref (receipts);
  store_close (g_steal_pointer (&fixture->store));
}

#define book_test(name) cmocka_unit_test_setup_teardown (name, book_fixture_setup, book_fixture_teardown)

int main (void)
{
  const struct CMUnitTest tests[] = {
    book_test (an_agency_gets_its_granted_categories_and_nothing_else),
    book_test (a_grant_ends_at_its_time_and_holds_in_its_grids_only),
    book_test (events_have_the_form_that_the_interface_names),
    book_test (who_may_not_see_evidence_gets_the_incident_without_it),
    book_test (the_most_severe_goes_first_and_no_more_than_twenty_at_a_time),
    book_test (what_is_returned_or_retried_comes_again_with_the_same_id),
    book_test (a_way_that_is_configured_twice_is_one),
    book_test (pauses_hold_when_the_wall_clock_steps_back),
    book_test (a_clock_that_jumps_ahead_gives_up_nothing_that_waits),
    book_test (an_event_waits_in_the_outbox_over_a_kill),
    book_test (events_for_a_receiver_that_is_gone_are_withdrawn),
    book_test (what_a_reload_takes_from_an_agency_is_withdrawn_with_a_receipt),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
