#include "pipelines/rtsp/digest.h"

#include <string.h>

#include "gateway/core/error.h"
#include "gateway/core/ids.h"
#include "pipelines/rtsp/credentials.h"

static char *hash (DigestAlgorithm algorithm, const char *text)
{
  return g_compute_checksum_for_string (algorithm == DIGEST_MD5 ? G_CHECKSUM_MD5 : G_CHECKSUM_SHA256, text, -1);
}

char *digest_response (const DigestInput *input)
{
  g_autofree char *a1 = g_strdup_printf ("%s:%s:%s", input->username, input->realm, input->password);
  g_autofree char *a2 = g_strdup_printf ("%s:%s", input->method, input->uri);
  g_autofree char *ha1 = hash (input->algorithm, a1);
  g_autofree char *ha2 = hash (input->algorithm, a2);
  g_autofree char *text = input->qop != NULL ? g_strdup_printf ("%s:%s:%s:%s:%s:%s", ha1, input->nonce, input->nc,
                                                                input->cnonce, input->qop, ha2)
                                             : g_strdup_printf ("%s:%s:%s", ha1, input->nonce, ha2);
  return hash (input->algorithm, text);
}

static const char *parameter (const GstRTSPAuthCredential *credential, const char *name)
{
  for (GstRTSPAuthParam **one = credential->params; one != NULL && *one != NULL; one++)
    if (g_ascii_strcasecmp ((*one)->name, name) == 0)
      return (*one)->value;
  return NULL;
}

static gboolean is_among (const char *list, const char *name)
{
  g_auto (GStrv) offers = g_strsplit (list != NULL ? list : "", ",", 8);
  for (char **offer = offers; *offer != NULL; offer++)
    if (g_ascii_strcasecmp (g_strstrip (*offer), name) == 0)
      return TRUE;
  return FALSE;
}

/* Why it is none of ours goes to `problem`, which is static. */
static DigestChallenge *challenge_from (const GstRTSPAuthCredential *credential, const char **problem)
{
  if (credential->scheme == GST_RTSP_AUTH_BASIC) {
    DigestChallenge *basic = g_new0 (DigestChallenge, 1);
    basic->is_basic = TRUE;
    return basic;
  }
  const char *realm = parameter (credential, "realm"), *nonce = parameter (credential, "nonce");
  const char *algorithm = parameter (credential, "algorithm");
  gboolean is_sha256 = algorithm != NULL && g_ascii_strcasecmp (algorithm, "SHA-256") == 0;
  gboolean is_md5 = algorithm == NULL || g_ascii_strcasecmp (algorithm, "MD5") == 0;
  const char *qop = parameter (credential, "qop");
  if (credential->scheme != GST_RTSP_AUTH_DIGEST || realm == NULL || nonce == NULL || (!is_sha256 && !is_md5))
    return NULL;
  if (is_among (qop, "auth-int") && !is_among (qop, "auth")) {
    *problem = "that signs whole messages (qop auth-int), which gridgate doesn't do: set it to auth";
    return NULL;
  }
  DigestChallenge *challenge = g_new0 (DigestChallenge, 1);
  challenge->algorithm = is_sha256 ? DIGEST_SHA256 : DIGEST_MD5;
  challenge->realm = g_strdup (realm);
  challenge->nonce = g_strdup (nonce);
  challenge->opaque = g_strdup (parameter (credential, "opaque"));
  challenge->has_qop = is_among (qop, "auth");
  challenge->is_stale = is_among (parameter (credential, "stale"), "true");
  return challenge;
}

static int strength (const DigestChallenge *challenge)
{
  return challenge == NULL ? 0 : challenge->is_basic ? 1 : challenge->algorithm == DIGEST_MD5 ? 2 : 3;
}

DigestChallenge *digest_challenge_read (GstRTSPMessage *response, GError **error)
{
  DigestChallenge *best = NULL;
  const char *problem = "in a way that is neither Digest (MD5, SHA-256) nor Basic";
  GstRTSPAuthCredential **credentials = credentials_read (response, GST_RTSP_HDR_WWW_AUTHENTICATE);
  for (GstRTSPAuthCredential **one = credentials; one != NULL && *one != NULL; one++) {
    DigestChallenge *challenge = challenge_from (*one, &problem);
    if (strength (challenge) > strength (best)) {
      digest_challenge_free (best);
      best = challenge;
    } else {
      digest_challenge_free (challenge);
    }
  }
  if (credentials != NULL)
    gst_rtsp_auth_credentials_free (credentials);
  if (best == NULL)
    error_set (error, ERROR_RECONFIGURE, "%s", problem);
  return best;
}

