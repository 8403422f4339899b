/* filter.h: what of a sensor's messages is no news: the same message once more, a change within the deadband, a reading too
 * soon after the last.
 *
 * What is left out is always counted (account.h). A level that stays within its deadband is still stored once in a while, so
 * that nobody takes the sensor for silent. States and late data pass: they are no live readings.
 *
 * thread: the store's. */
#pragma once

#include "gateway/model/observation.h"
#include "gateway/model/sensor.h"

#define REASON_DEADBAND "deadband"
#define REASON_TOO_OFTEN "too_often"
#define REASON_NO_READING "no_reading" /* understood, and nothing that is a metric of the sensor */

#define FILTER_HEARTBEAT_US (10 * G_TIME_SPAN_MINUTE)

/* How long a device's own number of a message tells it from others. */
#define FILTER_IDENTITY_US (5 * G_TIME_SPAN_MINUTE)

enum { FILTER_MESSAGES = 8 };

typedef struct {
  gint64 stored_us; /* time of receipt; 0: nothing yet */
  double value;
  Quality quality;
} MetricFilter;

/* A ring of the last messages that could be told apart. */
typedef struct {
  guint64 identity[FILTER_MESSAGES];
  gint64 received_us[FILTER_MESSAGES];
  guint next;
} MessageFilter;

/* What is remembered of a sensor. */
typedef struct {
  MessageFilter *messages; /* NULL until there is one: few sensors number theirs */
  MetricFilter *metrics;   /* one for each metric */
} Filter;

void filter_init (Filter *filter, const Sensor *sensor);
void filter_clear (Filter *filter);

/* `to` is initialised for the same sensor. */
void filter_copy (const Filter *from, Filter *to, const Sensor *sensor);

/* TRUE when a message of that identity (not 0) came within `window_us`; remembers it otherwise. */
gboolean filter_is_repeated (Filter *filter, guint64 identity, gint64 receive_time_us, gint64 window_us);

/* NULL when the observation is to be stored, and then remembers it; else why not. */
const char *filter_reason (Filter *filter, const Sensor *sensor, guint metric, const Observation *observation);
