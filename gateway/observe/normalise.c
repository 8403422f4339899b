#include "gateway/observe/normalise.h"

#include <math.h>
#include <stdlib.h>

/* Two offsets are the same when they differ by less than that: clocks that step, brokers that linger. */
#define EVEN_WITHIN_US (5 * G_USEC_PER_SEC)

/* A device that only repeats a time tells nothing; one that drains what it kept comes with an offset that shrinks. */
static void watch_clock (DeviceClock *clock, gint64 device_us, gint64 receive_us)
{
  gint64 offset = receive_us - device_us;
  gboolean moves = device_us > clock->last_device_us && receive_us > clock->last_receive_us;
  if (moves && llabs (offset - clock->offset_us) < EVEN_WITHIN_US && receive_us - clock->last_receive_us >= G_USEC_PER_SEC)
    clock->even++;
  else if (llabs (offset - clock->offset_us) >= EVEN_WITHIN_US)
    clock->even = 0;
  clock->offset_us = offset;
  clock->last_device_us = device_us;
  clock->last_receive_us = receive_us;
}

static gboolean is_possible (gint64 device_us, gint64 receive_us)
{
  return device_us <= receive_us + FUTURE_MAX_US && device_us >= receive_us - AGE_MAX_US;
}

static void set_time (const Sensor *sensor, DeviceClock *clock, const Reading *reading, Observation *observation)
{
  gint64 received = observation->receive_time_us;
  observation->phenomenon_time_us = received;
  if (sensor->clock == CLOCK_TRUST_GATEWAY)
    return;
  if (!reading->has_time) {
    if (sensor->time_path != NULL || sensor->clock == CLOCK_TRUST_DEVICE)
      observation->quality = QUALITY_UNCERTAIN;
    return;
  }
  watch_clock (clock, reading->time_us, received);
  if (!is_possible (reading->time_us, received)) {
    observation->quality = QUALITY_UNCERTAIN;
    return;
  }
  gboolean is_late = received - reading->time_us > LATE_AFTER_US;
  if (is_late && sensor->clock == CLOCK_TRUST_AUTO && clock->even >= DEVICE_CLOCK_EVEN_AFTER) {
    observation->quality = QUALITY_UNCERTAIN;
    return;
  }
  observation->phenomenon_time_us = reading->time_us;
  observation->is_historical = is_late;
}

Observation *normalise (const Sensor *sensor, DeviceClock *clock, const RawMessage *message, const Reading *reading)
{
  const Metric *metric = sensor->metrics->pdata[reading->metric];
  Observation *observation = observation_new (sensor->id, metric->name);
  observation->kind = reading->kind;
  if (reading->kind == VALUE_TEXT)
    observation_set_text (observation, reading->text);
  else
    observation->value = reading->kind == VALUE_NUMBER ? reading->value * metric->scale + metric->offset : reading->value;
  observation->unit = g_strdup (metric->unit);
  observation->sequence = reading->sequence;
  observation->receive_time_us = message->receive_time_us / 1000 * 1000; /* files keep milliseconds: rules see the same */
  set_time (sensor, clock, reading, observation);
  observation->phenomenon_time_us = observation->phenomenon_time_us / 1000 * 1000;
  if (message->is_retained && !reading->has_time)
    observation->quality = QUALITY_UNCERTAIN; /* a broker tells no time of what it kept */
  observation->is_state = message->is_retained || reading->is_state;
  if (observation->is_state || reading->is_historical)
    observation->is_historical = TRUE;
  observation->quality = MAX (observation->quality, reading->quality);
  if (observation->kind != VALUE_TEXT && !isfinite (observation->value)) {
    observation->value = 0;
    observation->quality = QUALITY_BAD;
  }
  return observation;
}
