/* What goes, and when recording stops: in this order what is too old, what is too much of one camera, what is too much of all. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "gateway/core/file.h"
#include "gateway/core/log.h"
#include "pipelines/record/archive_private.h"
#include "pipelines/record/deletions.h"

enum {
  WRITE_ERROR_REST_US = 10 * G_USEC_PER_SEC,
  REFUSALS_MAX = 16,    /* files that can't be deleted, in one turn */
  TURN_US = 200 * 1000, /* deleting takes no longer at a time: files of this second wait to be synced */
};

#define AGE_US ((gint64) 60 * G_USEC_PER_SEC)
#define PRUNE_US ((gint64) 3600 * G_USEC_PER_SEC)

typedef struct {
  CameraAccount *account;
  guint stream;
  RetentionReason reason;
  gint64 bytes;
} Removed;

/* One turn. */
typedef struct {
  Archive *archive;
  RetentionLimits limits;
  GPtrArray *holds;
  GArray *removed;        /* of Removed: taken back when the rows can't be */
  gint64 now_us, until_us;
  gboolean is_failing;
  guint refusals;
  const char *stop_reason; /* NULL: all is well, or on its way to be */
} Turn;

typedef struct {
  CameraAccount *account;
  guint stream;
  const SegmentRow *row; /* NULL: nothing may go */
} Oldest;

/* ---- stopping ---- */

void archive_stop_recording (Archive *archive, const char *reason)
{
  if (archive->stop_reason != NULL)
    return;
  log_error ("recording stops: %s", reason);
  archive->stop_reason = reason;
  archive->since_us = clock_wall_us (archive->clock);
  archive->stopped_monotonic_us = clock_monotonic_us (archive->clock);
  for (guint i = 0; i < archive->tracks->len; i++)
    archive_disk_stop (archive->tracks->pdata[i], reason);
  archive_tell (archive);
}

static void resume_recording (Archive *archive)
{
  log_notice ("recording resumes");
  archive->stop_reason = NULL;
  archive->since_us = clock_wall_us (archive->clock);
  archive_tell (archive);
}

static void stop_camera (Archive *archive, CameraAccount *account, const char *reason)
{
  if (account->stop_reason != NULL)
    return;
  log_error ("recording of camera %s stops: %s", account->camera, reason);
  account->stop_reason = reason;
  account->since_us = clock_wall_us (archive->clock);
  for (guint i = 0; i < archive->tracks->len; i++) {
    ArchiveTrack *track = archive->tracks->pdata[i];
    if (track->account == account)
      archive_disk_stop (track, reason);
  }
  archive_tell_camera (archive, account);
}

static void resume_camera (Archive *archive, CameraAccount *account)
{
  if (account->stop_reason == NULL)
    return;
  log_notice ("recording of camera %s resumes", account->camera);
  account->stop_reason = NULL;
  account->since_us = clock_wall_us (archive->clock);
  archive_tell_camera (archive, account);
}

/* ---- deleting ---- */

static gboolean has_time (const Turn *turn)
{
  return !turn->is_failing && turn->refusals < REFUSALS_MAX && turn->removed->len < ARCHIVE_DELETIONS_PER_TICK
         && (turn->removed->len == 0 || g_get_monotonic_time () < turn->until_us);
}

static gboolean remove_rows (Turn *turn, const SegmentRow *row, RetentionReason reason)
{
  Archive *archive = turn->archive;
  GError *error = NULL;
  gboolean is_good = archive_index_begin (archive) && recordings_index_remove (archive->index, row->id, &error)
                     && deletions_note (archive->index, row, reason, clock_wall_us (archive->clock), &error);
  archive_log_failure (archive, "index", row->camera, error);
  return is_good;
}

/* One file that stays must not keep all others: it is stepped over for a while. */
static void step_over (Turn *turn, const Oldest *oldest, const char *path)
{
  Shelf *shelf = &oldest->account->shelves[oldest->stream];
  log_limited (LOG_LEVEL_WARNING, "recording %s: can't be deleted: %s", path, g_strerror (errno));
  turn->refusals++;
  shelf->from_us = oldest->row->from_us + 1;
  shelf->is_known = FALSE;
}

