/* commands.h: what each kind of simulated thing can be told, as tables; a table ends with a NULL verb.
 *
 * thread: the main thread. */
#pragma once

#include <glib.h>

typedef struct {
  const char *verb;
  const char *rest; /* what stands behind the verb, "" when nothing does */
  char *reply;      /* what the answer says behind "ok"; NULL: nothing */
} Order;

typedef struct {
  const char *verb;
  const char *words; /* what is said when it happens; NULL: nothing */
  gboolean (*run) (gpointer thing, Order *order, GError **error);
} Command;

extern const Command camera_commands[];   /* things: SimCamera */
extern const Command sensor_commands[];   /* SimSensor */
extern const Command center_commands[];   /* SimCenter */
extern const Command receiver_commands[]; /* SimReceiver */
