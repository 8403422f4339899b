// The list of incidents, and the chosen one beside it.

import { useEffect, useState } from 'preact/hooks'
import { get, Problem } from '../api'
import { useModel } from '../hooks'
import { isOpen, mayReport } from '../incident/actions'
import type { Model } from '../model'
import { t } from '../strings'
import type { Incident } from '../types'
import { IncidentDetail } from './incident_detail'
import { IncidentRow } from './incident_row'
import { More, rowsAtOnce } from './more'
import { ReportForm } from './report'

type Filter = 'open' | 'done' | 'all'

export function IncidentsPage({ model, chosen }: { model: Model; chosen: string | null }) {
  useModel(model)
  const [filter, setFilter] = useState<Filter>('open')
  const [isReporting, setReporting] = useState(false)
  const [most, setMost] = useState(rowsAtOnce)
  const rows = model.incidentsNewestFirst().filter(
    (incident) => filter === 'all' || isOpen(incident.state) === (filter === 'open') || incident.id === chosen)

  const mayBeMore = filter !== 'open' && model.olderIncidents !== null
  const showMore = (): void => {
    setMost(most + rowsAtOnce)
    if (mayBeMore && rows.length < most + rowsAtOnce) void model.loadOlderIncidents().catch(() => {})
  }

  const choose = (name: Filter, label: string) => (
    <button type="button" aria-pressed={filter === name} onClick={() => setFilter(name)}>{label}</button>
  )
  return (
    <>
      <section class="list-part" aria-label={t('incidents_title')}>
        <div class="section-head">
          <h1>{t('incidents_title')}</h1>
          <div class="filter" role="group" aria-label={t('filter')}>
            {choose('open', t('filter_open'))}{choose('done', t('filter_done'))}{choose('all', t('filter_all'))}
          </div>
          {mayReport(model.session.role) && (
            <button type="button" data-do="report" onClick={() => setReporting(true)}>{t('report')}</button>
          )}
        </div>
        {rows.length === 0 && <p class="muted pad">{t('no_incidents')}</p>}
        <ul class="rows">
          {rows.slice(0, most).map((incident) => (
            <li key={incident.id}><IncidentRow model={model} incident={incident} isChosen={!isReporting && incident.id === chosen} /></li>
          ))}
        </ul>
        {(rows.length > most || mayBeMore) && <More onMore={showMore} />}
      </section>
      <section class="detail-part">
        {isReporting
          ? <ReportForm model={model} onClose={() => setReporting(false)} />
          : chosen ? <Chosen key={chosen} model={model} id={chosen} />
            : <p class="muted pad">{t('choose_incident')}</p>}
      </section>
    </>
  )
}

// The whole incident is asked for: a list or an event may carry less of it than there is.
function Chosen({ model, id }: { model: Model; id: string }) {
  const [problem, setProblem] = useState<string | null>(null)
  const incident = model.incidents.get(id)
  const isWaiting = incident?.evidence?.some(({ state }) => state === 'wanted') ?? false

  const load = (): void => {
    get<Incident>(`/incidents/${encodeURIComponent(id)}`).then(
      (loaded) => { setProblem(null); model.takeIncident(loaded) },
      (error: Error) => setProblem(error instanceof Problem && error.status === 404 ? t('incident_gone') : error.message))
  }
  useEffect(load, [id, incident?.revision])
  useEffect(() => {
    if (!isWaiting) return
    const timer = setInterval(load, 3000)
    return () => clearInterval(timer)
  }, [id, isWaiting])

  if (!incident) return <p class={problem ? 'problem pad' : 'muted pad'} role="status">{problem ?? t('loading')}</p>
  return <IncidentDetail model={model} incident={incident} onReload={load} />
}
