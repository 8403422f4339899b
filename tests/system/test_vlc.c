/* VLC as Debian 12 has it. Built without live555 it has no RTSP client (its modules satip and access_realrtsp try the address and
 * give up); but it plays what was recorded: exports over HTTP, and the files themselves. What its own filter `scene` writes,
 * a picture for each that was shown, is counted. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/core/clock.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/support/township.h"

enum {
  WAIT_S = 90,
  RECORDED_S = 4,
  PICTURES_LEAST = RECORDED_S * 10 / 2, /* of ten a second */
};

typedef struct {
  Township *township;
  char *shared; /* a folder that VLC may write to: root it refuses to be */
} Vlc;

static int setup (void **state)
{
  Vlc *vlc = *state = g_new0 (Vlc, 1);
  vlc->township = township_new ("flaps.yaml", "flaps-township.yaml");
  vlc->shared = folder_make_temporary ();
  assert_int_equal (chmod (vlc->shared, 0777), 0);
  return 0;
}

static int teardown (void **state)
{
  Vlc *vlc = *state;
  township_free (vlc->township);
  folder_drop (vlc->shared);
  g_free (vlc);
  return 0;
}

static guint count_pictures (const Vlc *vlc, const char *prefix)
{
  g_autoptr (GDir) entries = g_dir_open (vlc->shared, 0, NULL);
  const char *name;
  guint count = 0;
  while ((name = g_dir_read_name (entries)) != NULL)
    count += g_str_has_prefix (name, prefix) && g_str_has_suffix (name, ".png");
  return count;
}

/* Plays `address` to its end, as nobody where we are root; it must show pictures enough. */
static void pictures_played (const Vlc *vlc, const char *address, const char *name)
{
  static const char *const as_nobody[] = { "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups" };
  g_autofree char *home = g_strconcat ("HOME=", vlc->shared, NULL), *said = NULL;
  const char *const player[] = { "env", home, "cvlc", "-q", "--play-and-exit", "--no-audio", "--no-drop-late-frames", "--no-skip-frames",
                                 "--vout", "dummy", "--video-filter", "scene", "--scene-ratio", "1", "--scene-format", "png", "--scene-prefix",
                                 name, "--scene-path", vlc->shared, address, "vlc://quit" };
  g_autoptr (GPtrArray) arguments = g_ptr_array_new ();
  for (gsize i = 0; getuid () == 0 && i < G_N_ELEMENTS (as_nobody); i++)
    g_ptr_array_add (arguments, (gpointer) as_nobody[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (player); i++)
    g_ptr_array_add (arguments, (gpointer) player[i]);
  g_ptr_array_add (arguments, NULL);
  int status = process_run (vlc->township->folder, WAIT_S, &said, (const char *const *) arguments->pdata);
  guint count = count_pictures (vlc, name);
  print_message ("%s: %u pictures\n", name, count);
  if (status != 0 || count < PICTURES_LEAST)
    fail_msg ("cvlc ended with %d: %s", status, said);
}

static gboolean is_long (const json_t *answer)
{
  const json_t *span = json_array_get (json_object_get (answer, "spans"), 0);
  gint64 from_us, to_us;
  return span != NULL && time_from_rfc3339 (json_string_value (json_object_get (span, "from")), &from_us)
         && time_from_rfc3339 (json_string_value (json_object_get (span, "to")), &to_us)
         && to_us - from_us >= RECORDED_S * G_TIME_SPAN_SECOND;
}

static void vlc_plays_an_export_over_http (void **state)
{
  Vlc *vlc = *state;
  Township *township = vlc->township;
  json_t *answer = township_wait_for (township, "/api/v1/cameras/one/recordings", is_long, WAIT_S);
  g_autofree char *times = recordings_first_times (answer), *token = township_token (township, "one", "playback");
  g_autofree char *address
    = g_strdup_printf ("%s/api/v1/cameras/one/recordings.mp4?%s&reason=x&token=%s", township->base_url, times, token);
  json_decref (answer);
  pictures_played (vlc, address, "export");
}

/* The first file below the folder, of those that end so; g_free. */
static char *find_file (const char *folder, const char *suffix)
{
  g_autoptr (GDir) entries = g_dir_open (folder, 0, NULL);
  const char *name;
  char *found = NULL;
  while (found == NULL && entries != NULL && (name = g_dir_read_name (entries)) != NULL) {
    g_autofree char *path = g_build_filename (folder, name, NULL);
    if (g_file_test (path, G_FILE_TEST_IS_DIR))
      found = find_file (path, suffix);
    else if (g_str_has_suffix (name, suffix))
      found = g_steal_pointer (&path);
  }
  return found;
}

/* As it stands on the disk, while it is still being written. */
static void vlc_plays_a_recorded_file (void **state)
{
  Vlc *vlc = *state;
  g_autofree char *data = township_data_dir (vlc->township), *recordings = g_build_filename (data, "recordings", "one", NULL);
  g_autofree char *file = find_file (recordings, ".mp4"), *copy = g_build_filename (vlc->shared, "recorded.mp4", NULL), *bytes = NULL;
  gsize size;
  assert_non_null (file);
  assert_true (g_file_get_contents (file, &bytes, &size, NULL));
  assert_true (g_file_set_contents (copy, bytes, (gssize) size, NULL));
  assert_int_equal (chmod (copy, 0644), 0);
  pictures_played (vlc, copy, "recorded");
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (vlc_plays_an_export_over_http),
    cmocka_unit_test (vlc_plays_a_recorded_file),
  };
  return cmocka_run_group_tests (tests, setup, teardown);
}
