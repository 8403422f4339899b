/* Who has how much on disk, what of it is the oldest, and how that is told. */
#include <string.h>

#include "gateway/core/log.h"
#include "pipelines/record/archive_private.h"

enum {
  TELL_US = 60 * G_USEC_PER_SEC,        /* how often bytes and oldest are told without a change */
  TELL_CAMERA_US = 15 * G_USEC_PER_SEC, /* of a camera */
};

static const char *const streams[STREAMS] = { "main", "sub" };

guint stream_number (const char *stream)
{
  return strcmp (stream, streams[1]) == 0;
}

const char *stream_of_number (guint number)
{
  return streams[number];
}

static void forget_oldest (CameraAccount *account)
{
  for (guint i = 0; i < STREAMS; i++) {
    g_clear_pointer (&account->shelves[i].oldest, segment_row_free);
    account->shelves[i].is_known = FALSE;
    account->shelves[i].from_us = 0;
  }
}

void camera_account_free (gpointer data)
{
  CameraAccount *account = data;
  forget_oldest (account);
  g_hash_table_unref (account->gaps);
  g_free (account->camera);
  g_free (account);
}

/* Under the mutex. */
static void take_limits (const Archive *archive, CameraAccount *account)
{
  const ArchiveSettings *settings = &archive->settings;
  account->retain_us = settings->limits.retain_us;
  account->keep_at_least_us = settings->limits.keep_at_least_us;
  account->max_bytes = 0;
  for (guint i = 0; settings->cameras != NULL && i < settings->cameras->len; i++) {
    const ArchiveCamera *camera = settings->cameras->pdata[i];
    if (strcmp (camera->camera, account->camera) != 0)
      continue;
    if (camera->retain_us >= 0)
      account->retain_us = camera->retain_us;
    if (camera->keep_at_least_us >= 0)
      account->keep_at_least_us = camera->keep_at_least_us;
    account->max_bytes = camera->max_bytes;
  }
}

CameraAccount *archive_account (Archive *archive, const char *camera)
{
  CameraAccount *account = g_hash_table_lookup (archive->accounts, camera);
  if (account != NULL)
    return account;
  account = g_new0 (CameraAccount, 1);
  account->camera = g_strdup (camera);
  account->gaps = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  account->since_us = clock_wall_us (archive->clock);
  g_mutex_lock (&archive->mutex);
  take_limits (archive, account);
  g_mutex_unlock (&archive->mutex);
  g_hash_table_insert (archive->accounts, account->camera, account);
  return account;
}

void archive_add_bytes (CameraAccount *account, Archive *archive, const char *stream, gint64 bytes)
{
  account->shelves[stream_number (stream)].bytes += bytes;
  archive->bytes += bytes;
}

void archive_count_gap (CameraAccount *account, const char *reason)
{
  guint count = GPOINTER_TO_UINT (g_hash_table_lookup (account->gaps, reason));
  g_hash_table_replace (account->gaps, g_strdup (reason), GUINT_TO_POINTER (count + 1));
}

static void read_sum (const char *camera, const char *stream, gint64 bytes, gint64 oldest_us, gint64 newest_us, gpointer data)
{
  Archive *archive = data;
  (void) oldest_us, (void) newest_us;
  archive_add_bytes (archive_account (archive, camera), archive, stream, bytes);
}

gboolean archive_read_accounts (Archive *archive, GError **error)
{
  GHashTableIter iterator;
  gpointer value;
  g_hash_table_iter_init (&iterator, archive->accounts);
  while (g_hash_table_iter_next (&iterator, NULL, &value)) {
    forget_oldest (value);
    for (guint i = 0; i < STREAMS; i++)
      ((CameraAccount *) value)->shelves[i].bytes = 0;
  }
  archive->bytes = 0;
  return recordings_index_sums (archive->index, read_sum, archive, error);
}

void archive_take_settings (Archive *archive, RetentionLimits *limits, GPtrArray **holds)
{
  GHashTableIter iterator;
  gpointer value;
  g_mutex_lock (&archive->mutex);
  gboolean is_new = archive->known_version != archive->settings_version;
  archive->known_version = archive->settings_version;
  *limits = archive->settings.limits;
  archive->pins = archive->settings.pins;
  *holds = archive->settings.holds != NULL ? g_ptr_array_ref (archive->settings.holds) : NULL;
  g_hash_table_iter_init (&iterator, archive->accounts);
  while (is_new && g_hash_table_iter_next (&iterator, NULL, &value)) {
    take_limits (archive, value);
    forget_oldest (value);
  }
  g_mutex_unlock (&archive->mutex);
}

static void look_again (Archive *archive)
{
  GHashTableIter iterator;
  gpointer value;
  g_hash_table_iter_init (&iterator, archive->accounts);
  while (g_hash_table_iter_next (&iterator, NULL, &value))
    for (guint i = 0; i < STREAMS; i++)
      ((CameraAccount *) value)->shelves[i].is_known = FALSE;
}

