#include "gateway/incident/evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "gateway/core/error.h"
#include "gateway/core/file.h"
#include "gateway/core/log.h"
#include "gateway/core/queue.h"

#define GIVE_UP_AFTER_US (1 * G_TIME_SPAN_HOUR) /* after the clip's end */
#define ASK_AGAIN_FIRST_US (2 * G_TIME_SPAN_SECOND) /* the other side is away or has nothing yet; doubles */
#define ASK_AGAIN_LAST_US (60 * G_TIME_SPAN_SECOND)
#define ANSWER_WITHIN_US (60 * G_TIME_SPAN_SECOND) /* after the clip's end */

enum { QUEUE_NOTES = 4096 };

/* An item that is wanted. */
typedef struct {
  EvidenceRow *row;
  gint64 ask_at_us;  /* monotonic; when to ask (again) */
  gint64 give_up_us; /* monotonic */
  gboolean is_asked; /* a clip that was accepted: CLIP_DONE is due */
  guint failures;
  char *last_problem;
} Item;

/* What other threads tell ours. */
typedef enum { NOTE_WANTED, NOTE_CLIP_DONE, NOTE_PORT_BACK } NoteKind;
typedef struct {
  NoteKind kind;
  char *id, *sha256, *problem;
  gint64 from_us, to_us, bytes;
} Note;

struct Evidence {
  Store *store;
  IncidentBook *book;
  EvidencePort port;
  char *folder;
  Queue *notes;
  GThread *thread;
  gint is_stopping;
  GHashTable *items; /* id → Item; the thread's own */
};

static void item_free (gpointer data)
{
  Item *item = data;
  evidence_row_free (item->row);
  g_free (item->last_problem);
  g_free (item);
}

static void note_free (gpointer data)
{
  Note *note = data;
  g_free (note->id);
  g_free (note->sha256);
  g_free (note->problem);
  g_free (note);
}

static void send_note (Evidence *evidence, Note *note)
{
  if (!queue_push (evidence->notes, note, 0))
    note_free (note); /* closing, or so far behind that the wants are read again from the table anyway */
}

static void send_kind (Evidence *evidence, NoteKind kind)
{
  Note *note = g_new0 (Note, 1);
  note->kind = kind;
  send_note (evidence, note);
}

/* ---- the store's thread ---- */

static void after_commit (gpointer data)
{
  send_kind (data, NOTE_WANTED);
}

static gboolean incident_changed (gpointer self, Database *database, IncidentChange change, const Incident *incident,
                                  const json_t *json, GError **error)
{
  Evidence *evidence = self;
  (void) database, (void) incident, (void) error;
  if (change == INCIDENT_OPENED && json_array_size (json_object_get (json, "evidence")) > 0)
    store_after_commit (evidence->store, after_commit, evidence, NULL);
  return TRUE;
}

typedef struct {
  Evidence *evidence;
  const EvidenceRow *row;
  const char *problem; /* NULL: done */
} Settle;

static gboolean settle_job (Database *database, gpointer data, GError **error)
{
  Settle *settle = data;
  const EvidenceRow *row = settle->row;
  GError *failure = NULL;
  gboolean changed = settle->problem == NULL ? evidence_row_done (database, row, &failure)
                                             : evidence_row_failed (database, row->id, settle->problem, &failure);
  if (!changed && failure == NULL)
    return TRUE; /* settled before */
  json_t *payload = json_pack ("{s:{s:s, s:s, s:s, s:s*, s:s*}}", "set", "evidence", row->id, "camera", row->camera,
                               "state", settle->problem == NULL ? "done" : "failed", "sha256",
                               settle->problem == NULL ? row->sha256 : NULL, "reason", settle->problem);
  if (changed)
    return incident_book_note (settle->evidence->book, database, row->incident, "evidence", payload, error);
  json_decref (payload);
  g_propagate_error (error, failure);
  return FALSE;
}

/* ---- its own thread ---- */

static gint64 now_us (Evidence *evidence)
{
  return clock_monotonic_us (store_clock (evidence->store));
}

/* How long from now on until that wall time; 0 when it is over. */
static gint64 rest_until (Evidence *evidence, gint64 wall_us)
{
  return MAX (wall_us - clock_wall_us (store_clock (evidence->store)), 0);
}

/* TRUE when it is on disk; the item is gone then. */
static gboolean settle (Evidence *evidence, Item *item, const char *problem)
{
  g_autoptr (GError) error = NULL;
  Settle data = { evidence, item->row, problem };
  if (!store_run (evidence->store, settle_job, &data, &error)) {
    log_limited (LOG_LEVEL_ERROR, "evidence %s: %s", item->row->id, error->message);
    return FALSE;
  }
  if (problem != NULL)
    log_warning ("evidence %s: no %s of camera %s: %s", item->row->id, item->row->is_clip ? "clip" : "picture",
                 item->row->camera, problem);
  g_hash_table_remove (evidence->items, item->row->id);
  return TRUE;
}

