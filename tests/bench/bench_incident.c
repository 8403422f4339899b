#include "tests/bench/bench_incident.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/core/clock.h"
#include "gateway/store/store.h"
#include "pipelines/sim/mqtt_client.h"

enum { ANSWER_MS = 10000, COMMITS = 100 };

typedef struct {
  GMainLoop *loop;
  MqttClient *village, *center;
  int connected;
  guint readings, next;
  const char *topic; /* of incidents */
  char grid[16]; /* whose incident is waited for */
  gint64 published_us;
  GArray *delays; /* of double, milliseconds */
  guint timeout;
} Bench;

static void ask_next (Bench *bench);

static gboolean give_up (gpointer data)
{
  Bench *bench = data;
  fprintf (stderr, "no incident for %s after %d ms\n", bench->grid, ANSWER_MS);
  exit (EXIT_FAILURE);
}

static void on_connected (gpointer data, gboolean is_connected, const char *reason)
{
  (void) reason;
  Bench *bench = data;
  bench->connected += is_connected ? 1 : 0;
  if (bench->connected == 2 && bench->next == 0) {
    mqtt_client_subscribe (bench->center, bench->topic, 1);
    ask_next (bench);
  }
}

static void on_published (gpointer data, guint64 tag, gboolean is_acknowledged)
{
  (void) data, (void) tag, (void) is_acknowledged;
}

static void on_incident (gpointer data, const char *topic, const guint8 *payload, gsize size)
{
  Bench *bench = data;
  (void) topic;
  if (g_strstr_len ((const char *) payload, (gssize) size, "gridgate.incident.opened") == NULL
      || g_strstr_len ((const char *) payload, (gssize) size, bench->grid) == NULL)
    return;
  double delay_ms = (double) (g_get_monotonic_time () - bench->published_us) / 1000;
  g_array_append_val (bench->delays, delay_ms);
  g_source_remove (bench->timeout);
  if (bench->delays->len == bench->readings)
    g_main_loop_quit (bench->loop);
  else
    ask_next (bench);
}

static gboolean publish (gpointer data)
{
  Bench *bench = data;
  g_autofree char *topic = g_strdup_printf ("alarm/%u", bench->next);
  g_snprintf (bench->grid, sizeof bench->grid, "\"g%u\"", bench->next++);
  bench->timeout = g_timeout_add (ANSWER_MS, give_up, bench);
  bench->published_us = g_get_monotonic_time ();
  mqtt_client_publish (bench->village, topic, "{\"level_cm\": 350}", 17, 1, FALSE, 0);
  return G_SOURCE_REMOVE;
}

/* A moment later, so that no reading profits from the work of the one before. */
static void ask_next (Bench *bench)
{
  g_timeout_add (20, publish, bench);
}

GArray *bench_incident_delays (int village_port, int center_port, const char *gateway, guint readings)
{
  const MqttHandlers handlers = { on_connected, on_published, on_incident };
  BrokerScript brokers[] = { { .id = (char *) "village", .host = (char *) "127.0.0.1", .port = village_port },
                             { .id = (char *) "center", .host = (char *) "127.0.0.1", .port = center_port } };
  g_autofree char *topic = g_strdup_printf ("gridgate/v1/%s/incidents", gateway);
  Bench bench = { .readings = readings, .topic = topic };
  bench.loop = g_main_loop_new (NULL, FALSE);
  bench.delays = g_array_new (FALSE, FALSE, sizeof (double));
  bench.village = mqtt_client_new (&brokers[0], "bench-village", &handlers, &bench, NULL);
  bench.center = mqtt_client_new (&brokers[1], "bench-center", &handlers, &bench, NULL);
  g_main_loop_run (bench.loop);
  mqtt_client_free (bench.village);
  mqtt_client_free (bench.center);
  g_main_loop_unref (bench.loop);
  return bench.delays;
}

void bench_incident_grids (GString *site, guint readings)
{
  for (guint i = 0; i < readings; i++)
    g_string_append_printf (site, "  - {id: g%u, parent: \"1\"}\n", i);
}

void bench_incident_sensors (GString *site, guint readings)
{
  for (guint i = 0; i < readings; i++)
    g_string_append_printf (site, "  - {id: s%u, grid: g%u, broker: village, topic: alarm/%u, format: json, metrics: [{name: alarm_level, "
                                  "path: $.level_cm, unit: m, scale: 0.01}]}\n", i, i, i);
}

static gboolean insert (Database *database, gpointer data, GError **error)
{
  (void) data;
  return database_run (database, error, "INSERT INTO bench VALUES (1)", "");
}

static gboolean create (Database *database, gpointer data, GError **error)
{
  (void) data;
  return database_run (database, error, "CREATE TABLE bench (v INTEGER)", "");
}

double bench_commit_ms (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, "floor", NULL);
  Store *store = store_open (path, clock_system (), NULL);
  store_run (store, create, NULL, NULL);
  gint64 start = g_get_monotonic_time ();
  for (int i = 0; i < COMMITS; i++)
    store_run (store, insert, NULL, NULL);
  double ms = (double) (g_get_monotonic_time () - start) / 1000 / COMMITS;
  store_close (store);
  return ms;
}
