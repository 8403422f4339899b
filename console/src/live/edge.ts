// How a player stays at the live edge: the decision alone, without a clock or a video element of its own.

export interface EdgeView {
  position: number // seconds on the stream's timeline, all of them
  start: number    // of the newest buffered range
  end: number
  nowMs: number
}

export interface EdgeDecision {
  seekTo: number | null
  rate: number
}

// Over a second behind is a seek; between the target and that, playing a little faster is less of a disturbance.
const seekBehindSeconds = 1
// The further behind, the faster: up to a quarter, which makes up half a second in two.
const catchUpRate = 1.1
const hurryRate = 1.25
const hurryBehindSeconds = 0.5
// Each picture comes as it is captured: a few of them are cushion enough until the network shows that they are not.
const smallestTarget = 0.15
const largestTarget = 0.7
const targetStep = 0.15
// A cushion that was not needed for so long gets thinner again.
const calmMs = 20_000
// A seek decodes from the key frame before it; seeking again before that picture is there would never show any.
const seekPauseMs = 1000
// So many seconds behind the position stay for the decoder to come back to its key frame.
const keepSeconds = 15
const removeWhenOverSeconds = 30

export class LiveEdge {
  private target = smallestTarget
  private isCatchingUp = false
  private lastSeekMs = -Infinity
  private lastStallMs = -Infinity
  private lastStepMs = -Infinity

  decide({ position, start, end, nowMs }: EdgeView): EdgeDecision {
    const lag = end - position
    this.calmDown(nowMs)
    const maySeek = nowMs - this.lastSeekMs >= seekPauseMs
    // Outside of what is buffered nothing plays at all: go in at once.
    if (position < start || lag < -0.1) return this.seek(Math.max(start, end - this.target), nowMs)
    if (lag > seekBehindSeconds && maySeek) return this.seek(Math.max(start, end - this.target), nowMs)
    if (lag > this.target + 0.15) this.isCatchingUp = true
    if (lag <= this.target) this.isCatchingUp = false
    const rate = lag > this.target + hurryBehindSeconds ? hurryRate : catchUpRate
    return { seekTo: null, rate: this.isCatchingUp ? rate : 1 }
  }

  // The picture stopped for want of data: a network that does this twice in ten seconds gets a longer cushion.
  stalled(nowMs: number): void {
    if (nowMs - this.lastStallMs < 10_000) this.target = Math.min(largestTarget, this.target + targetStep)
    this.lastStallMs = this.lastStepMs = nowMs
  }

  private calmDown(nowMs: number): void {
    if (this.target === smallestTarget || nowMs - this.lastStepMs < calmMs) return
    this.target = Math.max(smallestTarget, this.target - targetStep)
    this.lastStepMs = nowMs
  }

  private seek(seekTo: number, nowMs: number): EdgeDecision {
    this.lastSeekMs = nowMs
    this.isCatchingUp = false
    return { seekTo, rate: 1 }
  }
}

// Up to where the buffer may be removed, or null while it is short enough.
export function removableUntil(start: number, position: number): number | null {
  return position - start > removeWhenOverSeconds ? position - keepSeconds : null
}

// The last of the ranges, which is where the live edge is.
export function newestRange(ranges: TimeRanges): { start: number; end: number } | null {
  const last = ranges.length - 1
  return last < 0 ? null : { start: ranges.start(last), end: ranges.end(last) }
}
