/* Every class of wrong input: the message and its place, to the letter. */
#include "config/loader.h"

#include <string.h>

#include "tests/support/test.h"

/* A site with one of each, so that each case shows only what it is about; line 1 to 7. */
#define BASE                                                                                                           \
  "gateway: {id: g, division: \"62\"}\n"                                                                               \
  "brokers: [{id: village, url: \"mqtt://h\"}]\n"                                                                      \
  "centers: [{id: center, url: \"mqtt://h\"}]\n"                                                                       \
  "grids: [{id: \"6201\"}]\n"                                                                                          \
  "duties: []\n"                                                                                                       \
  "include: []\n"                                                                                                      \
  "http: {}\n"

typedef struct {
  const char *text;   /* after BASE, so its first line is 8 */
  const char *errors; /* each behind "s.yaml:", joined by newlines */
} Case;

static void assert_cases (const Case *cases, const char *base)
{
  for (const Case *one = cases; one->text != NULL; one++) {
    g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (g_free);
    g_autofree char *text = g_strconcat (base, one->text, NULL);
    g_autoptr (Site) site = site_load_text ("s.yaml", text, strlen (text), errors);
    assert_null (site);
    GString *found = g_string_new (NULL);
    for (guint i = 0; i < errors->len; i++) {
      assert_true (g_str_has_prefix (errors->pdata[i], "s.yaml:"));
      g_string_append_printf (found, "%s%s", i > 0 ? "\n" : "", (char *) errors->pdata[i] + strlen ("s.yaml:"));
    }
    if (strcmp (found->str, one->errors) != 0)
      fail_msg ("for\n%s\nexpected\n%s\nfound\n%s", one->text, one->errors, found->str);
    g_string_free (found, TRUE);
  }
}

static void keys_are_known_and_there (void **state)
{
  (void) state;
  static const Case cases[] = {
    { "camera: []\n", "8:1: unknown key camera; did you mean cameras?" },
    { "cameras: [{id: a, url: \"rtsp://h\", colour: red}]\n",
      "8:36: unknown key colour, expected one of id, name, grid, owner, gb_id, url, username, password_file, ca_file, "
      "fingerprint, transport, on_demand, linger, down_after, location, streams, recording" },
    { "cameras:\n  - name: x\n",
      "9:5: id is missing, expected an id (letters, digits, '.', '_' or '-', at most 64, a letter or digit first)\n"
      "9:5: url is missing, expected a URL" },
    { "cameras: {}\n", "8:10: cameras: expected a list, found a map" },
    { "cameras: [x]\n", "8:11: cameras: expected a map for each camera" },
    { "rtsp: x\n", "8:7: rtsp: expected a map, found \"x\"" },
    { 0 },
  };
  assert_cases (cases, BASE);
}

static void without_a_gateway_the_rest_is_still_checked (void **state)
{
  (void) state;
  static const Case cases[] = {
    { "cameras: [{id: a, url: x}]\n",
      "1:1: gateway is missing, expected a map\n"
      "1:24: url: expected a URL that starts with rtsp:// or rtsps://, found \"x\"" },
    { "gateway: {division: \"1\"}\nsensors: [{id: a, broker: b, topic: t, grid: \"9\", format: value, metrics: [{name: m}]}]\n",
      "1:10: id is missing, expected an id (letters, digits, '.', '_' or '-', at most 64, a letter or digit first)\n"
      "2:27: broker: there is no broker b, expected one that stands under brokers\n"
      "2:46: grid: there is no grid 9; did you mean 1?" },
    { "- a\n", "1:1: expected keys such as gateway: and cameras: at the top of the file" },
    { 0 },
  };
  assert_cases (cases, "");
}

static void what_is_not_in_this_version_is_told_so (void **state)
{
  (void) state;
  static const Case cases[] = {
    { "cameras: [{id: a, url: \"rtsp://h\", transport: sctp}]\n",
      "8:47: transport: expected tcp or udp, found \"sctp\"" },
    { 0 },
  };
  assert_cases (cases, BASE);
}

