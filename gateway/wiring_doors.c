/* wiring_doors.c: the doors for people, and what the HTTP API asks of the whole. */
#include <string.h>
#include <unistd.h>

#include "config/loader.h"
#include "gateway/wiring_private.h"

/* thread: the server's; must not wait. */
static gboolean is_ready (gpointer data)
{
  Wiring *wiring = data;
  return media_link_is_connected (wiring->media) && g_atomic_int_get (&wiring->is_open);
}

/* thread: any. The errors of a text that would stand in the place of our own file. */
static GPtrArray *check_config (const char *text, gsize size, gpointer data)
{
  GPtrArray *errors = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (Site) site = site_load_text (((Wiring *) data)->config_path, text, size, errors);
  return errors;
}

static json_t *process_memory (const char *name, int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/statm", pid);
  g_autofree char *text = NULL;
  if (pid <= 0 || !g_file_get_contents (path, &text, NULL, NULL))
    return NULL;
  char *resident = strchr (text, ' ');
  gint64 bytes = resident != NULL ? g_ascii_strtoll (resident, NULL, 10) * sysconf (_SC_PAGESIZE) : 0;
  return json_pack ("{s:s, s:I}", "process", name, "resident_bytes", (json_int_t) bytes);
}

/* thread: any. */
static json_t *processes (gpointer data)
{
  Wiring *wiring = data;
  json_t *list = json_array ();
  json_t *each[] = { process_memory ("gridgate", getpid ()),
                     process_memory ("gridgate-media", media_link_pid (wiring->media)),
                     process_memory ("gridgate-vision", vision_link_pid (wiring->vision)) };
  for (gsize i = 0; i < G_N_ELEMENTS (each); i++)
    if (each[i] != NULL)
      json_array_append_new (list, each[i]);
  return list;
}

gboolean wiring_build_doors (Wiring *wiring, GError **error)
{
  const HttpContext context = {
    .store = wiring->store,         .events = wiring->events, .media = wiring->media,
    .vision = wiring->vision,       .observe = wiring->observe, .incidents = wiring->book,
    .sharing = wiring->sharing,     .access = wiring->access, .site = wiring_site,
    .is_ready = is_ready,           .check_config = check_config, .processes = processes,
    .engine = wiring->engine,       .parse_rule = rule_load_text,
    .data = wiring,
  };
  wiring->control = control_new (wiring->access, wiring->site->gateway.runtime_dir, error);
  if (wiring->control == NULL)
    return FALSE;
  wiring->http = http_api_new (&context, error);
  return wiring->http != NULL;
}
