/* replay.h: `gridgate replay`: the rules over a capture on its own clock.
 *
 * Each line goes the way of a live message: decoded, normalised, judged by the same engine. Nothing is written, no broker is
 * asked. Each alert that would open, change or clear is one line of JSON on standard output: the API's alert with "event". */
#pragma once

#include "gateway/model/decoder.h"

/* The exit status: 0, also when lines were wrong (each is told on standard error as FILE:LINE and skipped); 1 when the file
 * can't be read. "-" is standard input. */
int replay_command (Site *site, DecoderFind find_decoder, const char *path);