static void values_have_a_form_and_a_range (void **state)
{
  (void) state;
  static const Case cases[] = {
    { "recording: {segment: 5 m}\n",
      "8:22: segment: expected a duration such as 500ms, 30s, 10m, 2h or 30d, found \"5 m\"" },
    { "rtsp: {tls_listen: \"0.0.0.0:322\"}\n",
      "8:20: tls_listen, cert_file and key_file belong together, expected cert_file as well\n"
      "8:20: tls_listen, cert_file and key_file belong together, expected key_file as well" },
    { "rtsp: {cert_file: /etc/passwd}\n",
      "8:19: tls_listen, cert_file and key_file belong together, expected tls_listen as well\n"
      "8:19: tls_listen, cert_file and key_file belong together, expected key_file as well" },
    { "rtsp: {tls_listen: \"0.0.0.0:322\", cert_file: /dev/null, key_file: /etc/passwd}\n",
      "8:46: cert_file: /dev/null can't be read, expected a file that this program may read" },
    { "rtsp: {udp_port: 8001}\n", "8:18: udp_port is 8001, expected an even number: the port above is for RTCP" },
    { "rtsp: {udp_port: 70000}\n", "8:18: udp_port: 70000 is out of range, expected 0 to 65534" },
    { "rtsp: {max_viewers: 0}\n", "8:21: max_viewers: 0 is out of range, expected 1 to 10000" },
    { "recording: {segment: 1s}\n", "8:22: segment: 1s is out of range, expected 10s to 1h" },
    { "recording: {max_bytes: 5}\n", "8:24: max_bytes: expected a size such as 64KiB, 500MB or 2GB, found \"5\"" },
    { "recording: {min_free: 95%}\n",
      "8:23: min_free: expected a share of 1% to 90% or a size such as 20GB, found \"95%\"" },
    { "recording: {mode: always}\n", "8:19: mode: expected continuous, event or off, found \"always\"" },
    { "recording: {retain: 2d, keep_at_least: 3d}\n",
      "8:40: keep_at_least is longer than retain, expected at most as long" },
    { "recording: {pre_roll: 5s}\n", "8:23: pre_roll: 5s is out of range, expected 10s to 1m" },
    { "cameras: [{id: a, url: \"rtsp://h\", recording: {stream: sub, pre_roll: 61s, max_bytes: 1MB}}]\n",
      "8:56: stream: camera a has no sub stream, expected streams.sub\n"
      "8:71: pre_roll: 61s is out of range, expected 10s to 1m\n"
      "8:87: max_bytes: 1MB is out of range, expected 100MB to 1000000TB" },
    { "recording: {retain: 20d}\ncameras: [{id: a, url: \"rtsp://h\", recording: {keep_at_least: 21d}}]\n",
      "9:63: keep_at_least is longer than retain of camera a, expected at most as long" },
    { "cameras: [{id: -a, url: \"rtsp://h\", on_demand: yes, gb_id: \"1\", location: {lon: 200, lat: x}}]\n",
      "8:16: id: expected an id (letters, digits, '.', '_' or '-', at most 64, a letter or digit first), found \"-a\"\n"
      "8:48: on_demand: expected true or false, found \"yes\"\n"
      "8:60: gb_id: expected a code of 20 digits, found \"1\"\n"
      "8:81: lon: 200 is out of range, expected -180 to 180\n"
      "8:91: lat: expected a number, found \"x\"" },
    { "cameras: [{id: a, url: \"rtsp://h\", linger: 2h}]\n", "8:44: linger: 2h is out of range, expected 0s to 1h" },
    { "cameras: [{id: a, url: \"rtsps://h\", fingerprint: \"12:34\"}]\n",
      "8:50: fingerprint: expected a SHA-256 fingerprint of 64 hex digits, found \"12:34\"" },
    { "cameras: [{id: a, url: \"rtsp://h\", ca_file: /etc/passwd}]\n",
      "8:45: ca_file has no use with rtsp://, expected a rtsps:// url" },
    { "cameras: [{id: a, url: \"rtsps://h\", ca_file: /etc/passwd, fingerprint: "
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}]\n",
      "8:72: fingerprint stands beside ca_file, expected one of them: a pinned certificate is trusted whoever has signed it" },
    { "cameras: [{id: a, url: \"rtsps://h\", transport: udp}]\n",
      "8:48: transport udp stands with a rtsps:// url, expected tcp: by UDP the pictures would travel unencrypted" },
    { "cameras: [{id: a, url: \"rtsp://h\", name: }]\n", "8:36: name: expected text, found nothing" },
    { "grids: []\nrtsp: {listen: \"localhost:80\"}\n", "8:1: key grids stands twice, first in line 4" },
    { "rtsp: {listen: \"localhost:80\"}\n",
      "8:16: listen: expected a numeric address and a port, such as 127.0.0.1:8080 or [::1]:8080, found "
      "\"localhost:80\"" },
    { "rules: []\nagencies: [{id: a, grants: [{categories: [b], until: tomorrow}]}]\n",
      "9:54: until: expected a time such as 2027-12-31T00:00:00Z, found \"tomorrow\"" },
    { 0 },
  };
  assert_cases (cases, BASE);
}

