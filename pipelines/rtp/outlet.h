/* outlet.h: what goes out to one RTSP viewer: units and answers, one send each, the unsent rest queued by reference.
 *
 * What may wait is bounded. A viewer that is full, or has been behind for too long, skips to the next random access point;
 * one that stays behind is to be dropped (outlet_is_lost). Answers are never skipped.
 *
 * thread: the loop's. */
#pragma once

#include "pipelines/rtp/unit.h"
#include "pipelines/rtp/wire.h"

typedef struct {
  gsize bytes;      /* of units that wait */
  gint64 behind_us; /* waiting for so long, it skips */
  gint64 stuck_us;  /* not a byte taken for so long, it is lost */
  gint64 lost_us;   /* skipping for so long, it is lost */
} OutletLimits;

extern const OutletLimits outlet_limits_default; /* 4 MiB, 8 s, 15 s, 30 s */

/* Something waits from now on: watch for EPOLLOUT until outlet_flush has emptied it. */
typedef void (*OutletWaits) (gpointer data);

typedef struct {
  Wire *wire; /* the owner's */
  const OutletLimits *limits;
  OutletWaits waits;
  gpointer data;
  GArray *waiting;        /* of Unit; those before `first` are sent and unreferenced */
  guint first;
  guint32 sent_of_first;  /* bytes */
  gsize waiting_bytes;    /* of units */
  guint waiting_answers;  /* blocks of answers among them */
  gsize allowance;        /* the kept group that it started with may wait as well */
  gboolean skips;
  gint64 behind_since_us; /* 0: nothing waits */
  gint64 progress_us;     /* when it last took a byte */
  gint64 skips_since_us;
  guint64 sent_bytes, skip_count;
} Outlet;

void outlet_init (Outlet *outlet, Wire *wire, const OutletLimits *limits, OutletWaits waits, gpointer data);

/* What stream_add_tap is about to replay may wait beyond the bound. */
void outlet_allow (Outlet *outlet, gsize bytes);

/* FALSE when the connection is broken. */
gboolean outlet_send (Outlet *outlet, const Unit *unit, gint64 now_us);

/* Bytes of an answer, copied into a block of `pool` when they can't be sent at once; answers in a row share blocks. FALSE
 * also when too many wait: the client asks and never reads. */
gboolean outlet_send_bytes (Outlet *outlet, BlockPool *pool, const guint8 *bytes, gsize size, gint64 now_us);

/* The socket takes bytes again. FALSE when the connection is broken. */
gboolean outlet_flush (Outlet *outlet, gint64 now_us);

gboolean outlet_is_waiting (const Outlet *outlet);
gboolean outlet_is_lost (const Outlet *outlet, gint64 now_us);
void outlet_finish (Outlet *outlet);
