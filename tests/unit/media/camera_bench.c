#include "tests/unit/media/camera_bench.h"

#include <string.h>

#include "tests/support/test.h"

enum { WATCHDOG_US = 20 * G_USEC_PER_SEC };

static void on_changed (CameraSource *source, gpointer data)
{
  CameraBench *bench = data;
  const CameraStatusNow *status = camera_source_status (source);
  g_async_queue_push (bench->states, g_strdup_printf ("%s %s", camera_state_name (status->state), status->reason));
}

static void on_started (StreamTap *tap, const TrackList *tracks)
{
  (void) tap, (void) tracks;
}

static void on_unit (StreamTap *tap, const Unit *unit)
{
  const guint8 *frame = unit->block->bytes + unit->offset;
  g_async_queue_push (((CameraBench *) tap)->units, g_strdup_printf ("%c%u", unit->is_random_access ? 'K' : 'u', frame[1]));
}

static void on_ended (StreamTap *tap, const char *reason)
{
  g_async_queue_push (((CameraBench *) tap)->units, g_strdup (reason));
}

void camera_bench_open (gpointer data)
{
  CameraBench *bench = data;
  bench->stream = stream_new (bench->loop, "bridge", "main");
  bench->source = camera_source_new (bench->stream, &bench->settings, bench->resolver, on_changed, bench);
}

void camera_bench_add_tap (gpointer data)
{
  CameraBench *bench = data;
  bench->tap = (StreamTap){ on_started, on_unit, on_ended };
  bench->has_tap = TRUE;
  stream_add_tap (bench->stream, &bench->tap);
}

static void close_source (gpointer data)
{
  CameraBench *bench = data;
  if (bench->has_tap)
    stream_remove_tap (bench->stream, &bench->tap);
  camera_source_free (bench->source);
  stream_free (bench->stream);
}

int camera_bench_setup (void **state)
{
  CameraBench *bench = *state = g_new0 (CameraBench, 1);
  bench->loop = loop_new (NULL);
  bench->resolver = resolver_new ();
  bench->states = g_async_queue_new_full (g_free);
  bench->units = g_async_queue_new_full (g_free);
  return 0;
}

int camera_bench_teardown (void **state)
{
  CameraBench *bench = *state;
  loop_call (bench->loop, close_source, bench);
  scripted_camera_free (bench->camera);
  resolver_free (bench->resolver);
  loop_free (bench->loop);
  camera_settings_clear (&bench->settings);
  g_async_queue_unref (bench->states);
  g_async_queue_unref (bench->units);
  g_free (bench);
  return 0;
}

void camera_bench_start (CameraBench *bench, const CameraScript *script, const char *username, const char *password)
{
  bench->camera = scripted_camera_new (script);
  bench->settings.url = scripted_camera_url (bench->camera);
  bench->settings.username = g_strdup (username);
  bench->settings.password = g_strdup (password);
  loop_call (bench->loop, camera_bench_open, bench);
}

void assert_next (GAsyncQueue *queue, const char *expected)
{
  g_autofree char *found = g_async_queue_timeout_pop (queue, WATCHDOG_US);
  assert_non_null (found);
  assert_string_equal (found, expected);
}

void camera_bench_remove_tap (gpointer data)
{
  CameraBench *bench = data;
  bench->has_tap = FALSE;
  stream_remove_tap (bench->stream, &bench->tap);
}

char *detail_of (CameraBench *bench)
{
  return g_strdup (camera_source_status (bench->source)->detail);
}

void assert_failed (CameraBench *bench, const char *state, const char *words)
{
  assert_next (bench->states, "connecting ");
  assert_next (bench->states, state);
  g_autofree char *detail = detail_of (bench);
  assert_non_null (detail);
  if (strstr (detail, words) == NULL)
    fail_msg ("\"%s\" lacks \"%s\"", detail, words);
}