static void numbers_are_decimal_and_finite (void **state)
{
  (void) state;
  static const char *const wrong[] = { "0x10", "inf", "nan", "1e999", "--1", "1 2" };
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autofree char *text = g_strdup_printf (
        "rules: [{id: r, category: c, match: {metric: m}, when: {above: \n %s}}]\n", wrong[i]);
    g_autofree char *error = g_strdup_printf ("9:2: above: expected a number, found \"%s\"", wrong[i]);
    const Case cases[] = { { text, error }, { 0 } };
    assert_cases (cases, BASE);
  }
}

static void urls_hold_no_credentials_and_name_a_host (void **state)
{
  (void) state;
  static const Case cases[] = {
    { "cameras: [{id: a, url: \"rtsp://admin:12345@h/1\"}]\n",
      "8:24: url: a user name or password stands in the URL, expected them as username and password_file" },
    { "cameras: [{id: a, url: \"http://h/1\"}]\n",
      "8:24: url: expected a URL that starts with rtsp:// or rtsps://, found \"http://h/1\"" },
    { "cameras: [{id: a, url: \"rtsp:///1\"}]\n",
      "8:24: url: the host in \"rtsp:///1\" is wrong, expected a name or an address" },
    { "cameras: [{id: a, url: \"rtsp://h:99999/1\"}]\n",
      "8:24: url: the host or port in \"rtsp://h:99999/1\" is wrong, expected rtsp://HOST:PORT, port 1 to 65535" },
    { "agencies: [{id: a, deliver: [{webhook: \"ftp://h\", secret_file: /dev/null}]}]\n",
      "8:40: webhook: expected a URL that starts with https:// or http://, found \"ftp://h\"\n"
      "8:64: secret_file: /dev/null can't be read, expected a file that this program may read" },
    { 0 },
  };
  static const Case brokers[] = {
    { "brokers: [{id: a, url: \"mqtt://h/topic\"}]\n",
      "2:24: url: a path stands in the URL, expected host and port alone" },
    { "brokers: [{id: a, url: \"mqtt://h\", ca_file: /etc/passwd, cert_file: /etc/passwd, qos: 3}]\n",
      "2:45: ca_file has no use with mqtt://, expected a mqtts:// url\n"
      "2:69: cert_file has no use with mqtt://, expected a mqtts:// url\n"
      "2:69: cert_file and key_file belong together, expected both or none\n"
      "2:87: qos: 3 is out of range, expected 0 to 2" },
    { "brokers: [{id: a, url: \"mqtt://h\", password_file: /etc/passwd}]\n",
      "2:51: password_file stands without username, expected both or none" },
    { 0 },
  };
  assert_cases (cases, BASE);
  assert_cases (brokers, "gateway: {id: g, division: \"62\"}\n");
}

