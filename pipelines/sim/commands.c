#include "pipelines/sim/commands.h"

#include <math.h>
#include <string.h>

#include "gateway/core/error.h"
#include "gateway/core/quantity.h"
#include "pipelines/sim/sim_camera.h"
#include "pipelines/sim/sim_center.h"
#include "pipelines/sim/sim_receiver.h"
#include "pipelines/sim/sim_sensor.h"

enum { BURST_MAX = 100000 };

static gboolean optional_duration (const char *text, gint64 *duration_us, GError **error)
{
  *duration_us = 0;
  if (text[0] == '\0' || duration_parse (text, duration_us))
    return TRUE;
  return error_set (error, ERROR_REFUSE, "\"%s\" is no duration: write 5s", text);
}

/* cameras */

static gboolean camera_fault (gpointer thing, Order *order, GError **error)
{
  static const char *const names[] = { "stall", "black", "freeze", "refuse" };
  gint64 duration_us;
  CameraFault fault = CAMERA_FAULT_STALL;
  while (strcmp (names[fault], order->verb) != 0)
    fault++;
  return optional_duration (order->rest, &duration_us, error) && sim_camera_fail (thing, fault, duration_us, error);
}

static gboolean camera_drop (gpointer thing, Order *order, GError **error)
{
  (void) order, (void) error;
  sim_camera_drop (thing);
  return TRUE;
}

static gboolean camera_jump (gpointer thing, Order *order, GError **error)
{
  gint64 by_us;
  gboolean is_back = order->rest[0] == '-';
  const char *number = is_back || order->rest[0] == '+' ? order->rest + 1 : order->rest;
  if (!duration_parse (number, &by_us) || by_us / 1000 > G_MAXINT32)
    return error_set (error, ERROR_REFUSE, "\"%s\" is no jump: write 10s or -10s", order->rest);
  sim_camera_jump_time (thing, (int) (is_back ? -by_us / 1000 : by_us / 1000));
  return TRUE;
}

static gboolean camera_recover (gpointer thing, Order *order, GError **error)
{
  (void) order, (void) error;
  sim_camera_recover (thing);
  return TRUE;
}

static gboolean camera_delay (gpointer thing, Order *order, GError **error)
{
  (void) error;
  order->reply = g_strdup_printf ("encoding_us %d", sim_camera_encoding_us (thing));
  return TRUE;
}

const Command camera_commands[] = {
  { "stall", "停流 / sends nothing", camera_fault },
  { "black", "黑屏 / goes black", camera_fault },
  { "freeze", "画面冻结 / freezes", camera_fault },
  { "refuse", "拒绝连接 / refuses connections", camera_fault },
  { "drop", "断开连接 / ends connections", camera_drop },
  { "jump_time", "时间跳变 / jumps in time", camera_jump },
  { "normal", "恢复正常 / is well again", camera_recover },
  { "delay", NULL, camera_delay },
  { NULL },
};

/* sensors */

static gboolean sensor_set (gpointer thing, Order *order, GError **error)
{
  char *end = NULL;
  double value = g_ascii_strtod (order->rest, &end);
  if (end == order->rest || *end != '\0' || !isfinite (value))
    return error_set (error, ERROR_REFUSE, "\"%s\" is no number", order->rest);
  sim_sensor_set (thing, value);
  return TRUE;
}

static gboolean sensor_curve (gpointer thing, Order *order, GError **error)
{
  (void) error;
  sim_sensor_follow_curve (thing, strcmp (order->verb, "restart") == 0);
  return TRUE;
}

static gboolean sensor_pause (gpointer thing, Order *order, GError **error)
{
  (void) error;
  sim_sensor_pause (thing, strcmp (order->verb, "pause") == 0);
  return TRUE;
}

static gboolean sensor_interval (gpointer thing, Order *order, GError **error)
{
  gint64 interval_us;
  if (!duration_parse (order->rest, &interval_us) || interval_us < 1000)
    return error_set (error, ERROR_REFUSE, "\"%s\" is no interval: write 500ms, at least 1ms", order->rest);
  sim_sensor_set_interval (thing, interval_us);
  return TRUE;
}

