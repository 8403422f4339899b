/* http_json.h: the site's things as JSON, as several routes show them; pages of lists.
 *
 * thread: any; pure functions. */
#pragma once

#include "gateway/http/http_request.h"
#include "gateway/link/media_link.h"

json_t *camera_to_json (const Camera *camera);
json_t *sensor_to_json (const Sensor *sensor);

/* What is known of a stream, into `object`; `status` NULL: the media process hasn't told yet. */
/* "recording": {"mode","stream","state","reason","since","bytes","oldest"}; state: off, recording (a file grows), waiting (for the
 * camera, or for an event), stopped (and why), unknown (media is away). Takes `said`, media's RECORDING_STATE of it or NULL. */
void camera_recording_into (json_t *object, const CameraRecording *recording, json_t *said);

void camera_status_into (json_t *object, const CameraStatus *status);

/* A page of things that the site lists by id: `show` gives NULL for what the caller may not see. {"items","next"}; NULL with
 * ERROR_REFUSE when `cursor` (may be NULL) is of nothing that is shown, as of a sensor that was forgotten between two pages. */
typedef json_t *(*ShowItem) (gpointer item, gpointer data);
json_t *page_of_site (const GPtrArray *items, const char *(*id_of) (gpointer item), const char *cursor, guint limit,
                      ShowItem show, gpointer data, GError **error);
