/* routes_holds.c: legal holds on recordings, and what retention deleted. */
#include <string.h>

#include "gateway/access/hold.h"
#include "gateway/core/clock.h"
#include "gateway/http/http_camera.h"
#include "gateway/http/http_route.h"

/* NULL and what to answer when the caller may not know of it. */
static const Camera *find_camera (const HttpRequest *request, const char *id, HttpResponse **refusal)
{
  const Camera *camera = id != NULL ? site_camera (request->site, id) : NULL;
  if (camera != NULL && permit_camera (request->site, &request->caller.actor, camera, request->now_us))
    return camera;
  *refusal = http_response_problem (404, "unknown-camera", "there is no camera %s", id != NULL ? id : "of that name");
  return NULL;
}

static gint is_untold; /* atomic: a hold was placed or lifted, and what is held could not be read */

/* media heeds them at once, or when it is met again. FALSE when they can not be read: media goes by what it was told before. */
static gboolean tell_media (const HttpContext *context, gint64 now_us, GError **error)
{
  static GMutex in_order; /* else one request could tell what it read before another placed its hold, after that one told */
  g_mutex_lock (&in_order);
  Database *reader = store_reader (context->store, error);
  GPtrArray *holds = reader != NULL ? holds_not_lifted (reader, now_us, error) : NULL;
  if (holds != NULL && context->media != NULL)
    media_link_set_holds (context->media, holds);
  else if (holds != NULL)
    g_ptr_array_unref (holds);
  g_atomic_int_set (&is_untold, holds == NULL);
  g_mutex_unlock (&in_order);
  return holds != NULL;
}

static HttpResponse *refuse_untold (const char *id, const GError *error)
{
  return http_response_problem (503, "media-not-told", "what is held is entered (hold %s), but gridgate-media could not be told, and "
                                "deletes by what it knew: ask for GET /api/v1/holds, which tells it, until that answers 200 (%s)", id,
                                error->message);
}

static HttpResponse *get_holds (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  HttpResponse *refusal = NULL;
  guint limit;
  const char *camera = http_request_query (request, "camera");
  if (!http_request_limit (request, &limit, &error))
    return http_response_error (error);
  if ((camera != NULL || request->caller.actor.grid != NULL) && find_camera (request, camera, &refusal) == NULL)
    return refusal;
  Database *reader = store_reader (context->store, &error);
  if (reader == NULL || (g_atomic_int_get (&is_untold) && !tell_media (context, request->now_us, &error)))
    return http_response_error (error);
  json_t *list = hold_list (reader, camera, http_request_query (request, "cursor"), limit, &error);
  return list != NULL ? http_response_json (200, list) : http_response_error (error);
}

/* A field of the body that is a time; FALSE when it is there and is none. */
static gboolean time_of (json_t *body, const char *field, gint64 *time_us)
{
  const json_t *value = json_object_get (body, field);
  *time_us = 0;
  return value == NULL || json_is_null (value)
         || (json_is_string (value) && time_from_rfc3339 (json_string_value (value), time_us));
}

static HttpResponse *place_hold (HttpRequest *request, const HttpContext *context, json_t *body)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *id = NULL;
  HttpResponse *refusal = NULL;
  HoldFields fields = { json_string_value (json_object_get (body, "camera")),
                        json_string_value (json_object_get (body, "reason")), 0, 0, 0 };
  if (!time_of (body, "from", &fields.from_us) || !time_of (body, "to", &fields.to_us)
      || !time_of (body, "until", &fields.until_us) || fields.from_us == 0 || fields.to_us == 0)
    return http_response_problem (400, "invalid", "from and to, and until when there is one, must be times such as "
                                                  "2026-05-01T08:00:00Z");
  if (find_camera (request, fields.camera, &refusal) == NULL)
    return refusal;
  if (!hold_place (context->access, &request->caller.actor, request->address, &fields, &id, &error))
    return http_response_error (error);
  if (!tell_media (context, request->now_us, &error))
    return refuse_untold (id, error);
  return http_response_json (201, json_pack ("{s:s, s:s}", "id", id, "camera", fields.camera));
}

