// What the page knows of the township: loaded once, kept current by events, loaded again after a break.

import { currentSession, get, list, page, Problem, request } from './api'
import { watchEvents, type EventType } from './events'
import { isOpen } from './incident/actions'
import { named } from './strings'
import type { Alert, Camera, Incident, Observation, Sensor, Session, Site } from './types'

const trendLength = 120
const incidentsKept = 2000
const incidentsPage = 200
// Sensors may report many times a second; drawing ten times a second is enough for eyes.
const drawEveryMs = 100
// A thousand devices may begin to send at once.
const lookForSensorsMs = 5_000

export interface Reading {
  last: Observation
  trend: number[]
}

export class Model {
  site: Site = {}
  readonly cameras = new Map<string, Camera>()
  readonly sensors = new Map<string, Sensor>()
  readonly readings = new Map<string, Map<string, Reading>>() // sensor → metric
  readonly incidents = new Map<string, Incident>()
  readonly arrived: string[] = [] // ids of incidents that came while the page was open and were not looked at
  isLoaded = false
  isConnected = false
  loadProblem: string | null = null
  olderIncidents: string | null = null // where the incidents go on that were not asked for yet

  private readonly watchers = new Set<() => void>()
  private drawTimer: number | undefined
  private stopEvents: (() => void) | null = null
  private sensorTimer: number | undefined

  constructor(readonly session: Session) {}

  start(): void {
    this.stopEvents = watchEvents({
      receive: (type, data) => this.receive(type, data),
      missed: () => void this.load(),
      changed: (isConnected) => {
        this.isConnected = isConnected
        if (isConnected) void this.load()
        // Events end with the session; only a plain request can tell that apart from a broken line.
        else void currentSession().then((session) => { if (!session) this.signedOut() }, () => {})
        this.changed()
      },
    })
  }

  signedOut: () => void = () => {}

  stop(): void {
    this.stopEvents?.()
    window.clearTimeout(this.drawTimer)
    window.clearTimeout(this.sensorTimer)
  }

