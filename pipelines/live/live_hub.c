#include "pipelines/live/live_hub.h"

#include <string.h>
#include <unistd.h>

#include "gateway/core/error.h"
#include "gateway/core/log.h"
#include "pipelines/live/fragment.h"
#include "pipelines/live/init_segment.h"
#include "pipelines/live/live_viewer.h"
#include "pipelines/live/websocket.h"

enum {
  AUDIO_PATIENCE_US = 500 * 1000, /* how long the first picture waits to learn whether there is sound */
  PENDING_UNITS_MAX = 256,
};

typedef struct {
  GBytes *frame; /* WebSocket header, moof, mdat */
  gboolean is_key;
} Piece;

struct LiveHub {
  Assembler *assembler;
  AssemblerSink sink;
  LiveEvents events;
  GPtrArray *viewers;   /* of LiveViewer */
  guint64 skips, drops; /* of viewers that left */

  GPtrArray *pending;   /* units of the next fragment */
  gint64 pending_start_us; /* decoding time of its first picture, or of its first sound while there is none */
  guint32 sequence;
  MediaFormat *video, *audio; /* of the init segment */
  char *mime;
  GBytes *text, *init;  /* as frames; NULL until the first fragment */
  GArray *kept;         /* of Piece, from the newest key frame on */
  gsize kept_bytes;
  gboolean is_joining;  /* the units that come are the assembler's kept group */
  gboolean is_watching; /* it has told the stream so */
};

static void sink_unit (AssemblerSink *sink, AccessUnit *unit);
static void sink_ended (AssemblerSink *sink, const char *reason);

static void piece_clear (Piece *piece)
{
  g_bytes_unref (piece->frame);
}

LiveHub *live_hub_new (Assembler *assembler, const LiveEvents *events)
{
  LiveHub *hub = g_new0 (LiveHub, 1);
  hub->assembler = assembler;
  hub->events = *events;
  hub->sink = (AssemblerSink){ .unit = sink_unit, .ended = sink_ended };
  hub->viewers = g_ptr_array_new ();
  hub->pending = g_ptr_array_new_with_free_func ((GDestroyNotify) access_unit_unref);
  hub->kept = g_array_new (FALSE, FALSE, sizeof (Piece));
  g_array_set_clear_func (hub->kept, (GDestroyNotify) piece_clear);
  return hub;
}

static void forget_kept (LiveHub *hub)
{
  g_array_set_size (hub->kept, 0);
  hub->kept_bytes = 0;
}

static void forget_init (LiveHub *hub)
{
  g_clear_pointer (&hub->video, media_format_unref);
  g_clear_pointer (&hub->audio, media_format_unref);
  g_clear_pointer (&hub->text, g_bytes_unref);
  g_clear_pointer (&hub->init, g_bytes_unref);
  g_clear_pointer (&hub->mime, g_free);
}

static void rest_if_idle (LiveHub *hub)
{
  if (hub->viewers->len > 0)
    return;
  if (hub->is_watching)
    stream_remove_watcher (assembler_stream (hub->assembler));
  hub->is_watching = FALSE;
  assembler_remove_sink (hub->assembler, &hub->sink);
  g_ptr_array_set_size (hub->pending, 0);
  forget_kept (hub);
  forget_init (hub);
}

static void drop_viewer (LiveHub *hub, LiveViewer *viewer, const char *reason, guint16 code)
{
  g_ptr_array_remove_fast (hub->viewers, viewer);
  hub->skips += live_viewer_skips (viewer);
  if (strcmp (reason, "slow") == 0)
    hub->drops++;
  hub->events.ended (hub, live_viewer_id (viewer), live_viewer_sent_bytes (viewer), reason, hub->events.data);
  live_viewer_free (viewer, code);
}

