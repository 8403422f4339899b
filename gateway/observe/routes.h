/* routes.h: which sensors a message is for: a snapshot of the site, to the threads of the brokers immutable.
 *
 * thread: lookups any; an input's decoder and clock belong to the store's thread. */
#pragma once

#include "gateway/model/broker_port.h"
#include "gateway/model/decoder.h"
#include "gateway/observe/filter.h"
#include "gateway/observe/normalise.h"

typedef struct Preparation Preparation;

typedef struct {
  const Sensor *sensor; /* borrowed from the routes' site, or kept by routes_grow */
  const Decoder *decoder;
  gpointer prepared; /* of `preparation`: all inputs of a sensor that stays the same share what its decoder has learnt */
  Preparation *preparation;
  DeviceClock clock;
  Filter filter;
  Filter *filter_before; /* of the batch that is being stored; NULL: it has not touched it */
  gboolean has_last_hash;
  guint64 last_hash; /* of the last payload: a retained message that repeats it is no news */
  gboolean is_hash_unwritten;
  gboolean had_last_hash, was_hash_unwritten; /* these and the hash as they were, with filter_before */
  guint64 last_hash_before;
} SensorInput;

typedef struct Routes Routes;

/* `before` (may be NULL): device clocks, hashes and, of a sensor that is the same, what its decoder has learnt go on
 * from there. ERROR_RECONFIGURE names the sensor. */
Routes *routes_new (Site *site, DecoderFind find_decoder, Routes *before, GError **error);
Routes *routes_ref (Routes *routes);
void routes_unref (Routes *routes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Routes, routes_unref)

Site *routes_site (const Routes *routes); /* borrowed */

/* The sensors of `broker` whose topic matches, as an array of SensorInput *; may be changed while it is empty; free with g_ptr_array_unref. */
GPtrArray *routes_find (const Routes *routes, const char *broker, const char *topic);

/* The input of a sensor that was discovered since: no other function gives it out, but routes_new takes over what it remembers. NULL:
 * the sensor can't be read. Keeps a reference to the sensor. thread: the store's. */
SensorInput *routes_grow (Routes *routes, const Sensor *sensor, DecoderFind find_decoder, GError **error);

/* NULL when the site has no such sensor. */
SensorInput *routes_input (const Routes *routes, const char *sensor);
GHashTable *routes_inputs (const Routes *routes); /* sensor id → SensorInput, borrowed */

/* What to subscribe to at `broker`. Free with g_strfreev. */
GStrv routes_filters (const Routes *routes, const char *broker);
