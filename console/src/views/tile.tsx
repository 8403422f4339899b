// One camera on the wall: its picture, its name, its state, how late the picture is.

import { useEffect, useRef, useState } from 'preact/hooks'
import { LivePlayer, liveUrl, whyUnsupported, type PlayerStatus } from '../live/player'
import { fruitlessAttempts, streamFor, type StreamName } from '../live/stream_choice'
import { named, t } from '../strings'
import type { Camera } from '../types'

interface TileProps {
  camera: Camera
  gridName: string | null
  isEnlarged: boolean
  isHidden: boolean
  wantsSub: boolean
  onEnlarge: () => void
}

const starting: PlayerStatus = { state: 'connecting', delaySeconds: null, mime: null }

export function Tile({ camera, gridName, isEnlarged, isHidden, wantsSub, onEnlarge }: TileProps) {
  const video = useRef<HTMLVideoElement>(null)
  const player = useRef<LivePlayer | null>(null)
  const [status, setStatus] = useState(starting)
  const [useless, setUseless] = useState<ReadonlySet<StreamName>>(new Set())
  const attempts = useRef(0)
  const [isMuted, setMuted] = useState(true)
  const name = camera.name ?? camera.id
  const stream = streamFor(camera.streams, wantsSub, useless)

  useEffect(() => {
    const started = new LivePlayer(video.current!, liveUrl(camera.id, stream, location), setStatus)
    player.current = started
    attempts.current = 0
    started.start()
    return () => started.stop()
  }, [camera.id, stream])
  useEffect(() => {
    if (status.state === 'playing') attempts.current = 0
    const isFruitless = status.state === 'waiting' && stream === 'sub' && camera.state === 'live' &&
      ++attempts.current >= fruitlessAttempts
    if (status.state === 'unsupported' || isFruitless) setUseless(new Set([...useless, stream]))
  }, [status.state])
  // A camera that is back, or another codec where the browser could not play the last one: worth an attempt now.
  useEffect(() => {
    if (camera.state === 'live') player.current?.retryNow()
  }, [camera.state, camera.codec])
  // One camera is heard at a time: the enlarged one.
  useEffect(() => {
    if (!isEnlarged) setMuted(true)
  }, [isEnlarged])
  useEffect(() => {
    if (video.current) video.current.muted = isMuted
  }, [isMuted])

  const state = camera.state ?? 'unknown'
  return (
    <figure class={`tile ${isEnlarged ? 'enlarged' : ''} ${isHidden ? 'tile-hidden' : ''}`} data-camera={camera.id}
      data-player={status.state}>
      <video ref={video} muted playsInline tabIndex={-1} aria-label={name} disablePictureInPicture />
      <Notice camera={camera} status={status} />
      <button type="button" class="tile-press" aria-pressed={isEnlarged} onClick={onEnlarge}
        aria-label={t(isEnlarged ? 'wall_shrink' : 'wall_enlarge', { name })} />
      <figcaption>
        <span class={`state camera-${state}`}>{named('camera', state)}</span>
        <span class="tile-name">{name}{gridName && <small>{gridName}</small>}</span>
        <Delay seconds={status.delaySeconds} />
      </figcaption>
      {isEnlarged && (
        <span class="tile-tools">
          {camera.width ? <span>{camera.width}×{camera.height}</span> : null}
          {camera.codec && <span>{camera.codec}</span>}
          {camera.audio_note === 'not_carried' && (
            <span>{t('wall_sound_not_carried', { codec: camera.audio ?? '' })}</span>
          )}
          {camera.bitrate ? <span>{(camera.bitrate / 1e6).toFixed(1)} Mb/s</span> : null}
          {typeof camera.viewers === 'number' && <span>{t('wall_viewers', { count: camera.viewers })}</span>}
          <button type="button" onClick={() => setMuted(!isMuted)}>
            {t(isMuted ? 'wall_sound_on' : 'wall_sound_off')}
          </button>
        </span>
      )}
    </figure>
  )
}

function Delay({ seconds }: { seconds: number | null }) {
  if (seconds === null) return null
  return (
    <span class={`delay ${seconds > 1 ? 'late' : ''}`} title={t('wall_delay_help')} data-delay={seconds.toFixed(2)}>
      {t('wall_delay', { seconds: seconds.toFixed(1) })}
    </span>
  )
}

function Notice({ camera, status }: { camera: Camera; status: PlayerStatus }) {
  const text = noticeText(status, camera)
  return text ? <p class={`notice notice-${status.state}`} role="status">{text}</p> : null
}

function noticeText({ state, mime }: PlayerStatus, camera: Camera): string | null {
  if (state === 'playing') return null
  if (state === 'unsupported')
    return whyUnsupported(mime ?? '') === 'h265' ? t('player_h265') : t('player_unsupported', { codec: mime ?? '' })
  if (state === 'suspended') return t('player_suspended')
  const isAway = camera.state && camera.state !== 'live' && camera.state !== 'idle'
  if (isAway && camera.reason) return `${named('camera', camera.state)} · ${named('reason', camera.reason)}`
  return isAway ? named('camera', camera.state) : t(state === 'waiting' ? 'player_waiting' : 'player_connecting')
}
