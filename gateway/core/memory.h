/* memory.h: how much memory this process may use.
 *
 * thread: any; these read files of the kernel. */
#pragma once

#include <glib.h>

/* The machine's memory, or what the control group of this process, or one above it, allows (memory.max and memory.high of
 * version 2, memory.limit_in_bytes of version 1), whichever is least. */
guint64 memory_limit_bytes (void);

/* The same of a machine with `machine_bytes`, whose groups stand under `root` (/sys/fs/cgroup), for the process with this
 * /proc/PID/cgroup. Groups that can't be seen, as those outside of a container, limit nothing. */
guint64 memory_limit_in (guint64 machine_bytes, const char *root, const char *membership);
