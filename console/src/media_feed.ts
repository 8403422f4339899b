// What a WebSocket brings, in one video element: a MediaSource, and the queue of types and bytes before it.

type QueueItem = { mime: string } | { bytes: ArrayBuffer }

export interface FeedEvents {
  appended(): void  // a piece is in, or what was removed is out
  full(): boolean   // the browser takes no more: whether room is made, after which it goes on
  broken(): void    // the decoder takes nothing any more, or hangs
}

export class MediaFeed {
  private source: MediaSource | null = null
  private buffer: SourceBuffer | null = null
  private objectUrl: string | null = null
  private queue: QueueItem[] = []
  private queuedBytes = 0

  // A decoder that hangs must not eat the memory: more than `queueLimitBytes` is not kept.
  constructor(private readonly video: HTMLVideoElement, private readonly queueLimitBytes: number, private readonly events: FeedEvents) {}

  static takes(mime: string): boolean {
    return 'MediaSource' in window && MediaSource.isTypeSupported(mime)
  }

  get isOpen(): boolean {
    return this.source !== null
  }

  get isIdle(): boolean {
    return this.queue.length === 0
  }

  get buffered(): TimeRanges | null {
    return this.buffer && this.buffer.buffered
  }

  // A type that MediaFeed.takes; the first one opens the source.
  begin(mime: string): void {
    this.queue.push({ mime })
    if (this.source) return this.pump()
    const source = new MediaSource()
    this.source = source
    source.addEventListener('sourceopen', () => { if (this.source === source) this.pump() })
    this.objectUrl = URL.createObjectURL(source)
    this.video.src = this.objectUrl
  }

  push(bytes: ArrayBuffer): void {
    this.queuedBytes += bytes.byteLength
    if (this.queuedBytes > this.queueLimitBytes) return this.events.broken()
    this.queue.push({ bytes })
    this.pump()
  }

  // What waits is not wanted any more; what is shown stays.
  forgetQueue(): void {
    this.queue = []
    this.queuedBytes = 0
  }

  // Whether it is being removed: not while something else is under way.
  remove(start: number, end: number): boolean {
    if (!this.buffer || this.buffer.updating || end <= start) return false
    this.buffer.remove(start, end)
    return true
  }

  pump(): void {
    const source = this.source
    if (!source || source.readyState !== 'open' || this.buffer?.updating) return
    const item = this.queue[0]
    if (!item) return
    try {
      if ('mime' in item) this.setType(source, item.mime)
      else this.buffer!.appendBuffer(item.bytes)
    } catch (error) {
      const isFull = error instanceof DOMException && error.name === 'QuotaExceededError'
      if (!isFull || !this.events.full()) this.events.broken()
      return
    }
    this.queue.shift()
    if ('mime' in item) this.pump()
    else this.queuedBytes -= item.bytes.byteLength
  }

  close(): void {
    this.forgetQueue()
    this.buffer = this.source = null
    if (!this.objectUrl) return
    URL.revokeObjectURL(this.objectUrl)
    this.objectUrl = null
    this.video.removeAttribute('src')
    this.video.load()
  }

  private setType(source: MediaSource, mime: string): void {
    if (this.buffer) return this.buffer.changeType(mime)
    const buffer = source.addSourceBuffer(mime)
    buffer.addEventListener('updateend', () => {
      if (this.buffer !== buffer) return
      this.events.appended()
      this.pump()
    })
    buffer.addEventListener('error', () => { if (this.buffer === buffer) this.events.broken() })
    this.buffer = buffer
  }
}

// Refused with sound on and no click yet: without sound it may play.
export function playOrMute(video: HTMLVideoElement): void {
  video.play().catch(() => {
    video.muted = true
    video.play().catch(() => {})
  })
}

// Where a WebSocket of the page's own gateway is.
export function socketUrl(base: { protocol: string; host: string }, path: string): string {
  return `${base.protocol === 'https:' ? 'wss:' : 'ws:'}//${base.host}/api/v1${path}`
}