/* The file goes first: a row without a file does no harm and goes with the next turn, and until then counts its bytes. */
static void delete_segment (Turn *turn, const Oldest *oldest, RetentionReason reason)
{
  Archive *archive = turn->archive;
  const SegmentRow *row = oldest->row;
  g_autofree char *path = g_build_filename (archive->data_dir, row->file, NULL);
  g_autofree char *folder = g_path_get_dirname (path);
  if (unlink (path) != 0 && errno != ENOENT) {
    step_over (turn, oldest, path);
    return;
  }
  (void) rmdir (folder); /* goes when the day is empty */
  if (!remove_rows (turn, row, reason)) {
    turn->is_failing = TRUE;
    return;
  }
  Removed removed = { oldest->account, oldest->stream, reason, row->bytes };
  g_array_append_val (turn->removed, removed);
  archive_add_bytes (oldest->account, archive, stream_of_number (oldest->stream), -row->bytes);
  oldest->account->deleted_bytes[reason] += row->bytes;
  oldest->account->shelves[oldest->stream].is_known = FALSE;
}

/* The rows are all back. */
static void take_back (Turn *turn)
{
  for (guint i = 0; i < turn->removed->len; i++) {
    const Removed *removed = &g_array_index (turn->removed, Removed, i);
    archive_add_bytes (removed->account, turn->archive, stream_of_number (removed->stream), removed->bytes);
    removed->account->deleted_bytes[removed->reason] -= removed->bytes;
    removed->account->shelves[removed->stream].is_known = FALSE;
  }
}

static Oldest oldest_of (Turn *turn, CameraAccount *account)
{
  Oldest oldest = { account, 0, NULL };
  for (guint i = 0; i < STREAMS; i++) {
    const SegmentRow *row = archive_oldest (turn->archive, account, i, turn->holds);
    if (row != NULL && (oldest.row == NULL || row->to_us < oldest.row->to_us))
      oldest = (Oldest){ account, i, row };
  }
  return oldest;
}

static gboolean may_go_for_space (const Turn *turn, const Oldest *oldest)
{
  return oldest->row != NULL && turn->now_us - oldest->row->to_us > oldest->account->keep_at_least_us;
}

/* Why what is there can't go. */
static const char *stop_reason_of (gboolean has_oldest, const Turn *turn, gint64 bytes)
{
  if (has_oldest)
    return "keep_at_least";
  return retention_holds_any (turn->holds, turn->now_us) && bytes > 0 ? "legal_hold" : "disk_full";
}

static void delete_old (Turn *turn, CameraAccount *account)
{
  for (guint i = 0; i < STREAMS; i++) {
    const SegmentRow *row;
    while (has_time (turn) && (row = archive_oldest (turn->archive, account, i, turn->holds)) != NULL
           && retention_is_too_old (account->retain_us, account->keep_at_least_us, turn->now_us - row->to_us))
      delete_segment (turn, &(Oldest){ account, i, row }, RETENTION_AGE);
  }
}

/* One file that still grows may be more than the limit: it is not waited for. FALSE: there is more to do. */
static gboolean make_room_of_camera (Turn *turn, CameraAccount *account)
{
  const gint64 *bytes[] = { &account->shelves[0].bytes, &account->shelves[1].bytes };
  while (retention_is_over (account->max_bytes, *bytes[0] + *bytes[1], account->stop_reason != NULL)) {
    Oldest oldest = oldest_of (turn, account);
    if (!has_time (turn))
      return FALSE;
    if (!may_go_for_space (turn, &oldest)) {
      if (archive_ignore_pins (turn->archive))
        continue;
      const char *reason = stop_reason_of (oldest.row != NULL, turn, *bytes[0] + *bytes[1]);
      if (strcmp (reason, "disk_full") != 0)
        stop_camera (turn->archive, account, reason);
      return FALSE;
    }
    delete_segment (turn, &oldest, RETENTION_CAMERA_BYTES);
  }
  return TRUE;
}

static void limit_camera (Turn *turn, CameraAccount *account)
{
  if (make_room_of_camera (turn, account))
    resume_camera (turn->archive, account);
  archive_heed_pins (turn->archive);
}

