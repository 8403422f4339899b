/* sensor_account.h: what a system test asks the gateway of its sensors: accounts, stored readings, alerts.
 *
 * thread: the test's. */
#pragma once

#include "tests/support/township.h"

/* The account of a sensor of broker "village", "" the broker's own; fails the test when there is none. json_decref. */
json_t *sensor_account (Township *township, const char *sensor);

/* One count of it: "received", "stored", "pending", or "rejected", "dropped" as the sum over their reasons. */
gint64 sensor_count (Township *township, const char *sensor, const char *what);

/* Of the broker and of each of its sensors: received = stored + rejected + dropped + pending. Fails the test otherwise. */
void sensor_accounts_balance (Township *township);

/* The same once nothing is pending. */
void sensor_accounts_settle (Township *township, int seconds);

/* All stored readings of a metric, by phenomenon time; json_decref. */
json_t *sensor_readings (Township *township, const char *sensor, const char *metric);

/* Waits until a reading of that value is stored. */
void sensor_wait_for_value (Township *township, const char *sensor, const char *metric, double value, int seconds);

/* All alerts of a rule; json_decref. */
json_t *sensor_alerts (Township *township, const char *rule);

/* Of those, how many are in that state ("open", "cleared"; NULL: any). */
gsize sensor_count_alerts (Township *township, const char *rule, const char *state);