static char *answer_basic (const char *username, const char *password)
{
  g_autofree char *pair = g_strdup_printf ("%s:%s", username, password);
  g_autofree char *encoded = g_base64_encode ((const guchar *) pair, strlen (pair));
  return g_strdup_printf ("Basic %s", encoded);
}

char *digest_challenge_answer (DigestChallenge *challenge, const char *username, const char *password, const char *method,
                               const char *uri)
{
  if (challenge->is_basic)
    return answer_basic (username, password);
  g_autofree char *cnonce = random_hex (8);
  g_autofree char *count = g_strdup_printf ("%08x", ++challenge->count);
  DigestInput input = { challenge->algorithm, username, challenge->realm, password, challenge->nonce, uri, method };
  if (challenge->has_qop) {
    input.qop = "auth";
    input.nc = count;
    input.cnonce = cnonce;
  }
  g_autofree char *response = digest_response (&input);
  GString *text = g_string_new (NULL);
  g_string_append_printf (text, "Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", response=\"%s\"", username,
                          challenge->realm, challenge->nonce, uri, response);
  if (challenge->algorithm == DIGEST_SHA256)
    g_string_append (text, ", algorithm=SHA-256");
  if (challenge->opaque != NULL)
    g_string_append_printf (text, ", opaque=\"%s\"", challenge->opaque);
  if (challenge->has_qop)
    g_string_append_printf (text, ", qop=auth, nc=%s, cnonce=\"%s\"", count, cnonce);
  return g_string_free (text, FALSE);
}

void digest_challenge_free (DigestChallenge *challenge)
{
  if (challenge == NULL)
    return;
  g_free (challenge->realm);
  g_free (challenge->nonce);
  g_free (challenge->opaque);
  g_free (challenge);
}

void digest_add_challenges (GstRTSPMessage *response, const char *nonce, gboolean is_stale)
{
  const char *stale = is_stale ? ", stale=true" : "";
  gst_rtsp_message_take_header (response, GST_RTSP_HDR_WWW_AUTHENTICATE,
                                g_strdup_printf ("Digest realm=\"%s\", nonce=\"%s\", algorithm=SHA-256, qop=\"auth\"%s",
                                                 DIGEST_REALM, nonce, stale));
  gst_rtsp_message_take_header (response, GST_RTSP_HDR_WWW_AUTHENTICATE,
                                g_strdup_printf ("Digest realm=\"%s\", nonce=\"%s\", algorithm=MD5%s", DIGEST_REALM, nonce,
                                                 stale));
}

static gboolean answer_fill (DigestAnswer *answer, const GstRTSPAuthCredential *credential)
{
  answer->username = parameter (credential, "username");
  answer->realm = parameter (credential, "realm");
  answer->nonce = parameter (credential, "nonce");
  answer->uri = parameter (credential, "uri");
  answer->response = parameter (credential, "response");
  answer->algorithm = parameter (credential, "algorithm");
  answer->qop = parameter (credential, "qop");
  answer->nc = parameter (credential, "nc");
  answer->cnonce = parameter (credential, "cnonce");
  if (answer->algorithm == NULL)
    answer->algorithm = "MD5";
  return answer->username != NULL && answer->realm != NULL && answer->nonce != NULL && answer->uri != NULL
         && answer->response != NULL && (answer->qop == NULL || (answer->nc != NULL && answer->cnonce != NULL));
}

gboolean digest_answer_read (GstRTSPMessage *request, DigestAnswer *answer)
{
  *answer = (DigestAnswer){ 0 };
  if (rtsp_message_header (request, GST_RTSP_HDR_AUTHORIZATION) == NULL)
    return FALSE;
  answer->credentials = credentials_read (request, GST_RTSP_HDR_AUTHORIZATION);
  if (answer->credentials != NULL && *answer->credentials != NULL
      && (*answer->credentials)->scheme == GST_RTSP_AUTH_DIGEST && answer_fill (answer, *answer->credentials))
    return TRUE;
  digest_answer_clear (answer);
  return FALSE;
}

void digest_answer_clear (DigestAnswer *answer)
{
  if (answer->credentials != NULL)
    gst_rtsp_auth_credentials_free (answer->credentials);
  *answer = (DigestAnswer){ 0 };
}
