/* site.h: the configured site: one immutable, reference-counted snapshot.
 *
 * config/ builds it, everybody reads it. It is passive: lookups, no behaviour. All strings are owned by the snapshot;
 * durations are microseconds, sizes bytes, times wall microseconds. Optional strings are NULL, optional numbers have a
 * has_ flag or a stated "none" value. Secrets never stand here: only the paths of their files.
 *
 * thread: any, once published (site_loader returns only published ones). */
#pragma once

#include "gateway/model/rule.h"
#include "gateway/model/sensor.h"

typedef enum { RECORDING_CONTINUOUS, RECORDING_EVENT, RECORDING_OFF } RecordingMode;
typedef enum { TRANSPORT_TCP, TRANSPORT_UDP } Transport;
typedef enum { ACK_BROKER, ACK_APPLICATION } CenterAck;

/* What has an id, in the order in which a file may name it; site_kind_name gives the key of its list. */
typedef enum {
  SITE_BROKERS,
  SITE_GRIDS,
  SITE_CAMERAS,
  SITE_SENSORS,
  SITE_RULES,
  SITE_AGENCIES,
  SITE_CENTERS,
  SITE_KINDS
} SiteKind;

typedef struct {
  char *id, *division, *name, *data_dir, *time_zone;
  char *runtime_dir; /* the link's sockets; default /run/gridgate, or data_dir/run where that can't be written */
} GatewaySettings;

typedef struct {
  char *listen; /* "127.0.0.1:8080", "[::1]:8080" */
  GStrv trusted_proxies, allowed_origins;
} HttpSettings;

typedef struct {
  char *listen;
  char *tls_listen, *cert_file, *key_file; /* all or none */
  int udp_port;    /* of RTP, even, RTCP is the one above; 0: any two */
  int max_viewers; /* at a time */
} RtspSettings;

typedef struct {
  RecordingMode mode;
  gint64 segment_us, pre_roll_us, retain_us, keep_at_least_us;
  gint64 max_bytes;  /* 0: no limit */
  gint64 min_free_bytes; /* used when min_free_percent is 0 */
  guint min_free_percent;
} RecordingSettings;

/* Of one camera: the site's, unless the camera says otherwise. */
typedef struct {
  RecordingMode mode;
  gboolean is_sub; /* the sub stream is recorded, and evidence is cut from it; else the main one */
  gint64 pre_roll_us, retain_us, keep_at_least_us;
  gint64 max_bytes; /* of this camera; 0: no limit of its own */
} CameraRecording;

typedef struct {
  char *id, *url; /* mqtt://host:port or mqtts:// */
  int protocol;   /* 4: MQTT 3.1.1, 5: MQTT 5, 0: 5 if the broker speaks it */
  char *client_id, *username, *password_file, *ca_file, *cert_file, *key_file;
  int qos;
} Broker;

typedef struct {
  char *id, *name, *parent; /* parent NULL only for the root */
  GArray *area;             /* of Location, WGS-84 ring; empty when not given */
} Grid;

typedef struct {
  char *grid;
  GStrv categories;
  char *post, *account, *agency, *hours;
} Duty;

typedef struct {
  char *url, *username, *password_file; /* each NULL: as the main stream's */
  char *ca_file, *fingerprint;          /* both NULL: as the main stream's */
} StreamSource;

typedef struct {
  char *id, *name, *grid, *owner, *gb_id;
  char *url, *username, *password_file;
  char *ca_file, *fingerprint; /* for rtsps; both NULL: whom the system trusts */
  Transport transport;
  gboolean on_demand;
  gint64 linger_us, down_after_us;
  Location location;
  CameraRecording recording;
  StreamSource *sub; /* NULL: no sub stream */
} Camera;

/* What holds for alerts as a whole. */
typedef struct {
  int storm;     /* more alerts than that in a minute in one grid become one matter */
  Unless unless; /* of the built-in sensor_silent and camera_down */
} AlertSettings;

