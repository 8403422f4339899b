/* decoder.h: the contract of a payload format: bytes of one message to readings of a sensor's metrics.
 *
 * A format is one file under adapters/decoders/ and one row in its table. A decoder is stateless but for what `prepare`
 * made; it must bear any bytes.
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
#define REASON_TOO_LARGE "too_large"
#define REASON_UNKNOWN_TOPIC "unknown_topic"

typedef struct {
  GArray *readings;   /* of Reading, in the order of the payload */
  const char *reason; /* static; why some or all metrics are missing, NULL when none is */
  char *detail;       /* for a person: what was found where; NULL when reason is */
} Decoded;

typedef struct {
  const char *format; /* the name in the configuration */
  gboolean has_paths; /* its metrics need `path` */

  /* What is worth doing once per sensor, such as parsing paths. NULL with ERROR_RECONFIGURE. */
  gpointer (*prepare) (const Sensor *sensor, GError **error);
  void (*decode) (gpointer prepared, const guint8 *payload, gsize size, Decoded *decoded);
  void (*release) (gpointer prepared);
} Decoder;

/* NULL for an unknown format. */
typedef const Decoder *(*DecoderFind) (const char *format);

Decoded *decoded_new (void);

/* Notes a reason; the first one stays. */
void decoded_miss (Decoded *decoded, const char *reason, const char *format, ...) G_GNUC_PRINTF (3, 4);
void decoded_reset (Decoded *decoded);
void decoded_free (Decoded *decoded);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Decoded, decoded_free)
