#include "gateway/link/link_message.h"

#include <string.h>
#include <unistd.h>

#include "gateway/core/error.h"

typedef enum { STRING, INTEGER, REAL, BOOLEAN, ARRAY, OBJECT } FieldType;

typedef struct {
  const char *name;
  FieldType type;
  gboolean is_optional;
} Field;

enum { FIELDS_MAX = 26, STRING_MAX = 16 * 1024 };

typedef struct {
  const char *name;
  gboolean has_reply;
  Field fields[FIELDS_MAX];
  Field reply[FIELDS_MAX];
} Kind;

#define OPTIONAL TRUE

/* Times are wall microseconds, durations microseconds, `stream` is "main" or "sub". */
static const Kind kinds[LINK_KIND_COUNT] = {
  [LINK_HELLO] = { "hello", TRUE,
    { { "version", STRING, 0 } },
    { { "version", STRING, 0 }, { "process", STRING, 0 }, { "pid", INTEGER, 0 }, { "started_at", INTEGER, 0 } } },

  /* The desired state: SITE_BEGIN, a CAMERA_PUT for each stream, SITE_END, which removes what was not put since BEGIN.
   * A stream put with the fields it has keeps its connection. */
  [LINK_SITE_BEGIN] = { "site_begin", TRUE,
    { { "gateway", STRING, 0 }, { "rtsp_listen", STRING, 0 }, { "rtsp_udp_port", INTEGER, OPTIONAL },
      { "rtsp_tls_listen", STRING, OPTIONAL }, { "rtsp_cert_file", STRING, OPTIONAL }, { "rtsp_key_file", STRING, OPTIONAL },
      { "max_viewers", INTEGER, OPTIONAL }, /* 0: as many as there is room for */ { "data_dir", STRING, 0 }, { "segment", INTEGER, 0 },
      { "retain", INTEGER, 0 }, { "keep_at_least", INTEGER, 0 }, { "max_bytes", INTEGER, 0 },
      { "min_free_bytes", INTEGER, 0 }, { "min_free_percent", INTEGER, 0 } },
    { { NULL, 0, 0 } } },
  [LINK_CAMERA_PUT] = { "camera_put", TRUE,
    { { "camera", STRING, 0 }, { "stream", STRING, 0 }, { "url", STRING, 0 }, { "username", STRING, OPTIONAL },
      { "password", STRING, OPTIONAL }, { "transport", STRING, 0 }, /* tcp udp */
      { "ca_file", STRING, OPTIONAL }, { "fingerprint", STRING, OPTIONAL }, /* for rtsps */
      { "on_demand", BOOLEAN, 0 }, { "linger", INTEGER, 0 },
      { "record", STRING, 0 }, /* continuous event off */
      { "pre_roll", INTEGER, 0 }, /* how much must be in reach when a clip is asked for or an event begins; 0: none */
      { "retain", INTEGER, OPTIONAL }, { "keep_at_least", INTEGER, OPTIONAL }, /* the site's when absent */
      { "max_bytes", INTEGER, OPTIONAL } /* of this camera; 0: no limit of its own */ },
    { { NULL, 0, 0 } } },
  /* A legal hold: what touches [from, to] of the camera is not deleted until `until` (0: without end) */
  [LINK_HOLD_PUT] = { "hold_put", TRUE,
    { { "camera", STRING, 0 }, { "from", INTEGER, 0 }, { "to", INTEGER, 0 }, { "until", INTEGER, 0 } },
    { { NULL, 0, 0 } } },
  /* Before the reply of media comes a VIEWER_STARTED for each present viewer, with the time when it began. */
  [LINK_SITE_END] = { "site_end", TRUE, { { NULL, 0, 0 } },
    { { "started_at", INTEGER, OPTIONAL }, /* of this process */
      { "stopped_at", INTEGER, OPTIONAL } /* when the predecessor last wrote, if it did not end in order */ } },

  /* fd 0: the client's TCP socket, after the gateway has sent 101; `extra` base64 of what was read beyond the head */
  [LINK_VIEWER_SOCKET] = { "viewer_socket", TRUE,
    { { "viewer", STRING, 0 }, { "camera", STRING, 0 }, { "stream", STRING, 0 }, { "extra", STRING, OPTIONAL } },
    { { NULL, 0, 0 } } },
  [LINK_VIEWER_END] = { "viewer_end", TRUE, { { "viewer", STRING, 0 }, { "reason", STRING, 0 } }, { { NULL, 0, 0 } } },

  /* fd 0: an empty file, read-write, that the clip is written to. Accepted at once; CLIP_DONE follows once `to` has
   * passed and the file is whole and synced. Asked again with the same id, it starts again (gridgate was away). */
  [LINK_CLIP_CUT] = { "clip_cut", TRUE,
    { { "clip", STRING, 0 }, { "camera", STRING, 0 }, { "stream", STRING, 0 }, { "from", INTEGER, 0 },
      { "to", INTEGER, 0 } },
    { { NULL, 0, 0 } } },
  /* reply fd 0: a sealed memfd: one key access unit, Annex B with its parameter sets. `at` 0: the newest there is */
  [LINK_PICTURE_TAKE] = { "picture_take", TRUE,
    { { "camera", STRING, 0 }, { "stream", STRING, 0 }, { "at", INTEGER, OPTIONAL } },
    { { "codec", STRING, 0 }, { "taken_at", INTEGER, 0 } } },
  /* spans [[from,to],…], gaps [[from,to,"reason"],…]; `next` is set when more follows: ask again from there */
  [LINK_RECORDINGS_LIST] = { "recordings_list", TRUE,
    { { "camera", STRING, 0 }, { "stream", STRING, OPTIONAL }, { "from", INTEGER, 0 }, { "to", INTEGER, 0 } },
    { { "spans", ARRAY, 0 }, { "gaps", ARRAY, 0 }, { "next", INTEGER, OPTIONAL } } },
  /* what retention took of a camera: [[stream, reason, from, to, segments, bytes, at]]; `next`: ask again after it */
  [LINK_DELETIONS_LIST] = { "deletions_list", TRUE,
    { { "camera", STRING, 0 }, { "from", INTEGER, 0 }, { "to", INTEGER, 0 }, { "after", INTEGER, 0 } },
    { { "deletions", ARRAY, 0 }, { "next", INTEGER, OPTIONAL } } },
  /* and on the first day (since 1970, UTC) in [from_day, before_day): [[camera, reasons, from, to, segments, bytes]], of the
   * cameras behind `after`; day 0: nothing */
  [LINK_DELETIONS_DAY] = { "deletions_day", TRUE,
    { { "from_day", INTEGER, 0 }, { "before_day", INTEGER, 0 }, { "after", STRING, 0 } },
    { { "day", INTEGER, 0 }, { "cameras", ARRAY, 0 }, { "next", STRING, OPTIONAL } } },

  /* fd 0: the write end of a pipe that the MP4 of this time is written to, up to `bytes`, once the reply is out; its end is
   * told by VIEWER_ENDED. spans [[from,to],…]: what it holds. When the other end of the pipe is closed before the reply, that is an
   * error. `check`: only the reply is wanted */
  [LINK_EXPORT_OPEN] = { "export_open", TRUE,
    { { "viewer", STRING, 0 }, { "camera", STRING, 0 }, { "stream", STRING, 0 }, { "from", INTEGER, 0 },
      { "to", INTEGER, 0 }, { "check", BOOLEAN, OPTIONAL } },
    { { "bytes", INTEGER, 0 }, { "spans", ARRAY, 0 } } },
  /* fd 0 and `extra` as in VIEWER_SOCKET. `to` 0: as far as there is any */
  [LINK_PLAYBACK_SOCKET] = { "playback_socket", TRUE,
    { { "viewer", STRING, 0 }, { "camera", STRING, 0 }, { "stream", STRING, 0 }, { "from", INTEGER, 0 },
      { "to", INTEGER, OPTIONAL }, { "speed", REAL, 0 }, { "extra", STRING, OPTIONAL } },
    { { NULL, 0, 0 } } },

  /* May this RTSP client play? Either the fields of an RFC 7616 / 2617 answer to a challenge of media's, or `token`, or
   * neither. `algorithm` is "MD5" or "SHA-256"; `purpose` "live", also when it is not there, or "playback", which has `from`, `to`
   * (-1: without end) and perhaps `reason`. Reply: status 200, 401, 403, 404; `until` 0: without end */
  [LINK_PLAY_ASK] = { "play_ask", TRUE,
    { { "viewer", STRING, 0 }, { "camera", STRING, 0 }, { "stream", STRING, 0 }, { "address", STRING, 0 },
      { "purpose", STRING, OPTIONAL }, { "user_agent", STRING, OPTIONAL }, { "method", STRING, 0 }, { "token", STRING, OPTIONAL },
      { "username", STRING, OPTIONAL }, { "realm", STRING, OPTIONAL }, { "nonce", STRING, OPTIONAL },
      { "uri", STRING, OPTIONAL }, { "response", STRING, OPTIONAL }, { "algorithm", STRING, OPTIONAL },
      { "qop", STRING, OPTIONAL }, { "nc", STRING, OPTIONAL }, { "cnonce", STRING, OPTIONAL },
      { "from", INTEGER, OPTIONAL }, { "to", INTEGER, OPTIONAL }, { "reason", STRING, OPTIONAL } },
    { { "status", INTEGER, 0 }, { "until", INTEGER, OPTIONAL } } },
  /* state: idle connecting live stalled backing_off failed; reason: "" or unreachable unauthorized no_sdp
   * unsupported_codec stalled protocol closed tls …, with `detail` for people */
  [LINK_CAMERA_STATE] = { "camera_state", FALSE,
    { { "camera", STRING, 0 }, { "stream", STRING, 0 }, { "state", STRING, 0 }, { "since", INTEGER, 0 },
      { "reason", STRING, 0 }, { "detail", STRING, OPTIONAL }, { "codec", STRING, OPTIONAL },
      { "audio", STRING, OPTIONAL }, { "audio_note", STRING, OPTIONAL }, { "width", INTEGER, OPTIONAL },
      { "height", INTEGER, OPTIONAL }, { "mime", STRING, OPTIONAL } },
    { { NULL, 0, 0 } } },
  /* every five seconds for each stream that is not idle, and once when it has become so; counters since the process started */
  [LINK_CAMERA_STATISTICS] = { "camera_statistics", FALSE,
    { { "camera", STRING, 0 }, { "stream", STRING, 0 }, { "received_bytes", INTEGER, 0 },
      { "received_packets", INTEGER, 0 }, { "lost_packets", INTEGER, 0 }, { "repaired_timestamps", INTEGER, 0 },
      { "repairs", OBJECT, OPTIONAL }, /* how many of each kind; repaired_timestamps is their sum */
      { "malformed_packets", INTEGER, 0 }, { "connects", INTEGER, 0 }, { "bitrate", INTEGER, 0 }, /* bits a second */
      { "key_frame_interval", INTEGER, 0 }, { "first_frame", INTEGER, 0 }, /* µs from connect to first key frame */
      { "clock_skew", INTEGER, OPTIONAL }, { "viewers_rtsp", INTEGER, 0 }, { "viewers_websocket", INTEGER, 0 },
      { "viewer_skips", INTEGER, 0 }, { "viewer_drops", INTEGER, 0 },
      { "spared_packets", INTEGER, OPTIONAL }, /* not passed on, for memory was spent */
      { "transitions", OBJECT, 0 } /* how often it came into each state */ },
    { { NULL, 0, 0 } } },
  /* whenever it has changed: `strain`: memory or load, while nobody may be taken in; refused {reason: viewers over RTSP} since
   * the process started */
  [LINK_MEDIA_LOAD] = { "media_load", FALSE, { { "strain", STRING, OPTIONAL }, { "refused", OBJECT, 0 } }, { { NULL, 0, 0 } } },
  [LINK_VIEWER_STARTED] = { "viewer_started", FALSE,
    { { "viewer", STRING, 0 }, { "camera", STRING, 0 }, { "stream", STRING, 0 }, { "protocol", STRING, 0 }, /* rtsp websocket export */
      { "at", INTEGER, 0 } },
    { { NULL, 0, 0 } } },
  /* `watched`: of recordings, the time that was sent, "FROM/TO, FROM/TO". Of an export, which has `protocol` export, reason: complete closed
   * "too slow" error, or that of VIEWER_END */
  [LINK_VIEWER_ENDED] = { "viewer_ended", FALSE,
    { { "viewer", STRING, 0 }, { "at", INTEGER, 0 }, { "sent_bytes", INTEGER, 0 }, { "reason", STRING, 0 },
      { "watched", STRING, OPTIONAL }, { "protocol", STRING, OPTIONAL } },
    { { NULL, 0, 0 } } },
  /* state: recording stopped; reason: "" disk_full keep_at_least legal_hold write_error; gateway-wide when camera is "". Of a
   * camera: whether a file grows, and since the start of the process bytes deleted and gaps begun, each by reason */
  [LINK_RECORDING_STATE] = { "recording_state", FALSE,
    { { "camera", STRING, 0 }, { "state", STRING, 0 }, { "reason", STRING, 0 }, { "since", INTEGER, 0 },
      { "bytes", INTEGER, OPTIONAL }, { "oldest", INTEGER, OPTIONAL }, { "writes", BOOLEAN, OPTIONAL },
      { "deleted", OBJECT, OPTIONAL }, { "gaps", OBJECT, OPTIONAL } },
    { { NULL, 0, 0 } } },
  [LINK_CLIP_DONE] = { "clip_done", FALSE,
    { { "clip", STRING, 0 }, { "ok", BOOLEAN, 0 }, { "reason", STRING, OPTIONAL }, { "from", INTEGER, OPTIONAL },
      { "to", INTEGER, OPTIONAL }, { "bytes", INTEGER, OPTIONAL }, { "sha256", STRING, OPTIONAL } },
    { { NULL, 0, 0 } } },

  /* fd 0: the memfd of PICTURE_TAKE, fd 1: an empty file that the JPEG is written to and synced */
  [LINK_PICTURE_ENCODE] = { "picture_encode", TRUE,
    { { "codec", STRING, 0 }, { "max_width", INTEGER, OPTIONAL } },
    { { "width", INTEGER, 0 }, { "height", INTEGER, 0 }, { "bytes", INTEGER, 0 }, { "sha256", STRING, 0 } } },
};

