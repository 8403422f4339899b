/* What retention deleted, in the audit log; a double of gridgate-media tells it, a camera at a time. */
#include <string.h>
#include <unistd.h>

#include "gateway/access/deletion_audit.h"
#include "gateway/core/error.h"
#include "tests/support/test.h"
#include "tests/unit/access/access_fixture.h"

#define DAY_US ((gint64) 24 * G_TIME_SPAN_HOUR)

typedef struct {
  gint64 day;
  const char *camera;
} Deleted;

typedef struct {
  AccessFixture *access;
  EventBus *events;
  LinkEndpoint *media;
  MediaLink *link;
  DeletionAudit *audit;
  gint64 today;
  Deleted deleted[4]; /* in order */
  guint answers, ends; /* given; that said there is no more */
  gboolean is_connected, breaks;
} Fixture;

static const Deleted *find (const Fixture *fixture, gint64 from_day, gint64 before_day, const char *after)
{
  for (guint i = 0; i < G_N_ELEMENTS (fixture->deleted); i++) {
    const Deleted *deleted = &fixture->deleted[i];
    if (deleted->camera != NULL && deleted->day >= from_day && deleted->day < before_day && strcmp (deleted->camera, after) > 0)
      return deleted;
  }
  return NULL;
}

/* DELETIONS_DAY with one camera a page. */
static json_t *day_reply (Fixture *fixture, const LinkMessage *request)
{
  const Deleted *deleted = find (fixture, link_message_integer (request, "from_day"), link_message_integer (request, "before_day"),
                                 link_message_string (request, "after"));
  fixture->answers++;
  fixture->ends += deleted == NULL;
  if (deleted == NULL)
    return json_pack ("{s:i, s:[]}", "day", 0, "cameras");
  json_t *reply = json_pack ("{s:I, s:[[s, s, I, I, i, i]]}", "day", (json_int_t) deleted->day, "cameras", deleted->camera,
                             "age,free_space", (json_int_t) (deleted->day * DAY_US),
                             (json_int_t) (deleted->day * DAY_US + G_TIME_SPAN_HOUR), 60, 5000);
  if (find (fixture, deleted->day, deleted->day + 1, deleted->camera) != NULL)
    json_object_set_new (reply, "next", json_string (deleted->camera));
  return reply;
}

static void on_request (LinkEndpoint *endpoint, LinkMessage *message, gpointer data)
{
  g_autoptr (LinkMessage) request = message;
  Fixture *fixture = data;
  g_autoptr (GError) error = g_error_new_literal (GRIDGATE_ERROR, ERROR_RETRY, "the index is away");
  if (request->kind == LINK_HELLO)
    link_endpoint_send (endpoint, link_message_reply (request, json_pack ("{s:s, s:s, s:i, s:i}", "version", GRIDGATE_VERSION,
                                                                          "process", "media", "pid", 1, "started_at", 1)));
  else if (request->kind == LINK_DELETIONS_DAY && fixture->breaks && fixture->answers++ > 0)
    link_endpoint_send (endpoint, link_message_error (request, error));
  else if (request->kind == LINK_DELETIONS_DAY)
    link_endpoint_send (endpoint, link_message_reply (request, day_reply (fixture, request)));
}

static void on_connected (gboolean is_connected, gpointer data)
{
  ((Fixture *) data)->is_connected = is_connected;
}

static int set_up (void **state)
{
  Fixture *fixture = *state = g_new0 (Fixture, 1);
  if (access_fixture_setup ((void **) &fixture->access) != 0)
    return -1;
  alarm (60);
  fixture->today = access_now_us (fixture->access->access) / DAY_US;
  g_autofree char *path = g_build_filename (fixture->access->folder, "media.sock", NULL);
  MediaHandlers handlers = { .connected = on_connected, .data = fixture };
  fixture->events = event_bus_new (16);
  fixture->media = link_endpoint_listen (path, on_request, NULL, fixture, NULL);
  fixture->link = media_link_new (fixture->access->folder, &handlers, fixture->events);
  fixture->audit = deletion_audit_new (fixture->access->access, fixture->link);
  while (!fixture->is_connected)
    g_main_context_iteration (NULL, TRUE);
  return 0;
}

static int tear_down (void **state)
{
  Fixture *fixture = *state;
  media_link_free (fixture->link);
  link_endpoint_free (fixture->media);
  store_close (g_steal_pointer (&fixture->access->store));
  deletion_audit_free (fixture->audit);
  access_fixture_teardown ((void **) &fixture->access);
  event_bus_free (fixture->events);
  g_free (fixture);
  return 0;
}

static void look_until (Fixture *fixture, guint *counter)
{
  guint before = *counter;
  deletion_audit_look (fixture->audit);
  while (*counter == before)
    g_main_context_iteration (NULL, TRUE);
  while (g_main_context_iteration (NULL, FALSE))
    continue;
}

