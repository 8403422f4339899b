/* site_script_private.h: what site_script.c (the whole), site_script_cameras.c and site_script_sensors.c share.
 *
 * thread: main. */
#pragma once

#include "pipelines/sim/site_script.h"
#include "pipelines/sim/yaml_form.h"

extern const Form site_script_camera_form; /* of CameraScript */
extern const Form site_script_sensor_form; /* of SensorScript */

/* A path, from the file's folder where it is relative. `target` is a char **. */
void site_script_path (YamlReader *reader, struct fy_node *node, gpointer target);
