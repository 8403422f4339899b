/* capture_line.h: a message as one line of a capture: {"at","broker","topic","payload"|"payload_base64","qos","retained"}.
 *
 * thread: any; pure functions. */
#pragma once

#include "gateway/model/raw_message.h"

/* A base64 payload of RAW_PAYLOAD_MAX or a text of as many escapes, and the rest. */
enum { CAPTURE_LINE_MAX = 512 * 1024 };

/* With its newline; free with g_free. Of a payload that was too large to be taken only its size stands there. */
char *capture_line_write (const RawMessage *message);

/* NULL with ERROR_REFUSE, which says what is wrong. */
RawMessage *capture_line_read (const char *line, gsize size, GError **error);
