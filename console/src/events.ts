// The gateway's events. The browser comes back by itself with Last-Event-ID after a broken connection; where it gives
// up (an error status), we ask again, with back-off, and then everything is loaded anew.

import { Backoff } from './backoff'

export const eventTypes = ['camera', 'alert', 'incident', 'observation'] as const
export type EventType = (typeof eventTypes)[number]

export interface EventWatch {
  receive(type: EventType, data: unknown): void
  changed(isConnected: boolean): void // called with true each time that a connection stands
  missed(): void // the gateway no longer has the events that this page has not seen
}

export function watchEvents(watch: EventWatch): () => void {
  const backoff = new Backoff(1000, 20_000)
  let source: EventSource | null = null
  let timer: number | undefined

  const open = (): void => {
    const opened = new EventSource('/api/v1/events')
    source = opened
    opened.onopen = () => {
      backoff.reset()
      watch.changed(true)
    }
    opened.onerror = () => {
      watch.changed(false)
      if (opened.readyState !== EventSource.CLOSED) return
      timer = window.setTimeout(open, backoff.nextMs())
    }
    opened.addEventListener('missed', () => watch.missed())
    for (const type of eventTypes)
      opened.addEventListener(type, (event) => {
        let data: unknown
        try {
          data = JSON.parse((event as MessageEvent<string>).data)
        } catch {
          return
        }
        watch.receive(type, data)
      })
  }

  open()
  return () => {
    window.clearTimeout(timer)
    source?.close()
  }
}