static void references_name_what_is_there (void **state)
{
  (void) state;
  static const Case cases[] = {
    { "sensors: [{id: a, broker: villages, topic: t, grid: \"620\", format: value, metrics: [{name: m}]}]\n",
      "8:27: broker: there is no broker villages; did you mean village?\n"
      "8:53: grid: there is no grid 620; did you mean 62?" },
    { "rules: [{id: r, category: c, match: {sensors: [s]}, when: {above: 1}, evidence: {cameras: [c]}, assign: {agency: a}}]\n",
      "8:48: sensors: there is no sensor s, expected one that stands under sensors\n"
      "8:92: cameras: there is no camera c, expected one that stands under cameras\n"
      "8:114: agency: there is no agency a, expected one that stands under agencies" },
    { "agencies: [{id: a, deliver: [{mqtt: centre}]}]\n",
      "8:37: mqtt: there is no center centre; did you mean center?" },
    { "cameras:\n  - {id: a, url: \"rtsp://h\"}\n  - {id: a, url: \"rtsp://h\"}\n",
      "10:10: camera a stands twice, first at s.yaml:9" },
    { 0 },
  };
  assert_cases (cases, BASE);
}

static void the_grid_tree_has_no_circles (void **state)
{
  (void) state;
  static const Case cases[] = {
    { "grids:\n  - {id: a, parent: b}\n  - {id: b, parent: a}\n  - {id: c, parent: a}\n",
      "3:21: parent: grid a lies within itself, expected a way up to 62\n"
      "4:21: parent: grid b lies within itself, expected a way up to 62" },
    { "grids:\n  - {id: \"62\", parent: a}\n  - {id: a, parent: \"62\"}\n",
      "3:24: parent: grid 62 is the gateway's division, the root, expected no parent\n"
      "4:21: parent: grid a lies within itself, expected a way up to 62" },
    { "grids: [{id: a, area: [[1, 2], [3], 4]}]\n",
      "2:32: area: expected a point as [lon, lat]\n"
      "2:37: area: expected a point as [lon, lat]" },
    { 0 },
  };
  assert_cases (cases, "gateway: {id: g, division: \"62\"}\n");
}

static void rules_make_sense (void **state)
{
  (void) state;
  static const Case cases[] = {
    { "rules: [{id: r, category: c, match: {}, when: {}}]\n",
      "8:37: match names nothing to watch, expected metric or sensors\n"
      "8:47: no condition, expected above, below, outside, inside, equals, changed, rise, fall or silent" },
    { "rules: [{id: r, category: c, match: {metric: m}, when: {above: 3, below: 1}}]\n",
      "8:74: above and below stand together, expected one of them" },
    { "rules: [{id: r, category: c, match: {metric: m}, when: {above: 3, clear: 4}}]\n",
      "8:74: clear: 4 is above the threshold, expected at most 3" },
    { "rules: [{id: r, category: c, match: {metric: m}, when: {below: 3, clear: 2}}]\n",
      "8:74: clear: 2 is below the threshold, expected at least 3" },
    { "rules: [{id: camera_down, category: c, match: {metric: m}, when: {below: 3}}]\n",
      "8:14: id: camera_down is a built-in rule, expected another id" },
    { "sensors:\n"
      "  - {id: s, broker: village, topic: t, metrics: [{name: a, path: $.a}, {name: b, path: $.b}]}\n"
      "rules:\n"
      "  - {id: r, category: c, match: {sensors: [s]}, when: {above: 3}}\n"
      "  - {id: q, category: c, match: {metric: d, sensors: [s]}, when: {above: 3}}\n",
      "11:44: sensors: sensor s measures more than one thing, expected metric beside sensors\n"
      "12:55: sensors: sensor s does not measure d, expected one that does" },
    { 0 },
  };
  assert_cases (cases, BASE);
}

#define RULE "rules: [{id: r, category: c, match: {metric: m}, when: {"

