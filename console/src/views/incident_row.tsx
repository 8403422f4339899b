import { ago } from '../format'
import { useNow } from '../hooks'
import type { Model } from '../model'
import { named, t } from '../strings'
import type { Incident } from '../types'

export function IncidentRow({ model, incident, isChosen }: { model: Model; incident: Incident; isChosen: boolean }) {
  const now = useNow(5000)
  return (
    <a class={`row severity-${incident.severity}`} href={`#/incidents/${encodeURIComponent(incident.id)}`}
      aria-current={isChosen ? 'true' : undefined} data-incident={incident.id}
      data-category={incident.category ?? ''}>
      <span class="row-title">
        {model.arrived.includes(incident.id) && <span class="dot" />}
        {model.titleOf(incident)}
      </span>
      <span class="row-line">
        <span class="severity">{named('severity', incident.severity)}</span>
        <span class={`incident-state state-${incident.state}`}>{named('state', incident.state)}</span>
        {incident.light && incident.light !== 'green' && (
          <span class={`light light-${incident.light}`} title={t('field_light')}>{named('light', incident.light)}</span>
        )}
      </span>
      <span class="row-line muted">
        <span>{named('category', incident.category)}</span>
        <span>{model.gridName(incident.grid) ?? ''}</span>
        <span>{ago(incident.opened_at, now)}</span>
      </span>
    </a>
  )
}
