/* view_expected.h: RTSP viewers that were admitted and have not started to play yet.
 *
 * At most EXPECTED_VIEWS are remembered, the oldest leaves.
 *
 * thread: any. */
#pragma once

#include "gateway/access/access.h"

enum { EXPECTED_VIEWS = 1024 };

typedef struct {
  char *id, *camera, *stream, *address, *reason, *credential;
  char *subject; /* of a playback: the recorded time that was asked for */
  const char *kind; /* static: "live" "playback" */
  Actor actor;
  gint64 admitted_us; /* monotonic */
} ExpectedView;

/* Takes `view`; replaces what was expected of the same viewer. */
void expected_view_put (Access *access, ExpectedView *view);
ExpectedView *expected_view_take (Access *access, const char *viewer); /* NULL: not expected */

/* For a viewer that nobody knows: admitted by a former run of the gateway. */
ExpectedView *expected_view_unknown (const char *viewer, const char *camera, const char *stream);

void expected_views_free (Access *access);
void expected_view_free (ExpectedView *view);
