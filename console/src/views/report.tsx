// A person reports what no sensor saw.

import { useState } from 'preact/hooks'
import { idempotencyKey, Problem, request } from '../api'
import type { Model } from '../model'
import { parseLocation } from '../report_location'
import { named, t } from '../strings'
import type { Incident, Severity } from '../types'

const severities: Severity[] = ['minor', 'moderate', 'severe', 'extreme']
const categories = [
  'flood', 'fire', 'geology', 'weather', 'traffic', 'security', 'environment', 'facility', 'device', 'other',
]

export function ReportForm({ model, onClose }: { model: Model; onClose: () => void }) {
  const [problem, setProblem] = useState<string | null>(null)
  const [isBusy, setBusy] = useState(false)
  // One key for this form: pressing the button twice, or again after a lost answer, reports once.
  const [key] = useState(idempotencyKey)
  const grids = model.grids()

  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    const fields = new FormData(event.currentTarget as HTMLFormElement)
    const text = (name: string): string => String(fields.get(name) ?? '').trim()
    const location = parseLocation(text('lon'), text('lat'))
    if (location === 'wrong') return setProblem(t('field_location_wrong'))
    setBusy(true)
    setProblem(null)
    try {
      const incident = await request<Incident>('POST', '/incidents', {
        title: text('title'), category: text('category'), severity: text('severity'), grid: text('grid'),
        ...(text('note') ? { note: text('note') } : {}), ...(location ? { location } : {}),
      }, { 'Idempotency-Key': key })
      model.takeIncident(incident)
      window.location.hash = `#/incidents/${encodeURIComponent(incident.id)}`
      return onClose()
    } catch (error) {
      setProblem(error instanceof Problem ? error.message : t('error_network'))
    }
    setBusy(false)
  }

  return (
    <form class="card report" onSubmit={submit}>
      <h2>{t('report_title')}</h2>
      <label><span>{t('field_title')}</span><input name="title" required maxLength={200} autofocus /></label>
      <div class="pair">
        <label>
          <span>{t('field_category')}</span>
          <select name="category">
            {categories.map((name) => <option key={name} value={name}>{named('category', name)}</option>)}
          </select>
        </label>
        <label>
          <span>{t('field_severity')}</span>
          <select name="severity" defaultValue="moderate">
            {severities.map((name) => (
              <option key={name} value={name} selected={name === 'moderate'}>{named('severity', name)}</option>
            ))}
          </select>
        </label>
      </div>
      <label>
        <span>{t('field_grid')}</span>
        <select name="grid" required>
          {grids.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}
        </select>
      </label>
      <label><span>{t('field_note')}</span><textarea name="note" rows={4} maxLength={2000} /></label>
      <div class="pair">
        <label><span>{t('field_longitude')}</span><input name="lon" inputMode="decimal" /></label>
        <label><span>{t('field_latitude')}</span><input name="lat" inputMode="decimal" /></label>
      </div>
      {problem && <p class="problem" role="alert">{problem}</p>}
      <div class="buttons">
        <button type="submit" class="primary" disabled={isBusy}>{t('report_send')}</button>
        <button type="button" class="quiet" onClick={onClose}>{t('cancel')}</button>
      </div>
    </form>
  )
}
