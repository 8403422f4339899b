/* decoder_fixture.h: a sensor of some format, its decoder, and the payloads in fixtures/. */
#pragma once

#include "adapters/decoders/decoders.h"
#include "tests/support/test.h"

typedef struct {
  Sensor *sensor;
  const Decoder *decoder;
  gpointer prepared; /* made by the first decode */
  Decoded *decoded;
} DecoderFixture;

DecoderFixture *decoder_fixture_new (const char *format);
Metric *decoder_fixture_add (DecoderFixture *fixture, const char *path, ValueKind kind);
void decoder_fixture_name_value (Metric *metric, const char *name, double value);
void decoder_fixture_free (DecoderFixture *fixture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DecoderFixture, decoder_fixture_free)

/* 2026-05-01T08:00:00Z: when messages are received. */
#define DECODER_FIXTURE_NOW_US G_GINT64_CONSTANT (1777622400000000)

void fixture_decode (DecoderFixture *fixture, const char *topic, const void *payload, gsize size);
void fixture_decode_text (DecoderFixture *fixture, const char *topic, const char *payload);
void fixture_decode_hex (DecoderFixture *fixture, const char *hex);

/* A file of fixtures/. */
void fixture_decode_file (DecoderFixture *fixture, const char *topic, const char *name);

/* The reading number `nth` of `metric`; fails when there is none. */
const Reading *fixture_reading (DecoderFixture *fixture, guint metric, guint nth);
guint fixture_count (DecoderFixture *fixture, guint metric);
void fixture_gives (DecoderFixture *fixture, guint metric, double value);
void fixture_gives_text (DecoderFixture *fixture, guint metric, const char *text);