typedef struct {
  GStrv categories, grids; /* "*" stands for every category; grids include all below them */
  Severity min_severity;
  gboolean live, evidence;
  gint64 until_us; /* 0: without end */
} Grant;

typedef struct {
  char *mqtt_center;                /* id of the center on whose broker the agency's feed is, or NULL */
  char *webhook_url, *secret_file;  /* or NULL */
} Delivery;

typedef struct {
  char *id, *name;
  GPtrArray *grants, *deliveries; /* of Grant, of Delivery */
} Agency;

typedef struct {
  char *id, *url, *username, *password_file, *ca_file, *cert_file, *key_file;
  int protocol; /* 4 or 5 */
  char *client_id;
  CenterAck ack;
} Center;

/* Where an item stands: what an answer to a wish to change it names. */
typedef struct {
  char *file;
  guint line;
} SiteOrigin;

/* The grids always hold the root (the gateway's division), first; every other grid has a parent. */
typedef struct Site {
  gint references;
  GatewaySettings gateway;
  HttpSettings http;
  RtspSettings rtsp;
  RecordingSettings recording;
  AlertSettings alerts;
  GPtrArray *brokers, *grids, *duties, *cameras, *sensors, *rules, *agencies, *centers; /* of the types above */
  GPtrArray *templates;    /* of Sensor: entries whose topics have named levels (topic_template.h); they are no sensors, but become some */
  struct Site *configured; /* what this one was made of by site_with_discovered; NULL: it stands in files as it is */
  GPtrArray *discovered;   /* of Sensor, behind the others in `sensors`; NULL without `configured` */
  GHashTable *origins;       /* "KIND/ID" → SiteOrigin */
  GHashTable *file_versions; /* path of a secret or certificate → text that changes whenever the file does */
  GHashTable *index[SITE_KINDS]; /* id → item; private to site.c */
} Site;

/* An empty site with every list allocated; the loader fills it and calls site_publish. */
Site *site_new (void);

/* Indexes the lists; the site is immutable from now on. */
void site_publish (Site *site);

/* The one that stands in files: `site` itself, or what it was made of. Borrowed. */
Site *site_configured (Site *site);

/* A published site that has `discovered` (of Sensor, all by sensor_new_discovered from its templates) behind the sensors of
 * `configured`, and all else from there: it keeps references to both. */
Site *site_with_discovered (Site *configured, const GPtrArray *discovered);

Site *site_ref (Site *site);
void site_unref (Site *site);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Site, site_unref)

/* "brokers" …; SITE_KINDS for an unknown name. */
const char *site_kind_name (SiteKind kind);
SiteKind site_kind_from_name (const char *name);

/* The list of a kind; each item starts with its id. */
GPtrArray *site_list (const Site *site, SiteKind kind);

/* NULL when there is none. */
gconstpointer site_find (const Site *site, SiteKind kind, const char *id);
const SiteOrigin *site_origin (const Site *site, SiteKind kind, const char *id);
const Broker *site_broker (const Site *site, const char *id);
const Grid *site_grid (const Site *site, const char *id);
const Camera *site_camera (const Site *site, const char *id);
const Sensor *site_sensor (const Site *site, const char *id);
const Rule *site_rule (const Site *site, const char *id);
const Agency *site_agency (const Site *site, const char *id);
const Center *site_center (const Site *site, const char *id);

/* Whether `grid` is `root` or lies below it. The gateway's division is the root of all and always counts as one. */
gboolean site_grid_is_within (const Site *site, const char *grid, const char *root);

/* For those who outlive the site that they were made from. */
Broker *broker_copy (const Broker *broker);
Center *center_copy (const Center *center);

/* Free functions for what the loader allocates one by one; NULL is taken. */
void broker_free (Broker *broker);
void grid_free (Grid *grid);
void duty_free (Duty *duty);
void camera_free (Camera *camera);
void grant_free (Grant *grant);
void delivery_free (Delivery *delivery);
void agency_free (Agency *agency);
void center_free (Center *center);
