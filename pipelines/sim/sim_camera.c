#include "pipelines/sim/sim_camera.h"

#include "gateway/core/error.h"
#include "pipelines/sim/camera_faults.h"
#include "pipelines/sim/camera_media.h"
#include "pipelines/sim/say.h"

enum { SESSION_SWEEP_SECONDS = 5 };

typedef struct {
  SimCamera *camera;
  CameraFault fault;
  guint timer;
} FaultTimer;

struct SimCamera {
  const CameraScript *script;
  GstRTSPServer *server;
  guint listening; /* the source that accepts; 0 while refused */
  guint sweep;
  int port;
  CameraFaults *faults;
  FaultTimer timers[CAMERA_FAULT_COUNT];
};

static gboolean set_certificate (GstRTSPAuth *auth, const CameraScript *script, GError **error)
{
  g_autoptr (GError) problem = NULL;
  GTlsCertificate *certificate = g_tls_certificate_new_from_files (script->cert_file, script->key_file, &problem);
  if (certificate == NULL)
    return error_set (error, ERROR_RECONFIGURE, "camera %s: %s and %s are no certificate and its key (PEM): %s", script->id,
                      script->cert_file, script->key_file, problem->message);
  gst_rtsp_auth_set_tls_certificate (auth, certificate);
  g_object_unref (certificate);
  return TRUE;
}

/* With a login, or everybody as the viewer; in TLS or not. */
static gboolean protect (SimCamera *camera, GError **error)
{
  const CameraScript *script = camera->script;
  if (script->username == NULL && script->cert_file == NULL)
    return TRUE;
  GstRTSPAuth *auth = gst_rtsp_auth_new ();
  GstRTSPToken *token = gst_rtsp_token_new (GST_RTSP_TOKEN_MEDIA_FACTORY_ROLE, G_TYPE_STRING, "viewer", NULL);
  if (script->username != NULL) {
    gst_rtsp_auth_set_supported_methods (auth, GST_RTSP_AUTH_DIGEST);
    gst_rtsp_auth_add_digest (auth, script->username, script->password, token);
  } else {
    gst_rtsp_auth_set_default_token (auth, token);
  }
  gst_rtsp_token_unref (token);
  gst_rtsp_server_set_auth (camera->server, auth);
  gboolean is_protected = script->cert_file == NULL || set_certificate (auth, script, error);
  g_object_unref (auth);
  return is_protected;
}

static gboolean mount (SimCamera *camera, const char *path, const StreamScript *stream, const char *font,
                       GError **error)
{
  GstRTSPMediaFactory *factory = camera_media_factory_new (camera->script, stream, font, camera->faults, error);
  if (factory == NULL)
    return FALSE;
  GstRTSPMountPoints *points = gst_rtsp_server_get_mount_points (camera->server);
  gst_rtsp_mount_points_add_factory (points, path, factory);
  g_object_unref (points);
  return TRUE;
}

static gboolean mount_streams (SimCamera *camera, const char *font, GError **error)
{
  const CameraScript *script = camera->script;
  g_autofree char *sub_path = g_strconcat (script->path, "/sub", NULL);
  return mount (camera, script->path, &script->main, font, error)
         && (script->sub == NULL || mount (camera, sub_path, script->sub, font, error));
}

static gboolean listen_now (SimCamera *camera, GError **error)
{
  g_autofree char *service = g_strdup_printf ("%d", camera->port);
  gst_rtsp_server_set_service (camera->server, service);
  camera->listening = gst_rtsp_server_attach (camera->server, NULL);
  if (camera->listening == 0)
    return error_set (error, ERROR_RECONFIGURE, "camera %s: port %d can't be listened on: another program has it",
                      camera->script->id, camera->port);
  camera->port = gst_rtsp_server_get_bound_port (camera->server);
  return TRUE;
}

static void stop_listening (SimCamera *camera)
{
  if (camera->listening != 0)
    g_source_remove (camera->listening);
  camera->listening = 0;
}

static void client_gone (GstRTSPClient *client, gpointer data)
{
  (void) client;
  SimCamera *camera = data;
  say ("camera %s: 客户端离开 / a client left", camera->script->id);
}

static void client_came (GstRTSPServer *server, GstRTSPClient *client, gpointer data)
{
  (void) server;
  SimCamera *camera = data;
  say ("camera %s: 客户端接入 / a client came", camera->script->id);
  g_signal_connect (client, "closed", G_CALLBACK (client_gone), camera);
}

static gboolean sweep_sessions (gpointer data)
{
  SimCamera *camera = data;
  GstRTSPSessionPool *pool = gst_rtsp_server_get_session_pool (camera->server);
  gst_rtsp_session_pool_cleanup (pool);
  g_object_unref (pool);
  return G_SOURCE_CONTINUE;
}

