/* keys_recording.h: what recording and cameras have in common. */
#pragma once

#include "config/types.h"

extern const Section camera_recording_section; /* of CameraRecording */
