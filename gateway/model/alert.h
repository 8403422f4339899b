/* alert.h: a machine's fact: a rule held for a sensor or camera, from when to when.
 *
 * thread: any; a value that its holder owns. */
#pragma once

#include <glib.h>

#include "gateway/model/site.h"

typedef struct {
  char *id;              /* ULID */
  char *rule;            /* a site rule's id, or the built-in "sensor_silent" "camera_down" "recording_stopped" … */
  char *sensor, *camera; /* exactly one is set, or none for the gateway itself */
  char *grid, *category;
  Severity severity, peak; /* now (or when it cleared), and at its worst */
  gint64 opened_at_us;
  gint64 cleared_at_us; /* 0 while open */
  gboolean has_value;
  double value;         /* the reading that opened it */
  char *unit;
  char *incident;       /* ULID, NULL until it has joined one */
  gboolean historical;
  gboolean silenced;    /* a silence covered it: nobody is told */
  gboolean is_untold;   /* silenced, or one of a storm: receivers don't know it by itself */
} Alert;

void alert_free (Alert *alert);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Alert, alert_free)
