#include "pipelines/media_exports.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "pipelines/playback/export_plan.h"
#include "pipelines/playback/watched.h"

/* Half of what a disk of a gateway reads: recording and whoever watches go on beside two exports at full speed. A thin village link
 * takes 64 KB/s. */
enum { BYTES_PER_SECOND = 40 * 1000 * 1000, LEAST_BYTES_PER_SECOND = 32 * 1000, PIPE_BYTES = 1024 * 1024 };

#define WINDOW_US ((gint64) 60 * G_USEC_PER_SEC)
#define LONGEST_US ((gint64) 12 * 3600 * G_USEC_PER_SEC)

struct MediaExports {
  Media *media;
  GThreadPool *threads;
  GMutex mutex;
  GPtrArray *all; /* under the mutex: of Export, that are asked for or run */
};

typedef struct {
  MediaExports *exports;
  LinkMessage *request;  /* until it is answered */
  char *viewer, *camera, *stream, *data_dir;
  gint64 from_us, to_us, started_us;
  int pipe_fd, cancel_fd;
  RecordingPin *pin;
  gboolean is_check;     /* nothing is sent: it is no look */
  char *end_reason;      /* under the mutex: of a cancel */
} Export;

static void export_free (Export *export)
{
  recording_pin_free (export->pin);
  g_free (export->viewer);
  g_free (export->camera);
  g_free (export->stream);
  g_free (export->data_dir);
  g_free (export->end_reason);
  close (export->pipe_fd);
  if (export->cancel_fd >= 0)
    close (export->cancel_fd);
  g_free (export);
}

/* ---- one of them; thread: its own ---- */

static void answer_plan (Export *export, const ExportPlan *plan)
{
  const GArray *spans = export_plan_spans (plan);
  json_t *list = json_array ();
  for (guint i = 0; i < spans->len; i++) {
    const ExportSpan *span = &g_array_index (spans, ExportSpan, i);
    json_array_append_new (list, json_pack ("[I,I]", (json_int_t) span->from_us, (json_int_t) span->to_us));
  }
  LinkMessage *request = g_steal_pointer (&export->request);
  json_t *body = json_pack ("{s:I, s:o}", "bytes", (json_int_t) export_plan_bytes (plan), "spans", list);
  link_endpoint_post (export->exports->media->link, link_message_reply (request, body));
  link_message_free (request);
}

static void refuse_plan (Export *export, const GError *error)
{
  LinkMessage *request = g_steal_pointer (&export->request);
  link_endpoint_post (export->exports->media->link, link_message_error (request, error));
  link_message_free (request);
}

static void on_moved (gint64 from_us, gpointer data)
{
  const Export *export = data;
  recording_pin_move (export->pin, from_us, export->to_us);
}

/* What of the spans the client may have; NULL: nothing. */
static char *watched_of (const ExportPlan *plan)
{
  const GArray *spans = export_plan_spans (plan);
  gint64 reached_us = export_plan_reached_us (plan);
  Watched watched = { 0 };
  for (guint i = 0; i < spans->len; i++) {
    const ExportSpan *span = &g_array_index (spans, ExportSpan, i);
    if (span->from_us < reached_us)
      watched_add (&watched, span->from_us, MIN (span->to_us, reached_us) - span->from_us);
  }
  char *text = watched_text (&watched);
  watched_clear (&watched);
  return text;
}

static void tell_end (Export *export, const ExportPlan *plan, const char *reason)
{
  g_autofree char *watched = watched_of (plan);
  json_t *body = media_viewer_ended_body (export->viewer, (guint64) export_plan_sent_bytes (plan), reason, watched);
  json_object_set_new (body, "protocol", json_string ("export"));
  media_send_event (export->exports->media, LINK_VIEWER_ENDED, body);
}

/* Returns why it ended: what the register keeps. */
static const char *carry_out (Export *export, ExportPlan *plan, const ExportClient *client)
{
  g_autoptr (GError) error = NULL;
  if (export_plan_write (plan, client, &error))
    return "complete";
  log_notice ("export of camera %s: %s", export->camera, error->message);
  if (error_is (error, ERROR_REFUSE))
    return "too slow";
  return error_is (error, ERROR_GIVE_UP) || error_is (error, ERROR_RETRY) ? "closed" : "error";
}

static void remove_export (Export *export)
{
  MediaExports *exports = export->exports;
  g_mutex_lock (&exports->mutex);
  g_ptr_array_remove_fast (exports->all, export);
  g_mutex_unlock (&exports->mutex);
}

