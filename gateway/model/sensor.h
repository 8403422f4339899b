/* sensor.h: what the site says of a sensor: where it publishes, how its messages are read, what it measures.
 *
 * Passive, as all of the site (site.h), of which it is a part.
 *
 * thread: any, once the site is published. */
#pragma once

#include "gateway/model/units.h"
#include "gateway/model/value.h"

typedef enum { CLOCK_TRUST_AUTO, CLOCK_TRUST_DEVICE, CLOCK_TRUST_GATEWAY } ClockTrust;
typedef enum {
  BINARY_U8, BINARY_I8, BINARY_U16, BINARY_I16, BINARY_U24, BINARY_I24, BINARY_U32, BINARY_I32, BINARY_U64, BINARY_I64,
  BINARY_F32, BINARY_F64, BINARY_BCD8, BINARY_BCD16, BINARY_BCD32
} BinaryEncoding;
typedef enum { BINARY_BIG, BINARY_LITTLE, BINARY_WORD_SWAPPED } BinaryOrder;

typedef struct {
  gboolean is_set;
  double lon, lat; /* WGS-84 degrees */
} Location;

/* What a device calls a value: {open: 1}. */
typedef struct {
  char *name;
  double value;
} NamedValue;

/* How a metric lies in a message of format binary. */
typedef struct {
  int byte;                  /* from 0; below 0 from the end */
  BinaryEncoding encoding;
  BinaryOrder order;
  int bit, bits;             /* bits 0: the whole number */
} BinaryField;

typedef struct {
  char *name, *path, *unit; /* path: what finds it in a message, NULL where the format needs none; unit: UCUM or NULL */
  ValueKind kind;
  GArray *values;           /* of NamedValue; NULL or empty: none */
  char *raw_unit;           /* what the device sends it in; NULL: unit */
  double scale, offset;     /* value = convert (raw * scale + offset) */
  const UnitOfMeasure *units;        /* the table in which unit and raw_unit stand; NULL: nothing is converted */
  gboolean has_minimum, has_maximum;
  double minimum, maximum;  /* beyond: quality bad */
  double deadband;          /* a change that is no larger is dropped; 0: none */
  gint64 at_most_every_us;  /* more often is dropped; 0: as it comes */
  gint64 retain_us;         /* kept on disk at least so long; 0: as long as all (observation_keeper.h) */
  BinaryField field;        /* format binary */
} Metric;

typedef struct Sensor {
  char *id, *name, *grid, *broker, *topic, *format;
  ClockTrust clock;
  char *time_path;        /* where a payload carries its time; NULL: nowhere */
  char *sequence_path;    /* where a json payload carries the device's own number of it; NULL: nowhere */
  char *payload_format;   /* of what format chirpstack carries: binary or cayenne_lpp; NULL: its object is read */
  gint64 silent_after_us; /* 0: never */
  gint64 duplicate_window_us; /* equal payloads within it are one; 0: each counts */
  int length;             /* of a binary payload, in bytes; 0: any that holds the fields */
  char *separator;        /* of csv: one character */
  gboolean has_header, has_decimal_comma; /* of csv */
  gboolean durable;
  int max_devices;        /* of a template (site.h): how many sensors it may become */
  char *grid_from;        /* of a template: the text that names a sensor's grid, filled from its topic; NULL: all stand in `grid` */
  GHashTable *grid_map;   /* of a template: what grid_from gives → the grid's id, where they differ; NULL: nowhere */
  Location location;
  GPtrArray *metrics; /* of Metric */
  /* Of one that was discovered, which has all from its template; the site keeps it. NULL: it stands in a file. */
  const struct Sensor *template;
  gint64 discovered_at_us;   /* wall */
  gboolean has_unknown_grid; /* no grid is called what its topic names: it stands in the template's own */
} Sensor;

/* What `template` becomes by a real topic of its own; its grid is the template's own yet. What the topic doesn't fill is borrowed: whoever
 * keeps the sensor keeps the template's site, too. Freed by sensor_unref alone. */
Sensor *sensor_new_discovered (const Sensor *template, const char *topic, gint64 at_us);
Sensor *sensor_ref (Sensor *sensor);
void sensor_unref (Sensor *sensor);

/* NULL is taken. */
void metric_free (Metric *metric);
void sensor_free (Sensor *sensor);
