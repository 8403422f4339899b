/* main.c: the command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/command.h"
#include "config/loader.h"
#include "gateway/access/command.h"
#include "gateway/capture.h"
#include "gateway/core/log.h"
#include "gateway/daemon.h"
#include "gateway/doctor.h"
#include "gateway/replay.h"
#include "gateway/verify.h"
#include "gateway/wiring.h"

enum { EXIT_USAGE = 64 };

static const char usage[]
  = "gridgate " GRIDGATE_VERSION ": the video and sensor gateway of a township 乡镇视频与传感汇聚网关\n"
    "\n"
    "  gridgate run -c FILE        run in the foreground 前台运行\n"
    "  gridgate check -c FILE      check a configuration 检查配置\n"
    "  gridgate defaults [--schema]  print the annotated default configuration, or its JSON Schema 打印默认配置\n"
    "  gridgate user add|list|passwd|lock|remove -c FILE …   accounts 账号\n"
    "  gridgate token add|list|revoke -c FILE …              access for programs 程序访问令牌\n"
    "  gridgate capture -c FILE -o OUT.jsonl                 record what sensors send 采集传感器报文\n"
    "  gridgate replay -c FILE IN.jsonl                      run the rules over a capture 回放采集并试算规则\n"
    "  gridgate audit verify -c FILE [--anchor HEAD]         check the hash chains 校验留痕\n"
    "  gridgate doctor -c FILE     look for what is wrong 诊断\n"
    "  gridgate version\n";

/* Removes "-c FILE" from the arguments; NULL when it isn't there. */
static const char *take_config_path (int *count, char **arguments)
{
  for (int i = 1; i + 1 < *count; i++)
    if (strcmp (arguments[i], "-c") == 0 || strcmp (arguments[i], "--config") == 0) {
      const char *path = arguments[i + 1];
      memmove (arguments + i, arguments + i + 2, (gsize) (*count - i - 1) * sizeof *arguments);
      *count -= 2;
      return path;
    }
  return NULL;
}

static gboolean take_flag (int *count, char **arguments, const char *flag)
{
  for (int i = 1; i < *count; i++)
    if (strcmp (arguments[i], flag) == 0) {
      memmove (arguments + i, arguments + i + 1, (gsize) (*count - i) * sizeof *arguments);
      *count -= 1;
      return TRUE;
    }
  return FALSE;
}

static int fail_usage (const char *what)
{
  fprintf (stderr, "gridgate: %s\n\n%s", what, usage);
  return EXIT_USAGE;
}

static Site *load_or_print (const char *path)
{
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (g_free);
  Site *site = site_load (path, errors);
  for (guint i = 0; i < errors->len; i++)
    fprintf (stderr, "%s\n", (char *) errors->pdata[i]);
  return site;
}

static int command_run (const char *path, int count, char **arguments)
{
  DaemonOptions options = { path, take_flag (&count, arguments, "--external-workers") };
  return count > 2 ? fail_usage ("run takes -c FILE only") : daemon_run (&options);
}

static int command_doctor (const char *path)
{
  g_autoptr (Site) site = load_or_print (path);
  return site != NULL ? doctor_run (site) : EXIT_BAD_CONFIGURATION;
}

static int command_capture (const char *path, int count, char **arguments)
{
  if (count != 4 || strcmp (arguments[2], "-o") != 0)
    return fail_usage ("capture takes -c FILE and -o OUT.jsonl");
  g_autoptr (Site) site = load_or_print (path);
  return site != NULL ? capture_command (site, wiring_broker_port (), wiring_find_decoder, arguments[3])
                      : EXIT_BAD_CONFIGURATION;
}

static int command_replay (const char *path, int count, char **arguments)
{
  if (count != 3)
    return fail_usage ("replay takes -c FILE and IN.jsonl");
  g_autoptr (Site) site = load_or_print (path);
  return site != NULL ? replay_command (site, wiring_find_decoder, arguments[2]) : EXIT_BAD_CONFIGURATION;
}

static int command_audit (const char *path, int count, char **arguments)
{
  g_autoptr (Site) site = load_or_print (path);
  return site != NULL ? verify_command (site, count - 1, arguments + 1) : EXIT_BAD_CONFIGURATION;
}

/* user and token: the words after the command are the command's own. */
static int command_access (const char *path, int count, char **arguments)
{
  g_autoptr (Site) site = load_or_print (path);
  return site != NULL ? access_command (site, count - 1, arguments + 1) : EXIT_BAD_CONFIGURATION;
}

int main (int count, char **arguments)
{
  log_open ("gridgate");
  umask (0077); /* SQLite makes its files 0644: what stands in them is nobody else's to read */
  const char *path = take_config_path (&count, arguments);
  const char *command = count > 1 ? arguments[1] : "";

  if (strcmp (command, "version") == 0 || strcmp (command, "--version") == 0)
    return puts ("gridgate " GRIDGATE_VERSION) < 0;
  if (strcmp (command, "help") == 0 || strcmp (command, "--help") == 0)
    return fputs (usage, stdout) < 0;
  if (strcmp (command, "defaults") == 0)
    return command_defaults (take_flag (&count, arguments, "--schema"));

  const char *const known[] = { "run", "check", "doctor", "user", "token", "audit", "capture", "replay", NULL };
  if (!g_strv_contains (known, command))
    return fail_usage (count > 1 ? "unknown command" : "a command is needed");
  if (path == NULL)
    return fail_usage ("-c FILE is needed");
  if (strcmp (command, "run") == 0)
    return command_run (path, count, arguments);
  if (strcmp (command, "check") == 0)
    return command_check (path);
  if (strcmp (command, "doctor") == 0)
    return command_doctor (path);
  if (strcmp (command, "capture") == 0)
    return command_capture (path, count, arguments);
  if (strcmp (command, "replay") == 0)
    return command_replay (path, count, arguments);
  if (strcmp (command, "audit") == 0)
    return command_audit (path, count, arguments);
  return command_access (path, count, arguments);
}
