#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/core/log.h"
#include "gateway/http/console_assets.h"
#include "gateway/http/http_path.h"
#include "gateway/http/http_private.h"

static HttpResponse *response_new (int status, struct MHD_Response *mhd)
{
  HttpResponse *response = g_new0 (HttpResponse, 1);
  response->status = status;
  response->mhd = mhd;
  response->pipe_fd = -1;
  response->headers = g_ptr_array_new_with_free_func (g_free);
  http_response_header (response, "X-Content-Type-Options", "nosniff");
  http_response_header (response, "Referrer-Policy", "no-referrer");
  http_response_header (response, "X-Frame-Options", "DENY");
  http_response_header (response, "Cache-Control", "no-store");
  http_response_header (response, "Content-Security-Policy", CONSOLE_CONTENT_SECURITY_POLICY);
  return response;
}

static HttpResponse *response_of_text (int status, const char *content_type, char *text)
{
  HttpResponse *response
    = response_new (status, MHD_create_response_from_buffer (strlen (text), text, MHD_RESPMEM_MUST_COPY));
  http_response_header (response, "Content-Type", content_type);
  return response;
}

static HttpResponse *response_of_json (int status, const char *content_type, json_t *body)
{
  char *text = json_dumps (body, JSON_COMPACT | JSON_REAL_PRECISION (15)); /* 3.499, not 3.4989999999999997 */
  if (text == NULL)
    log_error ("http: an answer could not be written as JSON");
  HttpResponse *response = response_of_text (text != NULL ? status : 500, content_type, text != NULL ? text : (char *) "{}");
  free (text);
  json_decref (body);
  return response;
}

HttpResponse *http_response_json (int status, json_t *body)
{
  return response_of_json (status, "application/json", body);
}

static const char *title_of (int status)
{
  const char *title = MHD_get_reason_phrase_for ((unsigned) status);
  return title != NULL ? title : "Problem";
}

HttpResponse *http_response_problem_with (int status, const char *type, const char *detail, const char *member,
                                          json_t *value)
{
  g_autofree char *urn = g_strconcat ("urn:gridgate:problem:", type, NULL);
  g_autofree char *clean = g_utf8_make_valid (detail, -1);
  json_t *body = json_pack ("{s:s, s:s, s:i, s:s}", "type", urn, "title", title_of (status), "status", status, "detail", clean);
  if (member != NULL)
    json_object_set_new (body, member, value);
  return response_of_json (status, "application/problem+json", body);
}

HttpResponse *http_response_problem (int status, const char *type, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *detail = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  return http_response_problem_with (status, type, detail, NULL, NULL);
}

HttpResponse *http_response_error (const GError *error)
{
  if (error_is (error, ERROR_REFUSE))
    return http_response_problem (400, "invalid", "%s", error->message);
  if (error_is (error, ERROR_RETRY)) {
    HttpResponse *response = http_response_problem (503, "unavailable", "%s", error->message);
    http_response_header (response, "Retry-After", "5");
    return response;
  }
  log_limited (LOG_LEVEL_ERROR, "http: %s", error->message);
  return http_response_problem (500, "internal", "something failed in the gateway; its log says what");
}

HttpResponse *http_response_empty (int status)
{
  return response_new (status, MHD_create_response_from_buffer (0, NULL, MHD_RESPMEM_PERSISTENT));
}

HttpResponse *http_response_text (int status, const char *content_type, char *text)
{
  HttpResponse *response = response_of_text (status, content_type, text);
  g_free (text);
  return response;
}

HttpResponse *http_response_constant (const char *content_type, const void *bytes, gsize size)
{
  HttpResponse *response
    = response_new (200, MHD_create_response_from_buffer (size, (void *) bytes, MHD_RESPMEM_PERSISTENT));
  http_response_header (response, "Content-Type", content_type);
  return response;
}

static HttpResponse *unsatisfiable (int file_fd, gint64 size)
{
  g_autofree char *range = g_strdup_printf ("bytes */%" G_GINT64_FORMAT, size);
  close (file_fd);
  HttpResponse *response = http_response_problem (416, "range", "the file has %" G_GINT64_FORMAT " bytes", size);
  http_response_header (response, "Content-Range", range);
  return response;
}

