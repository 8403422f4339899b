/* What gridgate tells media of a site; a double of media listens. */
#include <string.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/link/media_link.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

typedef struct {
  char *folder;
  EventBus *events;
  LinkEndpoint *media;
  MediaLink *link;
  Site *site;
  Camera *camera;
  GHashTable *put; /* stream → its CAMERA_PUT (json_t) */
  gint64 linger_us; /* of the newest site: what is told of an older one may still be under way */
  guint refuses; /* so many CAMERA_PUT are answered as by one who is too busy */
  guint refused_hellos; /* so many HELLO likewise */
  guint begins, puts, ends; /* SITE_BEGIN and SITE_END that came; CAMERA_PUT since the last SITE_BEGIN */
  GQueue *kept; /* of LinkMessage: what comes of the desired state is left unanswered; or NULL */
} Fixture;

static void refuse (LinkEndpoint *endpoint, const LinkMessage *request, guint *refuses)
{
  g_autoptr (GError) busy = g_error_new_literal (GRIDGATE_ERROR, ERROR_RETRY, "too busy");
  --*refuses;
  link_endpoint_send (endpoint, link_message_error (request, busy));
}

static void on_request (LinkEndpoint *endpoint, LinkMessage *message, gpointer data)
{
  g_autoptr (LinkMessage) request = message;
  Fixture *fixture = data;
  json_t *body = request->kind != LINK_HELLO ? NULL
                                             : json_pack ("{s:s, s:s, s:i, s:i}", "version", GRIDGATE_VERSION, "process", "media",
                                                          "pid", 1, "started_at", 1);
  fixture->begins += request->kind == LINK_SITE_BEGIN;
  fixture->ends += request->kind == LINK_SITE_END;
  fixture->puts = request->kind == LINK_SITE_BEGIN ? 0 : fixture->puts + (request->kind == LINK_CAMERA_PUT);
  if (fixture->kept != NULL && request->kind != LINK_HELLO) {
    g_queue_push_tail (fixture->kept, g_steal_pointer (&request));
    return;
  }
  guint *refuses = request->kind == LINK_CAMERA_PUT ? &fixture->refuses : &fixture->refused_hellos;
  if (*refuses > 0 && (request->kind == LINK_CAMERA_PUT || request->kind == LINK_HELLO)) {
    json_decref (body);
    refuse (endpoint, request, refuses);
    return;
  }
  if (request->kind == LINK_CAMERA_PUT)
    g_hash_table_replace (fixture->put, g_strdup (link_message_string (request, "stream")), json_incref (request->body));
  link_endpoint_send (endpoint, link_message_reply (request, body));
}

static void on_connected (gboolean is_connected, gpointer data)
{
  (void) is_connected, (void) data;
}

static void on_viewers (const char *const *present, gint64 before_us, gint64 at_us, gpointer data)
{
  (void) present, (void) before_us, (void) at_us, (void) data;
}

static int set_up (void **state)
{
  Fixture *fixture = *state = g_new0 (Fixture, 1);
  MediaHandlers handlers = { .connected = on_connected, .viewers_known = on_viewers, .data = fixture };
  alarm (60);
  fixture->folder = folder_make_temporary ();
  fixture->put = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) json_decref);
  fixture->site = site_new ();
  fixture->site->gateway.id = g_strdup ("gw");
  fixture->site->gateway.data_dir = g_strdup (fixture->folder);
  fixture->site->rtsp.listen = g_strdup ("127.0.0.1:0");
  fixture->camera = g_new0 (Camera, 1);
  fixture->camera->id = g_strdup ("bridge");
  fixture->camera->url = g_strdup ("rtsp://192.0.2.1/main");
  fixture->camera->sub = g_new0 (StreamSource, 1);
  fixture->camera->sub->url = g_strdup ("rtsp://192.0.2.1/sub");
  g_ptr_array_add (fixture->site->cameras, fixture->camera);
  g_autofree char *path = g_build_filename (fixture->folder, "media.sock", NULL);
  fixture->events = event_bus_new (16);
  fixture->media = link_endpoint_listen (path, on_request, NULL, fixture, NULL);
  fixture->link = media_link_new (fixture->folder, &handlers, fixture->events);
  return 0;
}

static int tear_down (void **state)
{
  Fixture *fixture = *state;
  media_link_free (fixture->link);
  link_endpoint_free (fixture->media);
  event_bus_free (fixture->events);
  site_unref (fixture->site);
  g_hash_table_unref (fixture->put);
  folder_drop (fixture->folder);
  g_free (fixture);
  return 0;
}

static json_t *field_of (Fixture *fixture, const char *stream, const char *field)
{
  return json_object_get (g_hash_table_lookup (fixture->put, stream), field);
}

/* The sub stream is the last that is told. */
static gboolean is_on_demand (Fixture *fixture, const char *stream)
{
  fixture->camera->linger_us = ++fixture->linger_us;
  media_link_set_site (fixture->link, fixture->site);
  while (json_integer_value (field_of (fixture, "sub", "linger")) != fixture->linger_us)
    g_main_context_iteration (NULL, TRUE);
  return json_boolean_value (field_of (fixture, stream, "on_demand"));
}

static const char *text_of (Fixture *fixture, const char *stream, const char *field)
{
  return json_string_value (field_of (fixture, stream, field));
}

/* The past of a stream that is not connected is in nobody's memory. */
static void a_sub_stream_with_a_pre_roll_is_pulled_all_the_time (void **state)
{
  Fixture *fixture = *state;
  fixture->camera->recording = (CameraRecording){ .mode = RECORDING_EVENT, .is_sub = TRUE, .pre_roll_us = 20 * G_USEC_PER_SEC };
  assert_false (is_on_demand (fixture, "sub"));
  assert_false (is_on_demand (fixture, "main"));
  assert_string_equal (text_of (fixture, "sub", "record"), "event");
  assert_string_equal (text_of (fixture, "main", "record"), "off");
  fixture->camera->on_demand = TRUE;
  assert_true (is_on_demand (fixture, "sub"));
}

