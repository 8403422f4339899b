/* routes_recordings.c: what is recorded of a camera: the list, one MP4 of a stretch, playback in the browser. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/access/view.h"
#include "gateway/core/clock.h"
#include "gateway/core/ids.h"
#include "gateway/core/log.h"
#include "gateway/http/http_camera.h"
#include "gateway/http/http_json.h"
#include "gateway/http/http_route.h"

enum { REASON_BYTES_MAX = 500, SPANS_TOLD_MAX = 40 };

/* --- what is recorded --- */

static json_t *stretch_to_json (json_t *stretch, gboolean has_reason)
{
  g_autofree char *from = time_to_rfc3339 (json_integer_value (json_array_get (stretch, 0)));
  g_autofree char *to = time_to_rfc3339 (json_integer_value (json_array_get (stretch, 1)));
  json_t *object = json_pack ("{s:s, s:s}", "from", from, "to", to);
  if (has_reason)
    json_object_set (object, "reason", json_array_get (stretch, 2));
  return object;
}

static json_t *stretches_to_json (json_t *stretches, gboolean has_reason)
{
  gsize index;
  json_t *one, *list = json_array ();
  json_array_foreach (stretches, index, one)
    json_array_append_new (list, stretch_to_json (one, has_reason));
  return list;
}

static HttpResponse *get_recordings (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  HttpResponse *refusal = NULL;
  gint64 now = request->now_us, from_us, to_us;
  const Camera *camera = http_camera_find (request, &refusal);
  if (camera == NULL)
    return refusal;
  if (!permit_playback (request->site, &request->caller.actor, camera))
    return http_response_problem (403, "forbidden", "camera %s: you have no right to play back", camera->id);
  if (!http_request_time (request, "to", now, &to_us, &error)
      || !http_request_time (request, "from", to_us - G_TIME_SPAN_DAY, &from_us, &error))
    return http_response_error (error);
  if (from_us >= to_us)
    return http_response_problem (400, "invalid", "from must be before to");
  if ((refusal = http_camera_refuse_away (context)) != NULL)
    return refusal;
  const char *stream = http_camera_recorded_stream (request, camera, &refusal);
  if (stream == NULL)
    return refusal;
  json_t *found = media_link_recordings (context->media, camera->id, stream, from_us, to_us, &error);
  if (found == NULL)
    return http_response_error (error);
  json_t *body = json_pack ("{s:o, s:o}", "spans", stretches_to_json (json_object_get (found, "spans"), FALSE), "gaps",
                            stretches_to_json (json_object_get (found, "gaps"), TRUE));
  json_decref (found);
  return http_response_json (200, body);
}

/* --- looks at it: both are in the register before the first byte --- */

static HttpResponse *refuse_playback (const HttpRequest *request, const HttpContext *context, const Camera *camera)
{
  if (!permit_playback (request->site, &request->caller.actor, camera))
    return http_response_problem (403, "forbidden", "camera %s: you have no right to play back", camera->id);
  if (!http_camera_token_fits (&request->caller, "playback", camera))
    return http_response_problem (403, "forbidden", "the token is not for playback of camera %s", camera->id);
  return http_camera_refuse_away (context);
}

/* `from` must be there; `*to_us` is 0 without `to`. */
static HttpResponse *read_times (const HttpRequest *request, gint64 *from_us, gint64 *to_us)
{
  g_autoptr (GError) error = NULL;
  if (!http_request_time (request, "from", -1, from_us, &error) || !http_request_time (request, "to", 0, to_us, &error))
    return http_response_error (error);
  if (*from_us < 0)
    return http_response_problem (400, "invalid", "from is missing: a time such as 2026-05-01T08:00:00Z");
  if (*to_us != 0 && *from_us >= *to_us)
    return http_response_problem (400, "invalid", "from must be before to");
  return NULL;
}

