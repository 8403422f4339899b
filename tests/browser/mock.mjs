// mock.mjs: a small stand-in for the gateway, for work on the page and for its tests.
//
//   node tests/browser/mock.mjs [PORT]     serves console/dist (npm run build first); operator / mock-password
//
// It speaks the HTTP API as the page uses it, with live pictures by ffmpeg and a flood that comes after a while.

import { createServer } from 'node:http'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { spawnSync } from 'node:child_process'
import { LiveSource, makeEvidence, makeFile } from './mock_media.mjs'
import { consoleFolder, require } from './tools.mjs'

const policy = "default-src 'self'; connect-src 'self' ws: wss:; media-src 'self' blob:; img-src 'self' blob: data:; " +
  "style-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml',
  '.mp4': 'video/mp4', '.jpg': 'image/jpeg' }
export const hostileName = '<img src=x onerror="document.title=\'taken\'"><script>document.title="taken"</script>'
const accounts = { admin: 'admin', operator: 'operator', viewer: 'viewer' }
const password = 'mock-password'
const transitions = {
  accept: [['reported'], 'accepted'], reject: [['reported'], 'rejected'],
  dispatch: [['accepted', 'dispatched', 'in_progress'], 'dispatched'], start: [['dispatched'], 'in_progress'],
  resolve: [['dispatched', 'in_progress'], 'resolved'], verify: [['resolved'], 'verified'],
  close: [['resolved', 'verified'], 'closed'], reopen: [['closed'], 'accepted'], comment: [null, null],
}

const now = (offsetMs = 0) => new Date(Date.now() + offsetMs).toISOString()
let lastId = 0
const newId = () => `01JMOCK${String(Date.now()).padStart(13, '0')}${String(++lastId).padStart(6, '0')}`

function siteOf(count) {
  const names = ['石庙桥', '村口', '河堤', '粮仓', '学校', '卫生院', '集市', '水库', '垭口']
  const cameras = names.slice(0, count).map((name, index) => ({ id: `c${index + 1}`, name, grid: 'g1', state: 'live',
    since: now(), codec: 'h264', width: 640, height: 360, bitrate: 800000, viewers: 1 }))
  cameras.push({ id: 'h265', name: 'H.265 球机', grid: 'g2', state: 'live', since: now(), codec: 'h265', width: 1920, height: 1080 })
  cameras.push({ id: 'down', name: hostileName, grid: 'g2', state: 'backing_off', reason: 'unauthorized', since: now() })
  cameras.push({ id: 'dual', name: '双码流', grid: 'g2', state: 'live', since: now(), codec: 'h265', streams: ['main', 'sub'] })
  return {
    gateway: { id: 'yigang-1', name: '义岗镇', division: '621121104', time_zone: 'Asia/Shanghai' },
    grids: [{ id: '621121104', name: '义岗镇' }, { id: 'g1', name: '石庙村第一网格', parent: '621121104' },
      { id: 'g2', name: '石庙村第二网格', parent: '621121104' }],
    cameras,
    sensors: [{ id: 'level-1', name: '石庙桥水位', grid: 'g1' }, { id: 'rain-1', name: '石庙雨量', grid: 'g1' },
      { id: 'smoke-1', name: '粮仓烟感', grid: 'g2' }, { id: 'silent-1', name: '垭口位移', grid: 'g2' }],
    rules: [{ id: 'flood', name: '水位超警' }],
    agencies: [{ id: 'water', name: '水务局' }, { id: 'fire', name: '消防队' }],
  }
}

