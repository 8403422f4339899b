#include "gateway/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/timex.h>
#include <unistd.h>

#include "gateway/core/file.h"
#include "gateway/core/quantity.h"
#include "gateway/link/media_link.h"
#include "gateway/workers.h"

enum {
  CAMERA_WAIT_S = 15,          /* a connection, and one round of statistics (every five seconds) */
  KEY_FRAME_MAX_US = 5 * G_USEC_PER_SEC,
  SKEW_MAX_US = 2 * G_USEC_PER_SEC,
  BROKER_WAIT_S = 5,
  DISK_LOW_PERCENT = 5,
};

typedef enum { FINE, WARNING, WRONG } Finding;

typedef struct {
  Site *site;
  guint warnings, wrongs;
  GMainLoop *loop;
  MediaLink *media;
} Doctor;

G_GNUC_PRINTF (4, 5)
static void say (Doctor *doctor, Finding finding, const char *subject, const char *format, ...)
{
  static const char *const marks[] = { "ok     正常", "warning 注意", "wrong  异常" };
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  doctor->warnings += finding == WARNING;
  doctor->wrongs += finding == WRONG;
  printf ("%s  %s: %s\n", marks[finding], subject, text);
  fflush (stdout);
}

static void look_at_disk (Doctor *doctor)
{
  const char *folder = doctor->site->gateway.data_dir;
  g_autoptr (GError) error = NULL;
  gint64 free_bytes, total_bytes;
  if (!folder_make (folder, &error) || access (folder, W_OK) != 0) {
    say (doctor, WRONG, "disk 磁盘", "%s cannot be written: give it to the user who runs gridgate 目录不可写，请改属主", folder);
    return;
  }
  if (!disk_free (folder, &free_bytes, &total_bytes) || total_bytes == 0)
    return;
  int percent = (int) (free_bytes * 100 / total_bytes);
  say (doctor, percent < DISK_LOW_PERCENT ? WARNING : FINE, "disk 磁盘", "%s: %.1f GB free of %.1f GB (%d %%)%s", folder,
       (double) free_bytes / 1e9, (double) total_bytes / 1e9, percent,
       percent < DISK_LOW_PERCENT ? ": free some, or lower recording.max_bytes 空间不足，请清理或调低 max_bytes" : "");
}

static void look_at_clock (Doctor *doctor)
{
  struct timex status = { 0 };
  gboolean is_synchronised = adjtimex (&status) != TIME_ERROR && !(status.status & STA_UNSYNC);
  if (g_get_real_time () < G_GINT64_CONSTANT (1735689600000000)) /* 2025 */
    say (doctor, WRONG, "clock 时钟", "the year is before 2025: set the clock, install chrony 系统时间不对，请校时并安装 chrony");
  else if (!is_synchronised)
    say (doctor, WARNING, "clock 时钟", "not synchronised: install chrony or check its servers 未与时间源同步，请检查 chrony");
  else
    say (doctor, FINE, "clock 时钟", "synchronised 已同步");
}

static gboolean gateway_is_running (const Site *site)
{
  g_autofree char *path = g_build_filename (site->gateway.data_dir, "lock", NULL);
  int fd = open (path, O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return FALSE;
  gboolean is_running = flock (fd, LOCK_EX | LOCK_NB) < 0;
  close (fd);
  return is_running;
}

static void look_at_port (Doctor *doctor, const char *name, const char *listen_address, gboolean is_running)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketConnectable) address = g_network_address_parse (listen_address, 0, &error);
  if (address == NULL) {
    say (doctor, WRONG, name, "%s", error->message);
    return;
  }
  const char *host = g_network_address_get_hostname (G_NETWORK_ADDRESS (address));
  g_autoptr (GInetAddress) inet = g_inet_address_new_from_string (host);
  g_autoptr (GSocketAddress) socket_address
    = g_inet_socket_address_new (inet, g_network_address_get_port (G_NETWORK_ADDRESS (address)));
  g_autoptr (GSocket) socket
    = g_socket_new (g_inet_address_get_family (inet), G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
  gboolean is_free = g_socket_bind (socket, socket_address, TRUE, &error) && g_socket_listen (socket, &error);
  if (is_free && is_running)
    say (doctor, WRONG, name, "gridgate runs but does not listen on %s: look at its log 未在监听，请查看日志", listen_address);
  else if (is_free || is_running)
    say (doctor, FINE, name, "%s %s", listen_address, is_running ? "in use by gridgate 正由 gridgate 使用" : "free 可用");
  else
    say (doctor, WRONG, name, "%s: %s: choose another or end what uses it 端口被占用", listen_address, error->message);
}