static gboolean sensor_burst (gpointer thing, Order *order, GError **error)
{
  guint64 count;
  if (!g_ascii_string_to_unsigned (order->rest, 10, 1, BURST_MAX, &count, NULL))
    return error_set (error, ERROR_REFUSE, "\"%s\" is no count from 1 to %d", order->rest, BURST_MAX);
  sim_sensor_burst (thing, (guint) count);
  return TRUE;
}

static gboolean sensor_send (gpointer thing, Order *order, GError **error)
{
  (void) error;
  sim_sensor_send (thing, order->rest);
  return TRUE;
}

static gboolean sensor_counts (gpointer thing, Order *order, GError **error)
{
  (void) error;
  guint64 made, acknowledged, dropped;
  sim_sensor_counts (thing, &made, &acknowledged, &dropped);
  order->reply
      = g_strdup_printf ("made %" G_GUINT64_FORMAT " acknowledged %" G_GUINT64_FORMAT " dropped %" G_GUINT64_FORMAT,
                         made, acknowledged, dropped);
  return TRUE;
}

const Command sensor_commands[] = {
  { "set", "读数固定为 / now reads", sensor_set },
  { "curve", "按曲线变化 / follows its curve", sensor_curve },
  { "restart", "曲线重新开始 / begins its curve again", sensor_curve },
  { "pause", "停止上报 / falls silent", sensor_pause },
  { "resume", "恢复上报 / reports again", sensor_pause },
  { "interval", "上报间隔改为 / reports every", sensor_interval },
  { "burst", "连续上报 / reports at once", sensor_burst },
  { "send", "发送原文 / sends as it stands", sensor_send },
  { "counts", NULL, sensor_counts },
  { NULL },
};

/* centers */

static gboolean center_acknowledge (gpointer thing, Order *order, GError **error)
{
  if (strcmp (order->rest, "on") != 0 && strcmp (order->rest, "off") != 0)
    return error_set (error, ERROR_REFUSE, "write “acknowledge on” or “acknowledge off”");
  sim_center_set_acknowledging (thing, strcmp (order->rest, "on") == 0);
  return TRUE;
}

static gboolean center_command (gpointer thing, Order *order, GError **error)
{
  g_auto (GStrv) words = g_strsplit (order->rest, " ", 2);
  if (g_strv_length (words) != 2)
    return error_set (error, ERROR_REFUSE, "write “command GATEWAY JSON”");
  return sim_center_send_command (thing, words[0], words[1], error);
}

static gboolean center_counts (gpointer thing, Order *order, GError **error)
{
  (void) error;
  guint64 events, repeated;
  sim_center_counts (thing, &events, &repeated);
  order->reply = g_strdup_printf ("events %" G_GUINT64_FORMAT " repeated %" G_GUINT64_FORMAT, events, repeated);
  return TRUE;
}

const Command center_commands[] = {
  { "acknowledge", "确认应答 / acknowledges:", center_acknowledge },
  { "command", "下达指令 / commands", center_command },
  { "counts", NULL, center_counts },
  { NULL },
};

/* receivers */

static gboolean receiver_fail (gpointer thing, Order *order, GError **error)
{
  g_auto (GStrv) words = g_strsplit (order->rest, " ", 2);
  guint64 count, status = 500;
  if (words[0] == NULL || !g_ascii_string_to_unsigned (words[0], 10, 0, BURST_MAX, &count, NULL)
      || (words[1] && !g_ascii_string_to_unsigned (words[1], 10, 400, 599, &status, NULL)))
    return error_set (error, ERROR_REFUSE, "write “fail 3” or “fail 3 503”");
  sim_receiver_fail (thing, (guint) count, (int) status);
  return TRUE;
}

static gboolean receiver_counts (gpointer thing, Order *order, GError **error)
{
  (void) error;
  ReceiverCounts counts = sim_receiver_counts (thing);
  order->reply = g_strdup_printf ("accepted %" G_GUINT64_FORMAT " repeated %" G_GUINT64_FORMAT
                                  " refused %" G_GUINT64_FORMAT " failed %" G_GUINT64_FORMAT,
                                  counts.accepted, counts.repeated, counts.refused, counts.failed);
  return TRUE;
}

const Command receiver_commands[] = {
  { "fail", "将应答失败 / will fail", receiver_fail },
  { "counts", NULL, receiver_counts },
  { NULL },
};