/* All of it stands in line 8, so the column is the place. */
static void conditions_make_sense (void **state)
{
  (void) state;
  static const Case cases[] = {
    { RULE "outside: [8, 2]}}]\n", "8:66: outside: 8 is not below 2, expected the lower one first" },
    { RULE "inside: 5}}]\n", "8:65: inside: expected two numbers as [low, high], found \"5\"" },
    { RULE "outside: [2, 8], clear: 5}}]\n", "8:81: clear: expected two numbers as [low, high] with outside" },
    { RULE "outside: [2, 8], clear: [1, 5]}}]\n",
      "8:81: clear: [1, 5] reaches beyond outside, expected a range within [2, 8]" },
    { RULE "inside: [2, 8], clear: [3, 9]}}]\n",
      "8:80: clear: [3, 9] does not hold all of inside, expected a range around [2, 8]" },
    { RULE "above: 3, clear: [1, 2]}}]\n", "8:74: clear: expected one number with above" },
    { RULE "equals: open, clear: 1}}]\n", "8:78: clear has no use with equals, expected none" },
    { RULE "changed: false}}]\n", "8:66: changed: expected true, or another condition" },
    { RULE "changed: true, for: 5s}}]\n", "8:77: for has no use with changed, expected none" },
    { RULE "silent: 5m, for: 5s}}]\n", "8:74: for has no use with silent, expected none" },
    { RULE "silent: 5m, count: 2, within: 1h}}]\n",
      "8:76: count has no use with silent, expected none" },
    { RULE "rise: 0.5}}]\n", "8:63: rise stands without within, expected both" },
    { RULE "rise: 0, within: 5m}}]\n", "8:63: rise: 0, expected a number over 0" },
    { RULE "rise: 1, within: 5m, clear: 2}}]\n", "8:85: clear: 2 is above the threshold, expected at most 1" },
    { RULE "above: 3, within: 5m}}]\n", "8:75: within has no use with above, expected none" },
    { RULE "above: 3, count: 3}}]\n", "8:74: count stands without within, expected both" },
    { RULE "above: 3, count: 1, within: 5m}}]\n", "8:74: count: 1 is out of range, expected 2 to 50" },
    { RULE "steps: [{severity: minor, above: 3}]}}]\n", "8:64: steps: expected 2 to 4 items, found 1" },
    { RULE "steps: [{severity: severe, above: 3}, {severity: minor, above: 4}]}}]\n",
      "8:106: steps: minor follows severe, expected rising severities" },
    { RULE "steps: [{severity: minor, above: 3}, {severity: severe, above: 3}]}}]\n",
      "8:120: steps: the severe step begins no later than the minor one, expected a threshold beyond it" },
    { RULE "steps: [{severity: minor, above: 3}, {severity: severe, below: 1}]}}]\n",
      "8:120: steps: below follows above, expected the same condition in each step" },
    { RULE "steps: [{severity: minor, equals: 3}, {severity: severe, equals: 4}]}}]\n",
      "8:91: equals has no steps, expected above, below, outside, rise, fall or silent\n"
      "8:122: equals has no steps, expected above, below, outside, rise, fall or silent" },
    { RULE "steps: [{severity: minor, rise: 3}, {severity: severe, rise: 4}]}}]\n",
      "8:56: steps of rise stand without within, expected both" },
    { RULE "all: [{metric: a, above: 1}, {metric: b, below: 2}]}}]\n",
      "8:46: metric has no use with all, whose items have their own, expected none\n"
      "8:62: all stands without within, expected both" },
    { RULE "above: 3, steps: []}}]\n",
      "8:74: steps: expected 2 to 4 items, found 0\n"
      "8:74: above and steps stand together, expected one of them" },
    { 0 },
  };
  assert_cases (cases, BASE);
}

static void schedules_and_what_keeps_quiet_make_sense (void **state)
{
  (void) state;
  static const Case cases[] = {
    { "rules: [{id: r, category: c, match: {metric: m}, when: {above: 3}, active: {hours: \"6-22\", days: [someday], season: \"02-30/03-01\"}}]\n",
      "8:84: hours: expected hours such as \"08:00-20:00\", found \"6-22\"\n"
      "8:99: days: expected mon, tue, wed, thu, fri, sat or sun, found \"someday\"\n"
      "8:117: season: expected a season such as \"06-01/09-30\", found \"02-30/03-01\"" },
    { "rules:\n"
      "  - {id: r, category: c, match: {metric: m}, when: {above: 3}, unless: {alert: nothing}}\n"
      "  - {id: s, category: c, match: {metric: m}, when: {above: 3}, unless: {alert: t}}\n"
      "  - {id: t, category: c, match: {metric: m}, when: {above: 3}, unless: {alert: s}}\n"
      "alerts: {storm: 1, devices_unless: {alert: gone}}\n",
      "9:80: alert: there is no rule nothing, expected one that stands under rules, or a built-in one\n"
      "10:80: alert: rule s waits for itself in the end, expected a way that ends\n"
      "11:80: alert: rule t waits for itself in the end, expected a way that ends\n"
      "12:17: storm: 1 is out of range, expected 2 to 1000\n"
      "12:44: alert: there is no rule gone, expected one that stands under rules, or a built-in one" },
    { "sensors:\n"
      "  - {id: a, broker: village, topic: t, metrics: [{name: m, path: $.m}]}\n"
      "  - {id: b, broker: village, topic: t, grid: \"6201\", metrics: [{name: m, path: $.m}]}\n"
      "rules:\n"
      "  - id: r\n"
      "    category: c\n"
      "    match: {sensors: [a, b]}\n"
      "    when: {within: 5m, any: [{metric: m, above: 1}, {metric: n, sensors: [a], above: 1}]}\n",
      "14:26: sensors: sensor b stands in grid 6201 and a in grid 62, expected sensors of one grid\n"
      "15:75: sensors: sensor a does not measure n, expected one that does" },
    { 0 },
  };
  assert_cases (cases, BASE);
}