static char *part_path (Evidence *evidence, const EvidenceRow *row)
{
  g_autofree char *name = g_strconcat (row->id, ".part", NULL);
  return g_build_filename (evidence->folder, name, NULL);
}

/* A new file each time: whoever still writes the old one writes into nothing. */
static int open_part (Evidence *evidence, const EvidenceRow *row, GError **error)
{
  g_autofree char *path = part_path (evidence, row);
  unlink (path);
  int fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (fd < 0)
    error_set_errno (error, errno, "%s", path);
  return fd;
}

static char *file_sha256 (const char *path, gint64 *bytes, GError **error)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guint8 *block = g_malloc (256 * 1024);
  gssize got;
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  *bytes = 0;
  if (fd < 0) {
    error_set_errno (error, errno, "%s", path);
    return NULL;
  }
  while ((got = read (fd, block, 256 * 1024)) > 0) {
    g_checksum_update (checksum, block, got);
    *bytes += got;
  }
  if (got < 0)
    error_set_errno (error, errno, "%s", path);
  close (fd);
  return got < 0 ? NULL : g_strdup (g_checksum_get_string (checksum));
}

/* The file is whole and synced: its name, then its row. */
static gboolean keep_file (Evidence *evidence, Item *item, const char *sha256, GError **error)
{
  g_autofree char *part = part_path (evidence, item->row);
  g_autofree char *path = evidence_path (store_data_dir (evidence->store), item->row);
  g_free (item->row->sha256);
  item->row->sha256 = file_sha256 (part, &item->row->bytes, error);
  if (item->row->sha256 == NULL)
    return FALSE;
  if (item->row->bytes == 0 || (sha256 != NULL && g_ascii_strcasecmp (sha256, item->row->sha256) != 0))
    return error_set (error, ERROR_RETRY, "the file is not what was reported");
  if (rename (part, path) != 0)
    return error_set_errno (error, errno, "%s", path);
  return folder_sync (evidence->folder, error) && settle (evidence, item, NULL);
}

static gboolean ask_clip (Evidence *evidence, Item *item, GError **error)
{
  const EvidenceRow *row = item->row;
  int fd = open_part (evidence, row, error);
  if (fd < 0 || !evidence->port.clip (evidence->port.self, row->id, row->camera, row->from_us, row->to_us, fd, error))
    return FALSE;
  item->is_asked = TRUE;
  item->ask_at_us = now_us (evidence) + rest_until (evidence, row->to_us) + ANSWER_WITHIN_US;
  return TRUE;
}

static gboolean ask_picture (Evidence *evidence, Item *item, GError **error)
{
  gint64 taken_at_us = 0;
  int fd = open_part (evidence, item->row, error);
  if (fd < 0)
    return FALSE;
  gboolean is_taken
    = evidence->port.picture (evidence->port.self, item->row->camera, item->row->from_us, fd, &taken_at_us, error);
  if (is_taken && fsync (fd) != 0)
    is_taken = error_set_errno (error, errno, "evidence %s", item->row->id);
  close (fd);
  if (is_taken && taken_at_us != 0)
    item->row->from_us = item->row->to_us = taken_at_us;
  return is_taken && keep_file (evidence, item, NULL, error);
}

/* A failure for now is asked again until the hour is over; one for good is final at once. */
static void fail (Evidence *evidence, Item *item, const GError *error)
{
  item->is_asked = FALSE;
  item->ask_at_us = now_us (evidence) + MIN (ASK_AGAIN_FIRST_US << MIN (item->failures, 10), ASK_AGAIN_LAST_US);
  item->failures++;
  g_free (item->last_problem);
  item->last_problem = g_strdup (error->message);
  if (!error_is (error, ERROR_GIVE_UP) && !error_is (error, ERROR_REFUSE)
      && now_us (evidence) < item->give_up_us)
    return;
  g_autofree char *part = part_path (evidence, item->row);
  unlink (part);
  settle (evidence, item, item->last_problem);
}

static void ask (Evidence *evidence, Item *item)
{
  g_autoptr (GError) error = NULL;
  if (item->is_asked)
    error_set (&error, ERROR_RETRY, "gridgate-media accepted the clip and did not finish it");
  else if (item->row->is_clip ? ask_clip (evidence, item, &error) : ask_picture (evidence, item, &error))
    return;
  if (error == NULL)
    error_set (&error, ERROR_RETRY, "it could not be entered");
  fail (evidence, item, error);
}

static void take_wanted (Evidence *evidence)
{
  g_autoptr (GError) error = NULL;
  Database *reader = store_reader (evidence->store, &error);
  g_autoptr (GPtrArray) rows = reader != NULL ? evidence_rows_wanted (reader, &error) : NULL;
  if (rows == NULL) {
    log_limited (LOG_LEVEL_ERROR, "evidence: %s", error->message);
    return;
  }
  for (guint i = 0; i < rows->len; i++) {
    EvidenceRow *row = rows->pdata[i];
    if (g_hash_table_contains (evidence->items, row->id))
      continue;
    Item *item = g_new0 (Item, 1);
    item->row = row;
    item->give_up_us = now_us (evidence) + rest_until (evidence, row->to_us + GIVE_UP_AFTER_US);
    rows->pdata[i] = NULL;
    g_hash_table_insert (evidence->items, row->id, item);
  }
}

