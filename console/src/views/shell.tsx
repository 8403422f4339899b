// The frame around the pages: names, navigation, the live connection's state, news.

import { useEffect } from 'preact/hooks'
import { clockTime } from '../format'
import { useModel, useNow, useRoute } from '../hooks'
import { isOpen } from '../incident/actions'
import type { Model } from '../model'
import { named, t } from '../strings'
import { IncidentsPage } from './incidents'
import { Mark } from './card_form'
import { PlaybackPage } from './playback'
import { SensorsPage } from './sensors'
import { SilencesPage } from './silences'
import { WallPage } from './wall'

interface ShellProps { model: Model; onLanguage: () => void; onSignOut: () => void }

export function Shell({ model, onLanguage, onSignOut }: ShellProps) {
  useModel(model)
  const route = useRoute()
  const openCount = [...model.incidents.values()].filter(({ state }) => isOpen(state)).length
  const maySeeSilences = ['admin', 'auditor', 'operator'].includes(model.session.role)
  const mayPlayBack = model.session.role === 'admin' || model.session.role === 'operator'
  const title = model.site.gateway?.name ?? t('app_name')

  useEffect(() => {
    document.title = openCount > 0 ? `(${openCount}) ${title}` : title
  }, [openCount, title])

  const link = (page: string, label: string, count = 0) => (
    <a href={`#/${page}`} aria-current={route.page === page ? 'page' : undefined}>
      {label}
      {count > 0 && <span class="count">{count}</span>}
    </a>
  )
  return (
    <>
      <a class="skip" href="#content" onClick={toContent}>{t('skip_to_content')}</a>
      <header class="top">
        <span class="brand"><Mark /><span>{title}</span></span>
        <nav aria-label={t('nav')}>
          {link('wall', t('nav_wall'))}
          {link('incidents', t('nav_incidents'), openCount)}
          {mayPlayBack && link('playback', t('nav_playback'))}
          {link('sensors', t('nav_sensors'))}
          {maySeeSilences && link('silences', t('nav_silences'))}
        </nav>
        <span class="top-end">
          <span class={`connection ${model.isConnected ? 'on' : 'off'}`} role="status">
            <span class="sr">{t(model.isConnected ? 'connection_on' : 'connection_off')}</span>
            <span class="connection-text" aria-hidden="true">{model.isConnected ? '' : t('connection_off')}</span>
          </span>
          <Clock />
          <span class="who" title={t('signed_in_as', { name: model.session.name })}>
            {model.session.name}<small>{named('role', model.session.role)}</small>
          </span>
          <button type="button" class="quiet" onClick={onLanguage}>{t('language_other')}</button>
          <button type="button" class="quiet" onClick={onSignOut}>{t('sign_out')}</button>
        </span>
      </header>
      <News model={model} current={route.page === 'incidents' ? route.id : null} />
      {model.loadProblem && <p class="problem bar" role="alert">{model.loadProblem}
        <button type="button" class="quiet" onClick={() => void model.load()}>{t('retry')}</button></p>}
      <main id="content" tabIndex={-1} class={`page page-${route.page}`}>
        {!model.isLoaded && !model.loadProblem && <p class="muted pad">{t('loading')}</p>}
        {model.isLoaded && route.page === 'wall' && <WallPage model={model} />}
        {model.isLoaded && route.page === 'incidents' && <IncidentsPage model={model} chosen={route.id} />}
        {model.isLoaded && route.page === 'playback' && mayPlayBack && <PlaybackPage model={model} />}
        {model.isLoaded && route.page === 'sensors' && <SensorsPage model={model} />}
        {model.isLoaded && route.page === 'silences' && <SilencesPage model={model} />}
      </main>
    </>
  )
}

// The address's fragment is the route, so this link moves the focus instead.
function toContent(event: Event): void {
  event.preventDefault()
  document.getElementById('content')?.focus()
}

function Clock() {
  return <time class="clock">{clockTime(new Date(useNow()).toISOString())}</time>
}

// Incidents that arrived while the page was open, until somebody looks at them.
function News({ model, current }: { model: Model; current: string | null }) {
  useEffect(() => {
    if (current) model.lookedAt(current)
  }, [current, model.arrived.length])

  return (
    <div class="news" role="alert" aria-live="assertive">
      {model.arrived.slice(-3).map((id) => {
        const incident = model.incidents.get(id)
        if (!incident || !isOpen(incident.state)) return null
        return (
          <p key={id} class={`news-item severity-${incident.severity}`} data-incident={id}>
            <span>{t('new_incident', { title: model.titleOf(incident) })}</span>
            <a class="button" href={`#/incidents/${encodeURIComponent(id)}`}>{t('see')}</a>
            <button type="button" class="quiet" aria-label={t('close_panel')} onClick={() => model.lookedAt(id)}>✕</button>
          </p>
        )
      })}
    </div>
  )
}
