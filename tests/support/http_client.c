#include "tests/support/http_client.h"

#include <curl/curl.h>
#include <string.h>

#include "tests/support/test.h"

enum { TIMEOUT_S = 30 };

struct HttpClient {
  CURL *handle;
  char *base, *csrf, *bearer;
};

HttpClient *http_client_new (const char *base)
{
  HttpClient *client = g_new0 (HttpClient, 1);
  client->handle = curl_easy_init ();
  client->base = g_strdup (base);
  curl_easy_setopt (client->handle, CURLOPT_COOKIEFILE, ""); /* keep cookies in memory */
  return client;
}

void http_client_set_bearer (HttpClient *client, const char *secret)
{
  g_free (client->bearer);
  client->bearer = g_strdup (secret);
}

static size_t collect (char *bytes, size_t one, size_t size, void *data)
{
  (void) one;
  g_byte_array_append (data, (const guint8 *) bytes, (guint) size);
  return size;
}

static struct curl_slist *header_append (struct curl_slist *headers, const char *name, const char *value)
{
  g_autofree char *line = g_strdup_printf ("%s: %s", name, value);
  return value != NULL ? curl_slist_append (headers, line) : headers;
}

HttpAnswer *http_client_call (HttpClient *client, const char *method, const char *path, json_t *body)
{
  HttpAnswer *answer = g_new0 (HttpAnswer, 1);
  g_autofree char *url = g_strconcat (client->base, path, NULL);
  g_autofree char *bearer = client->bearer != NULL ? g_strconcat ("Bearer ", client->bearer, NULL) : NULL;
  GByteArray *received = g_byte_array_new ();
  char *text = body != NULL ? json_dumps (body, JSON_COMPACT) : NULL;
  struct curl_slist *headers = NULL;
  headers = header_append (headers, "X-CSRF-Token", client->csrf);
  headers = header_append (headers, "Authorization", bearer);
  headers = header_append (headers, "Content-Type", text != NULL ? "application/json" : NULL);

  curl_easy_setopt (client->handle, CURLOPT_URL, url);
  curl_easy_setopt (client->handle, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt (client->handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt (client->handle, CURLOPT_WRITEFUNCTION, collect);
  curl_easy_setopt (client->handle, CURLOPT_WRITEDATA, received);
  curl_easy_setopt (client->handle, CURLOPT_TIMEOUT, (long) TIMEOUT_S);
  curl_easy_setopt (client->handle, CURLOPT_POSTFIELDS, text);
  if (text == NULL)
    curl_easy_setopt (client->handle, CURLOPT_HTTPGET, 1L);
  curl_easy_setopt (client->handle, CURLOPT_CUSTOMREQUEST, method);
  if (curl_easy_perform (client->handle) == CURLE_OK) {
    const char *type = NULL;
    curl_easy_getinfo (client->handle, CURLINFO_RESPONSE_CODE, &answer->status);
    curl_easy_getinfo (client->handle, CURLINFO_CONTENT_TYPE, &type);
    answer->content_type = g_strdup (type);
  }
  curl_slist_free_all (headers);
  free (text);

  answer->size = received->len;
  g_byte_array_append (received, (const guint8 *) "", 1);
  answer->body = (char *) g_byte_array_free (received, FALSE);
  answer->json = json_loadb (answer->body, answer->size, 0, NULL);
  return answer;
}

long http_client_login (HttpClient *client, const char *name, const char *password)
{
  json_t *body = json_pack ("{s:s, s:s}", "name", name, "password", password);
  g_autoptr (HttpAnswer) answer = http_client_call (client, "POST", "/api/v1/session", body);
  json_decref (body);
  g_free (client->csrf);
  client->csrf = g_strdup (json_string_value (json_object_get (answer->json, "csrf")));
  return answer->status;
}

json_t *http_client_get (HttpClient *client, const char *path)
{
  g_autoptr (HttpAnswer) answer = http_client_call (client, "GET", path, NULL);
  if (answer->status != 200 || answer->json == NULL)
    fail_msg ("GET %s: status %ld: %s", path, answer->status, answer->body);
  return json_incref (answer->json);
}

void http_answer_free (HttpAnswer *answer)
{
  if (answer == NULL)
    return;
  json_decref (answer->json);
  g_free (answer->body);
  g_free (answer->content_type);
  g_free (answer);
}

void http_client_free (HttpClient *client)
{
  if (client == NULL)
    return;
  curl_easy_cleanup (client->handle);
  g_free (client->base);
  g_free (client->csrf);
  g_free (client->bearer);
  g_free (client);
}