static void take_clip_done (Evidence *evidence, const Note *note)
{
  g_autoptr (GError) error = NULL;
  Item *item = g_hash_table_lookup (evidence->items, note->id);
  if (item == NULL || !item->row->is_clip)
    return;
  if (note->problem != NULL) {
    error_set (&error, ERROR_RETRY, "%s", note->problem);
  } else {
    gint64 from_us = item->row->from_us, to_us = item->row->to_us;
    item->row->from_us = note->from_us != 0 ? note->from_us : from_us;
    item->row->to_us = note->to_us != 0 ? note->to_us : to_us;
    if (keep_file (evidence, item, note->sha256, &error))
      return;
    item->row->from_us = from_us;
    item->row->to_us = to_us;
  }
  if (error == NULL)
    error_set (&error, ERROR_RETRY, "it could not be entered");
  fail (evidence, item, error);
}

static void take_note (Evidence *evidence, const Note *note)
{
  GHashTableIter iter;
  gpointer item;
  switch (note->kind) {
  case NOTE_WANTED:
    take_wanted (evidence);
    break;
  case NOTE_CLIP_DONE:
    take_clip_done (evidence, note);
    break;
  case NOTE_PORT_BACK:
    g_hash_table_iter_init (&iter, evidence->items);
    while (g_hash_table_iter_next (&iter, NULL, &item)) {
      ((Item *) item)->is_asked = FALSE;
      ((Item *) item)->ask_at_us = 0;
      ((Item *) item)->failures = 0;
    }
    break;
  }
}

/* One that is due, or NULL and how long until the next one is. */
static Item *next_due (Evidence *evidence, gint64 *wait_us)
{
  GHashTableIter iter;
  gpointer value;
  *wait_us = -1;
  g_hash_table_iter_init (&iter, evidence->items);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    gint64 rest_us = ((Item *) value)->ask_at_us - now_us (evidence);
    if (rest_us <= 0)
      return value;
    *wait_us = *wait_us < 0 ? rest_us : MIN (*wait_us, rest_us);
  }
  return NULL;
}

static gpointer evidence_thread (gpointer data)
{
  Evidence *evidence = data;
  g_autoptr (GError) error = NULL;
  if (!folder_make (evidence->folder, &error))
    log_error ("evidence: %s", error->message);
  take_wanted (evidence);
  while (!g_atomic_int_get (&evidence->is_stopping)) {
    gint64 wait_us;
    Item *item = next_due (evidence, &wait_us);
    Note *note = queue_pop (evidence->notes, item != NULL ? 0 : wait_us);
    if (note != NULL) {
      take_note (evidence, note);
      note_free (note);
    } else if (item != NULL) {
      ask (evidence, item);
    }
  }
  return NULL;
}

Evidence *evidence_new (Store *store, IncidentBook *book, const EvidencePort *port)
{
  Evidence *evidence = g_new0 (Evidence, 1);
  evidence->store = store;
  evidence->book = book;
  evidence->port = *port;
  evidence->folder = g_build_filename (store_data_dir (store), "evidence", NULL);
  evidence->notes = queue_new (QUEUE_NOTES, 0, note_free);
  evidence->items = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, item_free);
  IncidentListener listener = { evidence, NULL, incident_changed };
  incident_book_listen (book, &listener);
  return evidence;
}

void evidence_start (Evidence *evidence)
{
  evidence->thread = g_thread_new ("evidence", evidence_thread, evidence);
}

void evidence_clip_done (Evidence *evidence, const char *id, gint64 from_us, gint64 to_us, gint64 bytes,
                         const char *sha256, const char *problem)
{
  Note *note = g_new0 (Note, 1);
  note->kind = NOTE_CLIP_DONE;
  note->id = g_strdup (id);
  note->from_us = from_us;
  note->to_us = to_us;
  note->bytes = bytes;
  note->sha256 = g_strdup (sha256);
  note->problem = g_strdup (problem);
  send_note (evidence, note);
}

void evidence_port_back (Evidence *evidence)
{
  send_kind (evidence, NOTE_PORT_BACK);
}

void evidence_stop (Evidence *evidence)
{
  if (evidence->thread == NULL)
    return;
  g_atomic_int_set (&evidence->is_stopping, TRUE);
  queue_close (evidence->notes);
  g_thread_join (g_steal_pointer (&evidence->thread));
}

void evidence_free (Evidence *evidence)
{
  if (evidence == NULL)
    return;
  evidence_stop (evidence);
  queue_free (evidence->notes);
  g_hash_table_unref (evidence->items);
  g_free (evidence->folder);
  g_free (evidence);
}
