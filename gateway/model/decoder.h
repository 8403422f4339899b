/* decoder.h: the contract of a payload format: bytes of one message to readings of a sensor's metrics.
 *
 * A format is one file under adapters/decoders/ and one row in its table. A decoder knows what `prepare` made and, where
 * the format has states of its own (Sparkplug's aliases), what it keeps in it; it must bear any bytes.
 *
 * thread: `prepare` and `release` the store's; `decode` the store's. */
#pragma once

#include "gateway/model/observation.h"
#include "gateway/model/site.h"

typedef struct {
  guint metric; /* index into the sensor's metrics */
  ValueKind kind;
  double value;     /* as sent: scale and offset are not applied; finite; a boolean's is 1 or 0 */
  const char *text; /* VALUE_TEXT's: UTF-8, lives as long as the message's Decoded */
  const char *unit; /* UCUM code, when the payload names one; lives as long; NULL: the metric's raw_unit */
  gboolean has_time;
  gint64 time_us;         /* the device's, when has_time */
  gint64 sequence;        /* the device's own number, -1: none */
  gboolean is_historical; /* the format itself says so */
  gboolean is_state;      /* the format says that it repeats how things stand */
  Quality quality;        /* what the device itself thinks of it */
} Reading;

/* Why a message or one of its metrics gives nothing: names of the account, all lower_snake_case. */
#define REASON_NOT_JSON "not_json"
#define REASON_PATH_ABSENT "path_absent"
#define REASON_NOT_A_NUMBER "not_a_number"
#define REASON_NOT_A_BOOLEAN "not_a_boolean"
#define REASON_NOT_A_TEXT "not_a_text"
#define REASON_UNKNOWN_VALUE "unknown_value" /* none of the metric's `values` */
#define REASON_MALFORMED "malformed"         /* not what the format says, or cut short */
#define REASON_WRONG_LENGTH "wrong_length"
#define REASON_TOO_LARGE "too_large"
#define REASON_UNKNOWN_TOPIC "unknown_topic"
#define REASON_UNBORN "unborn" /* names nothing that a birth has told yet */

enum { READINGS_MAX = 1000 }; /* of one message */

typedef struct {
  GArray *readings;   /* of Reading, in the order of the payload */
  const char *reason; /* static; why some or all metrics are missing, NULL when none is */
  char *detail;       /* for a person: what was found where; NULL when reason is */
  guint64 identity;   /* what the device itself tells its messages apart by, hashed; 0: nothing */
  char *request_topic; /* what the format wants to tell the device, NULL when nothing */
  GBytes *request;
  GStringChunk *texts;
} Decoded;

typedef struct {
  const char *topic;
  const guint8 *payload; /* never NULL */
  gsize size;
  gint64 receive_time_us;
  gboolean is_retained;
} EncodedMessage;

typedef struct {
  const char *format; /* the name in the configuration */

  /* What is worth doing once per sensor, such as parsing paths. NULL with ERROR_RECONFIGURE. `sensor` outlives it. */
  gpointer (*prepare) (const Sensor *sensor, GError **error);
  void (*decode) (gpointer prepared, const EncodedMessage *message, Decoded *decoded);
  void (*release) (gpointer prepared);
} Decoder;

/* NULL for an unknown format. */
typedef const Decoder *(*DecoderFind) (const char *format);

Decoded *decoded_new (void);

/* Appends `reading`, whose kind is as sent, as its metric takes it: by its names of values and its kind. When the metric
 * takes no such value that is noted; `where` says to a person where it stood. */
gboolean decoded_add (Decoded *decoded, const Sensor *sensor, const Reading *reading, const char *where);

/* A copy that lives as long as the message's readings. `size` -1: up to the NUL. */
const char *decoded_text (Decoded *decoded, const char *text, gssize size);

/* The message's identity, from what the device tells it apart by. */
void decoded_identify (Decoded *decoded, const char *text);

/* Notes a reason; the first one stays. */
void decoded_miss (Decoded *decoded, const char *reason, const char *format, ...) G_GNUC_PRINTF (3, 4);
void decoded_reset (Decoded *decoded);
void decoded_free (Decoded *decoded);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Decoded, decoded_free)