SimCamera *sim_camera_new (const CameraScript *script, const char *font, GError **error)
{
  SimCamera *camera = g_new0 (SimCamera, 1);
  camera->script = script;
  camera->port = script->port;
  camera->faults = camera_faults_new ();
  camera->server = gst_rtsp_server_new ();
  for (int fault = 0; fault < CAMERA_FAULT_COUNT; fault++)
    camera->timers[fault] = (FaultTimer){ camera, fault, 0 };
  gst_rtsp_server_set_address (camera->server, "127.0.0.1");
  g_signal_connect (camera->server, "client-connected", G_CALLBACK (client_came), camera);
  camera->sweep = g_timeout_add_seconds (SESSION_SWEEP_SECONDS, sweep_sessions, camera);
  if (!protect (camera, error) || !mount_streams (camera, font, error) || !listen_now (camera, error))
    g_clear_pointer (&camera, sim_camera_free);
  return camera;
}

int sim_camera_port (const SimCamera *camera)
{
  return camera->port;
}

static GstRTSPFilterResult every_client (GstRTSPServer *server, GstRTSPClient *client, gpointer unused)
{
  (void) server;
  (void) client;
  (void) unused;
  return GST_RTSP_FILTER_REMOVE;
}

void sim_camera_drop (SimCamera *camera)
{
  gst_rtsp_server_client_filter (camera->server, every_client, NULL);
}

static gboolean set_fault (SimCamera *camera, CameraFault fault, gboolean is_on, GError **error)
{
  switch (fault) {
  case CAMERA_FAULT_STALL:
    g_atomic_int_set (&camera->faults->is_stalled, is_on);
    break;
  case CAMERA_FAULT_BLACK:
    g_atomic_int_set (&camera->faults->is_black, is_on);
    break;
  case CAMERA_FAULT_FREEZE:
    g_atomic_int_set (&camera->faults->is_frozen, is_on);
    break;
  case CAMERA_FAULT_REFUSE:
    if (is_on) {
      stop_listening (camera);
      sim_camera_drop (camera);
    } else if (camera->listening == 0) {
      return listen_now (camera, error);
    }
    break;
  case CAMERA_FAULT_COUNT:
    break;
  }
  return TRUE;
}

static void end_fault (SimCamera *camera, CameraFault fault)
{
  g_autoptr (GError) error = NULL;
  if (!set_fault (camera, fault, FALSE, &error))
    say ("%s", error->message);
}

static gboolean fault_over (gpointer data)
{
  FaultTimer *timer = data;
  timer->timer = 0;
  end_fault (timer->camera, timer->fault);
  say ("camera %s: 恢复正常 / is well again", timer->camera->script->id);
  return G_SOURCE_REMOVE;
}

static void stop_timer (FaultTimer *timer)
{
  if (timer->timer != 0)
    g_source_remove (timer->timer);
  timer->timer = 0;
}

gboolean sim_camera_fail (SimCamera *camera, CameraFault fault, gint64 duration_us, GError **error)
{
  if (camera->script->main.file && (fault == CAMERA_FAULT_BLACK || fault == CAMERA_FAULT_FREEZE))
    return error_set (error, ERROR_REFUSE, "camera %s plays a file: it can't go black or freeze", camera->script->id);
  FaultTimer *timer = &camera->timers[fault];
  stop_timer (timer);
  if (!set_fault (camera, fault, TRUE, error))
    return FALSE;
  if (duration_us > 0)
    timer->timer = g_timeout_add ((guint) MIN (duration_us / 1000, G_MAXINT32), fault_over, timer);
  return TRUE;
}

void sim_camera_jump_time (SimCamera *camera, int by_ms)
{
  g_atomic_int_add (&camera->faults->time_offset_ms, by_ms);
}

int sim_camera_encoding_us (const SimCamera *camera)
{
  return g_atomic_int_get (&camera->faults->encoding_us);
}

void sim_camera_recover (SimCamera *camera)
{
  for (int fault = 0; fault < CAMERA_FAULT_COUNT; fault++) {
    stop_timer (&camera->timers[fault]);
    end_fault (camera, fault);
  }
}

void sim_camera_free (SimCamera *camera)
{
  if (camera == NULL)
    return;
  for (int fault = 0; fault < CAMERA_FAULT_COUNT; fault++)
    stop_timer (&camera->timers[fault]);
  stop_listening (camera);
  g_signal_handlers_disconnect_by_data (camera->server, camera);
  sim_camera_drop (camera);
  if (camera->sweep != 0)
    g_source_remove (camera->sweep);
  g_object_unref (camera->server);
  camera_faults_unref (camera->faults);
  g_free (camera);
}
