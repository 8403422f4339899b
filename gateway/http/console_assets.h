/* console_assets.h: the operators' page, as it is embedded in the executable.
 *
 * Everything is constant and lives as long as the program.
 *
 * thread: any. */
#pragma once

#include <glib.h>

typedef struct {
  const char *path; /* "/index.html", "/assets/console-0123456789.js" */
  const char *content_type;
  const unsigned char *data;
  gsize size;
  const char *etag;      /* with its quotes */
  gboolean is_immutable; /* the name carries a hash of the contents: Cache-Control max-age=31536000, immutable */
} ConsoleAsset;

/* What the page is allowed to do: sent as Content-Security-Policy with every asset. */
#define CONSOLE_CONTENT_SECURITY_POLICY                                                                                \
  "default-src 'self'; connect-src 'self' ws: wss:; media-src 'self' blob:; img-src 'self' blob: data:; "              \
  "style-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

/* The asset at a URL path ("/" and "/setup" are the page itself); NULL when there is none, and for every path when the
 * gateway was built without its console. */
const ConsoleAsset *console_asset_find (const char *path);

/* The generated table, ended by an entry with a NULL path. */
extern const ConsoleAsset console_asset_table[];