static void sensors_make_sense (void **state)
{
  (void) state;
  static const Case cases[] = {
    { "sensors: [{id: s, broker: village, topic: a/#/b, metrics: [{name: a, path: level}]}]\n",
      "8:43: topic: expected an MQTT topic ('+' only as a whole level, '#' only at the end), found \"a/#/b\"\n"
      "8:76: path: expected a path such as $.level_cm or $.values[0].level, found \"level\"" },
    { "sensors: [{id: s, broker: village, topic: t, metrics: [{name: a}, {name: a, path: $.a, scale: 0}]}]\n",
      "8:56: path is missing, expected one with format json, such as $.level_cm\n"
      "8:74: metric a stands twice in sensor s, expected once\n"
      "8:95: scale: 0 makes every value the same, expected another number" },
    { "sensors: [{id: s, broker: village, topic: t, format: value, metrics: [{name: a, path: $.a}]}]\n",
      "8:87: path has no use with format value, expected none" },
    { "sensors: [{id: s, broker: village, topic: t, metrics: [{name: a, path: \"$.a[x]\"}]}]\n",
      "8:76: path: path \"$.a[x]\": not understood from character 4 on, expected .name, ['name'], [0] or [*]; at most 32 of"
      " them and 4 wildcards" },
    { "sensors: [{id: s, broker: village, topic: t, time_path: \"$.r[*].at\", metrics: [{name: a, path: $.a}]}]\n",
      "8:57: time_path has more wildcards than the path of a, expected at most as many: each reading has one time" },
    { "sensors: [{id: s, broker: village, topic: t, sequence_path: \"$.r[*].n\", metrics: [{name: a, path: $.a}]}]\n",
      "8:61: sequence_path: expected a path without wildcards: a message has one number" },
    { "sensors: [{id: s, broker: village, topic: t, sequence_path: seq, metrics: [{name: a, path: $.a}]}]\n",
      "8:61: sequence_path: expected a path such as $.level_cm or $.values[0].level, found \"seq\"" },
    { "sensors: [{id: s, broker: village, topic: t, format: value, sequence_path: $.n, metrics: [{name: a}]}]\n",
      "8:76: sequence_path has no use with format value, expected none" },
    { "sensors: [{id: s, broker: village, topic: t, metrics: [{name: a, path: $.a, unit: °C}]}]\n",
      "8:83: unit: there is no unit °C; did you mean Cel?" },
    { "sensors: [{id: s, broker: village, topic: t, metrics: [{name: a, path: $.a, unit: m, raw_unit: Cel}]}]\n",
      "8:96: raw_unit: Cel can't be converted to m, expected a unit of length" },
    { "sensors: [{id: s, broker: village, topic: t, metrics: [{name: a, path: $.a, minimum: 3, maximum: 2}]}]\n",
      "8:98: maximum: 2 is not above minimum 3, expected a larger number" },
    { "sensors: [{id: s, broker: village, topic: t, metrics: [{name: a, path: $.a, kind: text, deadband: 2}]}]\n",
      "8:99: deadband has no use with kind text, expected none" },
    { "sensors: [{id: s, broker: village, topic: t, metrics: [{name: a, path: $.a, values: {open: wide}}]}]\n",
      "8:92: values: expected a map such as {open: 1, closed: 0}, found \"wide\"" },
    { "sensors: [{id: s, broker: village, topic: t, metrics: [{name: a, path: $.a, retain: 12h}]}]\n",
      "8:85: retain: 12h is out of range, expected 1d to 3660d" },
    { "sensors: [{id: s, broker: village, topic: t, silent_after: 10s, metrics: [{name: a, path: $.a, at_most_every: 10s}]}]\n",
      "8:111: at_most_every is not shorter than silent_after, expected less: else the sensor counts as silent" },
    { "sensors: [{id: s, broker: village, topic: t, format: binary, metrics: [{name: a, encoding: u16, order: word_swapped}]}]\n",
      "8:72: byte is missing, expected where the metric starts, from 0\n"
      "8:104: order: word_swapped needs two words, expected an encoding of 32 or 64 bits" },
    { "sensors: [{id: s, broker: village, topic: t, format: csv, header: false, metrics: [{name: a}]}]\n",
      "8:84: path: expected the number of a column, from 1, as there is no header line, found \"a\"" },
    { "sensors: [{id: s, broker: village, topic: spBv1.0/g/NDATA/n, format: sparkplug, metrics: [{name: a}]}]\n",
      "8:43: topic: a sensor of format sparkplug is an edge node, expected spBv1.0/GROUP/+/NODE/#" },
    { "sensors: [{id: s, broker: village, topic: t, separator: \";\", metrics: [{name: a, path: $.a, byte: 1}]}]\n",
      "8:57: separator has no use with format json, expected none\n"
      "8:99: byte has no use with format json, expected none" },
    { "sensors: [{id: s, broker: village, topic: t, metrics: []}]\n",
      "8:55: metrics: expected 1 to 100 items, found 0" },
    { 0 },
  };
  assert_cases (cases, BASE);
}