static void look_at_broker (Doctor *doctor, const char *kind, const char *id, const char *url)
{
  g_autofree char *subject = g_strdup_printf ("%s %s", kind, id);
  g_autoptr (GUri) uri = g_uri_parse (url, G_URI_FLAGS_NONE, NULL);
  if (uri == NULL)
    return; /* the configuration check has said so */
  gboolean is_tls = g_str_equal (g_uri_get_scheme (uri), "mqtts");
  int port = g_uri_get_port (uri) > 0 ? g_uri_get_port (uri) : is_tls ? 8883 : 1883;
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_socket_client_set_timeout (client, BROKER_WAIT_S);
  g_autoptr (GSocketConnection) connection
    = g_socket_client_connect_to_host (client, g_uri_get_host (uri), (guint16) port, NULL, &error);
  if (connection != NULL)
    say (doctor, FINE, subject, "%s answers 可连通", url);
  else
    say (doctor, WRONG, subject, "%s: %s: is the broker up, the address right, the line there? 连接失败，请检查地址与线路", url,
         error->message);
}

static int refuse_play (const LinkMessage *request, gint64 *until_us, gpointer data)
{
  (void) request, (void) until_us, (void) data;
  return 403;
}

static void ignore_viewers (const char *const *present, gint64 before_us, gint64 at_us, gpointer data)
{
  (void) present, (void) before_us, (void) at_us, (void) data;
}

static void ignore_event (const LinkMessage *message, gpointer data)
{
  (void) message, (void) data;
}

static void on_media (gboolean is_connected, gpointer data)
{
  Doctor *doctor = data;
  if (is_connected)
    media_link_set_site (doctor->media, doctor->site);
}

static gboolean is_examined (const Doctor *doctor, const Camera *camera)
{
  CameraStatus *status = media_link_camera (doctor->media, camera->id, "main");
  gboolean done = status != NULL
                  && ((g_str_equal (status->state, "live") && status->received_packets > 0 && status->key_frame_interval_us > 0)
                      || g_str_equal (status->state, "backing_off") || g_str_equal (status->state, "failed"));
  camera_status_free (status);
  return done;
}

static gboolean check_all_examined (gpointer data)
{
  Doctor *doctor = data;
  for (guint i = 0; i < doctor->site->cameras->len; i++)
    if (!is_examined (doctor, doctor->site->cameras->pdata[i]))
      return G_SOURCE_CONTINUE;
  g_main_loop_quit (doctor->loop);
  return G_SOURCE_CONTINUE;
}

static gboolean stop_waiting (gpointer data)
{
  g_main_loop_quit (((Doctor *) data)->loop);
  return G_SOURCE_REMOVE;
}