/* The viewer's id; NULL with `*refusal`. `to_us` 0: open. */
static char *open_view (const HttpRequest *request, const HttpContext *context, const Camera *camera, const char *stream,
                        const char *kind, gint64 from_us, gint64 to_us, HttpResponse **refusal)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *viewer = ulid_new (request->now_us);
  g_autofree char *credential = access_credential (&request->caller);
  g_autofree char *subject = view_recorded_time (from_us, to_us);
  View view = { viewer, &request->caller.actor, camera->id, stream, kind, subject, request->address,
                http_request_query (request, "reason"), credential };
  if (access_view_open (context->access, &view, &error))
    return g_steal_pointer (&viewer);
  *refusal = http_response_error (error);
  return NULL;
}

static void close_view (const HttpContext *context, const char *viewer, const char *reason)
{
  access_view_ended (context->access, viewer, access_now_us (context->access), reason, NULL);
}

/* --- one MP4 --- */

static gboolean is_blank (const char *text)
{
  g_autofree char *copy = g_strdup (text != NULL ? text : "");
  return *g_strstrip (copy) == '\0';
}

static HttpResponse *refuse_reason (const char *reason, gboolean is_needed)
{
  if (is_needed && is_blank (reason))
    return http_response_problem (400, "reason-needed", "reason is missing: an export is entered in the viewing register with "
                                                        "why it was made");
  if (reason != NULL && strlen (reason) > REASON_BYTES_MAX)
    return http_response_problem (400, "invalid", "a reason has %d bytes at most", REASON_BYTES_MAX);
  return NULL;
}

/* 20260501T080000Z, as file names have it. */
static char *basic_time (gint64 wall_us)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (wall_us / G_USEC_PER_SEC);
  return g_date_time_format (time, "%Y%m%dT%H%M%SZ");
}

static gint64 span_time (json_t *spans, gsize index, gsize field)
{
  return json_integer_value (json_array_get (json_array_get (spans, index), field));
}

/* What the file holds: in its name as a whole, in Recording-Spans span by span. */
static void describe (HttpResponse *response, const Camera *camera, json_t *spans)
{
  gsize count = json_array_size (spans);
  g_autofree char *from = basic_time (span_time (spans, 0, 0)), *to = basic_time (span_time (spans, count - 1, 1));
  g_autofree char *disposition = g_strdup_printf ("attachment; filename=\"%s_%s_%s.mp4\"", camera->id, from, to);
  GString *told = g_string_new (NULL);
  for (gsize i = 0; i < MIN (count, SPANS_TOLD_MAX); i++) {
    g_autofree char *start = time_to_rfc3339 (span_time (spans, i, 0)), *end = time_to_rfc3339 (span_time (spans, i, 1));
    g_string_append_printf (told, "%s%s/%s", i > 0 ? ", " : "", start, end);
  }
  if (count > SPANS_TOLD_MAX)
    g_string_append (told, ", ...");
  http_response_header (response, "Content-Disposition", disposition);
  http_response_header (response, "Recording-Spans", told->str);
  g_string_free (told, TRUE);
}

static HttpResponse *answer_no_export (const GError *error)
{
  if (error_is (error, ERROR_GIVE_UP))
    return http_response_problem (404, "not-recorded", "%s", error->message);
  HttpResponse *response = http_response_error (error);
  if (error_is (error, ERROR_RETRY))
    http_response_header (response, "Retry-After", "30");
  return response;
}

typedef struct {
  const HttpRequest *request;
  int pipe_fd; /* that is read; -1: closed */
} Waiting;

/* While media reads where the samples are: a client that is gone shall not keep one of two places. */
static void look_at_client (gpointer data)
{
  Waiting *waiting = data;
  if (waiting->pipe_fd < 0 || !http_request_is_abandoned (waiting->request))
    return;
  close (waiting->pipe_fd);
  waiting->pipe_fd = -1;
}