  subscribe(watcher: () => void): () => void {
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  async load(): Promise<void> {
    const [site, cameras, sensors, open, newest] = await Promise.allSettled([
      get<Site>('/site'), list<Camera>('/cameras'), list<Sensor>('/sensors'), list<Incident>('/incidents?state=open'),
      page<Incident>(`/incidents?limit=${incidentsPage}`),
    ])
    if (site.status === 'fulfilled') this.takeSite(site.value)
    if (cameras.status === 'fulfilled') for (const camera of cameras.value) this.takeCamera(camera)
    if (sensors.status === 'fulfilled') for (const sensor of sensors.value) this.takeSensor(sensor)
    if (open.status === 'fulfilled') for (const incident of open.value) this.keepIncident(incident)
    if (newest.status === 'fulfilled') this.takePage(newest.value)
    // A role that may not see one of the lists still sees the others.
    const failure = [site, cameras, sensors, open, newest].find(
      (result) => result.status === 'rejected' && !(result.reason instanceof Problem && result.reason.status === 403))
    this.loadProblem = failure?.status === 'rejected' ? String((failure.reason as Error).message) : null
    this.isLoaded ||= site.status === 'fulfilled'
    this.changed()
  }

  // How many watch and how much flows changes without an event.
  refreshCamera(id: string): void {
    get<Camera>(`/cameras/${encodeURIComponent(id)}`).then(
      (camera) => { this.takeCamera(camera); this.changed() },
      () => {}) // told by the tile and the connection's light
  }

  // Of one that was discovered; it comes back when it sends again.
  async forgetSensor(id: string): Promise<void> {
    await request('DELETE', `/sensors/${encodeURIComponent(id)}`)
    this.sensors.delete(id)
    this.readings.delete(id)
    this.draw()
  }

  // Sensors that a template becomes are told of by their observations alone.
  private lookForSensors(): void {
    if (this.sensorTimer !== undefined) return
    this.sensorTimer = window.setTimeout(() => {
      list<Sensor>('/sensors').then(
        (sensors) => { for (const sensor of sensors) this.takeSensor(sensor); this.changed() }, () => {}) // the next one tries again
        .finally(() => { this.sensorTimer = undefined })
    }, lookForSensorsMs)
  }

  async loadOlderIncidents(): Promise<void> {
    const cursor = this.olderIncidents
    if (!cursor) return
    this.takePage(await page<Incident>(`/incidents?limit=${incidentsPage}&cursor=${encodeURIComponent(cursor)}`))
    this.draw()
  }

  receive(type: EventType, data: unknown): void {
    if (!data || typeof data !== 'object') return
    if (type === 'camera') this.takeCamera(data as Camera)
    if (type === 'observation') {
      this.takeObservation(data as Observation)
      if (!this.sensors.has((data as Observation).sensor)) this.lookForSensors()
    }
    if (type === 'incident' && this.keepIncident(data as Incident)) this.arrived.push((data as Incident).id)
    if (type === 'alert') this.takeAlert(data as Alert)
    this.changed()
  }

  // An incident as an action's answer or a request of its own brought it: shown at once, so that a person's next press
  // carries the new revision.
  takeIncident(incident: Incident): void {
    this.keepIncident(incident)
    this.draw()
  }

  lookedAt(incident: string): void {
    const index = this.arrived.indexOf(incident)
    if (index < 0) return
    this.arrived.splice(index, 1)
    this.changed()
  }

  // Newest first: ids are ULIDs, which sort by time.
  incidentsNewestFirst(): Incident[] {
    return [...this.incidents.values()].sort((a, b) => (a.id < b.id ? 1 : -1))
  }

  camerasInOrder(): Camera[] {
    return [...this.cameras.values()]
  }

  gridName(id: string | null | undefined): string | null {
    return id && id === this.site.gateway?.division ? this.site.gateway.name ?? id : nameIn(this.site.grids, id)
  }

  // The township itself, which is the root of the tree, and all below it.
  grids(): { id: string; name: string }[] {
    const root = this.site.gateway?.division
    const ids = [...new Set([...(root ? [root] : []), ...(this.site.grids ?? []).map(({ id }) => id)])]
    return ids.map((id) => ({ id, name: this.gridName(id) ?? id }))
  }

  // The site's own words for its rule; those of the gateway's own rules are the page's.
  ruleName(id: string): string {
    return this.site.rules?.find((rule) => rule.id === id)?.name ?? named('rule', id)
  }

  // The gateway titles what its own rules raise by the rule's id; the rest is in the site's words.
  titleOf({ title, rule }: Incident): string {
    return rule && (title === rule || title.startsWith(`${rule}: `)) ? this.ruleName(rule) + title.slice(rule.length) : title
  }

  agencyName(id: string | null | undefined): string | null {
    return nameIn(this.site.agencies, id)
  }

  cameraName(id: string | null | undefined): string | null {
    return id ? (this.cameras.get(id)?.name ?? id) : null
  }

  sensorName(id: string | null | undefined): string | null {
    return id ? (this.sensors.get(id)?.name ?? id) : null
  }

  private takeSite(site: Site): void {
    this.site = site
    keepOnly(this.cameras, site.cameras)
    keepOnly(this.sensors, site.sensors)
    for (const camera of site.cameras ?? []) this.takeCamera(camera)
    for (const sensor of site.sensors ?? []) this.takeSensor(sensor)
  }

  private takeCamera(camera: Camera & { camera?: string }): void {
    const id = camera.id ?? camera.camera
    // The page shows the main stream's state; a sub stream comes and goes with its viewers.
    if (typeof id !== 'string' || camera.stream === 'sub') return
    const known = this.cameras.get(id)
    // A list that was asked for before an event came may arrive after it.
    if (known?.since && camera.since && camera.since < known.since) return
    this.cameras.set(id, { ...known, ...camera, id })
  }

  private takeSensor(sensor: Sensor): void {
    if (typeof sensor.id !== 'string') return
    this.sensors.set(sensor.id, { ...this.sensors.get(sensor.id), ...sensor })
    for (const observation of sensor.values ?? []) this.takeObservation({ ...observation, sensor: sensor.id })
  }

  private takeObservation(observation: Observation): void {
    if (typeof observation.sensor !== 'string' || typeof observation.value !== 'number') return
    const metrics = this.readings.get(observation.sensor) ?? new Map<string, Reading>()
    this.readings.set(observation.sensor, metrics)
    const known = metrics.get(observation.metric)
    if (known && (known.last.phenomenon_time ?? '') > (observation.phenomenon_time ?? '')) return
    const isSame = known?.last.phenomenon_time === observation.phenomenon_time && known?.last.value === observation.value
    const trend = isSame ? known!.trend : [...(known?.trend ?? []), observation.value].slice(-trendLength)
    metrics.set(observation.metric, { last: observation, trend })
  }

  private takePage({ items, next }: { items: Incident[]; next: string | null }): void {
    for (const incident of items) this.keepIncident(incident)
    this.olderIncidents = this.incidents.size < incidentsKept ? next : null
  }

  // Whether it is one that wasn't known yet and that somebody should look at.
  private keepIncident(incident: Incident): boolean {
    if (typeof incident.id !== 'string') return false
    const known = this.incidents.get(incident.id)
    if (known && known.revision > incident.revision) return false
    this.incidents.set(incident.id, known ? { ...known, ...incident } : incident)
    if (this.incidents.size > incidentsKept) this.incidents.delete([...this.incidents.keys()].sort()[0]!)
    return this.isLoaded && !known && isOpen(incident.state)
  }

  private takeAlert(alert: Alert): void {
    const incident = alert.incident ? this.incidents.get(alert.incident) : undefined
    if (!incident) return
    const others = (incident.alerts ?? []).filter(({ id }) => id !== alert.id)
    this.incidents.set(incident.id, { ...incident, alerts: [...others, alert] })
  }

  private changed(): void {
    if (this.drawTimer !== undefined) return
    this.drawTimer = window.setTimeout(() => this.draw(), drawEveryMs)
  }

  private draw(): void {
    window.clearTimeout(this.drawTimer)
    this.drawTimer = undefined
    for (const watcher of this.watchers) watcher()
  }
}

function nameIn(items: { id: string; name?: string }[] | undefined, id: string | null | undefined): string | null {
  if (!id) return null
  return items?.find((item) => item.id === id)?.name ?? id
}

// What a reload of the site took away is gone here too.
function keepOnly(map: Map<string, unknown>, items: { id: string }[] | undefined): void {
  if (!items) return
  const present = new Set(items.map(({ id }) => id))
  for (const id of map.keys()) if (!present.has(id)) map.delete(id)
}
