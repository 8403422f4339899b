#include "pipelines/rtp/timeline.h"

#include "pipelines/rtp/big_endian.h"

enum {
  USUAL_US = 40 * 1000,                /* between two pictures, until it is known */
  USUAL_MAX_US = 2 * G_USEC_PER_SEC,
  SUDDEN_US = 200 * 1000,              /* a step so much longer than four usual ones is no usual one */
  EARLY_US = 200 * 1000,               /* before the least delay: jitter doesn't bring a packet so early */
  AHEAD_MAX_US = 3 * G_USEC_PER_SEC,   /* of the start's delay; */
  AHEAD_START_MAX_US = 10 * G_USEC_PER_SEC, /* and in a start itself, where cameras send what they keep at once */
  START_US = 2 * G_USEC_PER_SEC,
  REORDER_MAX_US = G_USEC_PER_SEC,     /* no reordering of pictures steps further back */
  IN_ORDER = 64,                       /* pictures without a step back: the track isn't reordered */
  DOUBTS = 3,                          /* repaired steps back in succession: it is */
  STANDSTILL_US = 300 * 1000,
  SAME_PICTURE_US = 5 * 1000,          /* slices with a marker each come within */
  WINDOW_US = 10 * G_USEC_PER_SEC,
  BEHIND_US = 5 * G_USEC_PER_SEC,      /* later than this for a whole window: the clock stood still, no network keeps so much */
  CREEP_US = 5 * 1000,                 /* a window: 500 ppm, what clocks drift */
  PULL = 8,                            /* a repaired step is drawn to the settled delay by this fraction of the distance */
  SEQUENCE_RESET = 3000,               /* further ahead or behind (RFC 3550 A.1), the camera has started to count anew */
  SEQUENCE_RESET_BACK = 64,
};

const char *const repair_names[REPAIR_KINDS] = {
  [REPAIR_JUMP_FORWARD] = "jump_forward", [REPAIR_JUMP_BACKWARD] = "jump_backward", [REPAIR_STANDSTILL] = "standstill",
  [REPAIR_CLOCK_RATE] = "clock_rate",     [REPAIR_RESTART] = "restart",             [REPAIR_REORDERED] = "reordered",
  [REPAIR_DUPLICATED] = "duplicated",     [REPAIR_REPORT] = "report",
};

void timeline_init (Timeline *timeline, guint32 clock_rate, gboolean may_reorder)
{
  *timeline = (Timeline){ .clock_rate = clock_rate, .ssrc = g_random_int (), .may_reorder = may_reorder,
                          .usual_us = USUAL_US };
  rate_meter_init (&timeline->rate, clock_rate);
}

void timeline_reconnect (Timeline *timeline)
{
  timeline->is_anchored = FALSE;
}

gint64 timeline_ticks_us (const Timeline *timeline, gint64 ticks)
{
  gint64 passed = ticks - timeline->first_ticks; /* in two parts: years of 90 kHz times a million pass 63 bits */
  return passed / timeline->clock_rate * G_USEC_PER_SEC + passed % timeline->clock_rate * G_USEC_PER_SEC / timeline->clock_rate;
}

gint64 timeline_elapsed_us (const Timeline *timeline)
{
  return timeline_ticks_us (timeline, timeline->ticks);
}

static gint64 us_to_ticks (const Timeline *timeline, gint64 us)
{
  return us * timeline->clock_rate / G_USEC_PER_SEC;
}

/* Exactly the camera's steps while it counts as it says. */
static gint64 map (const Timeline *timeline, gint64 camera_ticks)
{
  gint64 passed = camera_ticks - timeline->map_from;
  if (timeline->rate.counted_hz == timeline->clock_rate)
    return timeline->map_to + passed;
  return timeline->map_to + (gint64) ((double) passed * timeline->clock_rate / timeline->rate.counted_hz);
}

static void set_map (Timeline *timeline, gint64 ticks)
{
  timeline->map_from = timeline->camera_ticks;
  timeline->map_to = ticks;
}

