/* devices_file.h: one entry under `sensors` that stands for many: a CSV file names the devices, a line each.
 *
 * The first line names the columns. `{column}` in the entry's texts stands for the device's cell; a column that is called like
 * a key of the entry, which it doesn't have itself, gives that key. What is wrong with a cell is said with the file, line and
 * column of the cell.
 *
 * thread: any. */
#pragma once

#include "config/reader.h"

#define DEVICES_FILE "devices_file"

enum { DEVICES_MAX = 20000, DEVICE_COLUMNS_MAX = 50 };

/* A map for each device, owned by the reader; NULL when `map` names no file. Problems are added, and then there are none. */
GPtrArray *devices_expand (Reader *reader, const Section *section, const YamlNode *map);
