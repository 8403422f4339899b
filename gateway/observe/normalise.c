#include "gateway/observe/normalise.h"

#include <math.h>
#include <stdlib.h>

#include "gateway/core/clock.h"

/* Two offsets are the same when they differ by less than that: clocks that step, brokers that linger. */
#define EVEN_WITHIN_US (5 * G_USEC_PER_SEC)

/* The API looks at a clock while the store's thread watches it: the parts of two messages do no harm there, half a number would. */
static void keep (gint64 *field, gint64 value_us)
{
  __atomic_store_n (field, value_us, __ATOMIC_RELAXED);
}

/* A device that only repeats a time tells nothing; one that drains what it kept comes with an offset that shrinks. */
static void watch (DeviceClock *clock, gint64 device_us, gint64 receive_us)
{
  gint64 offset = receive_us - device_us;
  gboolean moves = device_us > clock->last_device_us && receive_us > clock->last_receive_us;
  if (moves && llabs (offset - clock->offset_us) < EVEN_WITHIN_US && receive_us - clock->last_receive_us >= G_USEC_PER_SEC)
    __atomic_store_n (&clock->even, clock->even + 1, __ATOMIC_RELAXED);
  else if (llabs (offset - clock->offset_us) >= EVEN_WITHIN_US)
    __atomic_store_n (&clock->even, 0, __ATOMIC_RELAXED);
  keep (&clock->offset_us, offset);
  keep (&clock->last_device_us, device_us);
  keep (&clock->last_receive_us, receive_us);
}

void device_clock_watch (DeviceClock *clock, const GArray *readings, gint64 receive_time_us)
{
  const Reading *newest = NULL;
  for (guint i = 0; i < readings->len; i++) {
    const Reading *reading = &g_array_index (readings, Reading, i);
    if (reading->has_time && !reading->is_historical && (newest == NULL || reading->time_us > newest->time_us))
      newest = reading;
  }
  if (newest != NULL)
    watch (clock, newest->time_us, receive_time_us / 1000 * 1000);
}

static gboolean is_possible (gint64 device_us, gint64 receive_us)
{
  return device_us <= receive_us + FUTURE_MAX_US && device_us >= receive_us - AGE_MAX_US;
}

DeviceTimeUse device_clock_use (const DeviceClock *clock, ClockTrust trust)
{
  if (trust == CLOCK_TRUST_GATEWAY)
    return DEVICE_TIME_IGNORED;
  if (clock->last_receive_us == 0)
    return DEVICE_TIME_UNKNOWN;
  if (trust == CLOCK_TRUST_AUTO && clock->even >= DEVICE_CLOCK_EVEN_AFTER && llabs (clock->offset_us) > LATE_AFTER_US)
    return DEVICE_TIME_MOVED;
  return is_possible (clock->last_device_us, clock->last_receive_us) ? DEVICE_TIME_BELIEVED : DEVICE_TIME_REFUSED;
}

json_t *device_clock_to_json (const DeviceClock *clock, ClockTrust trust)
{
  static const char *const trusts[] = { "auto", "device", "gateway" };
  static const char *const uses[] = { "unknown", "ignored", "believed", "moved", "refused" };
  DeviceClock seen = { __atomic_load_n (&clock->last_device_us, __ATOMIC_RELAXED),
                       __atomic_load_n (&clock->last_receive_us, __ATOMIC_RELAXED),
                       __atomic_load_n (&clock->offset_us, __ATOMIC_RELAXED), __atomic_load_n (&clock->even, __ATOMIC_RELAXED) };
  gboolean is_measured = seen.last_receive_us != 0;
  g_autofree char *at = is_measured ? time_to_rfc3339 (seen.last_receive_us) : NULL;
  return json_pack ("{s:s, s:o, s:s?, s:s}", "trust", trusts[trust], "skew_ms",
                    is_measured ? json_integer (-seen.offset_us / 1000) : json_null (), "measured_at", at, "use",
                    uses[device_clock_use (&seen, trust)]);
}

static void set_time (const Sensor *sensor, const DeviceClock *clock, const Reading *reading, Observation *observation)
{
  gint64 received = observation->receive_time_us, device = reading->time_us;
  observation->phenomenon_time_us = received;
  if (sensor->clock == CLOCK_TRUST_GATEWAY)
    return;
  if (!reading->has_time) {
    if (sensor->time_path != NULL || sensor->clock == CLOCK_TRUST_DEVICE)
      observation->quality = QUALITY_UNCERTAIN;
    return;
  }
  if (!reading->is_historical && device_clock_use (clock, sensor->clock) == DEVICE_TIME_MOVED) {
    observation->quality = QUALITY_UNCERTAIN;
    device += clock->offset_us;
  }
  if (!is_possible (device, received)) {
    observation->quality = QUALITY_UNCERTAIN;
    return;
  }
  observation->phenomenon_time_us = device;
  observation->is_historical = received - device > LATE_AFTER_US;
}

static void set_unit (const Metric *metric, const Reading *reading, Observation *observation)
{
  const char *from = metric->raw_unit;
  if (from == NULL && reading->unit != NULL && metric->scale == 1 && metric->offset == 0)
    from = reading->unit;
  observation->unit = g_strdup (metric->unit != NULL ? metric->unit : from);
  if (from != NULL && metric->unit != NULL && !unit_convert (metric->units, from, metric->unit, &observation->value))
    observation->quality = QUALITY_BAD;
}

static void set_number (const Metric *metric, const Reading *reading, Observation *observation)
{
  observation->value = reading->value * metric->scale + metric->offset;
  set_unit (metric, reading, observation);
  if (!isfinite (observation->value)) {
    observation->value = 0;
    observation->quality = QUALITY_BAD;
  }
  if ((metric->has_minimum && observation->value < metric->minimum)
      || (metric->has_maximum && observation->value > metric->maximum))
    observation->quality = QUALITY_BAD;
}

Observation *normalise (const Sensor *sensor, const DeviceClock *clock, const RawMessage *message, const Reading *reading)
{
  const Metric *metric = sensor->metrics->pdata[reading->metric];
  Observation *observation = observation_new (sensor->id, metric->name);
  observation->kind = reading->kind;
  observation->value = reading->value;
  observation->sequence = reading->sequence;
  observation->receive_time_us = message->receive_time_us / 1000 * 1000; /* files keep milliseconds: rules see the same */
  set_time (sensor, clock, reading, observation);
  observation->phenomenon_time_us = observation->phenomenon_time_us / 1000 * 1000;
  if (message->is_retained && !reading->has_time)
    observation->quality = QUALITY_UNCERTAIN; /* a broker tells no time of what it kept */
  observation->quality = MAX (observation->quality, reading->quality);
  if (reading->kind == VALUE_TEXT)
    observation_set_text (observation, reading->text);
  else if (reading->kind == VALUE_NUMBER)
    set_number (metric, reading, observation);
  observation->is_state = message->is_retained || reading->is_state;
  if (observation->is_state || reading->is_historical)
    observation->is_historical = TRUE;
  return observation;
}