static void viewer_gone (LiveViewer *viewer, const char *reason, gpointer data)
{
  LiveHub *hub = data;
  drop_viewer (hub, viewer, reason, strcmp (reason, "protocol") == 0 ? WEBSOCKET_CLOSE_PROTOCOL : WEBSOCKET_CLOSE_NORMAL);
  rest_if_idle (hub);
}

/* A media source can't take another number of tracks: the page connects again. */
static void drop_all (LiveHub *hub, const char *reason, guint16 code)
{
  while (hub->viewers->len > 0)
    drop_viewer (hub, hub->viewers->pdata[hub->viewers->len - 1], reason, code);
}

static gboolean make_init (LiveHub *hub, MediaFormat *video, MediaFormat *audio)
{
  g_autoptr (GError) error = NULL;
  gsize size;

  forget_init (hub);
  g_autoptr (GBytes) segment = init_segment_new (video, audio, &error);
  if (segment == NULL) {
    log_limited (LOG_LEVEL_WARNING, "camera %s: %s", stream_camera (assembler_stream (hub->assembler)), error->message);
    return FALSE;
  }
  hub->video = media_format_ref (video);
  hub->audio = audio != NULL ? media_format_ref (audio) : NULL;
  hub->mime = media_format_mime (video, audio);
  GString *text = g_string_new ("{\"mime\":\"");
  for (const char *c = hub->mime; *c != '\0'; c++) {
    if (*c == '"')
      g_string_append_c (text, '\\');
    g_string_append_c (text, *c);
  }
  g_string_append (text, "\"}");
  hub->text = websocket_frame (WEBSOCKET_TEXT, text->str, text->len);
  g_string_free (text, TRUE);
  const void *bytes = g_bytes_get_data (segment, &size);
  hub->init = websocket_frame (WEBSOCKET_BINARY, bytes, size);
  hub->events.described (hub, hub->events.data);
  return TRUE;
}

/* Before a fragment that starts with a key picture: whether the init segment fits it. FALSE: nothing can be sent. */
static gboolean meet_formats (LiveHub *hub, MediaFormat *video, gint64 span_us)
{
  MediaFormat *audio = assembler_expects_audio (hub->assembler) ? assembler_audio_format (hub->assembler) : NULL;
  gboolean is_new = hub->init == NULL;

  if (hub->init != NULL && hub->video == video && hub->audio == audio)
    return TRUE;
  if (hub->init == NULL && audio == NULL && assembler_expects_audio (hub->assembler) && span_us < AUDIO_PATIENCE_US)
    return FALSE;
  if (!is_new && (hub->audio != NULL) != (audio != NULL))
    drop_all (hub, "tracks_changed", WEBSOCKET_CLOSE_RESTART);
  if (!make_init (hub, video, audio))
    return FALSE;
  for (guint i = 0; i < hub->viewers->len; i++)
    if (!is_new && !live_viewer_wants_init (hub->viewers->pdata[i]))
      live_viewer_push_init (hub->viewers->pdata[i], hub->text, hub->init);
  return TRUE;
}

static void give (LiveHub *hub, LiveViewer *viewer, const Piece *piece, gboolean is_burst)
{
  if (live_viewer_wants_init (viewer) && piece->is_key)
    live_viewer_push_init (viewer, hub->text, hub->init);
  if (live_viewer_wants_init (viewer))
    return;
  live_viewer_push (viewer, piece->frame, piece->is_key, is_burst);
  if (!piece->is_key || !live_viewer_wants_init (viewer))
    return;
  live_viewer_push_init (viewer, hub->text, hub->init); /* it was skipped to this very key, and starts again with it */
  live_viewer_push (viewer, piece->frame, TRUE, TRUE);
}

/* Viewers may leave while they are given to: walk from the end. */
static void give_all (LiveHub *hub, const Piece *piece)
{
  for (guint i = hub->viewers->len; i > 0; i--) {
    LiveViewer *viewer = hub->viewers->pdata[i - 1];
    guint before = hub->viewers->len;
    give (hub, viewer, piece, hub->is_joining);
    if (hub->viewers->len == before)
      live_viewer_flush (viewer);
  }
}

