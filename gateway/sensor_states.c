#include "gateway/sensor_states.h"

#include <stdlib.h>

typedef struct {
  gint64 heard_us;        /* monotonic */
  gint64 silent_after_us; /* 0: never */
  gboolean is_new, is_silent;
} SensorState;

struct SensorStates {
  SensorStatesPort port;
  Clock *clock;
  GMutex mutex;
  gboolean has_centers;
  GHashTable *sensors; /* id → SensorState */
};

typedef struct {
  char *sensor;
  gboolean is_silent;
} Telling;

static void telling_clear (gpointer data)
{
  g_free (((Telling *) data)->sensor);
}

SensorStates *sensor_states_new (const SensorStatesPort *port, Clock *clock)
{
  SensorStates *states = g_new0 (SensorStates, 1);
  states->port = *port;
  states->clock = clock;
  g_mutex_init (&states->mutex);
  states->sensors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return states;
}

static SensorState *state_of (const SensorStates *states, GHashTable *before, const Sensor *sensor)
{
  const SensorState *known = g_hash_table_lookup (before, sensor->id);
  SensorState *state = g_new0 (SensorState, 1);
  if (known != NULL)
    *state = *known;
  else
    state->heard_us = clock_monotonic_us (states->clock);
  state->silent_after_us = sensor->silent_after_us;
  return state;
}

void sensor_states_set_site (SensorStates *states, const Site *site)
{
  GHashTable *sensors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_mutex_lock (&states->mutex);
  for (guint i = 0; i < site->sensors->len; i++) {
    const Sensor *sensor = site->sensors->pdata[i];
    g_hash_table_insert (sensors, g_strdup (sensor->id), state_of (states, states->sensors, sensor));
  }
  g_hash_table_unref (states->sensors);
  states->sensors = sensors;
  states->has_centers = site->centers->len > 0;
  g_mutex_unlock (&states->mutex);
}

void sensor_states_heard (SensorStates *states, const char *sensor)
{
  g_mutex_lock (&states->mutex);
  SensorState *state = g_hash_table_lookup (states->sensors, sensor);
  if (state != NULL) {
    state->heard_us = clock_monotonic_us (states->clock);
    state->is_new = TRUE;
  }
  g_mutex_unlock (&states->mutex);
}

/* What there is to tell, of Telling; it counts as told. */
static GArray *take_changed (SensorStates *states)
{
  GArray *changed = g_array_new (FALSE, FALSE, sizeof (Telling));
  gint64 now_us = clock_monotonic_us (states->clock);
  GHashTableIter iterator;
  gpointer key, value;
  g_array_set_clear_func (changed, telling_clear);
  g_mutex_lock (&states->mutex);
  g_hash_table_iter_init (&iterator, states->sensors);
  while (states->has_centers && g_hash_table_iter_next (&iterator, &key, &value)) {
    SensorState *state = value;
    gboolean is_silent = state->silent_after_us > 0 && now_us - state->heard_us >= state->silent_after_us;
    if (state->is_new || is_silent != state->is_silent) {
      Telling telling = { g_strdup (key), is_silent };
      g_array_append_val (changed, telling);
    }
    state->is_new = FALSE;
    state->is_silent = is_silent;
  }
  g_mutex_unlock (&states->mutex);
  return changed;
}

void sensor_states_look (SensorStates *states)
{
  g_autoptr (GArray) changed = take_changed (states);
  for (guint i = 0; i < changed->len; i++) {
    const Telling *telling = &g_array_index (changed, Telling, i);
    json_t *json = states->port.describe (states->port.data, telling->sensor);
    if (json == NULL)
      continue;
    json_object_set_new (json, "state", json_string (telling->is_silent ? "silent" : "ok"));
    char *text = json_dumps (json, JSON_COMPACT);
    states->port.tell (states->port.data, telling->sensor, text);
    free (text);
    json_decref (json);
  }
}

void sensor_states_free (SensorStates *states)
{
  if (states == NULL)
    return;
  g_hash_table_unref (states->sensors);
  g_mutex_clear (&states->mutex);
  g_free (states);
}
