// Each sensor's last values, live, with their quality and age.

import { useState } from 'preact/hooks'
import { Problem } from '../api'
import { ago, fullTime, number, span, unit } from '../format'
import { useModel, useNow } from '../hooks'
import type { Model, Reading } from '../model'
import { named, t } from '../strings'
import { trendPath } from '../trend'
import type { DeviceClock, Sensor } from '../types'
import { More, rowsAtOnce } from './more'

export function SensorsPage({ model }: { model: Model }) {
  useModel(model)
  const now = useNow()
  const [most, setMost] = useState(rowsAtOnce)
  const sensors = [...model.sensors.values()]

  return (
    <section class="sensors-part" aria-label={t('sensors_title')}>
      <div class="section-head"><h1>{t('sensors_title')}</h1><span class="muted">{sensors.length}</span></div>
      {sensors.length === 0 && <p class="muted pad">{t('sensors_none')}</p>}
      <div class="sensor-cards">
        {sensors.slice(0, most).map((sensor) => <SensorCard key={sensor.id} model={model} sensor={sensor} now={now} />)}
      </div>
      {sensors.length > most && <More onMore={() => setMost(most + rowsAtOnce)} />}
    </section>
  )
}

function SensorCard({ model, sensor, now }: { model: Model; sensor: Sensor; now: number }) {
  const readings = [...(model.readings.get(sensor.id)?.entries() ?? [])].sort(([a], [b]) => a.localeCompare(b))
  return (
    <article class="card sensor" data-sensor={sensor.id}>
      <header>
        <h2>{sensor.name ?? sensor.id}</h2>
        <span class="muted">{model.gridName(sensor.grid)}</span>
      </header>
      <ClockNote clock={sensor.device_clock} />
      {sensor.template && <DiscoveredNote model={model} sensor={sensor} />}
      {readings.length === 0 && <p class="muted">{t('no_value')}</p>}
      {readings.map(([metric, reading]) => <Metric key={metric} metric={metric} reading={reading} now={now} />)}
    </article>
  )
}

// It stands in no file: a topic with named levels has become it.
function DiscoveredNote({ model, sensor }: { model: Model; sensor: Sensor }) {
  const [problem, setProblem] = useState<string | null>(null)
  const forget = (): void => {
    setProblem(null)
    model.forgetSensor(sensor.id).catch((error: unknown) => setProblem(error instanceof Problem ? error.message : t('error_network')))
  }
  return (
    <>
      <p class="muted" title={sensor.template ?? undefined}>{t('discovered', { time: fullTime(sensor.discovered_at) })}</p>
      {model.session.role === 'admin' && <button type="button" data-do="forget-sensor" onClick={forget}>{t('discovered_forget')}</button>}
      {problem && <p class="problem" role="alert">{problem}</p>}
    </>
  )
}

// Said only where the device's clock is so wrong that its times do not count as it tells them.
function ClockNote({ clock }: { clock: DeviceClock | undefined }) {
  if (!clock || clock.skew_ms === null || (clock.use !== 'moved' && clock.use !== 'refused')) return null
  const time = span(Math.abs(clock.skew_ms))
  return <p class="muted">{t(clock.use === 'moved' ? 'clock_moved' : 'clock_refused', { time })}</p>
}

function Metric({ metric, reading, now }: { metric: string; reading: Reading; now: number }) {
  const { last, trend } = reading
  const quality = last.quality ?? 'good'
  const time = last.phenomenon_time ?? last.receive_time
  return (
    <div class={`metric quality-${quality}`} data-metric={metric}>
      <span class="metric-name">{named('metric', metric)}</span>
      <span class="metric-value"><strong>{number(last.value)}</strong> {unit(last.unit)}</span>
      <svg class="trend" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label={t('trend')}>
        <path d={trendPath(trend, 100, 24)} />
      </svg>
      <span class="metric-line">
        <span class={`quality quality-${quality}`}>{named('quality', quality)}</span>
        <time class="muted" dateTime={time ?? undefined} title={fullTime(time)}>{ago(time, now)}</time>
      </span>
    </div>
  )
}
