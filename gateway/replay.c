#include "gateway/replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/alert/alert_json.h"
#include "gateway/alert/rehearsal.h"
#include "gateway/observe/capture_line.h"
#include "gateway/core/log.h"
#include "gateway/observe/interpret.h"

enum { PROBLEMS_TOLD = 100 };

typedef struct {
  const char *path;
  Site *site;
  Interpreter *interpreter;
  Rehearsal *rehearsal; /* from the first line on */
  gint64 at_us;
  guint64 line, bad;
} Replay;

static void told (gpointer data, const Alert *alert, const char *event)
{
  json_t *json = json_pack ("{s:s}", "event", event);
  json_t *shown = alert_to_json (alert);
  (void) data;
  json_object_update (json, shown);
  char *text = json_dumps (json, JSON_COMPACT | JSON_REAL_PRECISION (15));
  puts (text);
  free (text);
  json_decref (shown);
  json_decref (json);
}

/* What was discovered is judged from its first message on. */
static void grow (gpointer data, Site *site)
{
  rehearsal_grow (((Replay *) data)->rehearsal, site);
}

static void complain (Replay *replay, const char *what)
{
  if (++replay->bad <= PROBLEMS_TOLD)
    fprintf (stderr, "%s:%" G_GUINT64_FORMAT ": %s\n", replay->path, replay->line, what);
}

static void judge (gpointer data, const Observation *observation)
{
  Replay *replay = data;
  rehearsal_observe (replay->rehearsal, replay->at_us, observation);
}

static void take_line (Replay *replay, const char *line, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *problem = NULL;
  g_autoptr (RawMessage) message = NULL;
  replay->line++;
  if (size > CAPTURE_LINE_MAX) {
    complain (replay, "the line is too long for a message");
    return;
  }
  message = capture_line_read (line, size, &error);
  if (message == NULL) {
    complain (replay, error->message);
    return;
  }
  replay->at_us = message->receive_time_us;
  if (replay->rehearsal == NULL)
    replay->rehearsal = rehearsal_new (replay->site, NULL, replay->at_us, told, replay);
  rehearsal_pass (replay->rehearsal, replay->at_us);
  problem = interpreter_take (replay->interpreter, message, judge, replay);
  if (problem != NULL)
    complain (replay, problem);
}

static void go_through (Replay *replay, FILE *file)
{
  char *line = NULL;
  size_t room = 0;
  for (gssize size; (size = getline (&line, &room, file)) >= 0;)
    take_line (replay, line, (gsize) size);
  free (line);
}

int replay_command (Site *site, DecoderFind find_decoder, const char *path)
{
  g_autoptr (GError) error = NULL;
  FILE *file = strcmp (path, "-") == 0 ? stdin : fopen (path, "re");
  if (file == NULL) {
    fprintf (stderr, "gridgate: %s: %s\n", path, g_strerror (errno));
    return EXIT_FAILURE;
  }
  Replay replay = { .path = path, .site = site };
  replay.interpreter = interpreter_new (site, find_decoder, grow, &replay, &error);
  if (replay.interpreter != NULL)
    go_through (&replay, file);
  else
    fprintf (stderr, "gridgate: %s\n", error->message);
  gboolean is_read = replay.interpreter != NULL && ferror (file) == 0 && fflush (stdout) == 0;
  if (replay.bad > PROBLEMS_TOLD)
    fprintf (stderr, "%s: and %" G_GUINT64_FORMAT " more lines were skipped\n", path, replay.bad - PROBLEMS_TOLD);
  rehearsal_free (replay.rehearsal);
  interpreter_free (replay.interpreter);
  if (file != stdin)
    fclose (file);
  return is_read ? EXIT_SUCCESS : EXIT_FAILURE;
}
