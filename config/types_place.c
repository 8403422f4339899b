/* Addresses, URLs and files. */
#include "config/reader.h"
#include "config/types.h"
#include "gateway/core/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static gboolean take_path (Reader *reader, const YamlNode *node, gpointer field)
{
  g_free (*(char **) field);
  *(char **) field = reader_resolve_path (reader, node, node->text);
  return TRUE;
}

static gboolean read_folder (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  return strlen (text) < 3072 ? take_path (reader, node, field) : reader_mismatch (reader, key, node);
}

const ValueType type_folder = { "the path of a folder", read_folder, show_text, schema_text };

/* What a reload compares instead of the contents, which never stand in a site. */
static void note_version (Reader *reader, const char *path)
{
  GStatBuf status;
  if (g_stat (path, &status) != 0)
    return;
  g_hash_table_replace (reader->site->file_versions, g_strdup (path),
                        g_strdup_printf ("%" G_GINT64_FORMAT ".%09ld:%" G_GINT64_FORMAT ":%" G_GUINT64_FORMAT,
                                         (gint64) status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                                         (gint64) status.st_size, (guint64) status.st_ino));
}

static gboolean read_file (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  if (!read_folder (reader, key, node, field))
    return FALSE;
  const char *path = *(char **) field;
  if (!g_file_test (path, G_FILE_TEST_IS_REGULAR) || g_access (path, R_OK) != 0) {
    gboolean is_there = g_file_test (path, G_FILE_TEST_EXISTS);
    return reader_refuse (reader, node, "%s: %s %s, expected a file that this program may read", key->name, path,
                          is_there ? "can't be read" : "does not exist");
  }
  note_version (reader, path);
  return TRUE;
}

const ValueType type_file = { "the path of a file", read_file, show_text, schema_text };

static gboolean read_secret_file (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  if (!read_file (reader, key, node, field))
    return FALSE;
  g_autoptr (GError) error = NULL;
  char *secret = file_read_secret (*(char **) field, &error);
  if (secret == NULL)
    return reader_refuse (reader, node, "%s: %s", key->name, error->message);
  explicit_bzero (secret, strlen (secret));
  g_free (secret);
  return TRUE;
}

const ValueType type_secret_file = { "the path of a file that holds the secret", read_secret_file, show_text, schema_text };

static gboolean host_is_right (const char *host)
{
  if (host == NULL || host[0] == '\0' || strlen (host) > 253)
    return FALSE;
  struct in6_addr address;
  if (strchr (host, ':') != NULL)
    return inet_pton (AF_INET6, host, &address) == 1;
  for (const char *at = host; *at != '\0'; at++)
    if (!g_ascii_isalnum (*at) && strchr (".-_", *at) == NULL)
      return FALSE;
  return g_ascii_isalnum (host[0]);
}

static char *schemes_in_words (const Key *key)
{
  GString *words = g_string_new (NULL);
  for (const Choice *choice = key->choices; choice->name != NULL; choice++)
    g_string_append_printf (words, "%s%s://", words->len > 0 ? " or " : "", choice->name);
  return g_string_free (words, FALSE);
}

static const Choice *find_scheme (const Key *key, const char *scheme)
{
  const Choice *choice = key->choices;
  while (choice->name != NULL && strcmp (choice->name, scheme) != 0)
    choice++;
  return choice->name != NULL ? choice : NULL;
}

static gboolean text_is_printable (const char *text)
{
  for (; *text != '\0'; text++)
    if ((guchar) *text <= 0x20 || (guchar) *text >= 0x7f)
      return FALSE;
  return TRUE;
}

/* The parts of a URL that were checked; the scheme is the choice. */
typedef struct {
  const Choice *scheme;
  char *host, *path;
  int port;
  gboolean has_query;
} Url;

static void url_clear (Url *url)
{
  g_free (url->host);
  g_free (url->path);
}

/* The authority is searched by hand for the '@': a URL with credentials must never be half understood. */
static gboolean has_credentials (const char *text)
{
  const char *authority = strstr (text, "://");
  if (authority == NULL)
    return FALSE;
  authority += 3;
  return memchr (authority, '@', strcspn (authority, "/?#")) != NULL;
}