static void another_sub_stream_is_pulled_on_demand (void **state)
{
  Fixture *fixture = *state;
  fixture->camera->recording = (CameraRecording){ .mode = RECORDING_EVENT, .pre_roll_us = 20 * G_USEC_PER_SEC };
  assert_true (is_on_demand (fixture, "sub"));
  assert_string_equal (text_of (fixture, "sub", "record"), "off");
  assert_string_equal (text_of (fixture, "main", "record"), "event");
  fixture->camera->recording = (CameraRecording){ .mode = RECORDING_CONTINUOUS, .is_sub = TRUE };
  assert_true (is_on_demand (fixture, "sub")); /* the recorder wants it */
  assert_string_equal (text_of (fixture, "sub", "record"), "continuous");
}

/* Nothing else changes the site: media would be without the camera for ever. */
static void what_media_could_not_take_is_sent_again (void **state)
{
  Fixture *fixture = *state;
  fixture->refuses = 2;
  assert_true (is_on_demand (fixture, "sub"));
  assert_int_equal (fixture->refuses, 0);
}

/* Without its greeting media would keep the former site. */
static void a_greeting_that_media_was_too_busy_for_is_asked_again (void **state)
{
  Fixture *fixture = *state;
  fixture->refused_hellos = 1;
  media_link_set_site (fixture->link, fixture->site); /* the link is not there yet */
  while (fixture->ends == 0)
    g_main_context_iteration (NULL, TRUE);
  assert_int_equal (fixture->refused_hellos, 0);
}

/* More than the socket and the backlog hold. */
static void a_site_larger_than_the_backlog_gets_through_in_one_round (void **state)
{
  Fixture *fixture = *state;
  enum { CAMERAS = 6000 };
  for (guint i = 0; i < CAMERAS; i++) {
    Camera *camera = g_new0 (Camera, 1);
    camera->id = g_strdup_printf ("camera-%u", i);
    camera->url = g_strdup ("rtsp://192.0.2.2/main");
    g_ptr_array_add (fixture->site->cameras, camera);
  }
  media_link_set_site (fixture->link, fixture->site);
  while (fixture->ends == 0)
    g_main_context_iteration (NULL, TRUE);
  assert_int_equal (fixture->puts, CAMERAS + 2);
  assert_int_equal (fixture->begins, 1);
}

/* media does not answer, then it does: what changed meanwhile comes in one round after the one that waited. */
static void rounds_do_not_pile_up_before_a_media_that_is_busy (void **state)
{
  Fixture *fixture = *state;
  fixture->kept = g_queue_new ();
  media_link_set_site (fixture->link, fixture->site); /* sent when media greets */
  while (fixture->ends == 0)
    g_main_context_iteration (NULL, TRUE);
  for (guint i = 1; i <= 3; i++) {
    fixture->camera->linger_us = i;
    media_link_set_site (fixture->link, fixture->site);
  }
  GQueue *kept = g_steal_pointer (&fixture->kept);
  while (!g_queue_is_empty (kept))
    on_request (fixture->media, g_queue_pop_head (kept), fixture);
  g_queue_free (kept);
  fixture->begins = fixture->ends = 0;
  while (json_integer_value (field_of (fixture, "sub", "linger")) != 3 || fixture->ends == 0)
    g_main_context_iteration (NULL, TRUE);
  assert_int_equal (fixture->begins, 1);
}

static void count_refusal (LinkMessage *reply, const GError *error, gpointer data)
{
  assert_null (reply);
  assert_true (error_is (error, ERROR_RETRY));
  ++*(guint *) data;
}

/* A peer that reads nothing: what its socket and the backlog can not hold is refused, once, and not from inside the call. */
static void what_waits_beyond_the_backlog_is_refused_in_time_and_at_the_end (void **state)
{
  Fixture *fixture = *state;
  g_autofree char *path = g_build_filename (fixture->folder, "deaf.sock", NULL);
  LinkEndpoint *deaf = link_endpoint_listen (path, on_request, NULL, fixture, NULL);
  LinkEndpoint *link = link_endpoint_connect (path, on_request, NULL, fixture);
  guint refused = 0, sent = 0;
  while (!link_endpoint_is_connected (link))
    g_main_context_iteration (NULL, TRUE);
  for (; sent < 10000; sent++)
    link_endpoint_request (link, link_message_new (LINK_HELLO, json_pack ("{s:s}", "version", "1")), 0, count_refusal, &refused);
  assert_int_equal (refused, 0);
  link_endpoint_free (link);
  assert_int_equal (refused, sent);
  link_endpoint_free (deaf);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (a_sub_stream_with_a_pre_roll_is_pulled_all_the_time, set_up, tear_down),
    cmocka_unit_test_setup_teardown (another_sub_stream_is_pulled_on_demand, set_up, tear_down),
    cmocka_unit_test_setup_teardown (what_media_could_not_take_is_sent_again, set_up, tear_down),
    cmocka_unit_test_setup_teardown (a_greeting_that_media_was_too_busy_for_is_asked_again, set_up, tear_down),
    cmocka_unit_test_setup_teardown (a_site_larger_than_the_backlog_gets_through_in_one_round, set_up, tear_down),
    cmocka_unit_test_setup_teardown (rounds_do_not_pile_up_before_a_media_that_is_busy, set_up, tear_down),
    cmocka_unit_test_setup_teardown (what_waits_beyond_the_backlog_is_refused_in_time_and_at_the_end, set_up, tear_down),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
