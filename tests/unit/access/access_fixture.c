#include "tests/unit/access/access_fixture.h"

#include "gateway/access/password.h"
#include "tests/support/folder.h"
#include "tests/support/site_parts.h"
#include "tests/support/test.h"

static const gint64 now_us = 1777622400 * G_TIME_SPAN_SECOND;

static void add_camera (Site *site, const char *id, const char *grid, const char *owner)
{
  Camera *camera = g_new0 (Camera, 1);
  camera->id = g_strdup (id);
  camera->name = g_strdup (id);
  camera->grid = g_strdup (grid);
  camera->owner = g_strdup (owner);
  camera->url = g_strdup ("rtsp://192.0.2.1/stream");
  g_ptr_array_add (site->cameras, camera);
}

static Sensor *add_sensor (Site *site, const char *id, const char *grid)
{
  Sensor *sensor = g_new0 (Sensor, 1);
  sensor->id = g_strdup (id);
  sensor->name = g_strdup (id);
  sensor->grid = g_strdup (grid);
  sensor->broker = g_strdup ("village");
  sensor->topic = g_strdup (id);
  sensor->format = g_strdup ("value");
  sensor->metrics = g_ptr_array_new_with_free_func ((GDestroyNotify) metric_free);
  g_ptr_array_add (site->sensors, sensor);
  return sensor;
}

/* A template, and what it has become. */
static Site *with_discovered (Site *configured)
{
  g_autoptr (GPtrArray) sensors = g_ptr_array_new_with_free_func ((GDestroyNotify) sensor_unref);
  g_ptr_array_add (sensors, sensor_new_discovered (configured->templates->pdata[0], "gauge/=7", now_us));
  Site *site = site_with_discovered (configured, sensors);
  site_unref (configured);
  return site;
}

static void add_template (Site *site)
{
  Sensor *template = add_sensor (site, "gauge-7", "hill");
  g_ptr_array_add (site->templates, g_ptr_array_steal_index (site->sensors, site->sensors->len - 1));
  g_free (template->topic);
  template->topic = g_strdup ("gauge/{device}");
  g_free (template->name);
  template->name = g_strdup ("{device}");
}

static void add_agency (Site *site, const char *id, const char *category, const char *grid, gboolean sees_pictures)
{
  Agency *agency = site_add_agency (site, id, category, grid);
  Grant *grant = agency_grant (agency);
  Delivery *delivery = g_new0 (Delivery, 1);
  grant->live = grant->evidence = sees_pictures;
  grant->until_us = now_us + G_TIME_SPAN_DAY;
  delivery->webhook_url = g_strdup ("http://127.0.0.1:9/");
  g_ptr_array_add (agency->deliveries, delivery);
}

static void add_rule (Site *site, const char *id)
{
  Rule *rule = g_new0 (Rule, 1);
  rule->id = g_strdup (id);
  rule->name = g_strdup (id);
  rule->category = g_strdup (id);
  rule->severity = SEVERITY_SEVERE;
  rule->match_metric = g_strdup ("water_level");
  g_ptr_array_add (site->rules, rule);
}

Site *site_fixture_new (const char *data_dir)
{
  Site *site = site_new ();
  site->gateway.id = g_strdup ("test-1");
  site->gateway.division = g_strdup ("town");
  site->gateway.name = g_strdup ("测试镇");
  site->gateway.data_dir = g_strdup (data_dir);
  site->gateway.runtime_dir = g_strdup (data_dir);
  site->gateway.time_zone = g_strdup ("Asia/Shanghai");
  site->http.listen = g_strdup ("127.0.0.1:0");
  site->rtsp.listen = g_strdup ("127.0.0.1:0");
  site_add_grid (site, "town", NULL);
  site_add_grid (site, "village", "town");
  site_add_grid (site, "farm", "village");
  site_add_grid (site, "hill", "town");
  add_camera (site, "bridge", "village", NULL);
  add_camera (site, "peak", "hill", NULL);
  add_camera (site, "post", "hill", "police");
  add_sensor (site, "level-1", "farm");
  add_sensor (site, "wind-1", "hill");
  add_template (site);
  add_rule (site, "flood");
  add_agency (site, "water", "flood", "village", TRUE);
  add_agency (site, "fire", "fire", "town", FALSE);
  add_agency (site, "police", "none", "farm", FALSE);
  site_publish (site);
  return with_discovered (site);
}

static Site *site_of_fixture (gpointer data)
{
  return site_ref (((AccessFixture *) data)->site);
}

int access_fixture_setup (void **state)
{
  AccessFixture *fixture = g_new0 (AccessFixture, 1);
  fixture->folder = folder_make_temporary ();
  fixture->clock = clock_fake_new (now_us);
  fixture->store = store_open (fixture->folder, fixture->clock, NULL);
  fixture->site = site_fixture_new (fixture->folder);
  fixture->access = access_new (fixture->store, site_of_fixture, fixture);
  *state = fixture;
  return fixture->store == NULL;
}

int access_fixture_teardown (void **state)
{
  AccessFixture *fixture = *state;
  access_free (fixture->access);
  store_close (fixture->store);
  site_unref (fixture->site);
  clock_fake_free (fixture->clock);
  folder_drop (fixture->folder);
  g_free (fixture);
  return 0;
}

typedef struct {
  AccessFixture *fixture;
  AccountFields fields;
  const char *hash;
  char **id, **secret;
} AddJob;

static gboolean add_account (Database *database, gpointer data, GError **error)
{
  AddJob *job = data;
  return account_add (database, access_now_us (job->fixture->access), &job->fields, job->hash, error);
}

void access_fixture_add (AccessFixture *fixture, const char *name, Role role, const char *agency, const char *grid)
{
  static char *hash; /* the same for all: hashing is slow on purpose */
  g_autoptr (GError) error = NULL;
  if (hash == NULL)
    hash = password_hash (FIXTURE_PASSWORD, NULL);
  AddJob job = { fixture, { name, role, agency, grid, NULL }, hash, NULL, NULL };
  assert_true (account_fields_check (fixture->site, &job.fields, &error));
  assert_true (store_run (fixture->store, add_account, &job, &error));
}

static gboolean add_token (Database *database, gpointer data, GError **error)
{
  AddJob *job = data;
  return token_add (database, access_now_us (job->fixture->access), &job->fields, 0, job->id, job->secret, error);
}

void access_fixture_add_token (AccessFixture *fixture, const char *name, Role role, const char *agency, const char *grid,
                               char **id, char **secret)
{
  AddJob job = { fixture, { name, role, agency, grid, NULL }, NULL, id, secret };
  assert_true (store_run (fixture->store, add_token, &job, NULL));
}