/* What a state's reason means for the person who has to mend it. */
static const char *advice_for (const char *reason)
{
  static const struct {
    const char *reason, *advice;
  } list[] = {
    { "unreachable", "check power, cable, address and port 请检查供电、网线、地址与端口" },
    { "unauthorized", "check username and password_file 用户名或密码不对" },
    { "no_sdp", "the address answers but describes no stream: check the path of the URL 请检查 URL 路径" },
    { "unsupported_codec", "set the camera to H.264 or H.265 请把编码设为 H.264 或 H.265" },
    { "tls", "check scheme, port, ca_file and fingerprint 请检查 rtsps 端口与证书设置" },
    { "stalled", "it connects but sends nothing: restart the camera 无数据，请重启摄像机" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (list); i++)
    if (g_strcmp0 (reason, list[i].reason) == 0)
      return list[i].advice;
  return "look at the camera's own log 请查看摄像机日志";
}

static void report_live (Doctor *doctor, const char *subject, const CameraStatus *status)
{
  double interval = (double) status->key_frame_interval_us / G_USEC_PER_SEC;
  double skew = (double) status->clock_skew_us / G_USEC_PER_SEC;
  gboolean is_smart = status->key_frame_interval_us > KEY_FRAME_MAX_US;
  gboolean is_skewed = ABS (status->clock_skew_us) > SKEW_MAX_US;
  say (doctor, is_smart || is_skewed ? WARNING : FINE, subject, "%s %dx%d, %.1f Mb/s, key frame every %.1f s, clock %+.1f s%s%s",
       status->codec, status->width, status->height, (double) status->bitrate / 1e6, interval, skew,
       is_smart ? ": set the key frame interval to 2 s, switch H.264+/H.265+ off 请设关键帧间隔为 2 秒并关闭智能编码" : "",
       is_skewed ? ": let it take its time from this server by NTP 请为摄像机配置 NTP 校时" : "");
}

static void report_camera (Doctor *doctor, const Camera *camera)
{
  g_autofree char *subject = g_strdup_printf ("camera 摄像机 %s", camera->id);
  CameraStatus *status = media_link_camera (doctor->media, camera->id, "main");
  if (status != NULL && g_str_equal (status->state, "live"))
    report_live (doctor, subject, status);
  else if (status != NULL)
    say (doctor, WRONG, subject, "%s %s%s%s: %s", status->state, status->reason, status->detail != NULL ? ": " : "",
         status->detail != NULL ? status->detail : "", advice_for (status->reason));
  camera_status_free (status);
}

/* The site as the examining media process shall see it: every camera is pulled, nothing is recorded or served. */
static Site *examining_site (Site *site)
{
  for (guint i = 0; i < site->cameras->len; i++) {
    Camera *camera = site->cameras->pdata[i];
    camera->on_demand = FALSE;
    camera->recording.mode = RECORDING_OFF;
  }
  g_free (site->rtsp.listen);
  site->rtsp.listen = g_strdup ("127.0.0.1:0");
  site->rtsp.udp_port = 0;
  g_clear_pointer (&site->rtsp.tls_listen, g_free);
  return site_ref (site);
}

static int media_pid (gpointer link)
{
  return media_link_pid (link);
}

static void look_at_cameras (Doctor *doctor)
{
  g_autofree char *folder = g_dir_make_tmp ("gridgate-doctor-XXXXXX", NULL);
  g_autoptr (EventBus) events = event_bus_new (16);
  MediaHandlers handlers = { refuse_play, ignore_event, ignore_event, ignore_event, ignore_event, ignore_event, on_media,
                             ignore_viewers, doctor };
  if (folder == NULL || doctor->site->cameras->len == 0)
    return;

  g_free (doctor->site->gateway.data_dir);
  doctor->site->gateway.data_dir = g_strdup (folder);
  g_autoptr (Site) site = examining_site (doctor->site);
  doctor->loop = g_main_loop_new (NULL, FALSE);
  doctor->media = media_link_new (folder, &handlers, events);
  const WorkerKind kinds[] = { { "gridgate-media", media_pid, doctor->media }, { NULL, NULL, NULL } };
  Workers *workers = workers_new (folder, kinds);
  guint check = g_timeout_add (200, check_all_examined, doctor);
  guint stop = g_timeout_add_seconds (CAMERA_WAIT_S, stop_waiting, doctor);
  printf ("looking at %u cameras, at most %d s … 正在检查摄像机\n", site->cameras->len, CAMERA_WAIT_S);
  fflush (stdout);
  g_main_loop_run (doctor->loop);

  for (guint i = 0; i < site->cameras->len; i++)
    report_camera (doctor, site->cameras->pdata[i]);
  g_source_remove (check);
  if (g_main_context_find_source_by_id (NULL, stop) != NULL)
    g_source_remove (stop);
  workers_stop (workers);
  media_link_free (doctor->media);
  g_main_loop_unref (doctor->loop);
  folder_remove (folder);
}

int doctor_run (Site *site)
{
  Doctor doctor = { .site = site };
  gboolean is_running = gateway_is_running (site);
  look_at_disk (&doctor);
  look_at_clock (&doctor);
  look_at_port (&doctor, "http.listen", site->http.listen, is_running);
  look_at_port (&doctor, "rtsp.listen", site->rtsp.listen, is_running);
  if (site->rtsp.tls_listen != NULL)
    look_at_port (&doctor, "rtsp.tls_listen", site->rtsp.tls_listen, is_running);
  for (guint i = 0; i < site->brokers->len; i++) {
    const Broker *broker = site->brokers->pdata[i];
    look_at_broker (&doctor, "broker 消息服务器", broker->id, broker->url);
  }
  for (guint i = 0; i < site->centers->len; i++) {
    const Center *center = site->centers->pdata[i];
    look_at_broker (&doctor, "center 指挥中心", center->id, center->url);
  }
  look_at_cameras (&doctor);
  printf ("%u wrong, %u to look at 异常 %u 项，注意 %u 项\n", doctor.wrongs, doctor.warnings, doctor.wrongs, doctor.warnings);
  return doctor.wrongs > 0;
}