/* The pipe's end that the file can be read from, once it is known how much comes; -1 with an error. */
static int open_export (const HttpRequest *request, const HttpContext *context, MediaExport *export, gint64 *bytes, json_t **spans,
                        GError **error)
{
  int pipe_fds[2];
  if (pipe2 (pipe_fds, O_CLOEXEC) != 0) {
    error_set_errno (error, errno, "a pipe for an export");
    return -1;
  }
  Waiting waiting = { request, pipe_fds[0] };
  export->look = look_at_client;
  export->data = &waiting;
  *bytes = media_link_export (context->media, export, pipe_fds[1], spans, error);
  if (*bytes >= 0 && waiting.pipe_fd >= 0 && fcntl (waiting.pipe_fd, F_SETFL, O_NONBLOCK) == 0)
    return waiting.pipe_fd;
  if (*bytes >= 0) {
    json_decref (*spans);
    error_set (error, ERROR_RETRY, "the client is gone");
  }
  if (waiting.pipe_fd >= 0)
    close (waiting.pipe_fd);
  return -1;
}

/* Media writes the file into the pipe as the client reads it. libmicrohttpd gives a socket away with 101 only, so the bytes
 * come through here, unlooked at and never more than a pipe's worth: the answer stays an ordinary one, with its length. */
static HttpResponse *send_export (const HttpRequest *request, const HttpContext *context, const Camera *camera, MediaExport *export)
{
  g_autoptr (GError) error = NULL;
  json_t *spans = NULL;
  gint64 bytes;
  int fd = open_export (request, context, export, &bytes, &spans, &error);
  if (fd < 0) {
    close_view (context, export->viewer, "refused");
    return answer_no_export (error);
  }
  HttpResponse *response = http_response_pipe (fd, (guint64) bytes, "video/mp4");
  describe (response, camera, spans);
  json_decref (spans);
  return response;
}

/* What would come, or why nothing would: a page can say so, where a download only fails. No look: nothing is seen. */
static HttpResponse *check_export (const HttpRequest *request, const HttpContext *context, MediaExport *export)
{
  g_autoptr (GError) error = NULL;
  json_t *spans = NULL;
  gint64 bytes;
  export->is_check = TRUE;
  int fd = open_export (request, context, export, &bytes, &spans, &error);
  if (fd < 0)
    return answer_no_export (error);
  close (fd);
  json_t *body = json_pack ("{s:I, s:o}", "bytes", (json_int_t) bytes, "spans", stretches_to_json (spans, FALSE));
  json_decref (spans);
  return http_response_json (200, body);
}

/* The length is known once all of it is read, and whoever asks is in the register: that is no question for a HEAD. */
static HttpResponse *refuse_head (void)
{
  HttpResponse *response = http_response_problem (405, "wrong-method", "an export is made for GET alone");
  http_response_header (response, "Allow", "GET");
  return response;
}

static HttpResponse *get_export (HttpRequest *request, const HttpContext *context)
{
  if (request->is_head)
    return refuse_head ();
  HttpResponse *refusal = NULL;
  gint64 from_us, to_us;
  const Camera *camera = http_camera_find (request, &refusal);
  const char *stream = camera != NULL ? http_camera_recorded_stream (request, camera, &refusal) : NULL;
  if (stream == NULL || (refusal = refuse_reason (http_request_query (request, "reason"), TRUE)) != NULL
      || (refusal = read_times (request, &from_us, &to_us)) != NULL
      || (refusal = refuse_playback (request, context, camera)) != NULL)
    return refusal;
  if (to_us == 0)
    return http_response_problem (400, "invalid", "to is missing: an export has an end");
  gboolean is_check = g_strcmp0 (http_request_query (request, "check"), "true") == 0;
  g_autofree char *viewer = is_check ? ulid_new (request->now_us)
                                     : open_view (request, context, camera, stream, "export", from_us, to_us, &refusal);
  if (viewer == NULL)
    return refusal;
  MediaExport export = { .viewer = viewer, .camera = camera->id, .stream = stream, .from_us = from_us, .to_us = to_us };
  return is_check ? check_export (request, context, &export) : send_export (request, context, camera, &export);
}

