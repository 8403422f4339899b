#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/ids.h"
#include "gateway/link/link_endpoint.h"
#include "pipelines/vision/access_unit_picture.h"
#include "pipelines/vision/vision_service.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/vision/key_frames.h"

typedef struct {
  char *folder;
  VisionService *service;
  LinkEndpoint *gateway;
  gboolean is_connected;
  guint answers;
  LinkMessage *last; /* the body only */
  GError *last_error;
} Fixture;

static void changed (LinkEndpoint *endpoint, gboolean is_connected, gpointer data)
{
  (void) endpoint;
  ((Fixture *) data)->is_connected = is_connected;
}

static int fixture_setup (void **state)
{
  Fixture *fixture = *state = g_new0 (Fixture, 1);
  fixture->folder = folder_make_temporary ();
  fixture->service = vision_service_new (fixture->folder, NULL);
  assert_non_null (fixture->service);
  g_autofree char *path = g_build_filename (fixture->folder, "vision.sock", NULL);
  fixture->gateway = link_endpoint_connect (path, NULL, changed, fixture);
  while (!fixture->is_connected)
    g_main_context_iteration (NULL, TRUE);
  return 0;
}

static int fixture_teardown (void **state)
{
  Fixture *fixture = *state;
  link_endpoint_free (fixture->gateway);
  vision_service_free (fixture->service);
  folder_drop (fixture->folder);
  link_message_free (fixture->last);
  g_clear_error (&fixture->last_error);
  g_free (fixture);
  return 0;
}

static void note_answer (LinkMessage *reply, const GError *error, gpointer data)
{
  Fixture *fixture = data;
  fixture->answers++;
  g_clear_error (&fixture->last_error);
  g_clear_pointer (&fixture->last, link_message_free);
  if (error)
    fixture->last_error = g_error_copy (error);
  else
    fixture->last = link_message_new (reply->kind, json_incref (reply->body));
}

static int memory_with (const void *bytes, gsize size)
{
  int fd = memfd_create ("unit", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  assert_int_equal (write (fd, bytes, size), size);
  fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  return fd;
}

static int open_jpeg (const Fixture *fixture)
{
  g_autofree char *path = g_build_filename (fixture->folder, "picture.jpg", NULL);
  return open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* Takes `unit_fd`. */
static void ask (Fixture *fixture, int unit_fd, const char *codec)
{
  json_t *body = json_pack ("{s:s, s:i}", "codec", codec, "max_width", 320);
  LinkMessage *request = link_message_new (LINK_PICTURE_ENCODE, body);
  link_message_add_fd (request, unit_fd);
  link_message_add_fd (request, open_jpeg (fixture));
  link_endpoint_request (fixture->gateway, request, 0, note_answer, fixture);
}

static void wait_for_answers (Fixture *fixture, guint count)
{
  while (fixture->answers < count)
    g_main_context_iteration (NULL, TRUE);
}

static void the_picture_stands_in_the_file_as_the_answer_says (void **state)
{
  Fixture *fixture = *state;
  g_autoptr (GBytes) unit = key_frame_make (fixture->folder, "libx264", "h264", 640, 360);
  gsize size;
  const void *bytes = g_bytes_get_data (unit, &size);
  ask (fixture, memory_with (bytes, size), "h264");
  wait_for_answers (fixture, 1);
  assert_null (fixture->last_error);

  g_autofree char *path = g_build_filename (fixture->folder, "picture.jpg", NULL), *jpeg = NULL;
  gsize jpeg_size;
  int width, height;
  assert_true (g_file_get_contents (path, &jpeg, &jpeg_size, NULL));
  g_autofree char *sha256 = sha256_hex (jpeg, jpeg_size);
  assert_true (jpeg_dimensions ((const guint8 *) jpeg, jpeg_size, &width, &height));
  assert_int_equal (width, 320);
  assert_int_equal (link_message_integer (fixture->last, "width"), 320);
  assert_int_equal (link_message_integer (fixture->last, "height"), height);
  assert_int_equal (link_message_integer (fixture->last, "bytes"), jpeg_size);
  assert_string_equal (link_message_string (fixture->last, "sha256"), sha256);
}

static void a_hostile_unit_gets_an_error_and_the_next_a_picture (void **state)
{
  Fixture *fixture = *state;
  ask (fixture, memory_with ("\0\0\0\1\x67rubbish", 12), "h264");
  wait_for_answers (fixture, 1);
  assert_true (error_is (fixture->last_error, ERROR_REFUSE));
  ask (fixture, memory_with ("", 0), "h264");
  wait_for_answers (fixture, 2);
  assert_true (error_is (fixture->last_error, ERROR_REFUSE));

  int huge = memfd_create ("unit", MFD_CLOEXEC);
  assert_int_equal (ftruncate (huge, ACCESS_UNIT_MAX_BYTES + 1), 0);
  ask (fixture, huge, "h264");
  wait_for_answers (fixture, 3);
  assert_non_null (strstr (fixture->last_error->message, "out of bounds"));

  g_autoptr (GBytes) unit = key_frame_make (fixture->folder, "libx264", "h264", 64, 64);
  gsize size;
  const void *bytes = g_bytes_get_data (unit, &size);
  ask (fixture, memory_with (bytes, size), "h264");
  wait_for_answers (fixture, 4);
  assert_null (fixture->last_error);
}

static void hello_says_who_is_there (void **state)
{
  Fixture *fixture = *state;
  LinkMessage *hello = link_message_new (LINK_HELLO, json_pack ("{s:s}", "version", "1"));
  link_endpoint_request (fixture->gateway, hello, 0, note_answer, fixture);
  wait_for_answers (fixture, 1);
  assert_string_equal (link_message_string (fixture->last, "process"), "vision");
  assert_int_equal (link_message_integer (fixture->last, "pid"), getpid ());
}

static void what_is_not_for_it_is_refused (void **state)
{
  Fixture *fixture = *state;
  LinkMessage *stray = link_message_new (LINK_SITE_END, NULL);
  link_endpoint_request (fixture->gateway, stray, 0, note_answer, fixture);
  LinkMessage *bare = link_message_new (LINK_PICTURE_ENCODE, json_pack ("{s:s}", "codec", "h264"));
  link_endpoint_request (fixture->gateway, bare, 0, note_answer, fixture);
  wait_for_answers (fixture, 2);
  assert_non_null (strstr (fixture->last_error->message, "two descriptors"));
}

static void every_request_is_answered_also_when_it_ends (void **state)
{
  Fixture *fixture = *state;
  g_autoptr (GBytes) unit = key_frame_make (fixture->folder, "libx264", "h264", 640, 360);
  gsize size;
  const void *bytes = g_bytes_get_data (unit, &size);
  for (int i = 0; i < 100; i++)
    ask (fixture, memory_with (bytes, size), "h264");
  wait_for_answers (fixture, 1);
  g_clear_pointer (&fixture->service, vision_service_free);
  wait_for_answers (fixture, 100);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (the_picture_stands_in_the_file_as_the_answer_says, fixture_setup,
                                     fixture_teardown),
    cmocka_unit_test_setup_teardown (a_hostile_unit_gets_an_error_and_the_next_a_picture, fixture_setup,
                                     fixture_teardown),
    cmocka_unit_test_setup_teardown (hello_says_who_is_there, fixture_setup, fixture_teardown),
    cmocka_unit_test_setup_teardown (what_is_not_for_it_is_refused, fixture_setup, fixture_teardown),
    cmocka_unit_test_setup_teardown (every_request_is_answered_also_when_it_ends, fixture_setup, fixture_teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
