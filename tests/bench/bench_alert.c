/* bench_alert: how long from a sensor's publish to the incident at the center's subscriber, through a real gateway, two real
 * brokers and the disk of this machine; beside it what a commit takes here, and what the processes hold in memory.
 *
 *   bench_alert [READINGS]     200 if not given; each opens an incident of its own */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/bench_incident.h"
#include "tests/support/folder.h"
#include "tests/support/mosquitto.h"
#include "tests/support/process.h"

enum { READINGS = 200, START_S = 40 };

static char *write_site (const char *folder, const int *ports, guint readings)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_string_append_printf (text,
                          "gateway: {id: bench, division: \"1\", name: bench, data_dir: %s/data, runtime_dir: %s/run}\n"
                          "http: {listen: \"127.0.0.1:%d\"}\nrtsp: {listen: \"127.0.0.1:%d\"}\n"
                          "brokers: [{id: village, url: \"mqtt://127.0.0.1:%d\"}]\n"
                          "centers: [{id: center, url: \"mqtt://127.0.0.1:%d\"}]\n"
                          "rules: [{id: flood, category: flood, match: {metric: alarm_level}, when: {above: 3.2}}]\ngrids:\n",
                          folder, folder, ports[2], ports[3], ports[0], ports[1]);
  bench_incident_grids (text, readings);
  g_string_append (text, "sensors:\n");
  bench_incident_sensors (text, readings);
  char *path = g_build_filename (folder, "site.yaml", NULL);
  g_file_set_contents (path, text->str, -1, NULL);
  return path;
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

static void report (GArray *delays, const char *folder, double one_commit_ms)
{
  g_array_sort (delays, by_size);
  double p50 = g_array_index (delays, double, delays->len / 2);
  double p99 = g_array_index (delays, double, delays->len * 99 / 100);
  double gridgate = resident_mb ("gridgate", folder), media = resident_mb ("gridgate-media", folder),
         vision = resident_mb ("gridgate-vision", folder);
  printf ("%u readings, each to an incident of its own; a commit takes %.2f ms on this disk\n", delays->len, one_commit_ms);
  printf ("publish to incident at the center: p50 %.1f ms (%.1f commits), p99 %.1f ms\n", p50, p50 / one_commit_ms, p99);
  printf ("resident: gridgate %.1f MB, gridgate-media (no camera) %.1f MB, gridgate-vision %.1f MB\n", gridgate, media, vision);
  printf ("{\"bench\":\"alert\",\"readings\":%u,\"commit_ms\":%.3f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"gridgate_mb\":%.1f,"
          "\"media_mb\":%.1f,\"vision_mb\":%.1f}\n", delays->len, one_commit_ms, p50, p99, gridgate, media, vision);
}

int main (int count, char **arguments)
{
  guint readings = count > 1 ? (guint) atoi (arguments[1]) : READINGS;
  char *folder = folder_make_temporary ();
  g_autoptr (Mosquitto) village = mosquitto_start (folder, NULL);
  g_autoptr (Mosquitto) center = mosquitto_start (folder, NULL);
  int ports[] = { mosquitto_port (village), mosquitto_port (center), port_free (), port_free () };
  g_autofree char *here = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *beside = g_path_get_dirname (here);
  g_autofree char *program = g_build_filename (beside, "../../gridgate", NULL);
  g_autofree char *site = write_site (folder, ports, readings);
  double one_commit_ms = bench_commit_ms (folder);

  Process *gateway = process_start (folder, (const char *[]){ program, "run", "-c", site, NULL });
  g_free (process_wait_for (gateway, "center center: connected", START_S));

  g_autoptr (GArray) delays = bench_incident_delays (ports[0], ports[1], "bench", readings);
  report (delays, folder, one_commit_ms);

  process_end (gateway, SIGTERM, START_S);
  process_free (gateway);
  folder_drop (folder);
}