static GBytes *make_frame (LiveHub *hub)
{
  static const guint8 room[WEBSOCKET_HEADER_MAX];
  guint8 header[WEBSOCKET_HEADER_MAX];
  GByteArray *out = g_byte_array_new ();

  g_byte_array_append (out, room, sizeof room);
  fragment_append (out, ++hub->sequence, hub->pending, 0);
  gsize header_size = websocket_header (header, WEBSOCKET_BINARY, out->len - sizeof room);
  gsize unused = sizeof room - header_size;
  memcpy (out->data + unused, header, header_size);
  g_autoptr (GBytes) whole = g_byte_array_free_to_bytes (out);
  return g_bytes_new_from_bytes (whole, unused, g_bytes_get_size (whole) - unused);
}

static void drop_foreign_units (LiveHub *hub)
{
  for (guint i = hub->pending->len; i > 0; i--) {
    const AccessUnit *unit = hub->pending->pdata[i - 1];
    if (unit->format != (access_unit_is_video (unit) ? hub->video : hub->audio))
      g_ptr_array_remove_index (hub->pending, i - 1);
  }
}

static AccessUnit *first_video (const LiveHub *hub)
{
  for (guint i = 0; i < hub->pending->len; i++)
    if (access_unit_is_video (hub->pending->pdata[i]))
      return hub->pending->pdata[i];
  return NULL;
}

/* Makes a fragment of what is pending; what can't be sent yet stays, or goes when it has become too much. */
static void cut_fragment (LiveHub *hub, gint64 span_us)
{
  AccessUnit *first = first_video (hub);
  gboolean is_key = first != NULL && first->is_key;
  if (hub->pending->len == 0)
    return;
  if ((is_key || hub->init == NULL) && !(is_key && meet_formats (hub, first->format, span_us))) {
    if (!is_key || hub->pending->len > PENDING_UNITS_MAX)
      g_ptr_array_set_size (hub->pending, 0);
    return;
  }
  drop_foreign_units (hub);
  if (hub->pending->len == 0)
    return;
  Piece piece = { make_frame (hub), is_key };
  g_ptr_array_set_size (hub->pending, 0);
  if (is_key || hub->kept_bytes > ASSEMBLER_KEPT_BYTES)
    forget_kept (hub);
  if (is_key || hub->kept->len > 0) {
    g_array_append_val (hub->kept, piece);
    hub->kept_bytes += g_bytes_get_size (piece.frame);
    g_bytes_ref (piece.frame);
  }
  give_all (hub, &piece);
  g_bytes_unref (piece.frame);
}

static void sink_unit (AssemblerSink *sink, AccessUnit *unit)
{
  LiveHub *hub = (LiveHub *) ((char *) sink - G_STRUCT_OFFSET (LiveHub, sink));
  gint64 dts_us = access_unit_dts_us (unit);
  gint64 duration_us = (gint64) unit->duration * G_USEC_PER_SEC / unit->format->time_scale;
  gboolean starts_group = access_unit_is_video (unit) && unit->is_key;

  if (starts_group && hub->pending->len > 0) {
    cut_fragment (hub, dts_us - hub->pending_start_us);
    g_ptr_array_set_size (hub->pending, 0);
  }
  if (hub->pending->len == 0 || (access_unit_is_video (unit) && first_video (hub) == NULL))
    hub->pending_start_us = dts_us;
  g_ptr_array_add (hub->pending, access_unit_ref (unit));
  gint64 span_us = dts_us + duration_us - hub->pending_start_us;
  gboolean is_prompt = hub->viewers->len <= LIVE_PROMPT_VIEWERS;
  gboolean is_full = hub->pending->len >= PENDING_UNITS_MAX;
  if (access_unit_is_video (unit) ? is_prompt || is_full || span_us + duration_us > LIVE_FRAGMENT_US
                                  : is_full || span_us > 3 * LIVE_FRAGMENT_US)
    cut_fragment (hub, span_us);
  rest_if_idle (hub);
}

