// The buttons that the state and the role allow, with the note that goes with them.

import { useEffect, useRef, useState } from 'preact/hooks'
import { Problem, request } from '../api'
import { actionsFor, forwardAction, needsAssignee, needsNote, type Action } from '../incident/actions'
import type { Model } from '../model'
import { named, t } from '../strings'
import type { Assignee, Incident } from '../types'

interface PanelProps { model: Model; incident: Incident; onReload: () => void }
interface Message { text: string; isProblem: boolean }

// An answer to a refused action carries the incident as it is now.
function currentOf(problem: Problem): Incident | null {
  const incident = problem.body.incident ?? problem.body.current
  return incident && typeof incident === 'object' && 'revision' in incident ? (incident as Incident) : null
}

export function ActionPanel({ model, incident, onReload }: PanelProps) {
  const [note, setNote] = useState('')
  const [assigning, setAssigning] = useState<Action | null>(null)
  const [message, setMessage] = useState<Message | null>(null)
  const [isBusy, setBusy] = useState(false)
  const noteField = useRef<HTMLTextAreaElement>(null)
  const actions = actionsFor(incident, model.session)
  const forward = forwardAction(incident.state)

  useEffect(() => setAssigning(null), [incident.revision])

  const act = async (action: Action, assignee?: Assignee): Promise<void> => {
    setBusy(true)
    setMessage(null)
    try {
      const changed = await request<Incident>('POST', `/incidents/${encodeURIComponent(incident.id)}/actions`, {
        action, revision: incident.revision, ...(note.trim() ? { note: note.trim() } : {}), ...(assignee ? { assignee } : {}),
      })
      if (changed?.id) model.takeIncident(changed)
      else onReload()
      setNote('')
      setAssigning(null)
      setMessage({ text: t('action_done', { action: named('action', action) }), isProblem: false })
    } catch (error) {
      setMessage({ text: explain(error, model, onReload), isProblem: true })
    }
    setBusy(false)
  }
  const press = (action: Action): void => {
    if (needsNote(action) && !note.trim()) {
      setMessage({ text: t('action_note_missing', { action: named('action', action) }), isProblem: true })
      noteField.current?.focus()
    } else if (needsAssignee(action)) {
      setAssigning(assigning === action ? null : action)
    } else {
      void act(action)
    }
  }

  return (
    <section class="card action-panel" aria-label={t('actions')}>
      <h3>{t('actions')}</h3>
      {actions.length === 0 && <p class="muted">{t('action_none')}</p>}
      {actions.length > 0 && (
        <>
          <label>
            <span class="sr">{t('action_note')}</span>
            <textarea ref={noteField} rows={2} maxLength={2000} value={note} placeholder={t('action_note_placeholder')}
              onInput={(event) => setNote(event.currentTarget.value)} />
          </label>
          <div class="buttons">
            {actions.map((action) => (
              <button key={action} type="button" data-action={action} disabled={isBusy}
                class={action === forward ? 'primary' : action === 'void' || action === 'reject' ? 'grave' : ''}
                aria-expanded={needsAssignee(action) ? assigning === action : undefined} onClick={() => press(action)}>
                {named('action', action)}
              </button>
            ))}
          </div>
        </>
      )}
      {assigning && <AssigneeForm model={model} incident={incident} action={assigning} isBusy={isBusy}
        onChosen={(assignee) => void act(assigning, assignee)} onCancel={() => setAssigning(null)} />}
      {message && <p class={message.isProblem ? 'problem' : 'success'} role="status">{message.text}</p>}
    </section>
  )
}

function explain(error: unknown, model: Model, onReload: () => void): string {
  if (!(error instanceof Problem)) return t('error_network')
  if (error.status !== 409) return t('action_failed', { detail: error.message })
  const current = currentOf(error)
  if (current) model.takeIncident(current)
  onReload()
  return error.type === 'stale-revision' ? t('action_stale') : t('action_refused', { detail: error.message })
}

interface AssigneeProps {
  model: Model
  incident: Incident
  action: Action
  isBusy: boolean
  onChosen: (assignee: Assignee) => void
  onCancel: () => void
}

function AssigneeForm({ model, incident, action, isBusy, onChosen, onCancel }: AssigneeProps) {
  const agencies = model.site.agencies ?? []
  const [agency, setAgency] = useState(incident.assignee?.agency ?? agencies[0]?.id ?? '')
  const [account, setAccount] = useState(incident.assignee?.account ?? '')
  // Only an agency takes a matter over; a person gets it dispatched.
  const mayBePerson = action === 'dispatch'
  const [isPerson, setPerson] = useState(mayBePerson && (agencies.length === 0 || Boolean(incident.assignee?.account)))

  const submit = (event: Event): void => {
    event.preventDefault()
    onChosen(isPerson ? { account: account.trim() } : { agency })
  }
  return (
    <form class="assignee" onSubmit={submit} aria-label={t('action_choose')}>
      <div class="filter" role="group" aria-label={t('action_choose')}>
        {agencies.length > 0 && (
          <button type="button" aria-pressed={!isPerson} onClick={() => setPerson(false)}>{t('action_agency')}</button>
        )}
        {mayBePerson && (
          <button type="button" aria-pressed={isPerson} onClick={() => setPerson(true)}>{t('action_account')}</button>
        )}
      </div>
      {isPerson ? (
        <label>
          <span>{t('action_account')}</span>
          <input name="account" required value={account} placeholder={t('action_account_placeholder')}
            onInput={(event) => setAccount(event.currentTarget.value)} />
        </label>
      ) : (
        <label>
          <span>{t('action_agency')}</span>
          <select name="agency" required value={agency} onChange={(event) => setAgency(event.currentTarget.value)}>
            {agencies.map(({ id, name }) => <option key={id} value={id}>{name ?? id}</option>)}
          </select>
        </label>
      )}
      <div class="buttons">
        <button type="submit" class="primary" data-do="assign" disabled={isBusy}>
          {t('action_confirm', { action: named('action', action) })}
        </button>
        <button type="button" class="quiet" onClick={onCancel}>{t('cancel')}</button>
      </div>
    </form>
  )
}
