// What was recorded: a camera, a day, a bar with what there is of it; a click plays there. And a stretch of it as a file.

import { useEffect, useRef, useState } from 'preact/hooks'
import { get } from '../api'
import { clockTime, fullTime } from '../format'
import { useModel, useNow } from '../hooks'
import { whyUnsupported } from '../live/player'
import type { Model } from '../model'
import { PlaybackPlayer, playbackUrl, type PlaybackStatus } from '../playback/player'
import { dateBeside, dateOf, dayOf, pieceOf, timeAt, type Day, type Gap, type Span } from '../playback/timeline'
import { named, t } from '../strings'
import { ExportForm } from './export_form'

const speeds = [0.25, 0.5, 1, 2, 4, 8, 16]
const refreshMs = 10_000
const stepMs = 10_000
const resting: PlaybackStatus = { state: 'paused', atMs: null, gap: null, mime: null }

interface Recordings { spans: Span[]; gaps: Gap[] }

export function PlaybackPage({ model }: { model: Model }) {
  useModel(model)
  const cameras = model.camerasInOrder()
  const [camera, setCamera] = useState(cameras[0]?.id ?? '')
  const [date, setDate] = useState(dateOf(Date.now()))
  const [recordings, setRecordings] = useState<Recordings>({ spans: [], gaps: [] })
  const [problem, setProblem] = useState<string | null>(null)
  const day = dayOf(date)

  useEffect(() => {
    let isGone = false
    const load = (): void => {
      if (!day || !camera) return
      const query = `from=${new Date(day.fromMs).toISOString()}&to=${new Date(day.toMs).toISOString()}`
      get<Recordings>(`/cameras/${encodeURIComponent(camera)}/recordings?${query}`).then(
        (found) => { if (!isGone) { setRecordings(found); setProblem(null) } },
        (error: Error) => { if (!isGone) setProblem(error.message) })
    }
    setRecordings({ spans: [], gaps: [] })
    load()
    const timer = setInterval(load, refreshMs)
    return () => { isGone = true; clearInterval(timer) }
  }, [camera, date])

  if (cameras.length === 0) return <p class="muted pad">{t('playback_no_camera')}</p>
  return (
    <section class="playback">
      <h1>{t('playback_title')}</h1>
      <div class="playback-choice">
        <label>{t('playback_camera')}
          <select name="camera" value={camera} onChange={(event) => setCamera(event.currentTarget.value)}>
            {cameras.map(({ id, name }) => <option key={id} value={id}>{name ?? id}</option>)}
          </select>
        </label>
        <button type="button" onClick={() => setDate(dateBeside(date, -1))}>{t('playback_day_before')}</button>
        <label>{t('playback_day')}
          <input type="date" name="date" value={date} onInput={(event) => setDate(event.currentTarget.value)} />
        </label>
        <button type="button" onClick={() => setDate(dateBeside(date, 1))}>{t('playback_day_after')}</button>
      </div>
      {problem && <p class="problem" role="alert">{problem}</p>}
      {day && <Screen key={camera} camera={camera} day={day} recordings={recordings} model={model} />}
    </section>
  )
}

interface ScreenProps { camera: string; day: Day; recordings: Recordings; model: Model }

function Screen({ camera, day, recordings, model }: ScreenProps) {
  const video = useRef<HTMLVideoElement>(null)
  const player = useRef<PlaybackPlayer | null>(null)
  const [status, setStatus] = useState(resting)
  const [speed, setSpeed] = useState(1)
  const [isExporting, setExporting] = useState(false)
  const [chosenMs, setChosenMs] = useState<number | null>(null)

  useEffect(() => {
    player.current = new PlaybackPlayer(video.current!, setStatus)
    return () => player.current?.stop()
  }, [])

  const playAt = (ms: number): void => {
    setChosenMs(ms)
    if (player.current?.isOpen) player.current.seek(ms)
    else player.current?.open(playbackUrl(camera, ms, speed, location), speed)
  }
  const atMs = status.atMs ?? chosenMs
  const isRunning = status.state === 'playing' || status.state === 'waiting' || status.state === 'connecting'
  const press = (): void => {
    if (!player.current?.isOpen) return playAt(chosenMs ?? firstOf(recordings, day))
    player.current.setPaused(isRunning)
  }
  const changeSpeed = (value: number): void => {
    setSpeed(value)
    player.current?.setSpeed(value)
  }
  return (
    <>
      <div class="playback-screen" data-playback={status.state}>
        <video ref={video} playsInline tabIndex={-1} aria-label={t('playback_title')} disablePictureInPicture />
        <Words status={status} hasRecordings={recordings.spans.length > 0} />
      </div>
      <Bar day={day} recordings={recordings} atMs={atMs} model={model} camera={camera} onChoose={playAt} />
      <div class="playback-tools">
        <button type="button" class="primary" data-action="play" onClick={press} disabled={recordings.spans.length === 0}>
          {t(isRunning ? 'playback_pause' : 'playback_play')}
        </button>
        <button type="button" onClick={() => playAt((atMs ?? day.fromMs) - stepMs)}>{t('playback_back')}</button>
        <button type="button" onClick={() => playAt((atMs ?? day.fromMs) + stepMs)}>{t('playback_forward')}</button>
        <label>{t('playback_speed')}
          <select name="speed" value={String(speed)} onChange={(event) => changeSpeed(Number(event.currentTarget.value))}>
            {speeds.map((value) => <option key={value} value={String(value)}>{value}×</option>)}
          </select>
        </label>
        <output class="playback-time" data-at={atMs ?? ''}>{atMs !== null ? fullTime(new Date(atMs).toISOString()) : t('playback_nowhere')}</output>
        <button type="button" data-action="export" onClick={() => setExporting(!isExporting)} aria-expanded={isExporting}>
          {t('playback_export')}
        </button>
      </div>
      {isExporting && <ExportForm camera={camera} fromMs={atMs ?? firstOf(recordings, day)} onClose={() => setExporting(false)} />}
    </>
  )
}

