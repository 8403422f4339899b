#include "pipelines/record/segment_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/file.h"
#include "pipelines/live/fragment.h"
#include "pipelines/live/init_segment.h"

enum { PARTS_AT_ONCE = 1024, HEAD_BYTES = 256, HEAD_UNIT_BYTES = 16 };

/* Appends all parts, which are used up. */
static gboolean write_parts (SegmentFile *file, struct iovec *parts, guint count, GError **error)
{
  gint64 written = 0;
  while (count > 0) {
    gssize result = pwritev (file->fd, parts, (int) MIN (count, PARTS_AT_ONCE), file->bytes + written);
    if (result < 0 && errno == EINTR)
      continue;
    if (result <= 0) {
      int number = result < 0 ? errno : ENOSPC;
      (void) !ftruncate (file->fd, file->bytes);
      return error_set_errno (error, number, "recording %s", file->path);
    }
    written += result;
    gsize left = (gsize) result;
    for (; count > 0 && left >= parts->iov_len; parts++, count--)
      left -= parts->iov_len;
    if (count > 0)
      *parts = (struct iovec){ (guint8 *) parts->iov_base + left, parts->iov_len - left };
  }
  file->bytes += written;
  file->is_dirty = TRUE;
  return TRUE;
}

static guint add_parts (struct iovec *parts, const GPtrArray *units, Medium medium)
{
  guint count = 0;
  for (guint i = 0; i < units->len; i++) {
    AccessUnit *unit = units->pdata[i];
    if (unit->format->medium == medium)
      parts[count++] = (struct iovec){ unit->bytes, unit->size };
  }
  return count;
}

/* The units' bytes go to the kernel from where they are. */
static gboolean write_fragment (SegmentFile *file, const GPtrArray *units, GError **error)
{
  g_autoptr (GByteArray) head = g_byte_array_sized_new (HEAD_BYTES + HEAD_UNIT_BYTES * units->len);
  g_autofree struct iovec *parts = g_new (struct iovec, units->len + 1);
  fragment_append_head (head, ++file->sequence, units, file->zero_us);
  parts[0] = (struct iovec){ head->data, head->len };
  guint count = 1 + add_parts (parts + 1, units, MEDIUM_VIDEO);
  count += add_parts (parts + count, units, MEDIUM_AUDIO);
  return write_parts (file, parts, count, error);
}

static MediaFormat *format_of (const GPtrArray *units, Medium medium)
{
  for (guint i = 0; i < units->len; i++) {
    const AccessUnit *unit = units->pdata[i];
    if (unit->format->medium == medium)
      return unit->format;
  }
  return NULL;
}

GBytes *segment_file_head (const GPtrArray *units, GError **error)
{
  return init_segment_new (((const AccessUnit *) units->pdata[0])->format, format_of (units, MEDIUM_AUDIO), error);
}

SegmentFile *segment_file_new (const char *path, const GPtrArray *units, GBytes *head, GError **error)
{
  const AccessUnit *first = units->pdata[0];
  MediaFormat *audio = format_of (units, MEDIUM_AUDIO);
  int fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (fd < 0) {
    error_set_errno (error, errno, "recording %s", path);
    return NULL;
  }
  SegmentFile *file = g_new0 (SegmentFile, 1);
  file->fd = fd;
  file->path = g_strdup (path);
  file->zero_us = file->end_us = access_unit_dts_us (first);
  file->from_us = access_unit_dts_wall_us (first);
  file->is_reported = first->is_reported;
  file->video = media_format_ref (first->format);
  file->audio = audio != NULL ? media_format_ref (audio) : NULL;
  gsize size;
  gconstpointer bytes = g_bytes_get_data (head, &size);
  struct iovec part = { (gpointer) bytes, size };
  if (!write_parts (file, &part, 1, error)) {
    segment_file_free (file);
    unlink (path);
    return NULL;
  }
  return file;
}

static gboolean fits (const SegmentFile *file, const AccessUnit *unit)
{
  return unit->format == (access_unit_is_video (unit) ? file->video : file->audio)
         && access_unit_dts_us (unit) >= file->zero_us;
}

gboolean segment_file_append (SegmentFile *file, const GPtrArray *units, GError **error)
{
  g_autoptr (GPtrArray) fitting = g_ptr_array_new ();
  gint64 end_us = file->end_us;
  for (guint i = 0; i < units->len; i++) {
    AccessUnit *unit = units->pdata[i];
    if (!fits (file, unit))
      continue;
    g_ptr_array_add (fitting, unit);
    if (access_unit_is_video (unit))
      end_us = MAX (end_us, access_unit_dts_us (unit)
                              + (gint64) unit->duration * G_USEC_PER_SEC / unit->format->time_scale);
  }
  if (fitting->len == 0)
    return TRUE;
  if (!write_fragment (file, fitting, error))
    return FALSE;
  file->end_us = end_us;
  return TRUE;
}

gint64 segment_file_astray_us (const SegmentFile *file, const AccessUnit *unit)
{
  return access_unit_dts_wall_us (unit) - (file->from_us + access_unit_dts_us (unit) - file->zero_us);
}

gint64 segment_file_to_us (const SegmentFile *file)
{
  return file->from_us + file->end_us - file->zero_us;
}

void segment_file_start_sync (const SegmentFile *file)
{
  if (file->is_dirty)
    (void) sync_file_range (file->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

gboolean segment_file_sync (SegmentFile *file)
{
  if (file->is_dirty && fdatasync (file->fd) != 0)
    return FALSE;
  file->is_dirty = FALSE;
  if (!file->is_named) {
    g_autofree char *folder = g_path_get_dirname (file->path);
    file->is_named = folder_sync (folder, NULL);
  }
  return file->is_named;
}

void segment_file_free (SegmentFile *file)
{
  if (file == NULL)
    return;
  close (file->fd);
  media_format_unref (file->video);
  media_format_unref (file->audio);
  g_free (file->path);
  g_free (file);
}
