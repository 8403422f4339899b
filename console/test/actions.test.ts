import assert from 'node:assert/strict'
import { test } from 'node:test'
import { actionsFor, forwardAction, isOpen, knownActions, mayReport, needsAssignee, stepOf, way } from '../src/incident/actions'
import { zh } from '../src/strings/zh'
import type { Incident, IncidentState, Role } from '../src/types'

const mine = { account: 'li', agency: 'water' }
const at = (state: IncidentState, role: Role = 'operator', assignee: Incident['assignee'] = mine) =>
  actionsFor({ state, assignee }, { role, name: 'li', agency: role === 'agency' ? 'water' : null })

test('an operator carries an incident along the whole way', () => {
  for (const [state, action] of [
    ['reported', 'accept'], ['accepted', 'dispatch'], ['dispatched', 'start'], ['in_progress', 'resolve'],
    ['resolved', 'verify'], ['verified', 'close'],
  ] as const) {
    assert.ok(at(state).includes(action), `${state} allows ${action}`)
    assert.equal(forwardAction(state), action)
  }
})

test('what a state does not allow is not offered', () => {
  assert.deepEqual(at('closed'), ['reopen', 'comment'])
  assert.deepEqual(at('void'), ['comment'])
  assert.ok(!at('reported').includes('close'))
  assert.ok(at('resolved').includes('close'))
  assert.ok(at('on_hold').includes('resume') && !at('on_hold').includes('start'))
})

test('roles that only look are offered nothing', () => {
  for (const role of ['viewer', 'auditor'] as const) {
    for (const state of way) assert.deepEqual(at(state, role), [])
    assert.equal(mayReport(role), false)
  }
})

test('those in the field start, resolve, return and comment, no more', () => {
  assert.deepEqual(at('dispatched', 'worker'), ['start', 'resolve', 'return', 'comment'])
  assert.deepEqual(at('reported', 'agency'), ['comment'])
  assert.deepEqual(at('dispatched', 'worker', { account: 'wang' }), [])
  assert.deepEqual(at('dispatched', 'agency', { agency: 'fire' }), [])
  assert.deepEqual(at('dispatched', 'agency', null), [])
})

test('what the gateway says about an incident goes before the table', () => {
  assert.deepEqual(actionsFor({ state: 'reported', actions: ['close', 'unheard_of', 'accept'] }, { role: 'viewer' }), ['accept', 'close'])
})

test('every action and every state has its words', () => {
  for (const action of knownActions) assert.ok(`action_${action}` in zh, action)
  for (const state of way) assert.ok(`step_${state}` in zh && `state_${state}` in zh, state)
})

test('open is what somebody still works on', () => {
  assert.ok(isOpen('on_hold') && isOpen('verified') && !isOpen('closed') && !isOpen('rejected'))
  assert.equal(stepOf('on_hold'), null)
  assert.equal(stepOf('closed'), 6)
  assert.ok(needsAssignee('dispatch') && needsAssignee('transfer') && !needsAssignee('close'))
})
