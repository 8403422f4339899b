#include "pipelines/record/recording_pins.h"

#include <string.h>

struct RecordingPins {
  const Clock *clock;
  GMutex mutex;
  GPtrArray *pins; /* under the mutex, as what they keep is; of RecordingPin */
};

struct RecordingPin {
  RecordingPins *pins;
  char *camera;
  gint64 from_us, to_us;     /* wall; to_us 0: nothing yet */
  gint64 begun_us, moved_us; /* monotonic */
};

RecordingPins *recording_pins_new (const Clock *clock)
{
  RecordingPins *pins = g_new0 (RecordingPins, 1);
  pins->clock = clock;
  pins->pins = g_ptr_array_new ();
  g_mutex_init (&pins->mutex);
  return pins;
}

RecordingPin *recording_pin_new (RecordingPins *pins, const char *camera)
{
  RecordingPin *pin = g_new0 (RecordingPin, 1);
  pin->pins = pins;
  pin->camera = g_strdup (camera);
  pin->begun_us = clock_monotonic_us (pins->clock);
  g_mutex_lock (&pins->mutex);
  g_ptr_array_add (pins->pins, pin);
  g_mutex_unlock (&pins->mutex);
  return pin;
}

void recording_pin_move (RecordingPin *pin, gint64 from_us, gint64 to_us)
{
  g_mutex_lock (&pin->pins->mutex);
  pin->from_us = from_us;
  pin->to_us = to_us;
  pin->moved_us = clock_monotonic_us (pin->pins->clock);
  g_mutex_unlock (&pin->pins->mutex);
}

void recording_pin_free (RecordingPin *pin)
{
  if (pin == NULL)
    return;
  g_mutex_lock (&pin->pins->mutex);
  g_ptr_array_remove_fast (pin->pins->pins, pin);
  g_mutex_unlock (&pin->pins->mutex);
  g_free (pin->camera);
  g_free (pin);
}

static gboolean keeps (const RecordingPin *pin, const char *camera, gint64 from_us, gint64 to_us, gint64 now_us)
{
  return pin->from_us <= to_us && pin->to_us >= from_us && now_us - pin->moved_us < RECORDING_PIN_LEASE_US
         && now_us - pin->begun_us < RECORDING_PIN_LONGEST_US && strcmp (pin->camera, camera) == 0;
}

gint64 recording_pins_keep (RecordingPins *pins, const char *camera, gint64 from_us, gint64 to_us)
{
  gint64 end_us = -1;
  if (pins == NULL)
    return end_us;
  gint64 now_us = clock_monotonic_us (pins->clock);
  g_mutex_lock (&pins->mutex);
  for (guint i = 0; i < pins->pins->len && end_us < 0; i++) {
    const RecordingPin *pin = pins->pins->pdata[i];
    if (keeps (pin, camera, from_us, to_us, now_us))
      end_us = pin->to_us;
  }
  g_mutex_unlock (&pins->mutex);
  return end_us;
}

gboolean recording_pins_any (RecordingPins *pins)
{
  if (pins == NULL)
    return FALSE;
  g_mutex_lock (&pins->mutex);
  gboolean is_any = pins->pins->len > 0;
  g_mutex_unlock (&pins->mutex);
  return is_any;
}

void recording_pins_free (RecordingPins *pins)
{
  if (pins == NULL)
    return;
  g_ptr_array_unref (pins->pins);
  g_mutex_clear (&pins->mutex);
  g_free (pins);
}
