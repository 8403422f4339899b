/* bench_alert: how long from a sensor's publish to the incident at the center's subscriber, through a real gateway, two real
 * brokers and the disk of this machine; beside it what a commit takes here, and what the processes hold in memory.
 *
 *   bench_alert [READINGS]     200 if not given; each opens an incident of its own */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/core/clock.h"
#include "gateway/store/store.h"
#include "pipelines/sim/mqtt_client.h"
#include "tests/support/folder.h"
#include "tests/support/mosquitto.h"
#include "tests/support/process.h"

enum { READINGS = 200, START_S = 40, ANSWER_MS = 10000, COMMITS = 100 };

typedef struct {
  GMainLoop *loop;
  MqttClient *village, *center;
  int connected;
  guint readings, next;
  char grid[16]; /* whose incident is waited for */
  gint64 published_us;
  GArray *delays; /* of double, milliseconds */
  guint timeout;
} Bench;

static void ask_next (Bench *bench);

static gboolean give_up (gpointer data)
{
  Bench *bench = data;
  fprintf (stderr, "bench_alert: no incident for %s after %d ms\n", bench->grid, ANSWER_MS);
  exit (EXIT_FAILURE);
}

static void on_connected (gpointer data, gboolean is_connected, const char *reason)
{
  (void) reason;
  Bench *bench = data;
  bench->connected += is_connected ? 1 : 0;
  if (bench->connected == 2 && bench->next == 0) {
    mqtt_client_subscribe (bench->center, "gridgate/v1/bench/incidents", 1);
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
  g_autofree char *topic = g_strdup_printf ("bench/%u", bench->next);
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

static char *write_site (const char *folder, const int *ports, guint readings)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_string_append_printf (text,
                          "gateway: {id: bench, division: \"1\", name: bench, data_dir: %s/data, runtime_dir: %s/run}\n"
                          "http: {listen: \"127.0.0.1:%d\"}\nrtsp: {listen: \"127.0.0.1:%d\"}\n"
                          "brokers: [{id: village, url: \"mqtt://127.0.0.1:%d\"}]\n"
                          "centers: [{id: center, url: \"mqtt://127.0.0.1:%d\"}]\n"
                          "rules: [{id: flood, category: flood, match: {metric: level}, when: {above: 3.2}}]\ngrids:\n",
                          folder, folder, ports[2], ports[3], ports[0], ports[1]);
  for (guint i = 0; i < readings; i++)
    g_string_append_printf (text, "  - {id: g%u, parent: \"1\"}\n", i);
  g_string_append (text, "sensors:\n");
  for (guint i = 0; i < readings; i++)
    g_string_append_printf (text, "  - {id: s%u, grid: g%u, broker: village, topic: bench/%u, format: json, metrics: [{name: level, "
                                  "path: $.level_cm, unit: m, scale: 0.01}]}\n", i, i, i);
  char *path = g_build_filename (folder, "site.yaml", NULL);
  g_file_set_contents (path, text->str, -1, NULL);
  return path;
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

/* The floor: what one commit takes on this disk; an alert needs two of them in turn, and two brokers. */
static double commit_ms (const char *folder)
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

static gint by_size (gconstpointer a, gconstpointer b)
{
  double one = *(const double *) a, other = *(const double *) b;
  return (one > other) - (one < other);
}

static double resident_mb (const char *name, const char *folder)
{
  g_autoptr (GDir) processes = g_dir_open ("/proc", 0, NULL);
  const char *pid;
  while (processes != NULL && (pid = g_dir_read_name (processes)) != NULL) {
    g_autofree char *line_path = g_build_filename ("/proc", pid, "cmdline", NULL);
    g_autofree char *memory_path = g_build_filename ("/proc", pid, "statm", NULL);
    g_autofree char *line = NULL, *memory = NULL;
    gsize size = 0;
    if (!g_ascii_isdigit (*pid) || !g_file_get_contents (line_path, &line, &size, NULL) || size == 0
        || !g_str_has_suffix (line, name)
        || memmem (line, size, folder, strlen (folder)) == NULL || !g_file_get_contents (memory_path, &memory, NULL, NULL))
      continue;
    return (double) g_ascii_strtoll (strchr (memory, ' '), NULL, 10) * (double) sysconf (_SC_PAGESIZE) / 1e6;
  }
  return 0;
}

static void report (const Bench *bench, const char *folder, double one_commit_ms)
{
  g_array_sort (bench->delays, by_size);
  double p50 = g_array_index (bench->delays, double, bench->delays->len / 2);
  double p99 = g_array_index (bench->delays, double, bench->delays->len * 99 / 100);
  double gridgate = resident_mb ("gridgate", folder), media = resident_mb ("gridgate-media", folder),
         vision = resident_mb ("gridgate-vision", folder);
  printf ("%u readings, each to an incident of its own; a commit takes %.2f ms on this disk\n", bench->delays->len, one_commit_ms);
  printf ("publish to incident at the center: p50 %.1f ms (%.1f commits), p99 %.1f ms\n", p50, p50 / one_commit_ms, p99);
  printf ("resident: gridgate %.1f MB, gridgate-media (no camera) %.1f MB, gridgate-vision %.1f MB\n", gridgate, media, vision);
  printf ("{\"bench\":\"alert\",\"readings\":%u,\"commit_ms\":%.3f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"gridgate_mb\":%.1f,"
          "\"media_mb\":%.1f,\"vision_mb\":%.1f}\n", bench->delays->len, one_commit_ms, p50, p99, gridgate, media, vision);
}

int main (int count, char **arguments)
{
  Bench bench = { .readings = count > 1 ? (guint) atoi (arguments[1]) : READINGS };
  char *folder = folder_make_temporary ();
  g_autoptr (Mosquitto) village = mosquitto_start (folder, NULL);
  g_autoptr (Mosquitto) center = mosquitto_start (folder, NULL);
  int ports[] = { mosquitto_port (village), mosquitto_port (center), port_free (), port_free () };
  g_autofree char *here = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *beside = g_path_get_dirname (here);
  g_autofree char *program = g_build_filename (beside, "../../gridgate", NULL);
  g_autofree char *site = write_site (folder, ports, bench.readings);
  double one_commit_ms = commit_ms (folder);

  Process *gateway = process_start (folder, (const char *[]){ program, "run", "-c", site, NULL });
  g_free (process_wait_for (gateway, "center center: connected", START_S));

  const MqttHandlers handlers = { on_connected, on_published, on_incident };
  BrokerScript brokers[] = { { .id = (char *) "village", .host = (char *) "127.0.0.1", .port = ports[0] },
                             { .id = (char *) "center", .host = (char *) "127.0.0.1", .port = ports[1] } };
  bench.loop = g_main_loop_new (NULL, FALSE);
  bench.delays = g_array_new (FALSE, FALSE, sizeof (double));
  bench.village = mqtt_client_new (&brokers[0], "bench-village", &handlers, &bench, NULL);
  bench.center = mqtt_client_new (&brokers[1], "bench-center", &handlers, &bench, NULL);
  g_main_loop_run (bench.loop);
  report (&bench, folder, one_commit_ms);

  mqtt_client_free (bench.village);
  mqtt_client_free (bench.center);
  process_end (gateway, SIGTERM, START_S);
  process_free (gateway);
  g_array_unref (bench.delays);
  g_main_loop_unref (bench.loop);
  folder_drop (folder);
}
