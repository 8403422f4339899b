#include "gateway/share/regrant.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/share/grants.h"
#include "gateway/share/outbox.h"

enum { PAGE_ROWS = 200 };

typedef struct {
  gint64 number;
  char *event, *kind, *payload;
  Severity severity;
} Waiting;

static void waiting_free (gpointer data)
{
  Waiting *waiting = data;
  g_free (waiting->event);
  g_free (waiting->kind);
  g_free (waiting->payload);
  g_free (waiting);
}

json_t *incident_without_evidence (const json_t *incident)
{
  json_t *cut = json_copy ((json_t *) incident), *history = json_array (), *entry;
  size_t index;
  json_array_foreach (json_object_get (incident, "history"), index, entry)
    if (g_strcmp0 (json_string_value (json_object_get (entry, "action")), "evidence") != 0)
      json_array_append (history, entry);
  json_object_set_new (cut, "history", history);
  json_object_set_new (cut, "evidence", json_array ());
  return cut;
}

static GPtrArray *next_page (Database *database, const char *receiver, gint64 after, GError **error)
{
  GError *failure = NULL;
  g_autoptr (GPtrArray) page = g_ptr_array_new_with_free_func (waiting_free);
  g_autoptr (Statement) rows
    = database_query (database, &failure,
                      "SELECT number, event, kind, severity, payload FROM outbox WHERE receiver = ? AND number > ?"
                      " ORDER BY number LIMIT ?",
                      "sii", receiver, after, (gint64) PAGE_ROWS);
  while (statement_step (rows, &failure)) {
    Waiting *waiting = g_new0 (Waiting, 1);
    *waiting = (Waiting){ statement_integer (rows, 0), g_strdup (statement_text (rows, 1)),
                          g_strdup (statement_text (rows, 2)), g_strdup (statement_text (rows, 4)),
                          (Severity) statement_integer (rows, 3) };
    g_ptr_array_add (page, waiting);
  }
  if (failure == NULL)
    return g_steal_pointer (&page);
  g_propagate_error (error, failure);
  return NULL;
}

static const char *member (const json_t *data, const char *name)
{
  const char *text = json_string_value (json_object_get (data, name));
  return text != NULL ? text : "";
}

static gboolean cut_evidence (Database *database, gint64 number, json_t *event, GError **error)
{
  json_object_set_new (event, "data", incident_without_evidence (json_object_get (event, "data")));
  char *text = json_dumps (event, JSON_COMPACT);
  gboolean done = database_run (database, error, "UPDATE outbox SET payload = ? WHERE number = ?", "si", text, number);
  free (text);
  return done;
}

static gboolean look_at (Database *database, const Site *site, const char *receiver, const char *agency,
                         const Waiting *waiting, gint64 now_us, GError **error)
{
  gboolean with_evidence = FALSE, done = TRUE;
  json_t *event = json_loads (waiting->payload, 0, NULL);
  const json_t *data = json_object_get (event, "data");
  if (!grants_admit (site, agency, member (data, "category"), member (data, "grid"), waiting->severity, now_us,
                     &with_evidence))
    done = outbox_settle (database, receiver, waiting->event, "withdrawn", "the agency's grants no longer cover it", now_us,
                          error);
  else if (!with_evidence && strcmp (waiting->kind, "incidents") == 0
           && json_array_size (json_object_get (data, "evidence")) > 0)
    done = cut_evidence (database, waiting->number, event, error);
  json_decref (event);
  return done;
}

gboolean regrant_receiver (Database *database, const Site *site, const char *receiver, const char *agency, gint64 now_us,
                           GError **error)
{
  gint64 after = 0;
  for (;;) {
    g_autoptr (GPtrArray) page = next_page (database, receiver, after, error);
    if (page == NULL)
      return FALSE;
    for (guint i = 0; i < page->len; i++) {
      const Waiting *waiting = page->pdata[i];
      if (!look_at (database, site, receiver, agency, waiting, now_us, error))
        return FALSE;
      after = waiting->number;
    }
    if (page->len < PAGE_ROWS)
      return TRUE;
  }
}
