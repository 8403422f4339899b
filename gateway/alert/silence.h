/* silence.h: silences and maintenance windows: for whom, from when to when, by whom and why.
 *
 * A silenced alert is recorded, opens no incident and is told to nobody. When the silence is over and the alert is still
 * open, it is told then. An alert that was open before the silence goes on as it was.
 *
 * thread: rows: the store's inside a job, lists with any reader; a set belongs to its holder. */
#pragma once

#include <jansson.h>

#include "gateway/model/alert.h"
#include "gateway/store/database.h"

/* Longest silence, and how many may be to come or under way. */
#define SILENCE_MAX_US (90 * G_TIME_SPAN_DAY)
enum { SILENCES_MAX = 1000, SILENCE_REASON_MAX = 500 };

/* Those that are not over. */
typedef struct SilenceSet SilenceSet;

SilenceSet *silence_set_load (Database *database, gint64 now_us, GError **error);
gboolean silence_set_covers (const SilenceSet *set, const Site *site, const Alert *alert, gint64 now_us);
void silence_set_free (SilenceSet *set); /* NULL is taken */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SilenceSet, silence_set_free)

/* Checks {"rules"?,"sensors"?,"cameras"?,"grids"?,"categories"?: [ID…], "from"?,"to","reason"} and writes it. Each list that
 * is given must hold the alert's; a grid stands for all below it. `within` (may be NULL): the grid that the author is bound to.
 * `*silence` becomes the caller's. ERROR_REFUSE says what is wrong. */
gboolean silence_add (Database *database, const Site *site, const char *author, const char *within, const json_t *body,
                      gint64 now_us, json_t **silence, GError **error);

/* Ends it now; one that was still to come never begins. ERROR_REFUSE when there is none that isn't over. */
gboolean silence_end (Database *database, const char *id, const char *by, gint64 now_us, json_t **silence, GError **error);

/* NULL without an error when there is none. */
json_t *silence_get (Database *database, const char *id, gint64 now_us, GError **error);

/* {"items":[{id,state:upcoming|active|over,author,reason,created_at,from,to,rules…,ended_by}],"next"}, newest first.
 * `state` may be NULL. */
json_t *silence_list (Database *reader, const char *state, gint64 now_us, guint limit, const char *cursor, GError **error);