static void sink_ended (AssemblerSink *sink, const char *reason)
{
  LiveHub *hub = (LiveHub *) ((char *) sink - G_STRUCT_OFFSET (LiveHub, sink));
  (void) reason;
  cut_fragment (hub, AUDIO_PATIENCE_US);
  g_ptr_array_set_size (hub->pending, 0);
  forget_kept (hub);
  rest_if_idle (hub);
}

gboolean live_hub_add_viewer (LiveHub *hub, const char *id, int socket_fd, const guint8 *extra, gsize extra_size,
                              GError **error)
{
  Loop *loop = stream_loop (assembler_stream (hub->assembler));
  if (hub->viewers->len >= LIVE_VIEWERS_MAX) {
    close (socket_fd);
    return error_set (error, ERROR_RETRY, "%d browsers watch this camera already", LIVE_VIEWERS_MAX);
  }
  LiveViewer *viewer = live_viewer_new (loop, id, socket_fd, extra, extra_size, viewer_gone, hub, error);
  if (viewer == NULL)
    return FALSE;
  gboolean is_first = hub->viewers->len == 0;
  g_ptr_array_add (hub->viewers, viewer);
  hub->events.started (hub, id, live_viewer_started_us (viewer), hub->events.data);
  if (is_first) {
    hub->is_watching = TRUE;
    stream_add_watcher (assembler_stream (hub->assembler));
    hub->is_joining = TRUE;
    assembler_add_sink (hub->assembler, &hub->sink); /* which brings the kept group */
    hub->is_joining = FALSE;
    return TRUE;
  }
  for (guint i = 0; hub->init != NULL && i < hub->kept->len; i++)
    give (hub, viewer, &g_array_index (hub->kept, Piece, i), TRUE);
  live_viewer_flush (viewer);
  return TRUE;
}

static LiveViewer *viewer_with (const LiveHub *hub, const char *id)
{
  for (guint i = 0; i < hub->viewers->len; i++)
    if (strcmp (live_viewer_id (hub->viewers->pdata[i]), id) == 0)
      return hub->viewers->pdata[i];
  return NULL;
}

gboolean live_hub_end_viewer (LiveHub *hub, const char *id, const char *reason)
{
  LiveViewer *viewer = viewer_with (hub, id);
  if (viewer == NULL)
    return FALSE;
  drop_viewer (hub, viewer, reason, WEBSOCKET_CLOSE_NORMAL);
  rest_if_idle (hub);
  return TRUE;
}

void live_hub_each_viewer (LiveHub *hub, void (*visit) (LiveHub *hub, const char *viewer, gint64 at_us, gpointer data),
                           gpointer data)
{
  for (guint i = 0; i < hub->viewers->len; i++)
    visit (hub, live_viewer_id (hub->viewers->pdata[i]), live_viewer_started_us (hub->viewers->pdata[i]), data);
}

LiveCounts live_hub_counts (const LiveHub *hub)
{
  LiveCounts counts = { hub->viewers->len, hub->skips, hub->drops };
  for (guint i = 0; i < hub->viewers->len; i++)
    counts.skips += live_viewer_skips (hub->viewers->pdata[i]);
  return counts;
}

const char *live_hub_mime (const LiveHub *hub)
{
  return hub->mime;
}

void live_hub_free (LiveHub *hub)
{
  if (hub == NULL)
    return;
  drop_all (hub, "removed", WEBSOCKET_CLOSE_GOING_AWAY);
  rest_if_idle (hub);
  g_ptr_array_unref (hub->viewers);
  g_ptr_array_unref (hub->pending);
  g_array_unref (hub->kept);
  g_free (hub);
}