static const Field error_fields[] = { { "error", STRING, 0 }, { "step", INTEGER, 0 }, { NULL, 0, 0 } };
static const char *const envelope[] = { "kind", "serial", "reply" };

static LinkMessage *message_new (LinkKind kind, gint64 serial, gboolean is_reply, json_t *body)
{
  LinkMessage *message = g_new0 (LinkMessage, 1);
  message->kind = kind;
  message->serial = serial;
  message->is_reply = is_reply;
  message->body = body != NULL ? body : json_object ();
  return message;
}

LinkMessage *link_message_new (LinkKind kind, json_t *body)
{
  return message_new (kind, 0, FALSE, body);
}

LinkMessage *link_message_reply (const LinkMessage *request, json_t *body)
{
  return message_new (request->kind, request->serial, TRUE, body);
}

LinkMessage *link_message_error (const LinkMessage *request, const GError *error)
{
  int step = error->domain == GRIDGATE_ERROR ? error->code : ERROR_GIVE_UP;
  return link_message_reply (request, json_pack ("{s:s, s:i}", "error", error->message, "step", step));
}

void link_message_add_fd (LinkMessage *message, int fd)
{
  g_assert (message->fd_count < LINK_FDS_MAX);
  message->fds[message->fd_count++] = fd;
}