static gboolean parse_url (Reader *reader, const Key *key, const YamlNode *node, const char *text, Url *url)
{
  g_autofree char *scheme = NULL, *query = NULL, *fragment = NULL, *schemes = schemes_in_words (key);
  if (has_credentials (text))
    return reader_refuse (reader, node, "%s: a user name or password stands in the URL, expected them as username and "
                          "password_file", key->name);
  scheme = g_uri_parse_scheme (text);
  if (!text_is_printable (text) || strlen (text) > 1024 || scheme == NULL
      || (url->scheme = find_scheme (key, scheme)) == NULL)
    return reader_refuse (reader, node, "%s: expected a URL that starts with %s, found \"%.80s\"", key->name, schemes,
                          text);
  if (!g_uri_split (text, G_URI_FLAGS_ENCODED, NULL, NULL, &url->host, &url->port, &url->path, &query, &fragment, NULL))
    return reader_refuse (reader, node, "%s: the host or port in \"%.80s\" is wrong, expected %s://HOST:PORT, port 1 to "
                          "65535", key->name, text, scheme);
  if (!host_is_right (url->host))
    return reader_refuse (reader, node, "%s: the host in \"%.80s\" is wrong, expected a name or an address", key->name,
                          text);
  if (url->port == 0 || url->port > 65535)
    return reader_refuse (reader, node, "%s: the port in \"%.80s\" is wrong, expected 1 to 65535", key->name, text);
  if (fragment != NULL)
    return reader_refuse (reader, node, "%s: a fragment (#…) stands in the URL, expected none", key->name);
  url->has_query = query != NULL;
  return TRUE;
}

static gboolean read_url (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  Url url = { 0 };
  gboolean is_good = parse_url (reader, key, node, text, &url);
  url_clear (&url);
  if (!is_good)
    return FALSE;
  g_free (*(char **) field);
  *(char **) field = g_strdup (text);
  return TRUE;
}

static json_t *schema_url (const Key *key)
{
  GString *pattern = g_string_new ("^(");
  for (const Choice *choice = key->choices; choice->name != NULL; choice++)
    g_string_append_printf (pattern, "%s%s", pattern->len > 2 ? "|" : "", choice->name);
  g_string_append (pattern, ")://[^@/?#]+([/?].*)?$");
  json_t *schema = json_pack ("{s:s, s:s}", "type", "string", "pattern", pattern->str);
  g_string_free (pattern, TRUE);
  return schema;
}

const ValueType type_url = { "a URL", read_url, show_text, schema_url };

static gboolean read_broker_url (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  Url url = { 0 };
  gboolean is_good = parse_url (reader, key, node, text, &url);
  if (is_good && (url.has_query || (url.path != NULL && url.path[0] != '\0' && strcmp (url.path, "/") != 0)))
    is_good = reader_refuse (reader, node, "%s: a path stands in the URL, expected host and port alone", key->name);
  if (is_good) {
    gboolean is_ipv6 = strchr (url.host, ':') != NULL;
    g_free (*(char **) field);
    *(char **) field = g_strdup_printf ("%s://%s%s%s:%d", url.scheme->name, is_ipv6 ? "[" : "", url.host,
                                        is_ipv6 ? "]" : "", url.port > 0 ? url.port : url.scheme->value);
  }
  url_clear (&url);
  return is_good;
}

const ValueType type_broker_url = { "a URL", read_broker_url, show_text, schema_url };

static gboolean listen_is_right (const char *text)
{
  struct in6_addr address;
  const char *colon = strrchr (text, ':');
  if (colon == NULL || colon[1] == '\0' || strspn (colon + 1, "0123456789") != strlen (colon + 1)
      || strlen (colon + 1) > 5 || g_ascii_strtoull (colon + 1, NULL, 10) > 65535)
    return FALSE;
  g_autofree char *host = g_strndup (text, colon - text);
  gsize length = strlen (host);
  if (host[0] != '[')
    return inet_pton (AF_INET, host, &address) == 1;
  if (length < 2 || host[length - 1] != ']')
    return FALSE;
  host[length - 1] = '\0';
  return inet_pton (AF_INET6, host + 1, &address) == 1;
}

static gboolean read_listen (Reader *reader, const Key *key, const YamlNode *node, gpointer field)
{
  const char *text = reader_text (reader, key, node);
  if (text == NULL)
    return FALSE;
  if (!listen_is_right (text))
    return reader_mismatch (reader, key, node);
  g_free (*(char **) field);
  *(char **) field = g_strdup (text);
  return TRUE;
}

const ValueType type_listen = { "a numeric address and a port, such as 127.0.0.1:8080 or [::1]:8080", read_listen,
                                show_text, schema_text };
