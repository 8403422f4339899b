#include "tests/unit/sensing/engine_fixture.h"

#include <string.h>

#include "gateway/core/error.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/sensing/sensing_site.h"

/* 2026-05-01T08:00:00Z */
static const gint64 start_wall_us = 1777622400000000;

static gboolean sink_opened (gpointer self, Database *database, Alert *alert, GError **error)
{
  Fixture *fixture = self;
  (void) database;
  if (fixture->sink_fails)
    return error_set (error, ERROR_RETRY, "not now");
  alert->incident = g_strdup ("01ARZ3NDEKTSV4RRFFQ69G5FAV");
  fixture->opened++;
  return TRUE;
}

static gboolean sink_cleared (gpointer self, Database *database, const Alert *alert, GError **error)
{
  Fixture *fixture = self;
  (void) database, (void) error;
  assert_true (alert->cleared_at_us != 0);
  fixture->cleared++;
  return TRUE;
}

static gboolean sink_changed (gpointer self, Database *database, const Alert *alert, GError **error)
{
  Fixture *fixture = self;
  (void) database, (void) error;
  fixture->changed++;
  fixture->last_severity = alert->severity;
  return TRUE;
}

static gboolean sink_joined (gpointer self, Database *database, const Alert *alert, GError **error)
{
  Fixture *fixture = self;
  (void) database, (void) error;
  assert_non_null (alert->incident);
  fixture->joined++;
  return TRUE;
}

static void open_all (Fixture *fixture)
{
  AlertSink sink = { fixture, sink_opened, sink_cleared, sink_changed, sink_joined };
  fixture->store = store_open (fixture->folder, fixture->clock, NULL);
  assert_non_null (fixture->store);
  fixture->engine = alert_engine_new (fixture->store, fixture->bus, &sink, NULL);
  assert_true (alert_engine_set_site (fixture->engine, fixture->site, NULL));
}

static void close_all (Fixture *fixture)
{
  g_clear_pointer (&fixture->store, store_close);
  g_clear_pointer (&fixture->engine, alert_engine_free);
}

/* As after a kill: what was committed is there, the time since then has passed. */
void restart_after (Fixture *fixture, gint64 microseconds)
{
  close_all (fixture);
  clock_fake_advance (fixture->clock, microseconds);
  open_all (fixture);
}

Site *flood_site (double threshold, double clear, gint64 hold_us)
{
  Site *site = test_site_new ();
  test_site_add_sensor (site, "level-1");
  test_site_add_sensor (site, "level-2");
  test_site_add_camera (site, "bridge", 60 * SECOND);
  test_site_add_rule (site, "flood", threshold, clear, hold_us);
  return site;
}

Fixture *fixture_with (Site *site)
{
  return fixture_in (folder_make_temporary (), site);
}

Fixture *fixture_in (char *folder, Site *site)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  fixture->folder = folder;
  fixture->clock = clock_fake_new (start_wall_us);
  fixture->bus = event_bus_new (100);
  fixture->site = site;
  site_publish (site);
  open_all (fixture);
  return fixture;
}

void fixture_free (Fixture *fixture)
{
  close_all (fixture);
  site_unref (fixture->site);
  event_bus_free (fixture->bus);
  clock_fake_free (fixture->clock);
  folder_drop (fixture->folder);
  g_free (fixture);
}

gboolean feed_job (Database *database, gpointer data, GError **error)
{
  FeedJob *feed = data;
  return alert_engine_observe (feed->engine, database, feed->observation, error)
         && (!feed->fails || error_set (error, ERROR_RETRY, "a later step of the job failed"));
}

Observation *reading (Fixture *fixture, const char *sensor, double value)
{
  Observation *observation = observation_new (sensor, "water_level");
  observation->value = value;
  observation->unit = g_strdup ("m");
  observation->phenomenon_time_us = observation->receive_time_us = clock_wall_us (fixture->clock);
  return observation;
}

gboolean feed (Fixture *fixture, Observation *observation)
{
  FeedJob one = { fixture->engine, observation, FALSE };
  gboolean fed = store_run (fixture->store, feed_job, &one, NULL);
  observation_unref (observation);
  return fed;
}

void feed_value (Fixture *fixture, const char *sensor, double value)
{
  assert_true (feed (fixture, reading (fixture, sensor, value)));
}

static gboolean nothing (Database *database, gpointer data, GError **error)
{
  (void) database, (void) data, (void) error;
  return TRUE;
}

/* Wakes the store, which then runs what is due; twice, for what the first one's timers set. */
void pass (Fixture *fixture, gint64 microseconds)
{
  clock_fake_advance (fixture->clock, microseconds);
  assert_true (store_run (fixture->store, nothing, NULL, NULL));
  assert_true (store_run (fixture->store, nothing, NULL, NULL));
}

/* As time passes for a gateway whose timers run. */
void pass_in_steps (Fixture *fixture, gint64 microseconds)
{
  for (gint64 passed = 0; passed < microseconds; passed += SECOND / 4)
    pass (fixture, MIN (SECOND / 4, microseconds - passed));
}

json_t *alerts (Fixture *fixture, const char *state)
{
  AlertFilter filter = { .state = state };
  json_t *list = alert_list (store_reader (fixture->store, NULL), &filter, 100, NULL, NULL);
  assert_non_null (list);
  return list;
}

guint count_alerts (Fixture *fixture, const char *state)
{
  json_t *list = alerts (fixture, state);
  guint count = (guint) json_array_size (json_object_get (list, "items"));
  json_decref (list);
  return count;
}

void change_site (Fixture *fixture, Site *site)
{
  site_publish (site);
  site_unref (fixture->site);
  fixture->site = site;
  assert_true (alert_engine_set_site (fixture->engine, site, NULL));
}