int link_message_steal_fd (LinkMessage *message, guint index)
{
  if (index >= message->fd_count)
    return -1;
  return g_steal_fd (&message->fds[index]);
}

void link_message_free (LinkMessage *message)
{
  if (message == NULL)
    return;
  for (guint i = 0; i < message->fd_count; i++)
    if (message->fds[i] >= 0)
      close (message->fds[i]);
  json_decref (message->body);
  g_free (message);
}

const char *link_kind_name (LinkKind kind)
{
  return kinds[kind].name;
}

const char *link_message_string (const LinkMessage *message, const char *field)
{
  return json_string_value (json_object_get (message->body, field));
}

gint64 link_message_integer (const LinkMessage *message, const char *field)
{
  return json_integer_value (json_object_get (message->body, field));
}

double link_message_real (const LinkMessage *message, const char *field)
{
  return json_number_value (json_object_get (message->body, field));
}

gboolean link_message_boolean (const LinkMessage *message, const char *field)
{
  return json_is_true (json_object_get (message->body, field));
}

json_t *link_message_json (const LinkMessage *message, const char *field)
{
  return json_object_get (message->body, field);
}

gboolean link_message_failed (const LinkMessage *reply, GError **error)
{
  const char *text = link_message_string (reply, "error");
  if (text == NULL)
    return FALSE;
  error_set (error, (ErrorStep) link_message_integer (reply, "step"), "%s", text);
  return TRUE;
}

