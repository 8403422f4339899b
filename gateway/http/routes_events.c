/* routes_events.c: what happens, as server-sent events, cut to what the caller may see. */
#include <stdlib.h>
#include <string.h>

#include "gateway/http/http_matter.h"
#include "gateway/http/http_route.h"

enum { EVENTS_A_BLOCK = 64, EVENTS_LOOKED_AT = 1024 };

/* One client's place in the bus. */
typedef struct {
  const HttpContext *context;
  Caller caller;
  GStrv types; /* NULL: all */
  guint64 seen;
  gboolean has_missed; /* tell it that its memory has a hole */
  gboolean is_fresh;   /* nothing sent yet */
} Watcher;

/* Numbers begin again with each run of the gateway; a run's name tells them apart. */
static const char *name_of_run (void)
{
  static char *name;
  static gsize once;
  if (g_once_init_enter (&once)) {
    name = g_strdup_printf ("%" G_GINT64_MODIFIER "x", g_get_real_time () / 1000);
    g_once_init_leave (&once, 1);
  }
  return name;
}

/* The event's JSON as the caller may see it, or NULL. */
static char *visible_json (const Watcher *watcher, const Site *site, const Event *event)
{
  const Actor *actor = &watcher->caller.actor;
  gint64 now = access_now_us (watcher->context->access);
  if (g_str_equal (event->type, "camera")) {
    const Camera *camera = event->camera != NULL ? site_camera (site, event->camera) : NULL;
    return camera != NULL && permit_camera (site, actor, camera, now) ? g_strdup (event->json) : NULL;
  }
  if (g_str_equal (event->type, "observation"))
    return permit_grid (site, actor, event->grid, now) ? g_strdup (event->json) : NULL;
  if (!g_str_equal (event->type, "incident") || role_is_in (actor->role, ROLES_OPERATE))
    return permit_matter (site, actor, event->grid, event->category, event->severity, NULL, now) ? g_strdup (event->json)
                                                                                                 : NULL;
  json_t *incident = json_loads (event->json, 0, NULL);
  char *text = matter_cut (site, actor, incident, now) ? json_dumps (incident, JSON_COMPACT | JSON_REAL_PRECISION (15)) : NULL;
  char *copy = g_strdup (text);
  free (text);
  json_decref (incident);
  return copy;
}

static void append_event (GString *out, const Watcher *watcher, const Site *site, const Event *event)
{
  if (watcher->types != NULL && !g_strv_contains ((const char *const *) watcher->types, event->type))
    return;
  g_autofree char *json = visible_json (watcher, site, event);
  if (json != NULL)
    g_string_append_printf (out, "id: %s-%" G_GUINT64_FORMAT "\nevent: %s\ndata: %s\n\n", name_of_run (), event->number,
                            event->type, json);
}

static char *next_events (gpointer data)
{
  Watcher *watcher = data;
  g_autoptr (GString) out = g_string_new (NULL);
  g_autoptr (Site) site = watcher->context->site (watcher->context->data);
  EventBus *bus = watcher->context->events;
  if (watcher->is_fresh) {
    watcher->is_fresh = FALSE;
    g_string_append_printf (out, "retry: 2000\nid: %s-%" G_GUINT64_FORMAT "\nevent: hello\ndata: {\"missed\":%s}\n\n",
                            name_of_run (), watcher->seen, watcher->has_missed ? "true" : "false");
  } else if (watcher->seen + 1 < event_bus_first (bus)) { /* it read too slowly: the page loads its lists again */
    watcher->seen = event_bus_first (bus) - 1;
    g_string_append (out, "event: missed\ndata: {}\n\n");
  }
  for (guint sent = 0, looked = 0; looked < EVENTS_LOOKED_AT && sent < EVENTS_A_BLOCK; looked++) {
    g_autoptr (Event) event = event_bus_next (bus, watcher->seen);
    if (event == NULL)
      break;
    gsize before = out->len;
    watcher->seen = event->number;
    append_event (out, watcher, site, event);
    sent += out->len > before;
  }
  if (out->len == 0 && event_bus_last (bus) > watcher->seen)
    g_string_append (out, ":\n"); /* more to look through: be asked again */
  return out->len > 0 ? g_strdup (out->str) : NULL;
}

static gboolean is_valid (gpointer data)
{
  Watcher *watcher = data;
  return access_caller_is_valid (watcher->context->access, &watcher->caller);
}

static void watcher_free (gpointer data)
{
  Watcher *watcher = data;
  caller_clear (&watcher->caller);
  g_strfreev (watcher->types);
  g_free (watcher);
}

/* Where the client was: the number after this run's name; anything else means that it has missed something. */
static void resume_from (Watcher *watcher, const char *last_id)
{
  EventBus *bus = watcher->context->events;
  guint64 first = event_bus_first (bus), last = event_bus_last (bus), number;
  gsize length = strlen (name_of_run ());
  watcher->seen = last;
  if (last_id == NULL)
    return;
  watcher->has_missed = TRUE;
  if (strncmp (last_id, name_of_run (), length) != 0 || last_id[length] != '-'
      || !g_ascii_string_to_unsigned (last_id + length + 1, 10, 0, last, &number, NULL))
    return;
  if (number + 1 >= first) {
    watcher->seen = number;
    watcher->has_missed = FALSE;
  }
}

static HttpResponse *get_events (HttpRequest *request, const HttpContext *context)
{
  const char *last_id = http_request_header (request, "Last-Event-ID");
  const char *types = http_request_query (request, "types");
  Watcher *watcher = g_new0 (Watcher, 1);
  watcher->context = context;
  watcher->caller = request->caller;
  request->caller = (Caller){ 0 };
  watcher->types = types != NULL ? g_strsplit (types, ",", 8) : NULL;
  watcher->is_fresh = TRUE;
  resume_from (watcher, last_id);
  HttpStreamSource source = { next_events, is_valid, watcher_free, watcher };
  return http_response_stream (&source);
}

const HttpRoute event_routes[] = {
  { "GET", "/api/v1/events", ROLES_ALL, get_events,
    "server-sent events: camera, alert, incident, observation; Last-Event-ID continues; `missed` says that lists should be "
    "loaded again",
    "types", NULL, "text/event-stream", 200 },
  { NULL },
};
