/* link_message.h: what the processes say to each other: one table of kinds and fields, one encoder and decoder.
 *
 * A message is one JSON object in one SOCK_SEQPACKET packet, with up to LINK_FDS_MAX descriptors beside it. A request
 * carries a serial and gets exactly one reply with the same serial: either the kind's reply fields or "error" and "step".
 * An event has no serial. The decoder refuses unknown kinds, unknown, missing, mistyped and oversized fields.
 *
 * thread: any; a message belongs to its holder. */
#pragma once

#include <gio/gio.h>
#include <jansson.h>

enum { LINK_MESSAGE_MAX = 64 * 1024, LINK_FDS_MAX = 2 };

typedef enum {
  /* gridgate → media and vision */
  LINK_HELLO,
  /* gridgate → media */
  LINK_SITE_BEGIN,
  LINK_CAMERA_PUT,
  LINK_HOLD_PUT,
  LINK_SITE_END,
  LINK_VIEWER_SOCKET,
  LINK_VIEWER_END,
  LINK_CLIP_CUT,
  LINK_PICTURE_TAKE,
  LINK_RECORDINGS_LIST,
  LINK_DELETIONS_LIST,
  LINK_DELETIONS_DAY,
  LINK_EXPORT_OPEN,
  LINK_PLAYBACK_SOCKET,
  /* media → gridgate */
  LINK_PLAY_ASK,
  LINK_CAMERA_STATE,
  LINK_CAMERA_STATISTICS,
  LINK_MEDIA_LOAD,
  LINK_VIEWER_STARTED,
  LINK_VIEWER_ENDED,
  LINK_RECORDING_STATE,
  LINK_CLIP_DONE,
  /* gridgate → vision */
  LINK_PICTURE_ENCODE,
  LINK_KIND_COUNT
} LinkKind;

typedef struct {
  LinkKind kind;
  gint64 serial; /* 0: an event */
  gboolean is_reply;
  json_t *body;  /* an object: the fields */
  int fds[LINK_FDS_MAX];
  guint fd_count;
} LinkMessage;

/* Takes `body` (NULL: no fields). */
LinkMessage *link_message_new (LinkKind kind, json_t *body);
/* A reply to `request`; link_message_error makes the failing one. */
LinkMessage *link_message_reply (const LinkMessage *request, json_t *body);
LinkMessage *link_message_error (const LinkMessage *request, const GError *error);

/* The message takes `fd`. */
void link_message_add_fd (LinkMessage *message, int fd);
/* The caller takes the descriptor; -1 when there is none at `index`. */
int link_message_steal_fd (LinkMessage *message, guint index);

/* Closes descriptors that nobody stole. */
void link_message_free (LinkMessage *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (LinkMessage, link_message_free)

const char *link_kind_name (LinkKind kind);

/* Fields of a decoded message: the decoder has checked their types, so these can't fail on required fields. An absent
 * optional field is NULL, 0 or FALSE. Strings live as long as the message. */
const char *link_message_string (const LinkMessage *message, const char *field);
gint64 link_message_integer (const LinkMessage *message, const char *field);
double link_message_real (const LinkMessage *message, const char *field);
gboolean link_message_boolean (const LinkMessage *message, const char *field);
json_t *link_message_json (const LinkMessage *message, const char *field); /* borrowed */

/* TRUE when the reply is a failure, which is then put into `error`. */
gboolean link_message_failed (const LinkMessage *reply, GError **error);

/* Text for one packet; NULL with an error when it is over LINK_MESSAGE_MAX or does not fit the table (a fault of ours). */
char *link_message_encode (const LinkMessage *message, gsize *size, GError **error);

/* `bytes` come from another process: everything is checked. Descriptors are added by the caller. */
LinkMessage *link_message_decode (const char *bytes, gsize size, GError **error);
