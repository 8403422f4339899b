#include "gateway/observe/filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void filter_init (Filter *filter, const Sensor *sensor)
{
  *filter = (Filter){ .metrics = g_new0 (MetricFilter, sensor->metrics->len) };
}

void filter_clear (Filter *filter)
{
  g_clear_pointer (&filter->messages, g_free);
  g_clear_pointer (&filter->metrics, g_free);
}

void filter_copy (const Filter *from, Filter *to, const Sensor *sensor)
{
  g_free (to->messages);
  to->messages = from->messages != NULL ? g_memdup2 (from->messages, sizeof *from->messages) : NULL;
  memcpy (to->metrics, from->metrics, sensor->metrics->len * sizeof *to->metrics);
}

gboolean filter_is_repeated (Filter *filter, guint64 identity, gint64 receive_time_us, gint64 window_us)
{
  MessageFilter *messages = filter->messages;
  if (messages == NULL)
    messages = filter->messages = g_new0 (MessageFilter, 1);
  for (guint i = 0; i < FILTER_MESSAGES; i++)
    if (messages->identity[i] == identity && llabs (receive_time_us - messages->received_us[i]) < window_us)
      return TRUE;
  messages->identity[messages->next] = identity;
  messages->received_us[messages->next] = receive_time_us;
  messages->next = (messages->next + 1) % FILTER_MESSAGES;
  return FALSE;
}

static gint64 heartbeat_of (const Sensor *sensor)
{
  return sensor->silent_after_us > 0 ? MIN (FILTER_HEARTBEAT_US, sensor->silent_after_us / 2) : FILTER_HEARTBEAT_US;
}

/* A wall clock that has been set back makes a time negative: then nothing is known of how long ago it was. */
static gboolean is_within (gint64 since_us, gint64 limit_us)
{
  return since_us >= 0 && since_us < limit_us;
}

const char *filter_reason (Filter *filter, const Sensor *sensor, guint index, const Observation *observation)
{
  const Metric *metric = sensor->metrics->pdata[index];
  MetricFilter *last = &filter->metrics[index];
  if (observation->is_historical || observation->kind == VALUE_TEXT)
    return NULL;
  gint64 since_us = observation->receive_time_us - last->stored_us;
  gboolean is_comparable = last->stored_us != 0 && observation->quality == last->quality;
  if (is_comparable && is_within (since_us, metric->at_most_every_us))
    return REASON_TOO_OFTEN;
  if (is_comparable && observation->kind == VALUE_NUMBER && metric->deadband > 0
      && fabs (observation->value - last->value) <= metric->deadband && is_within (since_us, heartbeat_of (sensor)))
    return REASON_DEADBAND;
  *last = (MetricFilter){ observation->receive_time_us, observation->value, observation->quality };
  return NULL;
}
