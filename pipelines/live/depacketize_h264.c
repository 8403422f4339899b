/* RFC 6184: single NAL units, STAP-A and FU-A, which is what packetization-mode 0 and 1 consist of. */
#include "pipelines/live/depacketizer_private.h"

/* RFC 6184 5.7.1 */
static void take_aggregate (Depacketizer *depacketizer, const guint8 *payload, gsize size)
{
  gsize at = 1;
  while (at + 2 < size) {
    gsize length = (gsize) payload[at] << 8 | payload[at + 1];
    at += 2;
    if (length == 0 || length > size - at)
      break;
    depacketizer_add_nal (depacketizer, payload + at, length);
    at += length;
  }
  if (at != size)
    depacketizer_break_unit (depacketizer);
}

/* RFC 6184 5.8 */
static void take_fragment (Depacketizer *depacketizer, const guint8 *payload, gsize size)
{
  if (size < 3) {
    depacketizer_break_unit (depacketizer);
    return;
  }
  guint8 header = (payload[0] & 0xe0) | (payload[1] & 0x1f);
  gboolean is_start = payload[1] & 0x80, is_end = payload[1] & 0x40;
  if (is_start && depacketizer->nal_start != G_MAXSIZE)
    depacketizer_break_unit (depacketizer); /* the end of the NAL unit before is missing */
  if (is_start)
    depacketizer_open_nal (depacketizer, &header, 1);
  depacketizer_extend_nal (depacketizer, payload + 2, size - 2);
  if (is_end)
    depacketizer_close_nal (depacketizer);
}

void depacketize_h264 (Depacketizer *depacketizer, const guint8 *payload, gsize size, gboolean has_marker)
{
  guint type = payload[0] & 31;
  if (type != 28 && depacketizer->nal_start != G_MAXSIZE)
    depacketizer_break_unit (depacketizer);

  if (type >= 1 && type <= 23)
    depacketizer_add_nal (depacketizer, payload, size);
  else if (type == 24)
    take_aggregate (depacketizer, payload, size);
  else if (type == 28)
    take_fragment (depacketizer, payload, size);
  else
    depacketizer_break_unit (depacketizer); /* interleaved mode was never offered */

  if (has_marker)
    depacketizer_end_unit (depacketizer);
}
