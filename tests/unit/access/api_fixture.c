#include "tests/unit/access/api_fixture.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/test.h"

static Site *site_of_fixture (gpointer data)
{
  return site_ref (((ApiFixture *) data)->access->site);
}

void api_fixture_open (ApiFixture *fixture)
{
  g_autoptr (GError) error = NULL;
  fixture->events = event_bus_new (8);
  fixture->incidents = incident_book_new (fixture->access->store, fixture->events, fixture->access->site);
  HttpContext context = { .store = fixture->access->store, .events = fixture->events, .incidents = fixture->incidents,
                          .access = fixture->access->access, .media = fixture->media, .site = site_of_fixture, .data = fixture };
  fixture->api = http_api_new (&context, &error);
  assert_non_null (fixture->api);
  fixture->base = g_strdup_printf ("http://127.0.0.1:%u", http_api_port (fixture->api));
}

int api_fixture_setup (void **state)
{
  ApiFixture *fixture = *state = g_new0 (ApiFixture, 1);
  access_fixture_setup ((void **) &fixture->access);
  api_fixture_open (fixture);
  return 0;
}

int api_fixture_teardown (void **state)
{
  ApiFixture *fixture = *state;
  AccessFixture *access = fixture->access;
  http_api_free (fixture->api);
  /* the store's jobs may still use the book: it ends first */
  store_close (g_steal_pointer (&access->store));
  incident_book_free (fixture->incidents);
  event_bus_free (fixture->events);
  access_fixture_teardown ((void **) &access);
  g_free (fixture->base);
  g_free (fixture);
  return 0;
}

HttpClient *api_fixture_client (ApiFixture *fixture, Role role, const char *agency, const char *grid)
{
  g_autofree char *id = NULL, *secret = NULL;
  HttpClient *client = http_client_new (fixture->base);
  access_fixture_add_token (fixture->access, role_name (role), role, agency, grid, &id, &secret);
  http_client_set_bearer (client, secret);
  return client;
}

int api_fixture_connect (ApiFixture *fixture)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((guint16) http_api_port (fixture->api)),
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  struct timeval watchdog = { .tv_sec = 20 };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &watchdog, sizeof watchdog);
  assert_int_equal (connect (fd, (struct sockaddr *) &address, sizeof address), 0);
  return fd;
}

char *api_fixture_read (int fd, const char *until)
{
  g_autoptr (GString) out = g_string_new (NULL);
  char block[4096];
  gssize got;
  while ((until == NULL || strstr (out->str, until) == NULL) && (got = read (fd, block, sizeof block)) > 0)
    g_string_append_len (out, block, got);
  return g_strdup (out->str);
}

char *api_fixture_raw (ApiFixture *fixture, const char *text, const char *until)
{
  int fd = api_fixture_connect (fixture);
  send (fd, text, strlen (text), MSG_NOSIGNAL);
  char *answer = api_fixture_read (fd, until);
  close (fd);
  return answer;
}

int api_fixture_raw_status (ApiFixture *fixture, const char *text)
{
  g_autofree char *answer = api_fixture_raw (fixture, text, "\r\n\r\n");
  return g_str_has_prefix (answer, "HTTP/1.1 ") ? atoi (answer + 9) : 0;
}
