// Up to nine cameras and the open incidents beside them.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { useModel } from '../hooks'
import { isOpen } from '../incident/actions'
import { prefersSub } from '../live/stream_choice'
import type { Model } from '../model'
import { named, t } from '../strings'
import { chosenCameras, columnsFor, mostTiles, toggled } from '../wall_choice'
import { IncidentRow } from './incident_row'
import { Tile } from './tile'

const kept = 'gridgate.wall'
const refreshMs = 3000

function keptChoice(): string[] | null {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(kept) ?? 'null')
    return Array.isArray(value) ? value.filter((id): id is string => typeof id === 'string') : null
  } catch {
    return null
  }
}

export function WallPage({ model }: { model: Model }) {
  useModel(model)
  const [choice, setChoice] = useState(keptChoice)
  const [enlarged, setEnlarged] = useState<string | null>(null)
  const [isChoosing, setChoosing] = useState(false)
  const cameras = model.camerasInOrder()
  const shown = chosenCameras(cameras.map(({ id }) => id), choice)
  const open = model.incidentsNewestFirst().filter(({ state }) => isOpen(state))

  useLayoutEffect(() => { // with the picture, not a frame later: a quick Escape counts
    if (!enlarged) return
    const onKey = (event: KeyboardEvent): void => { if (event.key === 'Escape') setEnlarged(null) }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [enlarged])

  useEffect(() => {
    if (!enlarged) return
    model.refreshCamera(enlarged)
    const timer = setInterval(() => model.refreshCamera(enlarged), refreshMs)
    return () => clearInterval(timer)
  }, [enlarged])

  const choose = (id: string): void => {
    const next = toggled(shown, id)
    setChoice(next)
    if (enlarged && !next.includes(enlarged)) setEnlarged(null)
    try {
      localStorage.setItem(kept, JSON.stringify(next))
    } catch {
      // Not kept, still shown.
    }
  }

  return (
    <>
      <section class="wall-part" aria-label={t('wall_title')}>
        <div class="section-head">
          <h1>{t('wall_title')}</h1>
          <span class="muted">{shown.length} / {cameras.length}</span>
          <button type="button" class="quiet" aria-expanded={isChoosing} onClick={() => setChoosing(!isChoosing)}>
            {t('wall_choose')}
          </button>
        </div>
        {isChoosing && <Chooser model={model} shown={shown} onChoose={choose} onClose={() => setChoosing(false)} />}
        {shown.length === 0
          ? <p class="muted pad">{t(cameras.length === 0 ? 'wall_no_cameras' : 'wall_empty')}</p>
          : (
            <div class={`wall columns-${columnsFor(shown.length)} ${enlarged ? 'has-enlarged' : ''}`}>
              {shown.map((id) => (
                <Tile key={id} camera={model.cameras.get(id)!} gridName={model.gridName(model.cameras.get(id)!.grid)}
                  wantsSub={prefersSub(shown.length, enlarged === id)} isEnlarged={enlarged === id} isHidden={enlarged !== null && enlarged !== id}
                  onEnlarge={() => setEnlarged(enlarged === id ? null : id)} />
              ))}
            </div>
          )}
      </section>
      <aside class="rail" aria-label={t('open_incidents')}>
        <div class="section-head"><h2>{t('open_incidents')}</h2><span class="muted">{open.length}</span></div>
        {open.length === 0 && <p class="muted pad">{t('no_open_incidents')}</p>}
        <ul class="rows">
          {open.map((incident) => <li key={incident.id}><IncidentRow model={model} incident={incident} isChosen={false} /></li>)}
        </ul>
      </aside>
    </>
  )
}

interface ChooserProps { model: Model; shown: string[]; onChoose: (id: string) => void; onClose: () => void }

function Chooser({ model, shown, onChoose, onClose }: ChooserProps) {
  const first = useRef<HTMLButtonElement>(null)
  useEffect(() => first.current?.focus(), [])
  const isFull = shown.length >= mostTiles

  return (
    <div class="chooser card" role="group" aria-label={t('wall_choose')}>
      <p class="muted">{isFull ? t('wall_full', { count: mostTiles }) : t('wall_choose_help', { count: mostTiles })}</p>
      <ul>
        {model.camerasInOrder().map((camera) => (
          <li key={camera.id}>
            <label class="check">
              <input type="checkbox" checked={shown.includes(camera.id)} disabled={isFull && !shown.includes(camera.id)}
                onChange={() => onChoose(camera.id)} />
              <span>{camera.name ?? camera.id}</span>
              <span class={`state camera-${camera.state ?? 'unknown'}`}>{named('camera', camera.state ?? 'unknown')}</span>
            </label>
          </li>
        ))}
      </ul>
      <button type="button" ref={first} onClick={onClose}>{t('close_panel')}</button>
    </div>
  )
}
