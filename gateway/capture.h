/* capture.h: `gridgate capture`: what sensors send, as lines of a file (capture_line.h).
 *
 * It has connections of its own to the brokers, whose sessions end with it: a gateway that runs notices nothing. */
#pragma once

#include "gateway/model/broker_port.h"
#include "gateway/model/decoder.h"

/* Runs until SIGINT or SIGTERM. The exit status: 0, or 1 when nothing could be written. The file must not be there yet. */
int capture_command (Site *site, const BrokerPort *port, DecoderFind find_decoder, const char *path);