static void topics_with_named_levels_make_sense (void **state)
{
  (void) state;
  static const Case cases[] = {
    { "sensors: [{id: \"{d}\", broker: village, topic: \"a/{d\", metrics: [{name: m, path: $.m}]}]\n",
      "8:47: topic: the brace in \"{d\" is not closed before the level ends, expected levels like {village}" },
    { "sensors: [{id: \"{d}\", broker: village, topic: \"a/x{d}\", metrics: [{name: m, path: $.m}]}]\n",
      "8:47: topic: \"x{d}\" is no {name} of letters, digits and '_' that fills its level, expected levels like {village}" },
    { "sensors: [{id: \"{d}\", broker: village, topic: \"{d}/{d}\", metrics: [{name: m, path: $.m}]}]\n",
      "8:47: topic: {d} stands twice, expected levels like {village}" },
    { "sensors: [{id: s, broker: village, topic: \"a/{d}\", name: \"{e}\", metrics: [{name: m, path: $.m}]}]\n",
      "8:16: id: all devices of a/{d} would have the id s, expected a name of a level in it, such as {device}\n"
      "8:58: name: {e} is no level of the topic, expected names of the topic's levels" },
    { "sensors: [{id: \"{d}\", broker: village, topic: a/b, grid_from: \"x\", metrics: [{name: m, path: $.m}]}]\n",
      "8:16: id: {d} is no level of the topic, expected names of the topic's levels\n"
      "8:63: grid_from: the topic a/b is of one device, expected a topic with named levels such as {device}" },
    { "sensors: [{id: \"{d}\", broker: village, topic: \"a/{d}\", max_devices: 0, grid_map: {x: \"63\"}, metrics: [{name: m, path: $.m}]}]\n",
      "8:69: max_devices: 0 is out of range, expected 1 to 10000\n"
      "8:82: grid_map: what it is a map of is missing, expected grid_from beside it\n"
      "8:86: grid_map: there is no grid 63; did you mean 62?" },
    { "sensors:\n"
      "  - {id: \"{d}\", broker: village, topic: \"a/{d}/level\", metrics: [{name: m, path: $.m}]}\n"
      "  - {id: \"x-{d}\", broker: village, topic: \"a/{d}/#\", metrics: [{name: m, path: $.m}]}\n",
      "10:43: topic: a/{d}/# and a/{d}/level at s.yaml:9 may both take a message, expected topics that differ at a level without a"
      " name" },
    { "sensors: [{id: \"v-{d}\", broker: village, topic: \"a/{d}\", metrics: [{name: m, path: $.m}]}]\n"
      "rules: [{id: r, category: c, match: {metric: n, sensors: [v-1, w-1]}, when: {above: 1}}]\n",
      "9:59: sensors: sensor v-1 does not measure n, expected one that does\n"
      "9:64: sensors: there is no sensor w-1, expected one that stands under sensors" },
    { "rules: [{id: r, category: c, match: {metric: m, topic: \"a/#/b\"}, when: {above: 1}}]\n",
      "8:56: topic: expected an MQTT topic ('+' only as a whole level, '#' only at the end), found \"a/#/b\"" },
    { "rules: [{id: r, category: c, match: {topic: \"a/#\"}, when: {above: 1}}]\n",
      "8:37: match names nothing to watch, expected metric or sensors" },
    { 0 },
  };
  assert_cases (cases, BASE);
}

