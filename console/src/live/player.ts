// One camera's live picture in one video element: WebSocket in, MediaSource out.
//
// Every connection has a MediaSource of its own: after the media process started again, its timeline is another one.

import { Backoff } from '../backoff'
import { MediaFeed, playOrMute, socketUrl } from '../media_feed'
import { LiveEdge, newestRange, removableUntil } from './edge'

export type PlayerState = 'connecting' | 'playing' | 'waiting' | 'suspended' | 'unsupported'

export interface PlayerStatus {
  state: PlayerState
  delaySeconds: number | null // behind the live edge
  mime: string | null
}

const lookEveryMs = 250
const silentMs = 12_000         // an open socket without a byte: ask anew
const hiddenMs = 15_000         // a hidden tab costs a village's uplink nothing after this
const settledMs = 10_000        // playing for so long counts as a success
const queueLimitBytes = 16 << 20

export function whyUnsupported(mime: string): 'h265' | 'other' {
  return /\b(hvc1|hev1)\b/.test(mime) ? 'h265' : 'other'
}

export function liveUrl(camera: string, stream: 'main' | 'sub', base: { protocol: string; host: string }): string {
  return socketUrl(base, `/cameras/${encodeURIComponent(camera)}/live?stream=${stream}`)
}

export class LivePlayer {
  private readonly backoff = new Backoff()
  private edge = new LiveEdge()
  private socket: WebSocket | null = null
  private readonly feed: MediaFeed
  private mime: string | null = null
  private state: PlayerState = 'connecting'
  private retryTimer: number | undefined
  private hiddenTimer: number | undefined
  private lookTimer: number | undefined
  private lastByteMs = 0
  private playingSinceMs = 0
  private isStopped = true

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly url: string,
    private readonly report: (status: PlayerStatus) => void,
  ) {
    this.feed = new MediaFeed(video, queueLimitBytes, {
      appended: () => this.afterUpdate(),
      full: () => this.removeOld(5),
      broken: () => this.reconnect(),
    })
  }

  start(): void {
    this.isStopped = false
    document.addEventListener('visibilitychange', this.onVisibility)
    this.video.addEventListener('waiting', this.onWaiting)
    this.video.addEventListener('playing', this.onPlaying)
    this.lookTimer = window.setInterval(() => this.look(), lookEveryMs)
    if (document.hidden) this.suspend()
    else this.connect()
  }

  stop(): void {
    this.isStopped = true
    document.removeEventListener('visibilitychange', this.onVisibility)
    this.video.removeEventListener('waiting', this.onWaiting)
    this.video.removeEventListener('playing', this.onPlaying)
    window.clearInterval(this.lookTimer)
    window.clearTimeout(this.hiddenTimer)
    this.disconnect()
  }

  // The gateway says that the camera is back, or a person asks: don't wait for the next attempt.
  retryNow(): void {
    if (this.isStopped || this.socket || this.state === 'suspended') return
    this.backoff.reset()
    this.connect()
  }

  private connect(): void {
    this.disconnect()
    this.setState('connecting')
    const socket = new WebSocket(this.url)
    socket.binaryType = 'arraybuffer'
    socket.onmessage = (event) => this.receive(event.data)
    socket.onclose = () => { if (this.socket === socket) this.reconnect() }
    this.socket = socket
    this.lastByteMs = performance.now()
  }

  private reconnect(): void {
    this.disconnect()
    if (this.isStopped) return
    this.setState('waiting')
    this.retryTimer = window.setTimeout(() => this.connect(), this.backoff.nextMs())
  }

  private disconnect(): void {
    window.clearTimeout(this.retryTimer)
    const socket = this.socket
    this.socket = null
    socket?.close()
    this.playingSinceMs = 0
    this.feed.close()
  }

  private receive(data: string | ArrayBuffer): void {
    this.lastByteMs = performance.now()
    if (typeof data === 'string') return this.announce(data)
    this.feed.push(data)
  }

  private announce(text: string): void {
    let mime: unknown
    try {
      mime = JSON.parse(text).mime
    } catch {
      return this.reconnect()
    }
    if (typeof mime !== 'string') return this.reconnect()
    this.mime = mime
    if (!MediaFeed.takes(mime)) {
      this.disconnect()
      return this.setState('unsupported')
    }
    if (!this.feed.isOpen) this.edge = new LiveEdge()
    this.feed.begin(mime)
  }

  private afterUpdate(): void {
    const range = this.newest()
    if (range && this.playingSinceMs === 0) {
      this.playingSinceMs = performance.now()
      this.video.currentTime = range.start
      playOrMute(this.video)
    }
    if (range) this.steer(performance.now())
  }

  private newest(): { start: number; end: number } | null {
    return this.feed.buffered && newestRange(this.feed.buffered)
  }

  private look(): void {
    const nowMs = performance.now()
    if (this.socket && nowMs - this.lastByteMs > silentMs) return this.reconnect()
    if (this.playingSinceMs === 0 || !this.feed.buffered) return
    if (this.video.error) return this.reconnect()
    if (nowMs - this.playingSinceMs > settledMs) this.backoff.reset()
    this.steer(nowMs)
    if (this.video.paused) playOrMute(this.video)
    this.removeOld(null)
    this.announceStatus()
  }

  // With each piece that comes, not only now and then: a group of pictures that came at once is left behind at once.
  private steer(nowMs: number): void {
    const range = this.newest()
    if (!range) return
    const { seekTo, rate } = this.edge.decide({ position: this.video.currentTime, ...range, nowMs })
    if (seekTo !== null) this.video.currentTime = seekTo
    if (this.video.playbackRate !== rate) this.video.playbackRate = rate
  }

  // Removes what lies far behind; with `keepSeconds`, all but that. Whether anything is being removed.
  private removeOld(keepSeconds: number | null): boolean {
    const buffered = this.feed.buffered
    if (!buffered || buffered.length === 0) return false
    const start = buffered.start(0)
    const position = this.video.currentTime
    const until = keepSeconds === null ? removableUntil(start, position) : position - keepSeconds
    return until !== null && this.feed.remove(start, until)
  }

  private readonly onWaiting = (): void => {
    if (this.playingSinceMs > 0 && performance.now() - this.playingSinceMs > 2000) this.edge.stalled(performance.now())
  }

  private readonly onPlaying = (): void => this.setState('playing')

  private readonly onVisibility = (): void => {
    window.clearTimeout(this.hiddenTimer)
    if (document.hidden) {
      this.hiddenTimer = window.setTimeout(() => this.suspend(), hiddenMs)
    } else if (this.state === 'suspended') {
      this.backoff.reset()
      this.connect()
    }
  }

  private suspend(): void {
    this.disconnect()
    this.setState('suspended')
  }

  private setState(state: PlayerState): void {
    this.state = state
    this.announceStatus()
  }

  private announceStatus(): void {
    const range = this.newest()
    const delaySeconds = this.state === 'playing' && range ? Math.max(0, range.end - this.video.currentTime) : null
    this.report({ state: this.state, delaySeconds, mime: this.mime })
  }
}
