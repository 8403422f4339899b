/* http_camera.h: what all routes of a camera ask first.
 *
 * thread: any. */
#pragma once

#include "gateway/http/http_context.h"
#include "gateway/http/http_request.h"
#include "gateway/http/http_response.h"

/* The camera of the path, when the caller may know of it; else NULL and what to answer. A camera that is hidden and one
 * that isn't there look alike. */
const Camera *http_camera_find (const HttpRequest *request, HttpResponse **refusal);

/* "main" or "sub"; NULL and what to answer when the camera has no such stream. */
const char *http_camera_stream (const HttpRequest *request, const Camera *camera, HttpResponse **refusal);

/* The same; the stream that is recorded, when none is named. */
const char *http_camera_recorded_stream (const HttpRequest *request, const Camera *camera, HttpResponse **refusal);

/* Whether a play token, if that is what the caller has, is for this; `purpose` is "live" or "playback". */
gboolean http_camera_token_fits (const Caller *caller, const char *purpose, const Camera *camera);

/* NULL, or what to answer: media is away; the request is no WebSocket's (RFC 6455 4.2.1). */
HttpResponse *http_camera_refuse_away (const HttpContext *context);
HttpResponse *http_camera_refuse_upgrade (const HttpRequest *request);