static guint entries (Fixture *fixture, const char *camera, gint64 day)
{
  Database *reader = store_reader (fixture->access->store, NULL);
  g_autofree char *date = time_to_rfc3339 (day * DAY_US);
  g_autofree char *pattern = g_strdup_printf ("%%\"day\":\"%.10s\"%%\"reasons\":\"age,free_space\"%%\"segments\":60%%", date);
  return (guint) database_integer (reader, 0,
                                   "SELECT count(*) FROM audit WHERE action = 'recording.deleted' AND subject = ? AND detail LIKE ?",
                                   "ss", camera, pattern);
}

static void each_camera_and_day_that_is_over_is_entered_once (void **state)
{
  Fixture *fixture = *state;
  gint64 today = fixture->today;
  memcpy (fixture->deleted, (Deleted[]){ { today - 9, "bridge" }, { today - 9, "peak" }, { today - 1, "bridge" }, { today, "peak" } },
          sizeof fixture->deleted);
  look_until (fixture, &fixture->ends);
  look_until (fixture, &fixture->ends);
  assert_int_equal (entries (fixture, "bridge", today - 9), 1);
  assert_int_equal (entries (fixture, "peak", today - 9), 1);
  assert_int_equal (entries (fixture, "bridge", today - 1), 1);
  assert_int_equal (entries (fixture, "peak", today), 0); /* it is not over */
  clock_fake_advance (fixture->access->clock, DAY_US);
  look_until (fixture, &fixture->ends);
  assert_int_equal (entries (fixture, "peak", today), 1);
  assert_int_equal (entries (fixture, "bridge", today - 1), 1);
}

static void a_day_that_breaks_off_is_entered_as_a_whole_later (void **state)
{
  Fixture *fixture = *state;
  gint64 today = fixture->today;
  memcpy (fixture->deleted, (Deleted[]){ { today - 2, "bridge" }, { today - 2, "peak" } }, 2 * sizeof (Deleted));
  fixture->breaks = TRUE; /* the first page comes, the second does not */
  look_until (fixture, &fixture->answers);
  while (fixture->answers < 2)
    g_main_context_iteration (NULL, TRUE);
  fixture->breaks = FALSE;
  while (fixture->ends == 0) { /* until it has heard of the failure */
    deletion_audit_look (fixture->audit);
    g_main_context_iteration (NULL, TRUE);
  }
  assert_int_equal (entries (fixture, "bridge", today - 2), 1);
  assert_int_equal (entries (fixture, "peak", today - 2), 1);
}

static void deleted_observations_are_entered_with_their_day (void **state)
{
  Fixture *fixture = *state;
  Database *reader = store_reader (fixture->access->store, NULL);
  assert_true (deletion_audit_observations (fixture->access->store, "2026-05-01", 1440, NULL));
  assert_int_equal (database_integer (reader, 0,
                                      "SELECT count(*) FROM audit WHERE action = 'observations.deleted' AND subject = '2026-05-01'"
                                      " AND detail = '{\"rows\":1440}'", ""), 1);
}

static void a_wall_clock_that_was_years_ahead_stops_no_entry_after_it_is_right (void **state)
{
  Fixture *fixture = *state;
  gint64 today = fixture->today;
  memcpy (fixture->deleted, (Deleted[]){ { today - 3, "bridge" }, { today + 1000, "bridge" } }, 2 * sizeof (Deleted));
  clock_fake_step_wall (fixture->access->clock, 2000 * DAY_US);
  look_until (fixture, &fixture->ends);
  assert_int_equal (entries (fixture, "bridge", today + 1000), 1);
  clock_fake_step_wall (fixture->access->clock, -2000 * DAY_US);
  memcpy (fixture->deleted, (Deleted[]){ { today - 3, "bridge" }, { today - 1, "peak" }, { today + 1000, "bridge" } }, 3 * sizeof (Deleted));
  look_until (fixture, &fixture->ends);
  assert_int_equal (entries (fixture, "peak", today - 1), 1);
  assert_int_equal (entries (fixture, "bridge", today - 3), 1);
  clock_fake_advance (fixture->access->clock, DAY_US);
  look_until (fixture, &fixture->ends);
  assert_int_equal (entries (fixture, "peak", today - 1), 1);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (each_camera_and_day_that_is_over_is_entered_once, set_up, tear_down),
    cmocka_unit_test_setup_teardown (a_day_that_breaks_off_is_entered_as_a_whole_later, set_up, tear_down),
    cmocka_unit_test_setup_teardown (deleted_observations_are_entered_with_their_day, set_up, tear_down),
    cmocka_unit_test_setup_teardown (a_wall_clock_that_was_years_ahead_stops_no_entry_after_it_is_right, set_up, tear_down),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
