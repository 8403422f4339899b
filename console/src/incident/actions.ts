// Which actions an incident's state and a role allow. The gateway decides anyway; this only keeps the page from
// offering what it would refuse. Mirrors the table in gateway/incident/lifecycle.c.

import type { Incident, IncidentState, Role, Session } from '../types'

export const knownActions = [
  'accept', 'reject', 'dispatch', 'start', 'resolve', 'verify', 'close', 'return', 'reopen', 'hold', 'resume',
  'transfer', 'void', 'comment',
] as const
export type Action = (typeof knownActions)[number]

const working: IncidentState[] = ['accepted', 'dispatched', 'in_progress']
const open: IncidentState[] = [...working, 'reported', 'resolved', 'verified', 'on_hold']
const office: Role[] = ['admin', 'operator']
const field: Role[] = [...office, 'worker', 'agency']

interface Step { action: Action; from: IncidentState[] | 'any'; roles: Role[] }

// In the order in which the buttons stand.
const steps: Step[] = [
  { action: 'accept', from: ['reported'], roles: office },
  { action: 'dispatch', from: working, roles: office },
  { action: 'start', from: ['dispatched'], roles: field },
  { action: 'resolve', from: ['dispatched', 'in_progress'], roles: field },
  { action: 'verify', from: ['resolved'], roles: office },
  { action: 'close', from: ['resolved', 'verified'], roles: office },
  { action: 'resume', from: ['on_hold'], roles: office },
  { action: 'reopen', from: ['closed'], roles: office },
  { action: 'return', from: ['dispatched'], roles: field },
  { action: 'return', from: ['resolved'], roles: office },
  { action: 'transfer', from: open, roles: office },
  { action: 'hold', from: working, roles: office },
  { action: 'reject', from: ['reported'], roles: office },
  { action: 'void', from: open, roles: office },
  { action: 'comment', from: 'any', roles: field },
]

// The step that carries the matter forward from each state: the one prominent button.
const forward: Partial<Record<IncidentState, Action>> = {
  reported: 'accept', accepted: 'dispatch', dispatched: 'start', in_progress: 'resolve', resolved: 'verify',
  verified: 'close', on_hold: 'resume',
}

export function isOpen(state: IncidentState): boolean {
  return open.includes(state)
}

type Actor = Pick<Session, 'role'> & Partial<Session>

// Those in the field work on what is theirs.
function isTheirs({ assignee }: Pick<Incident, 'assignee'>, { role, name, agency }: Actor): boolean {
  if (role === 'agency') return Boolean(agency) && assignee?.agency === agency
  return role !== 'worker' || (Boolean(name) && assignee?.account === name) || (Boolean(agency) && assignee?.agency === agency)
}

export function actionsFor(incident: Pick<Incident, 'state' | 'actions' | 'assignee'>, actor: Actor): Action[] {
  const { role } = actor
  if (!isTheirs(incident, actor)) return []
  const offered = steps
    .filter(({ from, roles }) => (from === 'any' || from.includes(incident.state)) && roles.includes(role))
    .map(({ action }) => action)
  if (!Array.isArray(incident.actions)) return offered
  const allowed = incident.actions
  return [...new Set(steps.map(({ action }) => action))].filter((action) => allowed.includes(action))
}

export function forwardAction(state: IncidentState): Action | null {
  return forward[state] ?? null
}

export function needsAssignee(action: Action): boolean {
  return action === 'dispatch' || action === 'transfer'
}

// What turns somebody's work away or back is explained to them.
export function needsNote(action: Action): boolean {
  return ['reject', 'return', 'void', 'hold', 'reopen', 'comment'].includes(action)
}

export function mayReport(role: Role): boolean {
  return role === 'admin' || role === 'operator' || role === 'worker'
}

// 发现→受理→派遣→处置→反馈→核查→结案: how far along the way a state is; null beside the way.
export const way: IncidentState[] = [
  'reported', 'accepted', 'dispatched', 'in_progress', 'resolved', 'verified', 'closed',
]

export function stepOf(state: IncidentState): number | null {
  const index = way.indexOf(state)
  return index < 0 ? null : index
}
