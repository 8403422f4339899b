// One incident: where it stands, what was seen, what was done, what may be done now.

import { ago, bytes, clockTime, fullTime, number, unit, untilDue } from '../format'
import { useNow } from '../hooks'
import { isOpen, stepOf, way } from '../incident/actions'
import type { Model } from '../model'
import { named, t, type Key } from '../strings'
import type { Alert, Assignee, Evidence, HistoryEntry, Incident } from '../types'
import { ActionPanel } from './action_panel'

export function IncidentDetail({ model, incident, onReload }: { model: Model; incident: Incident; onReload: () => void }) {
  return (
    <article class={`detail severity-${incident.severity}`} data-incident={incident.id} data-state={incident.state}
      aria-label={model.titleOf(incident)}>
      <header class="detail-head">
        <h2>{model.titleOf(incident)}</h2>
        <p class="row-line">
          <span class="severity">{named('severity', incident.severity)}</span>
          <span class={`incident-state state-${incident.state}`}>{named('state', incident.state)}</span>
          {incident.light && <span class={`light light-${incident.light}`}>{named('light', incident.light)}</span>}
          <span class="muted">{named('category', incident.category)}</span>
          <span class="muted">{model.gridName(incident.grid)}</span>
          <code class="muted">{incident.id}</code>
        </p>
        <Way incident={incident} />
      </header>
      <div class="detail-columns">
        <div>
          <EvidenceList model={model} evidence={incident.evidence ?? []} />
          <AlertList model={model} alerts={incident.alerts ?? []} />
        </div>
        <div>
          <ActionPanel model={model} incident={incident} onReload={onReload} />
          <Facts model={model} incident={incident} />
          <History model={model} entries={incident.history ?? []} />
        </div>
      </div>
    </article>
  )
}

function Way({ incident }: { incident: Incident }) {
  const reached = stepOf(incident.state)
  return (
    <ol class={`way ${reached === null ? 'beside' : ''}`}>
      {way.map((state, index) => (
        <li key={state} class={reached !== null && index <= reached ? 'done' : ''}
          aria-current={index === reached ? 'step' : undefined}>{t(`step_${state}` as Key)}</li>
      ))}
    </ol>
  )
}

export function assigneeName(model: Model, assignee: Assignee | null | undefined): string {
  return model.agencyName(assignee?.agency) ?? assignee?.account ?? t('unassigned')
}

function Facts({ model, incident }: { model: Model; incident: Incident }) {
  const now = useNow(10_000)
  const due = (iso: string | null | undefined) => {
    const left = isOpen(incident.state) ? untilDue(iso, now) : null
    return iso ? <>{fullTime(iso)}{left && <small>{left}</small>}</> : null
  }
  const { lon, lat } = incident.location ?? {}
  const facts: [Key, preact.ComponentChildren][] = [
    ['field_opened', <>{fullTime(incident.opened_at)}<small>{ago(incident.opened_at, now)}</small></>],
    ['field_changed', incident.changed_at ? fullTime(incident.changed_at) : null],
    ['field_closed', incident.closed_at ? fullTime(incident.closed_at) : null],
    ['field_assignee', assigneeName(model, incident.assignee)],
    ['field_deadline_step', due(incident.deadlines?.step)],
    ['field_deadline_whole', due(incident.deadlines?.whole)],
    ['field_rule', incident.rule ? model.ruleName(incident.rule) : null],
    ['field_reporter', incident.reporter],
    ['field_location', lon !== undefined && lat !== undefined ? `${lon}, ${lat}` : null],
  ]
  return (
    <dl class="facts card">
      {facts.filter(([, value]) => value).map(([key, value]) => (
        <div key={key}><dt>{t(key)}</dt><dd>{value}</dd></div>
      ))}
    </dl>
  )
}

function EvidenceList({ model, evidence }: { model: Model; evidence: Evidence[] }) {
  // What moves says most.
  const inOrder = [...evidence].sort((a, b) => Number(b.kind === 'clip') - Number(a.kind === 'clip'))
  return (
    <section class="card" aria-label={t('evidence')}>
      <h3>{t('evidence')}</h3>
      {evidence.length === 0 && <p class="muted">{t('evidence_none')}</p>}
      <div class="evidence">{inOrder.map((item) => <EvidenceItem key={item.id} model={model} item={item} />)}</div>
    </section>
  )
}