static void run_export (gpointer data, gpointer unused)
{
  Export *export = data;
  g_autoptr (GError) error = NULL;
  ExportClient client = { export->pipe_fd, export->cancel_fd, BYTES_PER_SECOND, LEAST_BYTES_PER_SECOND, WINDOW_US, LONGEST_US,
                          on_moved, export };
  (void) unused;
  recording_pin_move (export->pin, export->from_us, export->to_us);
  g_autoptr (ExportPlan) plan = export_plan_new (export->data_dir, export->camera, export->stream, export->from_us, export->to_us,
                                                 EXPORT_INDEX_BYTES_MAX, &client, &error);
  const char *reason = NULL;
  if (plan == NULL) {
    refuse_plan (export, error);
  } else {
    log_notice ("export of camera %s: %" G_GINT64_FORMAT " bytes, read in %" G_GINT64_FORMAT " ms", export->camera,
                export_plan_bytes (plan), (g_get_real_time () - export->started_us) / 1000);
    answer_plan (export, plan);
    reason = export->is_check ? NULL : carry_out (export, plan, &client);
  }
  remove_export (export);
  if (reason != NULL)
    tell_end (export, plan, export->end_reason != NULL ? export->end_reason : reason);
  export_free (export);
}

/* ---- all of them ---- */

static void refuse (MediaExports *exports, LinkMessage *request, const char *text)
{
  g_autoptr (GError) error = g_error_new_literal (GRIDGATE_ERROR, ERROR_RETRY, text);
  media_reply_error (exports->media, request, error);
}

static gboolean add_export (MediaExports *exports, Export *export)
{
  g_mutex_lock (&exports->mutex);
  gboolean has_room = exports->all->len < EXPORTS_MAX;
  if (has_room)
    g_ptr_array_add (exports->all, export);
  g_mutex_unlock (&exports->mutex);
  return has_room;
}

void media_exports_open (MediaExports *exports, LinkMessage *request, const char *data_dir)
{
  int fd = link_message_steal_fd (request, 0);
  if (fd < 0 || data_dir == NULL) {
    if (fd >= 0)
      close (fd);
    refuse (exports, request, fd < 0 ? "an export needs a pipe" : "there is no site yet");
    return;
  }
  Export *export = g_new0 (Export, 1);
  *export = (Export){ .exports = exports, .viewer = g_strdup (link_message_string (request, "viewer")),
                      .camera = g_strdup (link_message_string (request, "camera")),
                      .stream = g_strdup (link_message_string (request, "stream")), .data_dir = g_strdup (data_dir),
                      .from_us = link_message_integer (request, "from"), .to_us = link_message_integer (request, "to"),
                      .is_check = link_message_boolean (request, "check"), .started_us = g_get_real_time (), .pipe_fd = fd, .cancel_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK) };
  export->pin = recording_pin_new (exports->media->pins, export->camera);
  (void) fcntl (fd, F_SETPIPE_SZ, PIPE_BYTES); /* a small one is only slower */
  if (export->cancel_fd < 0 || fcntl (fd, F_SETFL, O_NONBLOCK) != 0 || !add_export (exports, export)) {
    export_free (export);
    refuse (exports, request, "two exports are being made already: try again when one has ended");
    return;
  }
  export->request = request;
  g_thread_pool_push (exports->threads, export, NULL);
}

gboolean media_exports_cancel (MediaExports *exports, const char *viewer, const char *reason)
{
  gboolean is_found = FALSE;
  g_mutex_lock (&exports->mutex);
  for (guint i = 0; i < exports->all->len; i++) {
    Export *export = exports->all->pdata[i];
    if (viewer != NULL && strcmp (export->viewer, viewer) != 0)
      continue;
    is_found = TRUE;
    if (export->end_reason == NULL)
      export->end_reason = g_strdup (reason);
    (void) eventfd_write (export->cancel_fd, 1);
  }
  g_mutex_unlock (&exports->mutex);
  return is_found;
}

void media_exports_list (MediaExports *exports, GPtrArray *bodies)
{
  g_mutex_lock (&exports->mutex);
  for (guint i = 0; i < exports->all->len; i++) {
    const Export *export = exports->all->pdata[i];
    const MediaStream named = { .camera = export->camera, .name = export->stream };
    if (!export->is_check)
      g_ptr_array_add (bodies, media_viewer_body (export->viewer, &named, "export", export->started_us));
  }
  g_mutex_unlock (&exports->mutex);
}

MediaExports *media_exports_new (Media *media)
{
  MediaExports *exports = g_new0 (MediaExports, 1);
  exports->media = media;
  exports->all = g_ptr_array_new ();
  exports->threads = g_thread_pool_new (run_export, NULL, EXPORTS_MAX, FALSE, NULL);
  g_mutex_init (&exports->mutex);
  return exports;
}

void media_exports_free (MediaExports *exports)
{
  if (exports == NULL)
    return;
  media_exports_cancel (exports, NULL, "media_stopped");
  g_thread_pool_free (exports->threads, FALSE, TRUE);
  g_ptr_array_unref (exports->all);
  g_mutex_clear (&exports->mutex);
  g_free (exports);
}