static Oldest oldest_of_all (Turn *turn, gboolean *has_any)
{
  Oldest best = { NULL, 0, NULL };
  GHashTableIter iterator;
  gpointer value;
  g_hash_table_iter_init (&iterator, turn->archive->accounts);
  while (g_hash_table_iter_next (&iterator, NULL, &value)) {
    Oldest oldest = oldest_of (turn, value);
    *has_any |= oldest.row != NULL;
    if (may_go_for_space (turn, &oldest) && (best.row == NULL || oldest.row->to_us < best.row->to_us))
      best = oldest;
  }
  return best;
}

/* FALSE: there is more to do. */
static gboolean limit_all (Turn *turn)
{
  Archive *archive = turn->archive;
  for (;;) {
    RetentionReason reason;
    RetentionFacts facts = { .bytes = archive->bytes, .is_stopped = archive->stop_reason != NULL };
    if (!disk_free (archive->data_dir, &facts.free_bytes, &facts.total_bytes))
      facts.free_bytes = G_MAXINT64 / 2;
    if (!retention_lacks_space (&turn->limits, &facts, &reason))
      return TRUE;
    gboolean has_any = FALSE;
    Oldest oldest = oldest_of_all (turn, &has_any);
    if (oldest.row == NULL && archive_ignore_pins (archive))
      continue;
    if (oldest.row == NULL) {
      turn->stop_reason = stop_reason_of (has_any, turn, archive->bytes);
      return TRUE;
    }
    if (!has_time (turn))
      return FALSE;
    delete_segment (turn, &oldest, reason);
  }
}

static void each_camera (Turn *turn, void (*visit) (Turn *turn, CameraAccount *account))
{
  GHashTableIter iterator;
  gpointer value;
  g_hash_table_iter_init (&iterator, turn->archive->accounts);
  while (g_hash_table_iter_next (&iterator, NULL, &value))
    visit (turn, value);
}

void archive_save_age (Archive *archive)
{
  GError *error = NULL;
  archive->aged_us = clock_monotonic_us (archive->clock);
  if (archive_index_begin (archive))
    recordings_index_set_mark (archive->index, ARCHIVE_AGE, archive->age.highest_us, &error);
  archive_log_failure (archive, "index", "all", error);
}

static void prune (Archive *archive)
{
  GError *error = NULL;
  gint64 now_us = clock_monotonic_us (archive->clock);
  if (archive->pruned_us != 0 && now_us - archive->pruned_us < PRUNE_US)
    return;
  archive->pruned_us = now_us;
  if (archive_index_begin (archive))
    deletions_prune (archive->index, archive->age.now_us, &error);
  archive_log_failure (archive, "index", "all", error);
}

static void follow (Archive *archive, const char *stop_reason, gboolean is_done)
{
  gint64 stopped_us = clock_monotonic_us (archive->clock) - archive->stopped_monotonic_us;
  if (stop_reason != NULL)
    archive_stop_recording (archive, stop_reason);
  else if (archive->stop_reason != NULL && is_done
           && (strcmp (archive->stop_reason, "write_error") != 0 || stopped_us > WRITE_ERROR_REST_US))
    resume_recording (archive);
}

void archive_disk_retain (Archive *archive)
{
  Turn turn = { .archive = archive, .removed = g_array_new (FALSE, FALSE, sizeof (Removed)),
                .until_us = g_get_monotonic_time () + TURN_US };
  archive_take_settings (archive, &turn.limits, &turn.holds);
  turn.now_us
    = retention_clock_advance (&archive->age, clock_wall_us (archive->clock), clock_monotonic_us (archive->clock));
  archive_index_commit (archive); /* what follows is taken back alone */
  each_camera (&turn, delete_old);
  each_camera (&turn, limit_camera);
  gboolean is_done = limit_all (&turn);
  archive_heed_pins (archive);
  prune (archive);
  if (archive->aged_us == 0 || clock_monotonic_us (archive->clock) - archive->aged_us >= AGE_US)
    archive_save_age (archive);
  if (!archive_index_commit (archive))
    take_back (&turn);
  follow (archive, turn.stop_reason, is_done && !turn.is_failing);
  archive_tell_now_and_then (archive);
  g_array_unref (turn.removed);
  if (turn.holds != NULL)
    g_ptr_array_unref (turn.holds);
}