static void deliveries_and_duties_make_sense (void **state)
{
  (void) state;
  static const Case cases[] = {
    { "agencies: [{id: a, deliver: [{}, {webhook: \"https://h\"}]}]\n",
      "8:30: expected either mqtt or webhook for each way of delivery\n"
      "8:34: secret_file is missing, expected the file with the secret that signs the webhook" },
    { 0 },
  };
  static const Case duties[] = {
    { "duties: [{grid: \"62\", categories: [a], hours: \"8-20\"}]\n",
      "2:10: nobody has this duty, expected account or agency\n"
      "2:47: hours: expected hours such as \"08:00-20:00\", found \"8-20\"" },
    { 0 },
  };
  assert_cases (cases, BASE);
  assert_cases (duties, "gateway: {id: g, division: \"62\"}\n");
}

static void a_sent_text_shows_nothing_of_files_elsewhere (void **state)
{
  (void) state;
  static const char text[] = "gateway: {id: g, division: \"62\"}\ninclude: [/etc/passwd, ../../../etc/*]\n";
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (g_free);
  assert_null (site_load_text ("/srv/a/b/s.yaml", text, strlen (text), errors));
  assert_int_equal (errors->len, 2);
  for (guint i = 0; i < errors->len; i++)
    assert_non_null (strstr (errors->pdata[i], " is elsewhere, expected a path below the configuration's folder"));
}

static void a_flood_of_errors_is_cut_and_counted (void **state)
{
  (void) state;
  GString *text = g_string_new (BASE "cameras:\n");
  for (int i = 0; i < 300; i++)
    g_string_append_printf (text, "  - {id: a%d, url: x}\n", i);
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (g_free);
  assert_null (site_load_text ("s.yaml", text->str, text->len, errors));
  assert_int_equal (errors->len, 201);
  assert_string_equal (errors->pdata[200], "s.yaml: 100 more errors, not shown");
  g_string_free (text, TRUE);
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (keys_are_known_and_there),
    cmocka_unit_test (without_a_gateway_the_rest_is_still_checked),
    cmocka_unit_test (what_is_not_in_this_version_is_told_so),
    cmocka_unit_test (values_have_a_form_and_a_range),
    cmocka_unit_test (a_sent_text_shows_nothing_of_files_elsewhere),
    cmocka_unit_test (numbers_are_decimal_and_finite),
    cmocka_unit_test (urls_hold_no_credentials_and_name_a_host),
    cmocka_unit_test (references_name_what_is_there),
    cmocka_unit_test (the_grid_tree_has_no_circles),
    cmocka_unit_test (rules_make_sense),
    cmocka_unit_test (conditions_make_sense),
    cmocka_unit_test (schedules_and_what_keeps_quiet_make_sense),
    cmocka_unit_test (sensors_make_sense),
    cmocka_unit_test (topics_with_named_levels_make_sense),
    cmocka_unit_test (deliveries_and_duties_make_sense),
    cmocka_unit_test (a_flood_of_errors_is_cut_and_counted),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
