import assert from 'node:assert/strict'
import { test } from 'node:test'
import { problemOf } from '../src/api'
import { Backoff } from '../src/backoff'
import { number, unit } from '../src/format'
import { routeOf } from '../src/hooks'
import { liveUrl, whyUnsupported } from '../src/live/player'
import { prefersSub, streamFor } from '../src/live/stream_choice'
import { parseLocation } from '../src/report_location'
import { trendPath } from '../src/trend'
import { chosenCameras, columnsFor, toggled } from '../src/wall_choice'

test('waiting times double up to the most, with jitter downwards only', () => {
  const slow = new Backoff(500, 4000, () => 1)
  assert.deepEqual([1, 2, 3, 4, 5].map(() => slow.nextMs()), [500, 1000, 2000, 4000, 4000])
  slow.reset()
  assert.equal(slow.nextMs(), 500)
  assert.equal(new Backoff(1000, 4000, () => 0).nextMs(), 750)
})

test('an H.265 stream is told from other unplayable ones', () => {
  assert.equal(whyUnsupported('video/mp4; codecs="hvc1.1.6.L93.B0"'), 'h265')
  assert.equal(whyUnsupported('video/mp4; codecs="hev1.1.6.L93.B0,mp4a.40.2"'), 'h265')
  assert.equal(whyUnsupported('video/mp4; codecs="av01.0.04M.08"'), 'other')
})

test('the live address follows the page’s own scheme and escapes the camera', () => {
  assert.equal(liveUrl('bridge', 'main', { protocol: 'http:', host: 'gw:8080' }), 'ws://gw:8080/api/v1/cameras/bridge/live?stream=main')
  assert.equal(liveUrl('a/b', 'sub', { protocol: 'https:', host: 'gw' }), 'wss://gw/api/v1/cameras/a%2Fb/live?stream=sub')
})

test('the wall shows what was chosen and still exists, at most nine', () => {
  const many = Array.from({ length: 12 }, (_, index) => `c${index}`)
  assert.equal(chosenCameras(many, null).length, 9)
  assert.deepEqual(chosenCameras(['a', 'b'], ['b', 'gone', 'b', 'a']), ['b', 'a'])
  assert.deepEqual(chosenCameras(['a'], []), [])
  assert.equal(toggled(many.slice(0, 9), 'c10').length, 9)
  assert.deepEqual(toggled(['a', 'b'], 'a'), ['b'])
  assert.deepEqual([1, 2, 4, 5, 9].map(columnsFor), [1, 2, 2, 3, 3])
})

test('routes come from the fragment, and mangled ones lead to the list', () => {
  assert.deepEqual(routeOf('#/incidents/01J%2F'), { page: 'incidents', id: '01J/' })
  assert.deepEqual(routeOf('#/incidents/%E0%A4%A'), { page: 'incidents', id: null })
  assert.deepEqual(routeOf('#/sensors'), { page: 'sensors', id: null })
  assert.deepEqual(routeOf(''), { page: 'wall', id: null })
})

test('a problem document is read, and a proxy’s page does not pass for one', () => {
  const stale = problemOf(409, '{"type":"urn:gridgate:problem:stale-revision","detail":"look again"}')
  assert.equal(stale.type, 'stale-revision')
  assert.equal(stale.message, 'look again')
  assert.equal(problemOf(502, '<html>').type, '')
})

test('a place is given whole or not at all', () => {
  assert.equal(parseLocation('', ''), null)
  assert.deepEqual(parseLocation('105.2', '35.2'), { lon: 105.2, lat: 35.2 })
  for (const [lon, lat] of [['105', ''], ['', '35'], ['x', '35'], ['181', '0'], ['0', '91']] as const)
    assert.equal(parseLocation(lon, lat), 'wrong')
})

test('numbers lose the noise of their binary form', () => {
  assert.equal(number(3.2100000000000004), '3.21')
  assert.equal(unit('Cel'), '°C')
  assert.equal(unit(null), '')
})

test('a trend fills its height and needs two values', () => {
  assert.equal(trendPath([1], 100, 24), '')
  assert.equal(trendPath([0, 10], 100, 24), 'M0.0 22.0L100.0 2.0')
  assert.equal(trendPath([5, 5], 100, 24), 'M0.0 12.0L100.0 12.0')
})

test('a full wall plays sub streams, an enlarged tile the main one, and a useless one is left', () => {
  assert.deepEqual([prefersSub(4, false), prefersSub(5, false), prefersSub(9, true)], [false, true, false])
  const both = ['main', 'sub']
  assert.equal(streamFor(both, true, new Set()), 'sub')
  assert.equal(streamFor(both, false, new Set()), 'main')
  assert.equal(streamFor(both, false, new Set(['main'] as const)), 'sub')
  assert.equal(streamFor(both, true, new Set(['sub'] as const)), 'main')
  assert.equal(streamFor(both, true, new Set(['main', 'sub'] as const)), 'sub')
  assert.equal(streamFor(['main'], true, new Set(['main'] as const)), 'main')
  assert.equal(streamFor(undefined, true, new Set()), 'main')
})
