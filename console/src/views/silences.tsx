// Silences and maintenance windows: which alerts nobody is told of, until when, by whom and why.

import { useEffect, useState } from 'preact/hooks'
import { list, Problem, request } from '../api'
import { fullTime } from '../format'
import type { Model } from '../model'
import { named, t } from '../strings'
import type { Silence } from '../types'

const hourMs = 3_600_000
const hoursOffered = [1, 4, 8, 24, 72]
const builtIn = ['sensor_silent', 'camera_down', 'recording_stopped', 'broker_down', 'disk_full']

const reasonOf = (error: unknown): string => (error instanceof Problem ? error.message : t('error_network'))

export function SilencesPage({ model }: { model: Model }) {
  const [silences, setSilences] = useState<Silence[] | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const mayChange = model.session.role === 'admin' || model.session.role === 'operator'

  const load = (): void => {
    list<Silence>('/silences').then(setSilences, (error: unknown) => setProblem(reasonOf(error)))
  }
  useEffect(load, [])

  const end = async (id: string): Promise<void> => {
    setProblem(null)
    await request('DELETE', `/silences/${encodeURIComponent(id)}`).catch((error: unknown) => setProblem(reasonOf(error)))
    load()
  }

  return (
    <section class="silences-part" aria-label={t('silences_title')}>
      <div class="section-head"><h1>{t('silences_title')}</h1></div>
      {problem && <p class="problem" role="alert">{problem}</p>}
      {mayChange && <SilenceForm model={model} onAdded={load} />}
      {silences?.length === 0 && <p class="muted pad">{t('silences_none')}</p>}
      <div class="sensor-cards">
        {silences?.map((silence) => (
          <article key={silence.id} class="card" data-silence={silence.id}>
            <header><h2>{whatOf(model, silence)}</h2><span class="muted">{named('silence', silence.state)}</span></header>
            <p>{silence.reason}</p>
            <p class="muted">{fullTime(silence.from)} – {fullTime(silence.to)} · {silence.author}</p>
            {mayChange && silence.state !== 'over' &&
              <button type="button" data-do="end-silence" onClick={() => void end(silence.id)}>{t('silence_end')}</button>}
          </article>
        ))}
      </div>
    </section>
  )
}

function whatOf(model: Model, silence: Silence): string {
  return [
    ...(silence.rules ?? []).map((id) => model.ruleName(id)),
    ...(silence.sensors ?? []).map((id) => model.sensorName(id) ?? id),
    ...(silence.cameras ?? []).map((id) => model.cameraName(id) ?? id),
    ...(silence.categories ?? []).map((id) => named('category', id)),
    ...(silence.grids ?? []).map((id) => model.gridName(id) ?? id),
  ].join(' · ')
}

function SilenceForm({ model, onAdded }: { model: Model; onAdded: () => void }) {
  const [problem, setProblem] = useState<string | null>(null)
  const [isBusy, setBusy] = useState(false)
  const rules = [...(model.site.rules ?? []).map(({ id }) => id), ...builtIn]

  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const fields = new FormData(form)
    const text = (name: string): string => String(fields.get(name) ?? '').trim()
    const from = text('from') ? new Date(text('from')).getTime() : Date.now()
    setBusy(true)
    setProblem(null)
    try {
      await request('POST', '/silences', {
        ...(text('rule') ? { rules: [text('rule')] } : {}), grids: [text('grid')],
        ...(text('from') ? { from: new Date(from).toISOString() } : {}),
        to: new Date(from + Number(text('hours')) * hourMs).toISOString(), reason: text('reason'),
      })
      form.reset()
      onAdded()
    } catch (error) {
      setProblem(reasonOf(error))
    }
    setBusy(false)
  }

  return (
    <form class="card report" onSubmit={submit}>
      <div class="pair">
        <label>
          <span>{t('silence_rule')}</span>
          <select name="rule">
            <option value="">{t('silence_any_rule')}</option>
            {rules.map((id) => <option key={id} value={id}>{model.ruleName(id)}</option>)}
          </select>
        </label>
        <label>
          <span>{t('field_grid')}</span>
          <select name="grid" required>{model.grids().map(({ id, name }) => <option key={id} value={id}>{name}</option>)}</select>
        </label>
      </div>
      <div class="pair">
        <label><span>{t('silence_from')}</span><input name="from" type="datetime-local" /></label>
        <label>
          <span>{t('silence_hours')}</span>
          <select name="hours">{hoursOffered.map((hours) => <option key={hours} value={hours}>{hours}</option>)}</select>
        </label>
      </div>
      <label><span>{t('silence_reason')}</span><input name="reason" required maxLength={500} /></label>
      {problem && <p class="problem" role="alert">{problem}</p>}
      <div class="buttons"><button type="submit" class="primary" disabled={isBusy}>{t('silence_add')}</button></div>
    </form>
  )
}