gint64 timeline_ticks_of (const Timeline *timeline, guint32 camera_timestamp)
{
  return map (timeline, timeline->camera_ticks + (gint32) (camera_timestamp - timeline->camera_timestamp));
}

/* How much later than by our time a packet with `ticks` has come; what counts is how this changes. */
static gint64 lag_us (const Timeline *timeline, gint64 ticks, gint64 arrival_us)
{
  return arrival_us - timeline->first_us - timeline_ticks_us (timeline, ticks);
}

static void start_windows (Timeline *timeline, gint64 lag, gint64 arrival_us)
{
  timeline->least_lag_us = timeline->window_lag_us = lag;
  timeline->burst_us = 0;
  timeline->window_from_us = arrival_us;
}

/* The ticks of a packet whose own timestamp says nothing. */
static gint64 repaired_ticks (const Timeline *timeline, gint64 arrival_us)
{
  gint64 passed = arrival_us - timeline->changed_us;
  gint64 step = passed < 2 * timeline->usual_us ? timeline->usual_us : passed;
  gint64 lag = lag_us (timeline, timeline->highest_ticks, arrival_us) - step;
  step += CLAMP ((lag - timeline->settled_lag_us) / PULL, -step / 2, step / 2);
  return timeline->highest_ticks + MAX (us_to_ticks (timeline, step), 1);
}

/* Where our time would be with the settled delay; it never runs backward. */
static gint64 ticks_by_arrival (const Timeline *timeline, gint64 arrival_us)
{
  gint64 late_us = lag_us (timeline, timeline->highest_ticks, arrival_us) - timeline->settled_lag_us;
  return timeline->highest_ticks + MAX (us_to_ticks (timeline, late_us), 1);
}

/* The camera's numbers begin anew; ours go on from the last connection's, or start as the camera's. */
static void anchor (Timeline *timeline, const guint8 *packet, gint64 arrival_us)
{
  timeline->is_anchored = TRUE;
  timeline->camera_ssrc = read_32 (packet + 8);
  timeline->camera_timestamp = read_32 (packet + 4);
  rate_meter_restart (&timeline->rate);
  timeline->seen = 0;
  timeline->in_order = timeline->doubts = 0;
  timeline->is_still = FALSE;
  if (!timeline->was_anchored) {
    timeline->was_anchored = TRUE;
    timeline->last_sequence = (guint16) (read_16 (packet + 2) - 1);
    timeline->first_us = arrival_us;
    timeline->camera_ticks = timeline->first_ticks = timeline->ticks = timeline->highest_ticks = timeline->camera_timestamp;
    set_map (timeline, timeline->ticks);
  } else {
    timeline->sequence_offset = (guint16) (timeline->last_sequence + 1 - read_16 (packet + 2));
    set_map (timeline, ticks_by_arrival (timeline, arrival_us));
    timeline->ticks = timeline->highest_ticks = timeline->map_to;
  }
  timeline->changed_us = timeline->anchored_us = arrival_us;
  start_windows (timeline, lag_us (timeline, timeline->ticks, arrival_us), arrival_us);
}

static void step_sequence (Timeline *timeline, guint16 *sequence, TimelineStep *step)
{
  gint16 ahead = (gint16) (*sequence - timeline->last_sequence);
  if (ahead > SEQUENCE_RESET || ahead < -SEQUENCE_RESET_BACK) {
    guint16 next = (guint16) (timeline->last_sequence + 2); /* a gap of one: what was lost is not known */
    timeline->sequence_offset = (guint16) (timeline->sequence_offset + next - *sequence);
    *sequence = next;
    ahead = 2;
    step->repairs |= 1 << REPAIR_RESTART;
  }
  if (ahead > 0) {
    timeline->seen = (ahead < 64 ? timeline->seen << ahead : 0) | 1;
    timeline->last_sequence = *sequence;
    step->lost = (guint) ahead - 1;
    return;
  }
  guint64 bit = ahead > -64 ? G_GUINT64_CONSTANT (1) << -ahead : 0;
  step->is_late = TRUE;
  step->repairs |= 1 << (timeline->seen & bit ? REPAIR_DUPLICATED : REPAIR_REORDERED);
  timeline->seen |= bit;
}