function EvidenceItem({ model, item }: { model: Model; item: Evidence }) {
  const now = useNow(2000)
  const camera = model.cameraName(item.camera) ?? t('none')
  // The address is made here: a URL out of data could lead anywhere.
  const url = `/api/v1/evidence/${encodeURIComponent(item.id)}`
  const isThere = item.state ? item.state === 'done' : Boolean(item.url)
  const isRunning = item.to ? new Date(item.to).getTime() > now : false
  return (
    <figure class={`evidence-item ${item.kind}`} data-evidence={item.id} data-evidence-state={isThere ? 'done' : item.state}>
      {isThere && item.kind === 'clip' && (
        <video controls preload="metadata" src={url} aria-label={t('evidence_clip_of', { camera })} />
      )}
      {isThere && item.kind === 'picture' && (
        <a href={url} target="_blank" rel="noopener"><img src={url} alt={t('evidence_picture_of', { camera })} /></a>
      )}
      {!isThere && (
        <p class={item.state === 'failed' ? 'problem' : 'muted blank'} role="status">
          {item.state === 'failed' ? t('evidence_failed', { reason: item.reason ?? '' })
            : isRunning ? t('evidence_wanted_until', { time: clockTime(item.to) }) : t('evidence_wanted')}
        </p>
      )}
      <figcaption>
        <span>{t(item.kind === 'clip' ? 'evidence_clip' : 'evidence_picture')} · {camera}</span>
        <span class="muted">{clockTime(item.from)}{item.kind === 'clip' && item.to ? ` – ${clockTime(item.to)}` : ''}</span>
        {isThere && <a href={url} download>{t('evidence_download')}{item.bytes ? ` (${bytes(item.bytes)})` : ''}</a>}
        {item.sha256 && <code class="hash" title={t('evidence_hash')}>{item.sha256}</code>}
      </figcaption>
    </figure>
  )
}

function AlertList({ model, alerts }: { model: Model; alerts: Alert[] }) {
  return (
    <section class="card" aria-label={t('alerts')}>
      <h3>{t('alerts')}</h3>
      {alerts.length === 0 && <p class="muted">{t('alerts_none')}</p>}
      <ul class="alerts">
        {alerts.map((alert) => (
          <li key={alert.id} class={`severity-${alert.severity}`} data-alert={alert.state}>
            <span class="severity">{named('severity', alert.severity)}</span>
            <span>{model.ruleName(alert.rule)}</span>
            <span class="muted">{model.sensorName(alert.sensor) ?? model.cameraName(alert.camera)}</span>
            {typeof alert.value === 'number' && <strong>{number(alert.value)} {unit(alert.unit)}</strong>}
            {alert.historical && <span class="tag">{t('alert_historical')}</span>}
            <span class={alert.state === 'open' ? 'alert-open' : 'muted'}>
              {t(alert.state === 'open' ? 'alert_open' : 'alert_cleared')}
            </span>
            <span class="muted">{clockTime(alert.opened_at)}{alert.cleared_at ? ` – ${clockTime(alert.cleared_at)}` : ''}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function History({ model, entries }: { model: Model; entries: HistoryEntry[] }) {
  return (
    <section class="card" aria-label={t('history')}>
      <h3>{t('history')}</h3>
      <ol class="history">
        {[...entries].reverse().map((entry, index) => (
          <li key={`${entry.revision}-${index}`}>
            <span class="history-line">
              <strong>{named('action', entry.action)}</strong>
              {entry.from !== entry.to && entry.to && <span class="muted">→ {named('state', entry.to)}</span>}
              {entry.assignee && <span>→ {assigneeName(model, entry.assignee)}</span>}
            </span>
            {entry.note && <span class="history-note">{entry.note}</span>}
            {entry.erased && <span class="muted">{t('history_erased')}</span>}
            <small class="muted">{fullTime(entry.at)} · {entry.actor}{entry.unit ? ` · ${entry.unit}` : ''}</small>
          </li>
        ))}
      </ol>
    </section>
  )
}