HttpResponse *http_response_file (int file_fd, const char *content_type, const char *range)
{
  struct stat status;
  if (fstat (file_fd, &status) < 0 || !S_ISREG (status.st_mode)) {
    close (file_fd);
    return http_response_problem (500, "internal", "the file could not be read");
  }
  guint64 size = (guint64) status.st_size, first = 0, length = size;
  RangeKind kind = http_range_parse (range, size, &first, &length);
  if (kind == RANGE_UNSATISFIABLE)
    return unsatisfiable (file_fd, status.st_size);
  if (kind == RANGE_NONE) {
    first = 0;
    length = size;
  }
  HttpResponse *response = response_new (kind == RANGE_ONE ? 206 : 200,
                                         MHD_create_response_from_fd_at_offset64 (length, file_fd, first));
  http_response_header (response, "Content-Type", content_type);
  http_response_header (response, "Accept-Ranges", "bytes");
  if (kind == RANGE_ONE) {
    g_autofree char *text = g_strdup_printf ("bytes %" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT, first,
                                             first + length - 1, size);
    http_response_header (response, "Content-Range", text);
  }
  return response;
}

HttpResponse *http_response_websocket (const char *key, HttpTaken taken, gpointer data, GDestroyNotify free_data)
{
  HttpResponse *response = response_new (101, NULL);
  g_autoptr (GChecksum) sha1 = g_checksum_new (G_CHECKSUM_SHA1); /* RFC 6455 4.2.2 */
  guint8 digest[20];
  gsize size = sizeof digest;
  g_checksum_update (sha1, (const guchar *) key, -1);
  g_checksum_update (sha1, (const guchar *) "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", -1);
  g_checksum_get_digest (sha1, digest, &size);
  response->accept = g_base64_encode (digest, size);
  response->taken = taken;
  response->taken_data = data;
  response->free_taken = free_data;
  return response;
}

HttpResponse *http_response_stream (const HttpStreamSource *source)
{
  HttpResponse *response = response_new (200, NULL);
  response->is_stream = TRUE;
  response->stream = *source;
  http_response_header (response, "Content-Type", "text/event-stream");
  http_response_header (response, "X-Accel-Buffering", "no"); /* nginx would hold events back */
  return response;
}

HttpResponse *http_response_pipe (int pipe_fd, guint64 size, const char *content_type)
{
  HttpResponse *response = response_new (200, NULL);
  response->is_pipe = TRUE;
  response->pipe_fd = pipe_fd;
  response->pipe_bytes = size;
  http_response_header (response, "Content-Type", content_type);
  http_response_header (response, "X-Accel-Buffering", "no"); /* nginx would fill its own disk with it */
  return response;
}

HttpResponse *http_response_produced (const char *content_type, HttpProduce produce, gpointer data, GDestroyNotify free_data)
{
  int read_fd;
  HttpProducer *producer = http_producer_start (produce, data, free_data, &read_fd);
  if (producer == NULL)
    return NULL;
  HttpResponse *response = http_response_pipe (read_fd, MHD_SIZE_UNKNOWN, content_type);
  response->producer = producer;
  return response;
}

static void remember_header (HttpResponse *response, const char *name, const char *value)
{
  for (guint i = 0; i < response->headers->len; i += 2)
    if (g_ascii_strcasecmp (response->headers->pdata[i], name) == 0) {
      g_free (response->headers->pdata[i + 1]);
      response->headers->pdata[i + 1] = g_strdup (value);
      return;
    }
  g_ptr_array_add (response->headers, g_strdup (name));
  g_ptr_array_add (response->headers, g_strdup (value));
}

void http_response_header (HttpResponse *response, const char *name, const char *value)
{
  if (response->mhd == NULL) {
    remember_header (response, name, value);
    return;
  }
  const char *before = MHD_get_response_header (response->mhd, name);
  if (before != NULL)
    MHD_del_response_header (response->mhd, name, before);
  MHD_add_response_header (response->mhd, name, value);
}

void http_response_free (HttpResponse *response)
{
  if (response == NULL)
    return;
  if (response->mhd != NULL)
    MHD_destroy_response (response->mhd);
  if (response->stream.free_data != NULL)
    response->stream.free_data (response->stream.data);
  if (response->free_taken != NULL)
    response->free_taken (response->taken_data);
  if (response->handover != NULL)
    response->free_handover (response->handover);
  if (response->pipe_fd >= 0)
    close (response->pipe_fd);
  http_producer_end (response->producer);
  g_ptr_array_unref (response->headers);
  g_free (response->accept);
  g_free (response);
}