/* `ticks` is before the newest picture. A track that was in order for long isn't reordered; when it steps back again and
 * again, it is, from now on. */
static gboolean is_jump_backward (Timeline *timeline, gint64 ticks)
{
  if (!timeline->may_reorder || timeline_ticks_us (timeline, timeline->ticks) - timeline_ticks_us (timeline, ticks) > REORDER_MAX_US)
    return TRUE;
  if (timeline->in_order < IN_ORDER) {
    timeline->in_order = 0;
    return FALSE;
  }
  if (++timeline->doubts < DOUBTS)
    return TRUE;
  timeline->in_order = timeline->doubts = 0;
  return FALSE;
}

static gboolean is_jump_forward (const Timeline *timeline, gint64 ticks, gint64 arrival_us)
{
  gint64 lag = lag_us (timeline, ticks, arrival_us);
  gint64 step_us = timeline_ticks_us (timeline, ticks) - timeline_elapsed_us (timeline);
  gboolean is_starting = arrival_us - timeline->anchored_us < START_US;
  gint64 ahead_max_us = is_starting ? AHEAD_START_MAX_US : AHEAD_MAX_US + timeline->burst_us;
  return lag < timeline->settled_lag_us - ahead_max_us
         || (lag < timeline->least_lag_us - EARLY_US && step_us > 4 * timeline->usual_us + SUDDEN_US);
}

static void note_order (Timeline *timeline)
{
  if (timeline->in_order == IN_ORDER && timeline->doubts > 0)
    timeline->in_order = 1; /* 64 more, and the doubts are gone */
  else if (timeline->in_order < IN_ORDER && ++timeline->in_order == IN_ORDER)
    timeline->doubts = 0;
}

static void note_usual_step (Timeline *timeline, gint64 arrival_us)
{
  gint64 passed = CLAMP (arrival_us - timeline->changed_us, 0, 2 * timeline->usual_us);
  timeline->usual_us = CLAMP (timeline->usual_us + (passed - timeline->usual_us) / 16, 1000, USUAL_MAX_US);
  timeline->changed_us = arrival_us;
}

/* The camera's clock rested while time passed: ours goes on where it should be. */
static void catch_up (Timeline *timeline, gint64 late_us)
{
  timeline->ticks += us_to_ticks (timeline, late_us);
  set_map (timeline, timeline->ticks);
}

static void note_lag (Timeline *timeline, gint64 arrival_us, TimelineStep *step)
{
  gint64 lag = lag_us (timeline, timeline->ticks, arrival_us);
  timeline->least_lag_us = MIN (timeline->least_lag_us, lag);
  timeline->window_lag_us = MIN (timeline->window_lag_us, lag);
  if (arrival_us - timeline->anchored_us < START_US)
    timeline->burst_us = MAX (timeline->settled_lag_us - timeline->least_lag_us, 0);
  if (arrival_us - timeline->window_from_us < WINDOW_US)
    return;
  gint64 late_us = timeline->window_lag_us - timeline->least_lag_us;
  if (late_us > BEHIND_US) {
    catch_up (timeline, late_us);
    step->repairs |= 1 << REPAIR_STANDSTILL;
    lag -= late_us;
  } else {
    timeline->least_lag_us += MIN (late_us, CREEP_US);
  }
  timeline->settled_lag_us += CLAMP (timeline->least_lag_us - timeline->settled_lag_us, -CREEP_US, CREEP_US);
  timeline->window_lag_us = lag;
  timeline->window_from_us = arrival_us;
}

/* A rate was found: what it cost until now is made good at once. */
static void adopt_rate (Timeline *timeline, gint64 arrival_us)
{
  gint64 late_us = lag_us (timeline, timeline->highest_ticks, arrival_us) - timeline->usual_us - timeline->least_lag_us;
  timeline->ticks = timeline->highest_ticks + MAX (us_to_ticks (timeline, timeline->usual_us + MAX (late_us, 0)), 1);
  set_map (timeline, timeline->ticks);
}

