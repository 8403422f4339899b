#include "gateway/http/console_assets.h"

const ConsoleAsset *console_asset_find (const char *path)
{
  /* The page routes by fragment; /setup alone is a path, because the set-up link is printed and copied. */
  if (g_str_equal (path, "/") || g_str_equal (path, "/setup"))
    path = "/index.html";
  for (const ConsoleAsset *asset = console_asset_table; asset->path != NULL; asset++)
    if (g_str_equal (asset->path, path))
      return asset;
  return NULL;
}
