#include "tests/unit/incident/book_fixture.h"

#include "gateway/core/ids.h"
#include "tests/support/folder.h"
#include "tests/support/site_parts.h"

#define NOON 1777636800000000 /* 2026-05-01T12:00:00Z */

const Actor operator_actor = { .name = (char *) "li", .role = ROLE_OPERATOR };
const Actor water_actor = { .name = (char *) "wang", .role = ROLE_AGENCY, .agency = (char *) "water" };
const Actor viewer_actor = { .name = (char *) "guest", .role = ROLE_VIEWER };

static void add_agency (Site *site, const char *id, const char *category, gboolean evidence)
{
  Agency *agency = site_add_agency (site, id, category, "t");
  Delivery *delivery = g_new0 (Delivery, 1);
  agency_grant (agency)->evidence = evidence;
  delivery->mqtt_center = g_strdup ("center");
  g_ptr_array_add (agency->deliveries, delivery);
}

Site *site_for_test (void)
{
  Site *site = site_new ();
  site->gateway.id = g_strdup ("gateway-1");
  site->gateway.division = g_strdup ("t");
  site_add_grid (site, "t", NULL);
  site_add_grid (site, "v1", "t");
  site_add_grid (site, "v2", "t");
  Rule *rule = g_new0 (Rule, 1);
  rule->id = g_strdup ("flood");
  rule->name = g_strdup ("水位超警");
  rule->category = g_strdup ("flood");
  rule->severity = SEVERITY_SEVERE;
  rule->evidence_cameras = g_strdupv ((char *[]) { (char *) "bridge", NULL });
  rule->evidence_before_us = 10 * G_TIME_SPAN_SECOND;
  rule->evidence_after_us = 20 * G_TIME_SPAN_SECOND;
  rule->assign_agency = g_strdup ("water");
  rule->deadline_us = 2 * G_TIME_SPAN_HOUR;
  g_ptr_array_add (site->rules, rule);
  add_agency (site, "water", "flood", TRUE);
  add_agency (site, "fire", "fire", FALSE);
  Center *center = g_new0 (Center, 1);
  center->id = g_strdup ("center");
  center->url = g_strdup ("mqtt://127.0.0.1:1");
  g_ptr_array_add (site->centers, center);
  site_publish (site);
  return site;
}

int book_fixture_setup (void **state)
{
  BookFixture *fixture = g_new0 (BookFixture, 1);
  fixture->folder = folder_make_temporary ();
  fixture->clock = clock_fake_new (NOON);
  fixture->store = store_open (fixture->folder, fixture->clock, NULL);
  fixture->events = event_bus_new (100);
  fixture->site = site_for_test ();
  fixture->book = incident_book_new (fixture->store, fixture->events, fixture->site);
  *state = fixture;
  return fixture->store == NULL;
}

int book_fixture_teardown (void **state)
{
  BookFixture *fixture = *state;
  store_close (fixture->store);
  incident_book_free (fixture->book);
  site_unref (fixture->site);
  event_bus_free (fixture->events);
  clock_fake_free (fixture->clock);
  folder_drop (fixture->folder);
  g_free (fixture);
  return 0;
}

typedef struct {
  BookFixture *fixture;
  Alert *alert;
} AlertJob;

static gboolean open_job (Database *database, gpointer data, GError **error)
{
  AlertJob *job = data;
  const AlertSink *sink = incident_book_alert_sink (job->fixture->book);
  return sink->opened (sink->self, database, job->alert, error);
}

static gboolean clear_job (Database *database, gpointer data, GError **error)
{
  AlertJob *job = data;
  const AlertSink *sink = incident_book_alert_sink (job->fixture->book);
  return sink->cleared (sink->self, database, job->alert, error);
}

static Alert *raise_one (BookFixture *fixture, const char *rule, const char *category, const char *grid, Severity severity,
                     gboolean is_historical)
{
  Alert *alert = g_new0 (Alert, 1);
  alert->historical = is_historical;
  alert->opened_at_us = clock_wall_us (fixture->clock);
  alert->id = ulid_new (alert->opened_at_us);
  alert->rule = g_strdup (rule);
  alert->sensor = g_strdup ("level-1");
  alert->grid = g_strdup (grid);
  alert->category = g_strdup (category);
  alert->severity = severity;
  alert->has_value = TRUE;
  alert->value = 3.4;
  g_autoptr (GError) error = NULL;
  if (!store_run (fixture->store, open_job, &(AlertJob) { fixture, alert }, &error))
    g_error ("alert: %s", error->message);
  return alert;
}

Alert *raise_alert (BookFixture *fixture, const char *rule, const char *category, const char *grid, Severity severity)
{
  return raise_one (fixture, rule, category, grid, severity, FALSE);
}

Alert *raise_historical (BookFixture *fixture, const char *rule, const char *grid)
{
  return raise_one (fixture, rule, rule, grid, SEVERITY_SEVERE, TRUE);
}

void clear_alert (BookFixture *fixture, Alert *alert)
{
  g_autoptr (GError) error = NULL;
  alert->cleared_at_us = clock_wall_us (fixture->clock);
  if (!store_run (fixture->store, clear_job, &(AlertJob) { fixture, alert }, &error))
    g_error ("alert: %s", error->message);
}

typedef struct {
  IncidentBook *book;
  const Actor *actor;
  const char *id;
  json_t *arguments, *incident;
} ActionJob;

static gboolean action_job (Database *database, gpointer data, GError **error)
{
  ActionJob *job = data;
  return incident_book_act (job->book, database, job->actor, job->id, job->arguments, &job->incident, error);
}

json_t *do_action (BookFixture *fixture, const Actor *actor, const char *id, json_t *arguments, GError **error)
{
  ActionJob job = { fixture->book, actor, id, arguments, NULL };
  store_run (fixture->store, action_job, &job, error);
  json_decref (arguments);
  return job.incident;
}

json_t *look_at (BookFixture *fixture, const char *id)
{
  return incident_get (store_reader (fixture->store, NULL), id, clock_wall_us (fixture->clock), NULL);
}

const char *text_of (const json_t *json, const char *member)
{
  return json_string_value (json_object_get (json, member));
}
