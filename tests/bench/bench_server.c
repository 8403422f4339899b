#include "tests/bench/bench_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/bench_process.h"
#include "tests/support/folder.h"

static const struct {
  const char *name, *program; /* program: of this build, or on PATH for other relays */
  gboolean is_other;
} kinds[BENCH_SERVER_COUNT] = {
  [BENCH_FLOOR] = { "floor", "tests/bench/floor/relay_floor", FALSE },
  [BENCH_PROMPT_FLOOR] = { "floor", "tests/bench/floor/relay_floor", FALSE },
  [BENCH_UDP_FLOOR] = { "floor", "tests/bench/floor/udp_floor", FALSE },
  [BENCH_GRIDGATE] = { "gridgate", "gridgate-media", FALSE },
  [BENCH_MEDIAMTX] = { "mediamtx", "mediamtx", TRUE },
  [BENCH_GO2RTC] = { "go2rtc", "go2rtc", TRUE },
};

const char *bench_server_name (BenchServerKind kind)
{
  return kinds[kind].name;
}

gboolean bench_server_is_other (BenchServerKind kind)
{
  return kinds[kind].is_other;
}

gboolean bench_server_is_there (BenchServerKind kind)
{
  g_autofree char *path = kinds[kind].is_other ? g_find_program_in_path (kinds[kind].program) : NULL;
  return !kinds[kind].is_other || path != NULL;
}

void bench_server_tell_absent (void)
{
  for (BenchServerKind kind = 0; kind < BENCH_SERVER_COUNT; kind++)
    if (!bench_server_is_there (kind))
      printf ("%s is not on PATH: not measured\n", kinds[kind].name);
}

BenchTransport bench_server_transport (const BenchServer *server, gboolean is_udp)
{
  switch (server->kind) {
  case BENCH_FLOOR:
  case BENCH_PROMPT_FLOOR:
    return BENCH_RAW_TCP;
  case BENCH_UDP_FLOOR:
    return BENCH_RAW_UDP;
  default:
    return is_udp ? BENCH_RTSP_UDP : BENCH_RTSP_TCP;
  }
}

