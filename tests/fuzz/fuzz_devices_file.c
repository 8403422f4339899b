/* The bytes of a CSV file of devices, as an entry with placeholders takes it. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/loader.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/fuzz_yaml.h"

/* A file without a folder: nothing is left behind. */
static int file_of (const void *bytes, size_t size)
{
  int fd = memfd_create ("fuzz", MFD_CLOEXEC);
  g_assert (fd >= 0 && write (fd, bytes, size) == (ssize_t) size);
  return fd;
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
  int devices = file_of (bytes, size);
  g_autofree char *text = g_strdup_printf (
    "gateway: {id: g, division: \"6211\", data_dir: /d}\n"
    "brokers: [{id: village, url: \"mqtt://127.0.0.1\"}]\n"
    "grids: [{id: \"621101\", parent: \"6211\"}]\n"
    "sensors:\n"
    "  - {id: \"{device}\", devices_file: /proc/self/fd/%d, broker: village, topic: \"village/{village}/{device}\","
    " metrics: [{name: level, path: $.level}]}\n", devices);
  int site_file = file_of (text, strlen (text));
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", site_file);
  g_autoptr (GPtrArray) errors = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (Site) site = site_load (path, errors);
  g_assert ((site == NULL) == (errors->len > 0));
  for (guint i = 0; site != NULL && i < site->sensors->len; i++) {
    const Sensor *sensor = site->sensors->pdata[i];
    g_assert (sensor->id[0] != '\0' && g_utf8_validate (sensor->topic, -1, NULL));
  }
  close (site_file);
  close (devices);
  return 0;
}
