/* RFC 7798: single NAL units, aggregation packets and fragmentation units, without DONL (sprop-max-don-diff 0). */
#include "pipelines/live/depacketizer_private.h"

/* RFC 7798 4.4.2 */
static void take_aggregate (Depacketizer *depacketizer, const guint8 *payload, gsize size)
{
  gsize at = 2;
  while (at + 2 < size) {
    gsize length = (gsize) payload[at] << 8 | payload[at + 1];
    at += 2;
    if (length < 2 || length > size - at)
      break;
    depacketizer_add_nal (depacketizer, payload + at, length);
    at += length;
  }
  if (at != size)
    depacketizer_break_unit (depacketizer);
}

/* RFC 7798 4.4.3 */
static void take_fragment (Depacketizer *depacketizer, const guint8 *payload, gsize size)
{
  if (size < 4) {
    depacketizer_break_unit (depacketizer);
    return;
  }
  guint8 header[2] = { (guint8) ((payload[0] & 0x81) | (payload[2] & 0x3f) << 1), payload[1] };
  gboolean is_start = payload[2] & 0x80, is_end = payload[2] & 0x40;
  if (is_start && depacketizer->nal_start != G_MAXSIZE)
    depacketizer_break_unit (depacketizer);
  if (is_start)
    depacketizer_open_nal (depacketizer, header, 2);
  depacketizer_extend_nal (depacketizer, payload + 3, size - 3);
  if (is_end)
    depacketizer_close_nal (depacketizer);
}

void depacketize_h265 (Depacketizer *depacketizer, const guint8 *payload, gsize size, gboolean has_marker)
{
  guint type = payload[0] >> 1 & 63;
  if (type != 49 && depacketizer->nal_start != G_MAXSIZE)
    depacketizer_break_unit (depacketizer);

  if (size < 2 || type > 49)
    depacketizer_break_unit (depacketizer);
  else if (type < 48)
    depacketizer_add_nal (depacketizer, payload, size);
  else if (type == 48)
    take_aggregate (depacketizer, payload, size);
  else
    take_fragment (depacketizer, payload, size);

  if (has_marker)
    depacketizer_end_unit (depacketizer);
}