static void add (GPtrArray *arguments, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void add (GPtrArray *arguments, const char *format, ...)
{
  va_list values;
  va_start (values, format);
  g_ptr_array_add (arguments, g_strdup_vprintf (format, values));
  va_end (values);
}

/* Takes `arguments`. */
static pid_t spawn (GPtrArray *arguments, const char *output)
{
  g_ptr_array_add (arguments, NULL);
  pid_t pid = bench_spawn ((const char *const *) arguments->pdata, output);
  g_ptr_array_unref (arguments);
  return pid;
}

static pid_t start_floor (const BenchServer *server, const BenchServerPlan *plan)
{
  GPtrArray *arguments = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (arguments, bench_program (kinds[plan->kind].program));
  add (arguments, "%u", plan->camera_port);
  add (arguments, "%u", plan->cameras);
  add (arguments, "%u", server->port);
  if (plan->kind == BENCH_PROMPT_FLOOR)
    add (arguments, "prompt");
  return spawn (arguments, NULL);
}

static pid_t start_decider (const BenchServer *server, const BenchServerPlan *plan)
{
  GPtrArray *arguments = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (arguments, bench_program ("tests/support/fake-gridgate"));
  add (arguments, "--udp-port=%u", bench_free_udp_pair ());
  if (plan->is_on_demand)
    add (arguments, "--on-demand");
  if (plan->records) {
    add (arguments, "--record=%s/data", server->folder);
    add (arguments, "--max-bytes=%" G_GINT64_FORMAT, plan->max_bytes);
  }
  g_ptr_array_add (arguments, g_strdup (server->folder));
  add (arguments, "127.0.0.1:%u", server->port);
  for (guint i = 0; i < plan->cameras; i++)
    add (arguments, "c%u=rtsp://127.0.0.1:%u/cam/%u", i, plan->camera_port, i);
  return spawn (arguments, server->events);
}

static void start_gridgate (BenchServer *server, const BenchServerPlan *plan)
{
  GPtrArray *arguments = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *log = g_build_filename (server->folder, "log", NULL);
  g_ptr_array_add (arguments, bench_program ("gridgate-media"));
  add (arguments, "--runtime-dir");
  add (arguments, "%s", server->folder);
  server->pid = spawn (arguments, log);
  server->decider = start_decider (server, plan);
}

/* Everything but RTSP over TCP is turned off. */
static char *mediamtx_file (const BenchServer *server, const BenchServerPlan *plan)
{
  GString *text = g_string_new ("logLevel: error\nrtmp: no\nhls: no\nwebrtc: no\nsrt: no\nrtsp: yes\nrtspTransports: [tcp]\n");
  g_string_append_printf (text, "rtspAddress: 127.0.0.1:%u\npaths:\n", server->port);
  for (guint i = 0; i < plan->cameras; i++)
    g_string_append_printf (text, "  live/c%u: {source: \"rtsp://127.0.0.1:%u/cam/%u\", rtspTransport: tcp, sourceOnDemand: %s}\n",
                            i, plan->camera_port, i, plan->is_on_demand ? "yes" : "no");
  return g_string_free (text, FALSE);
}

/* It pulls a camera only while somebody watches, unless it is preloaded. */
static char *go2rtc_file (const BenchServer *server, const BenchServerPlan *plan)
{
  GString *text = g_string_new ("log: {level: error}\napi: {listen: \"\"}\nwebrtc: {listen: \"\"}\nsrtp: {listen: \"\"}\n");
  g_string_append_printf (text, "rtsp: {listen: \"127.0.0.1:%u\"}\nstreams:\n", server->port);
  for (guint i = 0; i < plan->cameras; i++)
    g_string_append_printf (text, "  live/c%u: \"rtsp://127.0.0.1:%u/cam/%u\"\n", i, plan->camera_port, i);
  g_string_append (text, plan->is_on_demand ? "" : "preload:\n");
  for (guint i = 0; i < plan->cameras && !plan->is_on_demand; i++)
    g_string_append_printf (text, "  live/c%u: \"video\"\n", i);
  return g_string_free (text, FALSE);
}

static pid_t start_other (const BenchServer *server, const BenchServerPlan *plan)
{
  GPtrArray *arguments = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *text = plan->kind == BENCH_MEDIAMTX ? mediamtx_file (server, plan) : go2rtc_file (server, plan);
  g_autofree char *path = g_build_filename (server->folder, "relay.yaml", NULL);
  g_autofree char *log = g_build_filename (server->folder, "log", NULL);
  g_file_set_contents (path, text, -1, NULL);
  add (arguments, "%s", kinds[plan->kind].program);
  if (plan->kind == BENCH_GO2RTC)
    add (arguments, "-config");
  add (arguments, "%s", path);
  return spawn (arguments, log);
}

BenchServer *bench_server_start (const BenchServerPlan *plan)
{
  BenchServer *server = g_new0 (BenchServer, 1);
  server->kind = plan->kind;
  server->port = bench_free_port ();
  server->folder = folder_make_temporary ();
  server->events = g_build_filename (server->folder, "events", NULL);
  if (plan->kind == BENCH_GRIDGATE)
    start_gridgate (server, plan);
  else if (kinds[plan->kind].is_other)
    server->pid = start_other (server, plan);
  else
    server->pid = start_floor (server, plan);
  return server;
}

void bench_server_show_log (const BenchServer *server)
{
  g_autofree char *path = g_build_filename (server->folder, "log", NULL), *text = NULL;
  if (g_file_get_contents (path, &text, NULL, NULL))
    fprintf (stderr, "%s:\n%s", kinds[server->kind].name, text);
}

void bench_server_stop (BenchServer *server)
{
  bench_stop (server->decider);
  bench_stop (server->pid);
  folder_drop (server->folder);
  g_free (server->events);
  g_free (server);
}