gboolean archive_ignore_pins (Archive *archive)
{
  if (archive->ignores_pins || !recording_pins_any (archive->pins))
    return FALSE;
  archive->ignores_pins = TRUE;
  look_again (archive);
  return TRUE;
}

void archive_heed_pins (Archive *archive)
{
  if (!archive->ignores_pins)
    return;
  archive->ignores_pins = FALSE;
  look_again (archive);
}

/* Where what keeps this row ends; -1: nothing does. */
static gint64 kept_until (const Archive *archive, const SegmentRow *row, const GPtrArray *holds)
{
  const RetentionHold *hold = retention_held_by (holds, row->camera, row->from_us, row->to_us, archive->age.now_us);
  if (hold != NULL)
    return hold->to_us;
  return archive->ignores_pins ? -1 : recording_pins_keep (archive->pins, row->camera, row->from_us, row->to_us);
}

/* Steps over what is held and what is pinned. */
static SegmentRow *find_oldest (Archive *archive, const char *camera, const char *stream, gint64 from_us, const GPtrArray *holds)
{
  GError *error = NULL;
  for (;;) {
    SegmentRow *row = recordings_index_next (archive->index, camera, stream, from_us, &error);
    archive_log_failure (archive, "index", camera, error);
    gint64 until_us = row != NULL ? kept_until (archive, row, holds) : -1;
    if (until_us < 0)
      return row;
    from_us = MAX (until_us, row->from_us + 1);
    segment_row_free (row);
  }
}

const SegmentRow *archive_oldest (Archive *archive, CameraAccount *account, guint stream, const GPtrArray *holds)
{
  Shelf *shelf = &account->shelves[stream];
  if (shelf->bytes == 0)
    return NULL;
  if (shelf->is_known && shelf->oldest != NULL && kept_until (archive, shelf->oldest, holds) >= 0) /* since just now */
    shelf->is_known = FALSE;
  if (!shelf->is_known) {
    segment_row_free (shelf->oldest);
    shelf->oldest = find_oldest (archive, account->camera, streams[stream], shelf->from_us, holds);
    shelf->is_known = TRUE;
  }
  return shelf->oldest;
}

/* ---- telling ---- */

static gint64 older_of (gint64 one_us, gint64 other_us)
{
  return one_us == 0 || (other_us != 0 && other_us < one_us) ? other_us : one_us;
}

static gint64 oldest_of_camera (Archive *archive, const CameraAccount *account)
{
  gint64 oldest_us = 0;
  for (guint i = 0; i < STREAMS; i++)
    if (account->shelves[i].bytes > 0)
      oldest_us = older_of (oldest_us, recordings_index_oldest_of (archive->index, account->camera, streams[i]));
  return oldest_us;
}

/* By camera: the index has no order for all of them, and a walk through a month of 200 cameras takes the disk's thread away. */
static gint64 oldest_of_all (Archive *archive)
{
  gint64 oldest_us = 0;
  GHashTableIter iterator;
  gpointer value;
  g_hash_table_iter_init (&iterator, archive->accounts);
  while (g_hash_table_iter_next (&iterator, NULL, &value))
    oldest_us = older_of (oldest_us, oldest_of_camera (archive, value));
  return oldest_us;
}

void archive_tell (Archive *archive)
{
  archive->told_us = clock_monotonic_us (archive->clock);
  ArchiveState state = { .camera = "", .is_recording = archive->stop_reason == NULL,
                         .reason = archive->stop_reason != NULL ? archive->stop_reason : "", .since_us = archive->since_us,
                         .bytes = archive->bytes, .oldest_us = oldest_of_all (archive) };
  if (archive->changed != NULL)
    archive->changed (&state, archive->data);
}

void archive_tell_camera (Archive *archive, CameraAccount *account)
{
  account->told_us = clock_monotonic_us (archive->clock);
  account->is_told_writing = account->files > 0;
  ArchiveState state = { .camera = account->camera, .is_recording = account->stop_reason == NULL,
                         .reason = account->stop_reason != NULL ? account->stop_reason : "",
                         .since_us = account->since_us, .bytes = account->shelves[0].bytes + account->shelves[1].bytes,
                         .oldest_us = oldest_of_camera (archive, account), .is_writing = account->files > 0,
                         .deleted_bytes = account->deleted_bytes, .gaps = account->gaps };
  if (archive->changed != NULL)
    archive->changed (&state, archive->data);
}

/* Each minute, too, what was held may not be any more. */
void archive_tell_now_and_then (Archive *archive)
{
  GHashTableIter iterator;
  gpointer value;
  gint64 now_us = clock_monotonic_us (archive->clock);
  gboolean is_minute = now_us - archive->told_us > TELL_US;
  if (is_minute)
    archive_tell (archive);
  g_hash_table_iter_init (&iterator, archive->accounts);
  while (g_hash_table_iter_next (&iterator, NULL, &value)) {
    CameraAccount *account = value;
    if (is_minute)
      forget_oldest (account);
    if (account->told_us == 0 || account->is_told_writing != (account->files > 0)
        || now_us - account->told_us > TELL_CAMERA_US)
      archive_tell_camera (archive, account);
  }
}
