/* normalise.h: from a decoder's reading to an observation: scale, unit, range, both times, quality.
 *
 * value = raw × scale + offset, then from raw_unit to unit. Where the configuration says neither, a unit that the payload
 * names is the raw one. What is out of range, or came in a unit that can't be converted, is kept and "bad".
 *
 * The device's time is believed as the sensor's `clock` says. With `auto`, a time that can't be (1970, the future, years
 * ago) gives way to the time of receipt. A device whose messages come evenly while its clock is off by the same amount every
 * time has a wrong clock, not late data: its times are moved by that amount. Both are "uncertain" then.
 * What is believed and older than LATE_AFTER_US is historical.
 *
 * thread: the store's. */
#pragma once

#include <jansson.h>

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

/* What becomes of the times that a device tells: believed, moved by what its clock is off, refused as ones that cannot be (the time
 * of receipt counts), ignored as configured, or unknown: it has told none. */
typedef enum { DEVICE_TIME_UNKNOWN, DEVICE_TIME_IGNORED, DEVICE_TIME_BELIEVED, DEVICE_TIME_MOVED, DEVICE_TIME_REFUSED } DeviceTimeUse;

/* Once per message, before its readings are normalised: the newest of their times tells how far the device's clock is off. */
void device_clock_watch (DeviceClock *clock, const GArray *readings, gint64 receive_time_us);

/* What is to become of live times, by what was watched. */
DeviceTimeUse device_clock_use (const DeviceClock *clock, ClockTrust trust);

/* thread: any, beside the store's that watches: {"trust","skew_ms","measured_at","use"}. skew_ms is the device's clock minus ours, over 0
 * when it is ahead; with it comes whatever the message took on its way. Both are null while use is "unknown". */
json_t *device_clock_to_json (const DeviceClock *clock, ClockTrust trust);

/* thread: the store's. `clock` has watched the message. */
Observation *normalise (const Sensor *sensor, const DeviceClock *clock, const RawMessage *message,
                        const Reading *reading);
