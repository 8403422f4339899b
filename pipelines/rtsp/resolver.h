/* resolver.h: looks host names up without making a loop wait.
 *
 * Numeric addresses are answered at once; names by a few threads of the resolver's own.
 *
 * thread: resolver_new and resolver_free anywhere but a loop; lookups belong to the loop that started them. */
#pragma once

#include <netdb.h>

#include "pipelines/rtp/loop.h"

typedef struct Resolver Resolver;
typedef struct Lookup Lookup;

/* On the loop. `addresses` is NULL when there are none: `problem` says why. The callback takes `addresses` (freeaddrinfo).
 * The lookup is gone afterwards. */
typedef void (*LookupDone) (struct addrinfo *addresses, const char *problem, gpointer data);

Resolver *resolver_new (void);

/* Never calls `done` from inside. */
Lookup *resolver_start (Resolver *resolver, Loop *loop, const char *host, guint16 port, LookupDone done, gpointer data);

/* `done` will not be called. NULL is taken. */
void lookup_cancel (Lookup *lookup);

/* Waits for lookups that are under way; their loops must still run. */
void resolver_free (Resolver *resolver);
