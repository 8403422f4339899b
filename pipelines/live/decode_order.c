#include "pipelines/live/decode_order.h"

#include <string.h>

void decode_order_start (DecodeOrder *order, guint depth, gint64 interval)
{
  *order = (DecodeOrder){ .depth = MIN (depth, DECODE_DEPTH_MAX), .interval = interval };
}

static void insert (DecodeOrder *order, gint64 pts)
{
  guint at = order->count++;
  for (; at > 0 && order->window[at - 1] > pts; at--)
    order->window[at] = order->window[at - 1];
  order->window[at] = pts;
}

static gint64 take_smallest (DecodeOrder *order)
{
  gint64 smallest = order->window[0];
  order->count--;
  memmove (order->window, order->window + 1, order->count * sizeof order->window[0]);
  return smallest;
}

gint64 decode_order_next (DecodeOrder *order, gint64 pts)
{
  if (!order->has_last) {
    for (guint i = order->depth; i > 0; i--)
      insert (order, pts - i * order->interval);
    order->highest_pts = pts;
  }
  insert (order, pts);
  if (order->has_last && pts < order->highest_pts && order->window[0] <= order->last_dts
      && order->depth < DECODE_DEPTH_MAX) {
    order->depth++; /* nothing is taken: the window is one longer from now on */
    return ++order->last_dts;
  }
  gint64 dts = take_smallest (order);
  if (order->has_last) {
    dts = MAX (dts, order->last_dts + 1);
    order->interval = dts - order->last_dts;
  }
  order->highest_pts = MAX (order->highest_pts, pts);
  order->last_dts = dts;
  order->has_last = TRUE;
  return dts;
}