static gboolean type_fits (const json_t *value, FieldType type)
{
  switch (type) {
  case STRING:
    return json_is_string (value) && json_string_length (value) <= STRING_MAX
           && strlen (json_string_value (value)) == json_string_length (value);
  case INTEGER:
    return json_is_integer (value);
  case REAL:
    return json_is_number (value);
  case BOOLEAN:
    return json_is_boolean (value);
  case ARRAY:
    return json_is_array (value);
  case OBJECT:
    return json_is_object (value);
  }
  return FALSE;
}

static const Field *field_named (const Field *fields, const char *name)
{
  for (const Field *field = fields; field->name != NULL; field++)
    if (strcmp (field->name, name) == 0)
      return field;
  return NULL;
}

static const Field *fields_of (const LinkMessage *message)
{
  if (!message->is_reply)
    return kinds[message->kind].fields;
  return json_object_get (message->body, "error") != NULL ? error_fields : kinds[message->kind].reply;
}

static gboolean check_fields (const LinkMessage *message, GError **error)
{
  const Field *fields = fields_of (message);
  const char *kind = kinds[message->kind].name;
  const char *name;
  json_t *value;

  for (const Field *field = fields; field->name != NULL; field++)
    if (!field->is_optional && json_object_get (message->body, field->name) == NULL)
      return error_set (error, ERROR_GIVE_UP, "link: %s lacks the field %s", kind, field->name);
  json_object_foreach (message->body, name, value)
  {
    const Field *field = field_named (fields, name);
    if (field == NULL)
      return error_set (error, ERROR_GIVE_UP, "link: %s has no field %s", kind, name);
    if (!type_fits (value, field->type))
      return error_set (error, ERROR_GIVE_UP, "link: the field %s of %s has the wrong type or size", name, kind);
  }
  return TRUE;
}