/* --- playback in the browser --- */

typedef struct {
  const HttpContext *context;
  char *viewer, *camera, *stream;
  gint64 from_us, to_us;
  double speed;
  gboolean is_handed_over;
} Playback;

static void playback_free (gpointer data)
{
  Playback *playback = data;
  if (!playback->is_handed_over) /* the register has it, media never will */
    close_view (playback->context, playback->viewer, "not connected");
  g_free (playback->viewer);
  g_free (playback->camera);
  g_free (playback->stream);
  g_free (playback);
}

static void hand_over (int socket_fd, const void *extra, gsize extra_size, gpointer data)
{
  Playback *playback = data;
  g_autoptr (GError) error = NULL;
  MediaPlaybackView view = { playback->viewer, playback->camera, playback->stream, playback->from_us, playback->to_us,
                             playback->speed };
  playback->is_handed_over = media_link_play_back (playback->context->media, &view, socket_fd, extra, extra_size, &error);
  if (!playback->is_handed_over)
    log_limited (LOG_LEVEL_WARNING, "camera %s: a viewer of recordings could not be handed to media: %s", playback->camera,
                 error->message);
}

/* 1 when it isn't there. */
static gboolean read_speed (const HttpRequest *request, double *speed)
{
  const char *text = http_request_query (request, "speed");
  char *end = NULL;
  *speed = text != NULL ? g_ascii_strtod (text, &end) : 1;
  return text == NULL || (*text != '\0' && *end == '\0' && isfinite (*speed) && *speed >= 0.25 && *speed <= 16);
}

static HttpResponse *get_playback (HttpRequest *request, const HttpContext *context)
{
  HttpResponse *refusal = NULL;
  gint64 from_us, to_us;
  double speed;
  const Camera *camera = http_camera_find (request, &refusal);
  const char *stream = camera != NULL ? http_camera_recorded_stream (request, camera, &refusal) : NULL;
  if (stream == NULL || (refusal = http_camera_refuse_upgrade (request)) != NULL
      || (refusal = read_times (request, &from_us, &to_us)) != NULL
      || (refusal = refuse_reason (http_request_query (request, "reason"), FALSE)) != NULL
      || (refusal = refuse_playback (request, context, camera)) != NULL)
    return refusal;
  if (!read_speed (request, &speed))
    return http_response_problem (400, "invalid", "speed must be a number from 0.25 to 16");
  g_autofree char *viewer = open_view (request, context, camera, stream, "playback", from_us, to_us, &refusal);
  if (viewer == NULL)
    return refusal;
  Playback *playback = g_new0 (Playback, 1);
  *playback = (Playback){ .context = context, .viewer = g_steal_pointer (&viewer), .camera = g_strdup (camera->id),
                          .stream = g_strdup (stream), .from_us = from_us, .to_us = to_us, .speed = speed };
  return http_response_websocket (http_request_header (request, "Sec-WebSocket-Key"), hand_over, playback, playback_free);
}

const HttpRoute recording_routes[] = {
  { "GET", "/api/v1/cameras/{camera}/recordings", ROLES_OPERATE, get_recordings, "what is recorded, and the gaps", "stream from to",
    NULL, "application/json", 200 },
  { "GET", "/api/v1/cameras/{camera}/recordings.mp4", ROLES_OPERATE, get_export, "that time as one MP4",
    "from to reason stream check token", NULL, "video/mp4", 200, TRUE },
  { "GET", "/api/v1/cameras/{camera}/playback", ROLES_OPERATE, get_playback,
    "playback of recordings: WebSocket with fragmented MP4", "from to speed stream reason token", NULL, NULL, 101, TRUE },
  { NULL },
};
