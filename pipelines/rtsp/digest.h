/* digest.h: HTTP digest login as RTSP uses it (RFC 7616, RFC 2617 and 2069), for both ends.
 *
 * thread: any. */
#pragma once

#include "pipelines/rtsp/rtsp_message.h"

typedef enum { DIGEST_MD5, DIGEST_SHA256 } DigestAlgorithm;

/* What a response is computed from; `qop`, `nc` and `cnonce` are NULL in RFC 2069's form. */
typedef struct {
  DigestAlgorithm algorithm;
  const char *username, *realm, *password;
  const char *nonce, *uri, *method;
  const char *qop, *nc, *cnonce;
} DigestInput;

/* Lower-case hex; free with g_free. */
char *digest_response (const DigestInput *input);

/* ---- as a client ---- */

/* The challenge that we answer: the strongest that we know. */
typedef struct {
  gboolean is_basic;
  DigestAlgorithm algorithm;
  char *realm, *nonce, *opaque;
  gboolean has_qop, is_stale;
  guint count; /* of answers to this nonce */
} DigestChallenge;

/* From a 401's WWW-Authenticate headers; NULL when there is none that we know: `error`
 * completes "asks for a login …". */
DigestChallenge *digest_challenge_read (GstRTSPMessage *response, GError **error);

/* The value of Authorization for a request; free with g_free. */
char *digest_challenge_answer (DigestChallenge *challenge, const char *username, const char *password, const char *method,
                               const char *uri);

void digest_challenge_free (DigestChallenge *challenge);

/* ---- as a server ---- */

#define DIGEST_REALM "gridgate"

/* Adds our challenges to a 401: SHA-256 first and MD5 last, because ffmpeg obeys the last and knows MD5 only. */
void digest_add_challenges (GstRTSPMessage *response, const char *nonce, gboolean is_stale);

/* A client's answer; strings live as long as `credentials`. */
typedef struct {
  GstRTSPAuthCredential **credentials;
  const char *username, *realm, *nonce, *uri, *response, *algorithm, *qop, *nc, *cnonce;
} DigestAnswer;

/* FALSE when the request has no digest answer with all that one needs. */
gboolean digest_answer_read (GstRTSPMessage *request, DigestAnswer *answer);
void digest_answer_clear (DigestAnswer *answer);
