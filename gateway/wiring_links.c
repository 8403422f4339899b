/* wiring_links.c: what media tells, and what is asked of media and vision. */
#include <string.h>

#include "gateway/access/view.h"
#include "gateway/wiring_private.h"

enum { MEDIA_DOWN_AFTER_S = 30 };

/* ---- what media tells, on the main thread ---- */

static int answer_play (const LinkMessage *request, gint64 *until_us, gpointer data)
{
  return access_play (request, until_us, ((Wiring *) data)->access);
}

static gboolean is_up (const char *state)
{
  return strcmp (state, "live") == 0 || strcmp (state, "idle") == 0;
}

static void note_camera_state (const LinkMessage *message, gpointer data)
{
  Wiring *wiring = data;
  const char *camera = link_message_string (message, "camera"), *state = link_message_string (message, "state");
  if (strcmp (link_message_string (message, "stream"), "main") != 0)
    return;
  alert_engine_camera_state (wiring->engine, camera, is_up (state));

  g_autofree char *since = time_to_rfc3339 (link_message_integer (message, "since"));
  json_t *shared = json_pack ("{s:s, s:s, s:s, s:s, s:s?}", "id", camera, "state", state, "since", since, "reason",
                              link_message_string (message, "reason"), "codec", link_message_string (message, "codec"));
  char *text = json_dumps (shared, JSON_COMPACT);
  sharing_camera_state (wiring->sharing, camera, text);
  free (text);
  json_decref (shared);
}

static void note_viewer_started (const LinkMessage *message, gpointer data)
{
  access_view_started (((Wiring *) data)->access, message);
}

static void note_viewer_ended (const LinkMessage *message, gpointer data)
{
  access_view_ended (((Wiring *) data)->access, link_message_string (message, "viewer"),
                     link_message_integer (message, "at"), link_message_string (message, "reason"),
                     link_message_string (message, "watched"));
}

static void note_recording_state (const LinkMessage *message, gpointer data)
{
  gboolean is_stopped = strcmp (link_message_string (message, "state"), "stopped") == 0;
  alert_engine_recording_state (((Wiring *) data)->engine, link_message_string (message, "camera"), is_stopped);
}

static void note_clip_done (const LinkMessage *message, gpointer data)
{
  const char *reason = link_message_string (message, "reason");
  const char *problem = link_message_boolean (message, "ok") ? NULL : reason != NULL ? reason : "failed";
  evidence_clip_done (((Wiring *) data)->evidence, link_message_string (message, "clip"),
                      link_message_integer (message, "from"), link_message_integer (message, "to"),
                      link_message_integer (message, "bytes"), link_message_string (message, "sha256"), problem);
}

static void note_viewers (const char *const *present, gint64 before_us, gint64 at_us, gpointer data)
{
  access_views_repair (((Wiring *) data)->access, present, before_us, at_us);
  deletion_audit_look (((Wiring *) data)->deletion_audit); /* media has its site */
}

/* While media is away nothing is recorded and no camera is judged: that is an alert of its own. */
void wiring_note_media (gboolean is_connected, gpointer data)
{
  const AlertCondition condition = { .rule = "media_down", .category = "equipment", .subject = "",
                                     .severity = SEVERITY_SEVERE, .hold_us = MEDIA_DOWN_AFTER_S * G_USEC_PER_SEC };
  alert_engine_post_condition (((Wiring *) data)->engine, &condition, !is_connected);
  if (is_connected)
    evidence_port_back (((Wiring *) data)->evidence);
}

/* ---- what evidence asks for, on its thread ---- */

/* The stream that is recorded, so that what happened before is there. */
static const char *evidence_stream (Wiring *wiring, const char *camera)
{
  g_autoptr (Site) site = wiring_site (wiring);
  const Camera *found = site_camera (site, camera);
  return found != NULL && found->recording.is_sub ? "sub" : "main";
}

static gboolean cut_clip (gpointer self, const char *id, const char *camera, gint64 from_us, gint64 to_us, int file_fd,
                          GError **error)
{
  const char *stream = evidence_stream (self, camera);
  return media_link_clip (((Wiring *) self)->media, id, camera, stream, from_us, to_us, file_fd, error);
}

static gboolean take_picture (gpointer self, const char *camera, gint64 at_us, int file_fd, gint64 *taken_at_us,
                              GError **error)
{
  Wiring *wiring = self;
  VisionPicture picture;
  g_autofree char *codec = NULL;
  int access_unit_fd
    = media_link_picture (wiring->media, camera, evidence_stream (wiring, camera), at_us, &codec, taken_at_us, error);
  return access_unit_fd >= 0
         && vision_link_encode (wiring->vision, access_unit_fd, codec, 0, file_fd, &picture, error);
}

EvidencePort wiring_evidence_port (Wiring *wiring)
{
  return (EvidencePort) { wiring, cut_clip, take_picture };
}

/* ---- building ---- */

static int media_pid (gpointer link)
{
  return media_link_pid (link);
}

static int vision_pid (gpointer link)
{
  return vision_link_pid (link);
}

void wiring_build_links (Wiring *wiring, gboolean has_external_workers)
{
  const char *runtime_dir = wiring->site->gateway.runtime_dir;
  const MediaHandlers handlers = { answer_play,          note_camera_state, note_viewer_started, note_viewer_ended,
                                   note_recording_state, note_clip_done,    wiring_note_media,
                                   note_viewers,         wiring };
  wiring->media = media_link_new (runtime_dir, &handlers, wiring->events);
  wiring->vision = vision_link_new (runtime_dir);
  wiring->worker_kinds[0] = (WorkerKind){ "gridgate-media", media_pid, wiring->media };
  wiring->worker_kinds[1] = (WorkerKind){ "gridgate-vision", vision_pid, wiring->vision };
  if (!has_external_workers)
    wiring->workers = workers_new (runtime_dir, wiring->worker_kinds);
}
