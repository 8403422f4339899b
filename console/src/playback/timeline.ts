// What is recorded of a day, as a bar: the arithmetic alone.

export interface Span { from: string; to: string }
export interface Gap extends Span { reason: string }

export interface Piece { left: number; width: number } // percent of the day

export interface Day { fromMs: number; toMs: number }

const dayMs = 24 * 3600 * 1000

// "2026-05-01" as the person's own day, which may have 23 or 25 hours.
export function dayOf(date: string): Day | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(date)
  if (!match) return null
  const [year, month, day] = match.slice(1).map(Number) as [number, number, number]
  const from = new Date(year, month - 1, day)
  if (from.getMonth() !== month - 1 || from.getDate() !== day) return null
  return { fromMs: from.getTime(), toMs: new Date(year, month - 1, day + 1).getTime() }
}

export function dateOf(ms: number): string {
  const date = new Date(ms)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

export function dateBeside(date: string, days: number): string {
  const day = dayOf(date)
  return day ? dateOf(day.fromMs + days * dayMs + dayMs / 2) : date
}

// The part of a stretch that lies in the day; null: none does.
export function pieceOf(stretch: Span, day: Day): Piece | null {
  const from = Math.max(Date.parse(stretch.from), day.fromMs)
  const to = Math.min(Date.parse(stretch.to), day.toMs)
  if (!(to > from)) return null
  const whole = day.toMs - day.fromMs
  return { left: (from - day.fromMs) / whole * 100, width: (to - from) / whole * 100 }
}

export function timeAt(share: number, day: Day): number {
  return day.fromMs + Math.min(1, Math.max(0, share)) * (day.toMs - day.fromMs)
}

// Which wall time a media time is: the newest of the places told that lies at or before it.
export interface Place { media: number; atMs: number }

export function wallTime(places: readonly Place[], media: number): number | null {
  for (let i = places.length - 1; i >= 0; i--) {
    const place = places[i]!
    if (place.media <= media + 0.001 || i === 0) return place.atMs + (media - place.media) * 1000
  }
  return null
}
