/* routes_evidence.c: a clip or picture of an incident, by the incident's rights; each look is registered. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "gateway/access/view.h"
#include "gateway/http/http_route.h"
#include "gateway/incident/evidence_rows.h"
#include "gateway/incident/incident.h"

static const gint64 one_look_us = G_TIME_SPAN_MINUTE; /* a player fetches a clip in many ranges */

static HttpResponse *answer_unknown (const HttpRequest *request)
{
  return http_response_problem (404, "unknown-evidence", "there is no evidence %s", request->parameters[0]);
}

static gboolean may_look (const HttpRequest *request, Database *reader, const EvidenceRow *row, GError **error)
{
  g_autoptr (Incident) incident = incident_load (reader, row->incident, error);
  return incident != NULL
         && permit_evidence (request->site, &request->caller.actor, incident->grid, incident->category,
                             incident->severity, request->now_us);
}

static gboolean is_registered (const HttpRequest *request, const HttpContext *context, Database *reader)
{
  return database_integer (reader, 0,
                           "SELECT count(*) FROM views WHERE subject = ? AND actor = ? AND address = ? AND from_at > ?",
                           "sssi", request->parameters[0], request->caller.actor.name, request->address,
                           access_now_us (context->access) - one_look_us)
         > 0;
}

static gboolean register_look (const HttpRequest *request, const HttpContext *context, Database *reader,
                               const EvidenceRow *row, GError **error)
{
  View view = { .actor = &request->caller.actor, .camera = row->camera, .stream = "main", .kind = "evidence",
                .subject = row->id, .address = request->address, .reason = http_request_query (request, "reason") };
  return is_registered (request, context, reader) || access_view_note (context->access, &view, error);
}

static HttpResponse *send_file (const HttpRequest *request, const HttpContext *context, const EvidenceRow *row)
{
  g_autofree char *path = evidence_path (store_data_dir (context->store), row);
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return http_response_problem (404, "evidence-missing", "the file of evidence %s is not there: %s", row->id,
                                  g_strerror (errno));
  HttpResponse *response = http_response_file (fd, evidence_media_type (row), http_request_header (request, "Range"));
  if (row->sha256 != NULL) {
    g_autofree char *etag = g_strdup_printf ("\"%s\"", row->sha256);
    http_response_header (response, "ETag", etag);
  }
  http_response_header (response, "Cache-Control", "private, no-store");
  return response;
}

static HttpResponse *get_evidence (HttpRequest *request, const HttpContext *context)
{
  g_autoptr (GError) error = NULL;
  Database *reader = store_reader (context->store, &error);
  g_autoptr (EvidenceRow) row = reader != NULL ? evidence_row_load (reader, request->parameters[0], &error) : NULL;
  gboolean may = row != NULL && may_look (request, reader, row, &error);
  if (error != NULL)
    return http_response_error (error);
  if (!may)
    return answer_unknown (request);
  if (!g_str_equal (row->state, "done"))
    return http_response_problem (404, "evidence-missing", "evidence %s is %s%s%s", row->id, row->state,
                                  row->reason != NULL ? ": " : "", row->reason != NULL ? row->reason : "");
  if (!register_look (request, context, reader, row, &error))
    return http_response_error (error);
  return send_file (request, context, row);
}

const HttpRoute evidence_routes[] = {
  { "GET", "/api/v1/evidence/{evidence}", ROLES_LIVE, get_evidence, "the file; Range is supported", "reason", NULL,
    "video/mp4", 200 },
  { NULL },
};
