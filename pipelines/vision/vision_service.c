#include "pipelines/vision/vision_service.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/ids.h"
#include "gateway/core/log.h"
#include "gateway/core/queue.h"
#include "gateway/link/link_endpoint.h"
#include "pipelines/vision/access_unit_picture.h"

enum { WAITING_MAX = 64, PICTURE_ENCODE_FDS = 2 };

struct VisionService {
  LinkEndpoint *endpoint;
  Queue *requests; /* of LinkMessage */
  GThread *worker;
  gint64 started_at_us;
  gint64 busy_since_us; /* monotonic; atomic */
  int is_ending;        /* atomic */
};

/* A copy, because the sender still holds the memory and may change or shrink it. */
static guint8 *read_access_unit (int fd, gsize *size, GError **error)
{
  struct stat status;
  if (fstat (fd, &status) < 0) {
    error_set_errno (error, errno, "the access unit can't be read");
    return NULL;
  }
  if (status.st_size <= 0 || status.st_size > ACCESS_UNIT_MAX_BYTES) {
    error_set (error, ERROR_REFUSE, "an access unit of %lld bytes is out of bounds: 1 to %d are taken",
               (long long) status.st_size, ACCESS_UNIT_MAX_BYTES);
    return NULL;
  }
  g_autofree guint8 *bytes = g_malloc ((gsize) status.st_size);
  for (*size = 0; *size < (gsize) status.st_size;) {
    ssize_t count = pread (fd, bytes + *size, (gsize) status.st_size - *size, (off_t) *size);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0) {
      error_set_errno (error, count < 0 ? errno : EIO, "the access unit can't be read");
      return NULL;
    }
    *size += (gsize) count;
  }
  return g_steal_pointer (&bytes);
}

static gboolean write_picture (int fd, GBytes *jpeg, GError **error)
{
  gsize size, done = 0;
  const guint8 *bytes = g_bytes_get_data (jpeg, &size);
  while (done < size) {
    ssize_t count = pwrite (fd, bytes + done, size - done, (off_t) done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return error_set_errno (error, count < 0 ? errno : EIO, "the picture can't be written");
    done += (gsize) count;
  }
  if (ftruncate (fd, (off_t) size) < 0 || fsync (fd) < 0)
    return error_set_errno (error, errno, "the picture can't be written");
  return TRUE;
}

static json_t *encode_picture (VisionService *service, LinkMessage *request, GError **error)
{
  if (g_atomic_int_get (&service->is_ending)) {
    error_set (error, ERROR_RETRY, "gridgate-vision is ending");
    return NULL;
  }
  int access_unit = link_message_steal_fd (request, 0), file = link_message_steal_fd (request, 1);
  g_auto (EncodedPicture) picture = { 0 };
  gsize size = 0;
  json_t *body = NULL;
  g_autofree guint8 *bytes = read_access_unit (access_unit, &size, error);
  gint64 max_width = CLAMP (link_message_integer (request, "max_width"), 0, PICTURE_MAX_DIMENSION);
  if (bytes
      && access_unit_to_jpeg (bytes, size, link_message_string (request, "codec"), (int) max_width, &picture, error)
      && write_picture (file, picture.jpeg, error)) {
    gsize jpeg_size;
    const void *jpeg = g_bytes_get_data (picture.jpeg, &jpeg_size);
    g_autofree char *sha256 = sha256_hex (jpeg, jpeg_size);
    body = json_pack ("{s:i, s:i, s:I, s:s}", "width", picture.width, "height", picture.height, "bytes",
                      (json_int_t) jpeg_size, "sha256", sha256);
  }
  close (access_unit);
  close (file);
  return body;
}

static gpointer work (gpointer data)
{
  VisionService *service = data;
  for (LinkMessage *next; (next = queue_pop (service->requests, -1)) != NULL;) {
    g_autoptr (LinkMessage) request = next;
    g_autoptr (GError) error = NULL;
    __atomic_store_n (&service->busy_since_us, g_get_monotonic_time (), __ATOMIC_RELAXED);
    json_t *body = encode_picture (service, request, &error);
    __atomic_store_n (&service->busy_since_us, 0, __ATOMIC_RELAXED);
    if (body == NULL)
      log_limited (LOG_LEVEL_WARNING, "no picture: %s", error->message);
    link_endpoint_post (service->endpoint,
                        body ? link_message_reply (request, body) : link_message_error (request, error));
  }
  return NULL;
}

static void answer_hello (VisionService *service, const LinkMessage *request)
{
  json_t *body = json_pack ("{s:s, s:s, s:i, s:I}", "version", GRIDGATE_VERSION, "process", "vision", "pid",
                            (int) getpid (), "started_at", (json_int_t) service->started_at_us);
  link_endpoint_send (service->endpoint, link_message_reply (request, body));
}

static void refuse (VisionService *service, const LinkMessage *request, ErrorStep step, const char *why)
{
  g_autoptr (GError) error = NULL;
  error_set (&error, step, "%s", why);
  link_endpoint_send (service->endpoint, link_message_error (request, error));
}

static void received (LinkEndpoint *endpoint, LinkMessage *message, gpointer data)
{
  (void) endpoint;
  VisionService *service = data;
  g_autoptr (LinkMessage) request = message;
  if (request->kind == LINK_HELLO) {
    answer_hello (service, request);
  } else if (request->kind != LINK_PICTURE_ENCODE) {
    log_limited (LOG_LEVEL_WARNING, "link: \"%s\" is nothing for this process", link_kind_name (request->kind));
    if (request->serial != 0)
      refuse (service, request, ERROR_REFUSE, "gridgate-vision only makes pictures");
  } else if (request->fd_count != PICTURE_ENCODE_FDS) {
    refuse (service, request, ERROR_REFUSE, "a picture needs two descriptors: the access unit and the file");
  } else if (queue_push (service->requests, request, 0)) {
    request = NULL;
  } else {
    refuse (service, request, ERROR_RETRY, "too many pictures wait already");
  }
}

static void changed (LinkEndpoint *endpoint, gboolean is_connected, gpointer data)
{
  (void) endpoint, (void) data;
  log_info (is_connected ? "gridgate is connected" : "gridgate is gone; waiting for it");
}

VisionService *vision_service_new (const char *runtime_dir, GError **error)
{
  VisionService *service = g_new0 (VisionService, 1);
  g_autofree char *path = g_build_filename (runtime_dir, "vision.sock", NULL);
  service->started_at_us = g_get_real_time ();
  service->requests = queue_new (WAITING_MAX, 0, (GDestroyNotify) link_message_free);
  service->endpoint = link_endpoint_listen (path, received, changed, service, error);
  if (service->endpoint == NULL) {
    g_clear_pointer (&service, vision_service_free);
    return NULL;
  }
  service->worker = g_thread_new ("pictures", work, service);
  return service;
}

gint64 vision_service_busy_us (VisionService *service)
{
  gint64 since_us = __atomic_load_n (&service->busy_since_us, __ATOMIC_RELAXED);
  return since_us == 0 ? 0 : g_get_monotonic_time () - since_us;
}

void vision_service_free (VisionService *service)
{
  if (service == NULL)
    return;
  g_atomic_int_set (&service->is_ending, TRUE);
  queue_close (service->requests);
  if (service->worker)
    g_thread_join (service->worker);
  while (g_main_context_iteration (NULL, FALSE)) /* the last answers */
    ;
  link_endpoint_free (service->endpoint);
  queue_free (service->requests);
  g_free (service);
}