export async function startMock({ port = 0, cameras = 4, floodAfterMs = 15_000, clipAfterMs = 4000 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'gridgate-mock-'))
  const dist = join(folder, 'dist')
  const build = spawnSync(process.execPath, [fileURLToPath(new URL('build.mjs', consoleFolder)), '--out', dist], { stdio: 'inherit' })
  if (build.status !== 0) throw new Error('the console does not build')
  const files = Array.from({ length: cameras }, (_, index) => makeFile(folder, index))
  const evidenceFiles = makeEvidence(folder, files[0])
  const sources = new Map(files.map((file, index) => [`c${index + 1}`, new LiveSource(file)]))
  const site = siteOf(cameras)
  const sessions = new Map()
  const incidents = new Map()
  const readings = new Map()
  const watchers = new Set()
  let eventNumber = 0
  let setupToken = 'one-time'
  let floodTimer

  function publish(type, data) {
    const text = `id: ${++eventNumber}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`
    for (const watcher of watchers) watcher.write(text)
  }

  function observe(sensor, metric, value, unit, quality = 'good') {
    const observation = { id: newId(), sensor, metric, value, unit, phenomenon_time: now(), receive_time: now(), quality }
    const kept = readings.get(sensor) ?? new Map()
    readings.set(sensor, kept.set(metric, observation))
    publish('observation', observation)
  }

  let tick = 0
  const weather = setInterval(() => {
    tick++
    observe('level-1', 'water_level', 2.4 + Math.min(1.2, tick * 0.06) + Math.sin(tick) * 0.02, 'm')
    observe('rain-1', 'rainfall', 3 + Math.sin(tick / 5) * 2, 'mm')
    observe('rain-1', 'temperature', 18.3 + Math.cos(tick / 9), 'Cel', tick % 20 > 15 ? 'uncertain' : 'good')
    if (tick === 2) observe('smoke-1', 'smoke', 0.01, '%', 'bad')
  }, 1000)

  const history = (incident, actor, action, from, more = {}) => ({ revision: incident.revision, at: now(), actor, role: 'operator',
    action, from, to: incident.state, ...more })

  function flood() {
    const id = newId()
    const alert = { id: newId(), rule: 'flood', sensor: 'level-1', grid: 'g1', category: 'flood', severity: 'severe',
      state: 'open', opened_at: now(), cleared_at: null, value: 3.42, unit: 'm', incident: id, historical: false }
    const incident = { id, gateway: 'yigang-1', revision: 1, state: 'reported', title: '水位超警 · 石庙桥水位', category: 'flood',
      severity: 'severe', grid: 'g1', location: { lon: 105.201, lat: 35.211 }, opened_at: now(), changed_at: now(), rule: 'flood',
      alerts: [alert], assignee: null, deadlines: { step: now(1_800_000), whole: now(7_200_000) }, light: 'green',
      evidence: [
        { id: newId(), camera: 'c1', kind: 'picture', state: 'wanted', from: now(), to: now(), bytes: null, sha256: null, url: null },
        { id: newId(), camera: 'c1', kind: 'clip', state: 'wanted', from: now(-10_000), to: now(clipAfterMs), bytes: null, sha256: null, url: null },
      ], history: [] }
    incident.history.push(history(incident, 'gridgate', 'open', 'reported'))
    incidents.set(id, incident)
    publish('alert', alert)
    publish('incident', incident)
    setTimeout(() => {
      for (const item of incident.evidence)
        Object.assign(item, { state: 'done', bytes: statSync(evidenceFiles[item.kind]).size, sha256: 'ab'.repeat(32), url: `/api/v1/evidence/${item.id}` })
      incident.revision++
      incident.history.push(history(incident, 'gridgate', 'evidence', incident.state))
      publish('incident', incident)
    }, clipAfterMs).unref()
    setTimeout(() => {
      Object.assign(alert, { state: 'cleared', cleared_at: now() })
      publish('alert', alert)
    }, clipAfterMs * 2).unref()
    return incident
  }

  const silences = []

  function sessionOf(request) {
    return sessions.get(/(?:^|; )session=(\w+)/.exec(request.headers.cookie ?? '')?.[1])
  }

  function send(response, status, body, headers = {}) {
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers })
    response.end(body === undefined ? '' : JSON.stringify(body))
  }

  function problem(response, status, type, detail, more = {}) {
    send(response, status, { type: `urn:gridgate:problem:${type}`, title: type, status, detail, ...more }, { 'Content-Type': 'application/problem+json' })
  }

  function sendFile(request, response, file, headers = {}) {
    const bytes = readFileSync(file)
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
    const common = { 'Content-Type': types[extname(file)], 'Accept-Ranges': 'bytes', ...headers }
    if (!range) {
      response.writeHead(200, { ...common, 'Content-Length': bytes.length })
      return response.end(bytes)
    }
    const from = Number(range[1])
    const to = range[2] ? Math.min(Number(range[2]), bytes.length - 1) : bytes.length - 1
    response.writeHead(206, { ...common, 'Content-Range': `bytes ${from}-${to}/${bytes.length}`, 'Content-Length': to - from + 1 })
    return response.end(bytes.subarray(from, to + 1))
  }

  function actOn(response, session, incident, body) {
    if (body.revision !== incident.revision)
      return problem(response, 409, 'stale-revision', `the incident is now at revision ${incident.revision}`, { incident })
    const [from, to] = transitions[body.action] ?? [[], null]
    if (from && !from.includes(incident.state)) return problem(response, 409, 'not-allowed', `${incident.state} does not allow ${body.action}`, { incident })
    const before = incident.state
    incident.revision++
    incident.state = to ?? before
    incident.changed_at = now()
    if (body.assignee) incident.assignee = body.assignee
    incident.history.push(history(incident, session.name, body.action, before, { note: body.note, assignee: body.assignee }))
    publish('incident', incident)
    return send(response, 200, incident)
  }

  function report(response, session, body) {
    const incident = { id: newId(), gateway: 'yigang-1', revision: 1, state: 'reported', opened_at: now(), reporter: session.name,
      alerts: [], evidence: [], assignee: null, deadlines: { step: null, whole: null }, light: 'green', history: [], ...body }
    incident.history.push(history(incident, session.name, 'report', 'reported', { note: body.note }))
    incidents.set(incident.id, incident)
    publish('incident', incident)
    return send(response, 201, incident)
  }

  function silence(request, response, session, path, body) {
    const known = silences.find(({ id }) => path === `/silences/${id}`)
    if (request.method === 'GET') return send(response, 200, { items: silences, next: null })
    if (request.method === 'POST') {
      silences.unshift({ id: newId(), state: 'active', author: session.name, from: now(), ...body })
      return send(response, 201, silences[0])
    }
    if (!known) return problem(response, 404, 'unknown-silence', `${path} is not there`)
    known.state = 'over'
    return send(response, 200, known)
  }

  function events(request, response) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    response.write(': hello\n\n')
    watchers.add(response)
    response.on('close', () => watchers.delete(response))
    if (floodAfterMs !== null) floodTimer ??= setTimeout(flood, floodAfterMs)
  }

  function signIn(response, body) {
    if (!accounts[body.name] || body.password !== password) return problem(response, 401, 'wrong-password', 'name or password is wrong')
    const key = newId()
    sessions.set(key, { name: body.name, role: accounts[body.name], csrf: newId() })
    return send(response, 200, { csrf: sessions.get(key).csrf }, { 'Set-Cookie': `session=${key}; HttpOnly; SameSite=Strict; Path=/` })
  }

  function api(request, response, path, body) {
    const session = sessionOf(request)
    const route = `${request.method} ${path}`
    if (route === 'POST /setup') {
      if (body.token !== setupToken) return problem(response, 403, 'setup-token', 'this set-up link was used already')
      setupToken = null
      accounts[body.name] = 'admin'
      return send(response, 201, {})
    }
    if (route === 'POST /session') return signIn(response, body)
    if (!session) return problem(response, 401, 'not-signed-in', 'sign in first')
    if (request.method !== 'GET' && request.headers['x-csrf-token'] !== session.csrf) return problem(response, 403, 'csrf', 'the X-CSRF-Token is missing or wrong')
    if (route === 'GET /session') return send(response, 200, session)
    if (route === 'DELETE /session') {
      for (const [key, value] of sessions) if (value === session) sessions.delete(key)
      return send(response, 204)
    }
    if (route === 'GET /site') return send(response, 200, site)
    if (route === 'GET /cameras') return send(response, 200, { items: site.cameras, next: null })
    if (route === 'GET /sensors') return send(response, 200, { items: site.sensors.map((sensor) => ({ ...sensor,
      values: [...(readings.get(sensor.id)?.values() ?? [])] })), next: null })
    if (request.method === 'DELETE' && path.startsWith('/sensors/')) {
      if (session.role !== 'admin') return problem(response, 403, 'forbidden', 'only an administrator may')
      site.sensors = site.sensors.filter(({ id, template }) => !template || `/sensors/${id}` !== path)
      return send(response, 204)
    }
    if (route === 'GET /incidents') return send(response, 200, { items: [...incidents.values()].reverse(), next: null })
    if (route === 'POST /incidents') return report(response, session, body)
    if (route === 'GET /events') return events(request, response)
    if (path.startsWith('/silences')) return silence(request, response, session, path, body)
    const [, kind, id, rest] = path.split('/')
    const incident = kind === 'incidents' ? incidents.get(id) : null
    if (incident && route.endsWith('/actions')) return actOn(response, session, incident, body)
    if (incident && !rest) return send(response, 200, incident)
    const item = kind === 'evidence' && [...incidents.values()].flatMap(({ evidence }) => evidence).find((one) => one.id === id)
    if (item?.state === 'done') return sendFile(request, response, evidenceFiles[item.kind])
    return problem(response, 404, 'not-found', `${path} is not there`)
  }

  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://mock')
    if (!pathname.startsWith('/api/v1/')) {
      const file = join(dist, pathname === '/' || pathname === '/setup' ? 'index.html' : pathname)
      if (!file.startsWith(dist) || !existsSync(file)) return problem(response, 404, 'not-found', 'not there')
      return sendFile(request, response, file, { 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff' })
    }
    let text = ''
    request.on('data', (data) => { text += data })
    request.on('end', () => api(request, response, pathname.slice('/api/v1'.length), text ? JSON.parse(text) : {}))
  })

  const { WebSocketServer } = require('ws')
  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {}) // a page that leaves in the middle
    const { pathname, searchParams } = new URL(request.url, 'http://mock')
    const id = /^\/api\/v1\/cameras\/([^/]+)\/live$/.exec(pathname)?.[1]
    if (!sessionOf(request) || (!sources.has(id) && id !== 'h265' && id !== 'dual')) return socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n')
    sockets.handleUpgrade(request, socket, head, (viewer) => {
      viewer.on('error', () => {})
      if (id === 'dual' && searchParams.get('stream') === 'sub') sources.get('c1').join(viewer)
      else if (!sources.has(id)) viewer.send(JSON.stringify({ mime: 'video/mp4; codecs="hvc1.1.6.L93.B0"' }))
      else sources.get(id).join(viewer)
    })
  })
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))

  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    sources,
    incidents,
    flood,
    publish,
    // A device that nobody has configured begins to send.
    discover(id, name) {
      site.sensors.push({ id, name, grid: 'g1', template: '{village}-{device}', discovered_at: now() })
      observe(id, 'water_level', 1.5, 'm')
    },
    // Somebody else changes an incident and the page isn't told yet.
    changeSilently(id) { incidents.get(id).revision++ },
    endSessions() {
      sessions.clear()
      for (const watcher of watchers) watcher.destroy()
    },
    stop() {
      clearTimeout(floodTimer)
      clearInterval(weather)
      for (const source of sources.values()) source.stop()
      for (const viewer of sockets.clients) viewer.terminate()
      server.closeAllConnections()
      rmSync(folder, { recursive: true, force: true })
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const mock = await startMock({ port: Number(process.argv[2] ?? 0) })
  console.log(`${mock.url}  operator / ${password}   set-up: ${mock.url}setup?token=one-time`)
  process.once('SIGINT', () => mock.stop())
}
