/* What an RTSP client or camera may say: messages, logins, paths. */
#include "pipelines/rtsp/digest.h"
#include "pipelines/rtsp/rtsp_path.h"
#include "tests/fuzz/fuzz_target.h"

static void look_into (GstRTSPMessage *message)
{
  DigestAnswer answer;
  GString *text = rtsp_message_serialise (message);
  g_string_free (text, TRUE);
  if (message->type == GST_RTSP_MESSAGE_RESPONSE) {
    DigestChallenge *challenge = digest_challenge_read (message, NULL);
    if (challenge != NULL)
      g_free (digest_challenge_answer (challenge, "user", "password", "DESCRIBE", "rtsp://h/live/a"));
    digest_challenge_free (challenge);
    return;
  }
  g_auto (RtspPath) path = { 0 };
  rtsp_path_parse (message->type_data.request.uri, &path);
  digest_answer_read (message, &answer);
  digest_answer_clear (&answer);
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  gsize at = 0, used = 0;
  for (RtspParse parse = RTSP_WHOLE; parse == RTSP_WHOLE && at < size; at += used) {
    g_autoptr (GstRTSPMessage) message = NULL;
    g_autoptr (GError) error = NULL;
    parse = rtsp_message_parse (bytes + at, size - at, RTSP_BODY_MAX, &message, &used, &error);
    if (message != NULL)
      look_into (message);
  }
  return 0;
}