function firstOf({ spans }: Recordings, day: Day): number {
  return spans[0] ? Math.max(Date.parse(spans[0].from), day.fromMs) : day.fromMs
}

function Words({ status, hasRecordings }: { status: PlaybackStatus; hasRecordings: boolean }) {
  const text = wordsFor(status, hasRecordings)
  return text ? <p class="notice" role="status">{text}</p> : null
}

function wordsFor({ state, mime, gap, atMs }: PlaybackStatus, hasRecordings: boolean): string | null {
  if (state === 'unsupported') return whyUnsupported(mime ?? '') === 'h265' ? t('playback_h265') : t('player_unsupported', { codec: mime ?? '' })
  if (state === 'broken') return t('playback_broken')
  if (state === 'ended') return t('playback_ended')
  if (gap) return t('playback_gap', { from: clockTime(gap.from), to: clockTime(gap.to), reason: named('reason', gap.reason) })
  if (state === 'connecting' || state === 'waiting') return t('player_connecting')
  if (!hasRecordings) return t('playback_nothing')
  return atMs === null ? t('playback_choose') : null
}

interface BarProps {
  day: Day
  recordings: Recordings
  atMs: number | null
  model: Model
  camera: string
  onChoose: (ms: number) => void
}

// A slider for those who press keys, a bar for those who point.
function Bar({ day, recordings, atMs, model, camera, onChoose }: BarProps) {
  const nowMs = useNow(refreshMs)
  const whole = day.toMs - day.fromMs
  const grid = cameraGrid(model, camera)
  const incidents = model.incidentsNewestFirst().filter(({ opened_at, grid: where }) =>
    where === grid && Date.parse(opened_at) >= day.fromMs && Date.parse(opened_at) < day.toMs)
  const place = atMs === null ? null : (atMs - day.fromMs) / whole * 100
  const onKey = (event: KeyboardEvent): void => {
    const steps: Record<string, number> = { ArrowLeft: -60_000, ArrowRight: 60_000, PageDown: -600_000, PageUp: 600_000 }
    const step = steps[event.key]
    if (step === undefined) return
    event.preventDefault()
    onChoose(Math.min(day.toMs, Math.max(day.fromMs, (atMs ?? Math.min(nowMs, day.toMs)) + step)))
  }
  return (
    <div class="bar-frame">
      <div class="timeline" role="slider" tabIndex={0} aria-label={t('playback_bar')} aria-valuemin={0} aria-valuemax={whole / 1000}
        aria-valuenow={Math.round(((atMs ?? day.fromMs) - day.fromMs) / 1000)}
        aria-valuetext={atMs === null ? t('playback_nowhere') : clockTime(new Date(atMs).toISOString())}
        onKeyDown={onKey}
        onClick={(event) => {
          const box = event.currentTarget.getBoundingClientRect()
          onChoose(timeAt((event.clientX - box.left) / box.width, day))
        }}>
        {recordings.spans.map((span) => <i key={span.from} class="recorded" style={styleOf(pieceOf(span, day))} />)}
        {recordings.gaps.map((gap) => (
          <i key={gap.from} class="missing" style={styleOf(pieceOf(gap, day))}
            title={t('playback_gap', { from: clockTime(gap.from), to: clockTime(gap.to), reason: named('reason', gap.reason) })} />
        ))}
        {incidents.map(({ id, opened_at, severity, title }) => (
          <i key={id} class={`mark severity-${severity}`} title={title}
            style={{ left: `${(Date.parse(opened_at) - day.fromMs) / whole * 100}%` }} />
        ))}
        {place !== null && place >= 0 && place <= 100 && <i class="here" style={{ left: `${place}%` }} />}
      </div>
      <div class="hours" aria-hidden="true">{[0, 6, 12, 18, 24].map((hour) => <span key={hour}>{hour}:00</span>)}</div>
    </div>
  )
}

function cameraGrid(model: Model, camera: string): string | undefined {
  return model.camerasInOrder().find(({ id }) => id === camera)?.grid
}

function styleOf(piece: { left: number; width: number } | null): Record<string, string> {
  return piece ? { left: `${piece.left}%`, width: `${Math.max(piece.width, 0.05)}%` } : { display: 'none' }
}