static void step_timestamp (Timeline *timeline, guint32 camera_timestamp, gint64 arrival_us, TimelineStep *step)
{
  timeline->camera_ticks += (gint32) (camera_timestamp - timeline->camera_timestamp);
  timeline->camera_timestamp = camera_timestamp;
  timeline->is_still = FALSE;
  gint64 ticks = map (timeline, timeline->camera_ticks);
  if (rate_meter_step (&timeline->rate, timeline->camera_ticks, arrival_us)) {
    step->repairs |= 1 << REPAIR_CLOCK_RATE;
    adopt_rate (timeline, arrival_us);
  } else if (ticks <= timeline->ticks ? is_jump_backward (timeline, ticks) : is_jump_forward (timeline, ticks, arrival_us)) {
    step->repairs |= 1 << (ticks <= timeline->ticks ? REPAIR_JUMP_BACKWARD : REPAIR_JUMP_FORWARD);
    timeline->ticks = repaired_ticks (timeline, arrival_us);
    set_map (timeline, timeline->ticks);
    rate_meter_jump (&timeline->rate);
  } else {
    if (ticks > timeline->ticks)
      note_order (timeline);
    timeline->ticks = ticks;
  }
  note_usual_step (timeline, arrival_us);
  note_lag (timeline, arrival_us, step);
  timeline->highest_ticks = MAX (timeline->highest_ticks, timeline->ticks);
}

/* The timestamp is the last one's. A picture may well come in many packets, but not for so long; sound has no picture that
 * ends. */
static void watch_standstill (Timeline *timeline, gint64 arrival_us, TimelineStep *step)
{
  gint64 passed = arrival_us - timeline->changed_us;
  gboolean is_begin = !timeline->may_reorder || (timeline->had_marker && passed > SAME_PICTURE_US);
  timeline->is_still |= is_begin && passed > MAX (STANDSTILL_US, 4 * timeline->usual_us);
  if (!timeline->is_still || !is_begin)
    return;
  step->is_new_timestamp = TRUE;
  step->repairs |= 1 << REPAIR_STANDSTILL;
  timeline->ticks = repaired_ticks (timeline, arrival_us);
  set_map (timeline, timeline->ticks);
  note_usual_step (timeline, arrival_us);
  note_lag (timeline, arrival_us, step);
  timeline->highest_ticks = MAX (timeline->highest_ticks, timeline->ticks);
}

TimelineStep timeline_packet (Timeline *timeline, guint8 *packet, gint64 arrival_us)
{
  TimelineStep step = { 0 };
  guint32 camera_timestamp = read_32 (packet + 4);
  gboolean is_start = !timeline->is_anchored || read_32 (packet + 8) != timeline->camera_ssrc;

  if (is_start) {
    step.repairs |= timeline->is_anchored ? 1 << REPAIR_RESTART : 0;
    step.is_new_timestamp = timeline->was_anchored;
    anchor (timeline, packet, arrival_us);
  }
  guint16 sequence = (guint16) (read_16 (packet + 2) + timeline->sequence_offset);
  step_sequence (timeline, &sequence, &step);
  guint32 timestamp = (guint32) timeline_ticks_of (timeline, camera_timestamp);
  if (!step.is_late && !is_start) {
    step.is_new_timestamp = camera_timestamp != timeline->camera_timestamp;
    if (step.is_new_timestamp)
      step_timestamp (timeline, camera_timestamp, arrival_us, &step);
    else
      watch_standstill (timeline, arrival_us, &step);
    timestamp = (guint32) timeline->ticks;
  }
  if (!step.is_late)
    timeline->had_marker = packet[1] & 0x80;
  write_16 (packet + 2, sequence);
  write_32 (packet + 4, timestamp);
  write_32 (packet + 8, timeline->ssrc);
  return step;
}
