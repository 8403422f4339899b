// What the gateway's HTTP API sends, as far as the page reads it.

export type Role = 'admin' | 'auditor' | 'operator' | 'worker' | 'viewer' | 'agency'
export type Severity = 'minor' | 'moderate' | 'severe' | 'extreme'
export type CameraState = 'idle' | 'connecting' | 'live' | 'stalled' | 'backing_off' | 'failed'
export type IncidentState =
  | 'reported' | 'accepted' | 'rejected' | 'dispatched' | 'in_progress' | 'resolved' | 'verified' | 'closed'
  | 'on_hold' | 'merged' | 'void'
export type Quality = 'good' | 'uncertain' | 'bad'
export type Light = 'green' | 'yellow' | 'red'

export interface Session { name: string; role: Role; csrf: string; agency?: string | null }

export interface Location { lon: number; lat: number }

export interface Camera {
  id: string
  name?: string
  grid?: string
  state?: CameraState
  since?: string | null
  codec?: string | null
  audio?: string | null
  audio_note?: 'becomes_aac' | 'not_carried' | null
  width?: number | null
  height?: number | null
  bitrate?: number | null
  viewers?: number | null
  reason?: string | null
  streams?: string[]
  stream?: string // of an event: whose state it tells
}

export interface Observation {
  id?: string
  sensor: string
  metric: string
  value: number
  unit?: string | null
  phenomenon_time?: string | null
  receive_time?: string | null
  quality?: Quality
}

export interface Sensor {
  id: string
  name?: string
  grid?: string
  template?: string | null // of one that was discovered: the entry that describes it
  discovered_at?: string | null
  values?: Observation[]
  device_clock?: DeviceClock
}

// skew_ms: the device's clock minus the gateway's.
export interface DeviceClock {
  skew_ms: number | null
  use: 'unknown' | 'ignored' | 'believed' | 'moved' | 'refused'
}

export interface Alert {
  id: string
  rule: string
  sensor?: string | null
  camera?: string | null
  grid?: string | null
  category?: string | null
  severity: Severity
  state: 'open' | 'cleared'
  opened_at: string
  cleared_at?: string | null
  value?: number | null
  unit?: string | null
  incident?: string | null
  historical?: boolean
}

export interface Assignee { agency?: string | null; account?: string | null }

export interface HistoryEntry {
  revision: number
  at: string
  actor: string
  role?: string
  unit?: string | null
  action: string
  from?: IncidentState
  to?: IncidentState
  note?: string | null
  assignee?: Assignee | null
  erased?: boolean
}

export interface Evidence {
  id: string
  camera?: string | null
  kind: 'clip' | 'picture'
  state?: 'wanted' | 'done' | 'failed'
  reason?: string | null
  from?: string | null
  to?: string | null
  bytes?: number | null
  sha256?: string | null
  url?: string | null
}

export interface Incident {
  id: string
  revision: number
  state: IncidentState
  title: string
  category?: string | null
  severity: Severity
  grid?: string | null
  location?: Location | null
  opened_at: string
  changed_at?: string | null
  closed_at?: string | null
  rule?: string | null
  reporter?: string | null
  alerts?: Alert[]
  evidence?: Evidence[]
  assignee?: Assignee | null
  deadlines?: { step?: string | null; whole?: string | null } | null
  light?: Light | null
  history?: HistoryEntry[]
  actions?: string[]
}

export interface Silence {
  id: string
  state: 'upcoming' | 'active' | 'over'
  author: string
  reason: string
  from: string
  to: string
  rules?: string[]
  sensors?: string[]
  cameras?: string[]
  grids?: string[]
  categories?: string[]
  ended_by?: string | null
}

export interface Named { id: string; name?: string }

export interface Site {
  gateway?: { id?: string; name?: string; time_zone?: string; division?: string }
  grids?: Named[]
  cameras?: Camera[]
  sensors?: Sensor[]
  rules?: Named[]
  agencies?: Named[]
}
