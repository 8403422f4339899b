/* compare.h: what differs between two sites, so that a reload restarts only that.
 *
 * Items are compared by the key table, with their defaults filled in and with the state (time, size, inode) of their
 * secret and certificate files: a password file that was written anew makes its camera differ. Moving an item to
 * another line or file changes nothing.
 *
 * thread: any. */
#pragma once

#include "gateway/model/site.h"

typedef struct {
  GPtrArray *put;     /* items of the new site that are new or different; the new site owns them */
  GPtrArray *removed; /* ids (char*) that only the old site has */
} KindDifference;

typedef struct {
  gboolean gateway, http, rtsp, recording, alerts, duties, templates; /* whether they differ */
  gboolean needs_restart; /* gateway.id, division, data_dir or runtime_dir differ: a running gateway can't follow */
  KindDifference kinds[SITE_KINDS];
} SiteDifference;

/* `old` NULL: everything is put. Valid while both sites are. */
SiteDifference *site_compare (const Site *old, const Site *new);

gboolean site_difference_is_empty (const SiteDifference *difference);

void site_difference_free (SiteDifference *difference);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SiteDifference, site_difference_free)

/* One item in the shape of its YAML, defaults filled in; NULL when there is none. Secrets are only paths. */
char *site_item_json (const Site *site, SiteKind kind, const char *id);
