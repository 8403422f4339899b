// A recording in one video element: WebSocket in, MediaSource out. The gateway paces; a seek goes on behind what was sent, so
// one connection and one MediaSource last for the whole look.

import { MediaFeed, playOrMute, socketUrl } from '../media_feed'
import { wallTime, type Place } from './timeline'

export type PlaybackState = 'connecting' | 'playing' | 'paused' | 'waiting' | 'ended' | 'unsupported' | 'broken'

export interface PlaybackStatus { state: PlaybackState; atMs: number | null; gap: { from: string; to: string; reason: string } | null; mime: string | null }

const lookEveryMs = 250
const keepSeconds = 20
const queueLimitBytes = 64 << 20
const placesMost = 500

export function playbackUrl(camera: string, fromMs: number, speed: number, base: { protocol: string; host: string }): string {
  const from = encodeURIComponent(new Date(fromMs).toISOString())
  return socketUrl(base, `/cameras/${encodeURIComponent(camera)}/playback?from=${from}&speed=${speed}`)
}

export class PlaybackPlayer {
  private socket: WebSocket | null = null
  private readonly feed: MediaFeed
  private places: Place[] = []
  private gap: PlaybackStatus['gap'] = null
  private mime: string | null = null
  private state: PlaybackState = 'connecting'
  private speed = 1
  private isPaused = false
  private isEnded = false
  private ignores = false          // what was under way when a seek was asked for
  private startsAt: number | null = null // media time that the next picture is at
  private lookTimer: number | undefined

  constructor(private readonly video: HTMLVideoElement, private readonly report: (status: PlaybackStatus) => void) {
    this.feed = new MediaFeed(video, queueLimitBytes, {
      appended: () => this.jump(),
      full: () => true, // look() makes room
      broken: () => this.fail('broken'),
    })
  }

  open(url: string, speed: number): void {
    this.stop()
    this.speed = speed
    const socket = new WebSocket(url)
    socket.binaryType = 'arraybuffer'
    socket.onmessage = (event) => { if (this.socket === socket) this.receive(event.data) }
    socket.onclose = () => { if (this.socket === socket) this.fail('broken') }
    this.socket = socket
    this.lookTimer = window.setInterval(() => this.look(), lookEveryMs)
    this.setState('connecting')
  }

  stop(): void {
    window.clearInterval(this.lookTimer)
    const socket = this.socket
    this.socket = null
    socket?.close()
    this.places = []
    this.gap = null
    this.isPaused = this.isEnded = this.ignores = false
    this.startsAt = null
    this.feed.close()
  }

  get isOpen(): boolean {
    return this.socket !== null
  }

  seek(atMs: number): void {
    this.ignores = true
    this.isEnded = false
    this.feed.forgetQueue()
    this.gap = null
    this.say({ action: 'seek', at: new Date(atMs).toISOString() })
    this.setState('waiting')
  }

  setPaused(isPaused: boolean): void {
    this.isPaused = isPaused
    this.say({ action: isPaused ? 'pause' : 'play' })
    if (isPaused) this.video.pause()
    else playOrMute(this.video)
    this.setState(isPaused ? 'paused' : 'waiting')
  }

  setSpeed(speed: number): void {
    this.speed = speed
    this.video.playbackRate = speed
    this.say({ action: 'speed', value: speed })
  }

  private say(command: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(command))
  }

  private receive(data: string | ArrayBuffer): void {
    if (typeof data === 'string') return this.hear(data)
    if (!this.ignores) this.feed.push(data)
  }

  private hear(text: string): void {
    let message: Record<string, unknown>
    try {
      message = JSON.parse(text) as Record<string, unknown>
    } catch {
      return this.fail('broken')
    }
    if (typeof message.mime === 'string') this.begin(message.mime)
    else if (this.ignores) return
    else if (typeof message.at === 'string' && typeof message.media === 'number') this.place(Date.parse(message.at), message.media)
    else if (message.gap && typeof message.gap === 'object') this.gap = message.gap as PlaybackStatus['gap']
    else if (message.end === true) this.isEnded = true
  }

  // A new beginning: after a seek, or with other parameters.
  private begin(mime: string): void {
    this.mime = mime
    if (!MediaFeed.takes(mime)) return this.fail('unsupported')
    if (this.ignores || !this.feed.isOpen) this.startsAt = NaN // known with the next place
    this.ignores = false
    this.feed.begin(mime)
  }

  private place(atMs: number, media: number): void {
    if (this.startsAt !== null && Number.isNaN(this.startsAt)) {
      this.startsAt = media
      this.places = []
    }
    this.places.push({ media, atMs })
    if (this.places.length > placesMost) this.places.shift()
  }

  // To the first picture after a beginning, as soon as it is there.
  private jump(): void {
    const buffered = this.feed.buffered
    if (this.startsAt === null || Number.isNaN(this.startsAt) || !buffered) return
    for (let i = 0; i < buffered.length; i++) {
      if (buffered.end(i) <= this.startsAt + 0.05) continue
      this.video.currentTime = Math.max(buffered.start(i), this.startsAt)
      this.startsAt = null
      this.video.playbackRate = this.speed
      if (!this.isPaused) playOrMute(this.video)
      return
    }
  }

  private look(): void {
    const buffered = this.feed.buffered
    if (!this.socket || this.state === 'unsupported') return
    if (this.video.error) return this.fail('broken')
    const until = this.video.currentTime - keepSeconds
    if (!buffered || buffered.length === 0 || buffered.start(0) >= until - 5 || !this.feed.remove(0, until)) this.feed.pump()
    if (this.gap && Date.parse(this.gap.to) < (this.atMs() ?? 0) - 5000) this.gap = null
    this.crossHoles()
    const isDry = this.video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA
    if (this.isPaused) this.setState('paused')
    else if (this.isEnded && isDry && this.feed.isIdle) this.setState('ended')
    else if (this.places.length > 0) this.setState(isDry ? 'waiting' : 'playing')
  }

  // Some decoders leave a few milliseconds between two files.
  private crossHoles(): void {
    const buffered = this.feed.buffered
    if (!buffered || this.isPaused || this.startsAt !== null) return
    for (let i = 1; i < buffered.length; i++) {
      const start = buffered.start(i), isAtHole = Math.abs(buffered.end(i - 1) - this.video.currentTime) < 0.3
      if (isAtHole && start > this.video.currentTime) this.video.currentTime = start + 0.01
    }
  }

  private atMs(): number | null {
    return this.startsAt === null ? wallTime(this.places, this.video.currentTime) : null
  }

  private fail(state: PlaybackState): void {
    this.stop()
    this.setState(state)
  }

  private setState(state: PlaybackState): void {
    this.state = state
    this.report({ state, atMs: this.atMs(), gap: this.gap, mime: this.mime })
  }
}
