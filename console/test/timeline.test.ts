import assert from 'node:assert/strict'
import { test } from 'node:test'
import { playbackUrl } from '../src/playback/player'
import { dateBeside, dateOf, dayOf, pieceOf, timeAt, wallTime } from '../src/playback/timeline'

test('a date is the person’s own day, and what is none is refused', () => {
  const day = dayOf('2026-05-01')!
  assert.equal(dateOf(day.fromMs), '2026-05-01')
  assert.equal(dateOf(day.toMs), '2026-05-02')
  for (const wrong of ['', '2026-02-30', '2026-5-1', 'today', '2026-13-01']) assert.equal(dayOf(wrong), null)
})

test('the day before and after are found over months and years', () => {
  assert.equal(dateBeside('2026-03-01', -1), '2026-02-28')
  assert.equal(dateBeside('2026-12-31', 1), '2027-01-01')
  assert.equal(dateBeside('nonsense', 1), 'nonsense')
})

test('a stretch is cut to the day', () => {
  const day = { fromMs: 0, toMs: 100_000 }
  const at = (ms: number): string => new Date(ms).toISOString()
  assert.deepEqual(pieceOf({ from: at(25_000), to: at(50_000) }, day), { left: 25, width: 25 })
  assert.deepEqual(pieceOf({ from: at(-5_000), to: at(500_000) }, day), { left: 0, width: 100 })
  assert.equal(pieceOf({ from: at(100_000), to: at(200_000) }, day), null)
  assert.equal(pieceOf({ from: 'never', to: at(1) }, day), null)
})

test('a place on the bar is a time of the day, whatever the pointer says', () => {
  const day = { fromMs: 1000, toMs: 2000 }
  assert.equal(timeAt(0.5, day), 1500)
  assert.equal(timeAt(-3, day), 1000)
  assert.equal(timeAt(7, day), 2000)
})

test('a media time is the wall time that was told for it, also behind a gap', () => {
  const places = [{ media: 0, atMs: 10_000 }, { media: 5, atMs: 15_000 }, { media: 8, atMs: 100_000 }]
  assert.equal(wallTime(places, 2), 12_000)
  assert.equal(wallTime(places, 7.5), 17_500)
  assert.equal(wallTime(places, 9), 101_000)
  assert.equal(wallTime([], 1), null)
})

test('the address says where it begins, and escapes what a site may name', () => {
  assert.equal(playbackUrl('a b', 0, 2, { protocol: 'https:', host: 'h:1' }),
    'wss://h:1/api/v1/cameras/a%20b/playback?from=1970-01-01T00%3A00%3A00.000Z&speed=2')
})
