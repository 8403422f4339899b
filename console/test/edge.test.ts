import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LiveEdge, newestRange, removableUntil } from '../src/live/edge'

const view = (position: number, end: number, nowMs: number, start = 0) => ({ position, start, end, nowMs })

test('a player over a second behind seeks to the edge', () => {
  const { seekTo } = new LiveEdge().decide(view(8, 10, 0))
  assert.ok(seekTo !== null && seekTo > 9.5 && seekTo < 10)
})

test('a player a little behind plays faster until it is close, and then no longer', () => {
  const edge = new LiveEdge()
  assert.deepEqual(edge.decide(view(9.3, 10, 0)), { seekTo: null, rate: 1.25 })
  assert.equal(edge.decide(view(9.65, 10, 100)).rate, 1.1)
  assert.equal(edge.decide(view(9.8, 10, 200)).rate, 1.1)
  assert.equal(edge.decide(view(9.9, 10, 200)).rate, 1)
  assert.equal(edge.decide(view(9.75, 10, 300)).rate, 1)
})

test('a seek is given time to show a picture before the next one', () => {
  const edge = new LiveEdge()
  assert.notEqual(edge.decide(view(8, 10, 0)).seekTo, null)
  assert.equal(edge.decide(view(8, 10.2, 200)).seekTo, null)
  assert.notEqual(edge.decide(view(8, 11.1, 1100)).seekTo, null)
})

test('a position outside of the newest range goes into it at once', () => {
  const edge = new LiveEdge()
  assert.equal(edge.decide(view(3, 20.1, 0, 20)).seekTo, 20)
  assert.notEqual(edge.decide(view(30, 20.5, 1, 20)).seekTo, null)
})

test('stalls that repeat get a longer cushion, which stays under a second', () => {
  const edge = new LiveEdge()
  for (let time = 0; time < 60_000; time += 1000) edge.stalled(time)
  assert.equal(edge.decide(view(9.3, 10, 60_000)).rate, 1)
  assert.notEqual(edge.decide(view(8.9, 10, 60_100)).seekTo, null)
})

test('a cushion that was not needed for a while gets thinner again', () => {
  const edge = new LiveEdge()
  for (let time = 0; time <= 5000; time += 1000) edge.stalled(time)
  assert.equal(edge.decide(view(9.3, 10, 6000)).rate, 1)
  for (let time = 10_000; time <= 120_000; time += 250) edge.decide(view(9.85, 10, time))
  assert.equal(edge.decide(view(9.3, 10, 120_250)).rate, 1.25)
})

test('old ranges are removed, but never what the decoder may need again', () => {
  assert.equal(removableUntil(0, 20), null)
  assert.equal(removableUntil(0, 40), 25)
})

test('the newest range is the last one', () => {
  const ranges = { length: 2, start: (index: number) => [0, 9][index]!, end: (index: number) => [4, 12][index]! }
  assert.deepEqual(newestRange(ranges), { start: 9, end: 12 })
  assert.equal(newestRange({ ...ranges, length: 0 }), null)
})
