/* township.h: a whole township for a system test: two real brokers, the simulator, the gateway, a login.
 *
 * Templates of tests/system/sites/ become the gateway's and the simulator's files; @NAME@ in them stands for a port or a
 * path: @FOLDER@ @VILLAGE@ @CENTER@ @HTTP@ @RTSP@ @WEBHOOK@ @CAMERA1@ to @CAMERA6@.
 *
 * thread: the test's. */
#pragma once

#include "tests/support/http_client.h"
#include "tests/support/mosquitto.h"
#include "tests/support/process.h"
#include "tests/support/stepped_clock.h"

typedef struct {
  const char *site, *script; /* templates; `script` NULL: no simulator */
  int data_megabytes;        /* the gateway's data lie on a disk of that size (small_disk.h); 0: on the machine's */
  gboolean has_stepped_clock; /* the gateway and its workers live by `clock` */
} TownshipForm;

typedef struct {
  char *folder, *site_path, *script_path, *base_url;
  int http_port, rtsp_port, webhook_port, camera_ports[6];
  Mosquitto *village, *center;
  Process *simulator, *gateway, *subscriber;
  HttpClient *http;
  SteppedClock *clock;           /* NULL: that of the machine */
  char *token_id, *token_secret; /* a program's, with the operator's role */
} Township;

/* Starts brokers, the subscriber to all of the center's topics, the simulator (`script` NULL: none), the gateway; makes
 * the account admin / admin-password-1 and logs in. */
Township *township_new (const char *site, const char *script);

/* The same, otherwise. NULL where nobody may mount a disk. */
Township *township_new_as (const TownshipForm *form);

/* The gateway's data; g_free. */
char *township_data_dir (Township *township);

/* The gateway alone, after it was ended or killed; waits until it is ready and has subscribed to what its
 * sensors send, and logs in again. */
void township_start_gateway (Township *township);

/* The center's broker and the subscriber to it, after mosquitto_end. */
void township_start_center_again (Township *township);
void township_start_simulator (Township *township);

/* Publishes one message at QoS 1 on the village's broker, by mosquitto_pub. */
void township_publish (Township *township, const char *topic, const char *payload);

/* Replaces `from` by `to` in the gateway's file; the gateway is not told. */
void township_edit_site (Township *township, const char *from, const char *to);

/* Waits until the camera is in that state. */
void township_wait_camera (Township *township, const char *camera, const char *state, int seconds);

/* Waits until GET `path` answers with something for which `is_it` is TRUE, and returns that answer. */
json_t *township_wait_for (Township *township, const char *path, gboolean (*is_it) (const json_t *answer), int seconds);

/* "from=TIME&to=TIME" of the first span in an answer of GET …/recordings; g_free. */
char *recordings_first_times (const json_t *recordings);

/* For `?token=`: POST /api/v1/tokens; `cameras` is an id or "all", `purpose` "live" or "playback". g_free. */
char *township_token (Township *township, const char *cameras, const char *purpose);

/* What stands in /metrics behind `sample` ("NAME{LABELS}", or its start); 0 when it isn't there. */
double township_metric (Township *township, const char *sample);

/* rtsp://ID:SECRET@127.0.0.1:PORT/live/CAMERA; g_free. */
char *township_rtsp_url (Township *township, const char *camera);

/* The process of a worker ("gridgate-media"), as the kernel knows it: the one below this township's runtime folder. */
pid_t township_worker_pid (Township *township, const char *name);

/* Ends the gateway in order (which must take no more than ten seconds and exit with 0), then all the others. */
void township_free (Township *township);
