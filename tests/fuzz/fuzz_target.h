/* fuzz_target.h: what a fuzz target defines, with libFuzzer's name. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Feeds `size` bytes to the parser; returns 0. Anything but a crash, a leak or a hang is fine. */
int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size);