static HttpResponse *post_holds (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  json_t *body = http_request_json (request, &error);
  if (body == NULL)
    return http_response_error (error);
  HttpResponse *response = place_hold (request, context, body);
  json_decref (body);
  return response;
}

static HttpResponse *delete_hold (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  HttpResponse *refusal = NULL;
  const char *id = request->parameters[0];
  Database *reader = store_reader (context->store, &error);
  if (reader == NULL)
    return http_response_error (error);
  g_autofree char *camera = hold_camera (reader, id);
  if (camera == NULL)
    return http_response_problem (404, "unknown-hold", "there is no hold %s", id);
  if (request->caller.actor.grid != NULL && find_camera (request, camera, &refusal) == NULL)
    return refusal;
  if (!hold_lift (context->access, &request->caller.actor, request->address, id, http_request_query (request, "reason"), &error))
    return http_response_error (error);
  if (!tell_media (context, request->now_us, &error))
    return refuse_untold (id, error);
  return http_response_empty (204);
}

/* ---- deletions ---- */

static json_t *deletion_json (json_t *row)
{
  g_autofree char *from = time_to_rfc3339 (json_integer_value (json_array_get (row, 2)));
  g_autofree char *to = time_to_rfc3339 (json_integer_value (json_array_get (row, 3)));
  g_autofree char *at = time_to_rfc3339 (json_integer_value (json_array_get (row, 6)));
  return json_pack ("{s:O, s:O, s:s, s:s, s:O, s:O, s:s}", "stream", json_array_get (row, 0), "reason",
                    json_array_get (row, 1), "from", from, "to", to, "segments", json_array_get (row, 4), "bytes",
                    json_array_get (row, 5), "at", at);
}

static HttpResponse *get_deletions (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  HttpResponse *refusal = NULL;
  gint64 from_us, to_us;
  gsize index;
  json_t *row;
  const Camera *camera = http_camera_find (request, &refusal);
  if (camera == NULL)
    return refusal;
  if (!http_request_time (request, "to", request->now_us, &to_us, &error)
      || !http_request_time (request, "from", 0, &from_us, &error))
    return http_response_error (error);
  if (from_us >= to_us)
    return http_response_problem (400, "invalid", "from must be before to");
  if ((refusal = http_camera_refuse_away (context)) != NULL)
    return refusal;
  json_t *found = media_link_deletions (context->media, camera->id, from_us, to_us, &error);
  if (found == NULL)
    return http_response_error (error);
  json_t *items = json_array ();
  json_array_foreach (found, index, row)
    json_array_append_new (items, deletion_json (row));
  json_decref (found);
  return http_response_json (200, json_pack ("{s:o, s:n}", "items", items, "next"));
}

const HttpRoute hold_routes[] = {
  { "GET", "/api/v1/holds", ROLES_WATCH_MACHINE, get_holds, "legal holds on recordings, lifted ones too", "camera limit cursor",
    NULL, "application/json", 200 },
  { "POST", "/api/v1/holds", ROLES_WATCH_MACHINE, post_holds, "keep what is recorded of a camera, whatever retention says", NULL,
    "{\"camera\":\"bridge\",\"from\":\"2026-05-01T08:00:00Z\",\"to\":\"2026-05-01T09:00:00Z\",\"reason\":\"case 12\"}",
    "application/json", 201 },
  { "DELETE", "/api/v1/holds/{hold}", ROLES_AUDIT, delete_hold, "lift a hold", "reason", NULL, NULL, 204 },
  { "GET", "/api/v1/cameras/{camera}/deletions", ROLES_WATCH_MACHINE, get_deletions,
    "what retention deleted of a camera, when and why", "from to", NULL, "application/json", 200 },
  { NULL },
};
