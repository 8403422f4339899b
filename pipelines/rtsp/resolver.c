#include "pipelines/rtsp/resolver.h"

#include <string.h>

enum { THREADS = 4 };

struct Resolver {
  GThreadPool *pool;
};

struct Lookup {
  Loop *loop;
  char *host, *service;
  LookupDone done; /* NULL once it is cancelled; the loop's */
  gpointer data;
  struct addrinfo *addresses;
  int problem;
};

static void lookup_free (Lookup *lookup)
{
  if (lookup->addresses != NULL)
    freeaddrinfo (lookup->addresses);
  g_free (lookup->host);
  g_free (lookup->service);
  g_free (lookup);
}

static void finish (gpointer data)
{
  Lookup *lookup = data;
  if (lookup->done != NULL)
    lookup->done (g_steal_pointer (&lookup->addresses), lookup->problem ? gai_strerror (lookup->problem) : "", lookup->data);
  lookup_free (lookup);
}

static void look_up (gpointer data, gpointer unused)
{
  (void) unused;
  Lookup *lookup = data;
  struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
  lookup->problem = getaddrinfo (lookup->host, lookup->service, &hints, &lookup->addresses);
  loop_post (lookup->loop, finish, lookup);
}

Resolver *resolver_new (void)
{
  Resolver *resolver = g_new0 (Resolver, 1);
  resolver->pool = g_thread_pool_new (look_up, NULL, THREADS, FALSE, NULL);
  return resolver;
}

Lookup *resolver_start (Resolver *resolver, Loop *loop, const char *host, guint16 port, LookupDone done, gpointer data)
{
  Lookup *lookup = g_new0 (Lookup, 1);
  lookup->loop = loop;
  lookup->host = g_strdup (host);
  lookup->service = g_strdup_printf ("%u", port);
  lookup->done = done;
  lookup->data = data;
  struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
  if (getaddrinfo (host, lookup->service, &hints, &lookup->addresses) == 0)
    loop_post (loop, finish, lookup);
  else
    g_thread_pool_push (resolver->pool, lookup, NULL);
  return lookup;
}

void lookup_cancel (Lookup *lookup)
{
  if (lookup != NULL)
    lookup->done = NULL;
}

void resolver_free (Resolver *resolver)
{
  if (resolver == NULL)
    return;
  g_thread_pool_free (resolver->pool, FALSE, TRUE);
  g_free (resolver);
}
