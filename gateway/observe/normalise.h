/* normalise.h: from a decoder's reading to an observation: unit, scale, both times, quality.
 *
 * The device's time is believed as the sensor's `clock` says. With `auto`, a time that can't be (1970, the future, years
 * ago) gives way to the time of receipt. So does the time of a device whose messages come evenly while its clock is off by
 * the same amount every time: that is a wrong clock, not late data. Both are "uncertain" then.
 * What is believed and older than LATE_AFTER_US is historical.
 *
 * thread: the store's. */
#pragma once

#include "gateway/model/decoder.h"
#include "gateway/model/observation.h"
#include "gateway/model/raw_message.h"

#define LATE_AFTER_US (5 * G_TIME_SPAN_MINUTE)
#define FUTURE_MAX_US (5 * G_TIME_SPAN_MINUTE)
#define AGE_MAX_US (365 * G_TIME_SPAN_DAY)

/* What is remembered of a device's clock. Zeroed at first. */
typedef struct {
  gint64 last_device_us, last_receive_us;
  gint64 offset_us; /* receive − device, of the last message */
  guint even;       /* messages in a row with the same offset */
} DeviceClock;

enum { DEVICE_CLOCK_EVEN_AFTER = 3 };

Observation *normalise (const Sensor *sensor, DeviceClock *clock, const RawMessage *message, const Reading *reading);