char *link_message_encode (const LinkMessage *message, gsize *size, GError **error)
{
  if (!check_fields (message, error))
    return NULL;
  json_t *whole = json_copy (message->body);
  json_object_set_new (whole, "kind", json_string (kinds[message->kind].name));
  if (message->serial != 0)
    json_object_set_new (whole, "serial", json_integer (message->serial));
  if (message->is_reply)
    json_object_set_new (whole, "reply", json_true ());
  char *text = json_dumps (whole, JSON_COMPACT);
  json_decref (whole);
  if (text == NULL || strlen (text) > LINK_MESSAGE_MAX) {
    free (text);
    error_set (error, ERROR_GIVE_UP, "link: a %s is over %d bytes", kinds[message->kind].name, LINK_MESSAGE_MAX);
    return NULL;
  }
  *size = strlen (text);
  return text;
}

static gboolean kind_find (const char *name, LinkKind *kind)
{
  for (int i = 0; name != NULL && i < LINK_KIND_COUNT; i++)
    if (strcmp (kinds[i].name, name) == 0) {
      *kind = (LinkKind) i;
      return TRUE;
    }
  return FALSE;
}

LinkMessage *link_message_decode (const char *bytes, gsize size, GError **error)
{
  json_error_t json_error;
  LinkKind kind;

  if (size > LINK_MESSAGE_MAX) {
    error_set (error, ERROR_GIVE_UP, "link: a packet of %zu bytes is over %d", size, LINK_MESSAGE_MAX);
    return NULL;
  }
  json_t *body = json_loadb (bytes, size, JSON_REJECT_DUPLICATES, &json_error);
  if (!json_is_object (body) || !kind_find (json_string_value (json_object_get (body, "kind")), &kind)) {
    error_set (error, ERROR_GIVE_UP, "link: %s", body != NULL ? "unknown kind of message" : json_error.text);
    json_decref (body);
    return NULL;
  }
  gint64 serial = json_integer_value (json_object_get (body, "serial"));
  gboolean is_reply = json_is_true (json_object_get (body, "reply"));
  for (guint i = 0; i < G_N_ELEMENTS (envelope); i++)
    json_object_del (body, envelope[i]);

  g_autoptr (LinkMessage) message = message_new (kind, serial, is_reply, body);
  if (is_reply ? serial <= 0 : (serial > 0) != kinds[kind].has_reply) {
    error_set (error, ERROR_GIVE_UP, "link: a %s without or with an unexpected serial", kinds[kind].name);
    return NULL;
  }
  return check_fields (message, error) ? g_steal_pointer (&message) : NULL;
}
