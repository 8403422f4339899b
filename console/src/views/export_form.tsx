// A stretch of a recording as a file: from, to, and why, which the gateway keeps. The gateway is asked first what would come: a
// download that it refuses would only fail, without a word.

import { useState } from 'preact/hooks'
import { Problem, request } from '../api'
import { bytes } from '../format'
import { t } from '../strings'

const firstLengthMs = 60_000
const longestMs = 24 * 3600 * 1000
const checkMs = 120_000 // a day on a slow disk

interface ExportFormProps { camera: string; fromMs: number; onClose: () => void }

// As the input type datetime-local takes and gives it: local time with seconds.
function localText(ms: number): string {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000)
  return date.toISOString().slice(0, 19)
}

function exportPath(camera: string, fromMs: number, toMs: number, reason: string): string {
  const query = new URLSearchParams({ from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), reason })
  return `/cameras/${encodeURIComponent(camera)}/recordings.mp4?${query}`
}

function refusal(error: unknown): string {
  if (!(error instanceof Problem)) throw error
  if (error.type === 'not-recorded') return t('export_nothing')
  return error.status === 0 ? error.message : t('export_refused', { reason: error.message })
}

// The browser's own download: it may be many gigabytes.
function download(path: string): void {
  const link = document.createElement('a')
  link.href = `/api/v1${path}`
  link.download = ''
  document.body.append(link)
  link.click()
  link.remove()
}

export function ExportForm({ camera, fromMs, onClose }: ExportFormProps) {
  const [from, setFrom] = useState(localText(fromMs))
  const [to, setTo] = useState(localText(fromMs + firstLengthMs))
  const [reason, setReason] = useState('')
  const [problem, setProblem] = useState<string | null>(null)
  const [note, setNote] = useState<string | null>(null)
  const [isBusy, setBusy] = useState(false)

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    if (isBusy) return
    setNote(null)
    const start = new Date(from).getTime(), end = new Date(to).getTime()
    if (!(end > start) || end - start > longestMs) return setProblem(t('export_times'))
    if (!reason.trim()) return setProblem(t('export_reason_needed'))
    setProblem(null)
    setBusy(true)
    const path = exportPath(camera, start, end, reason.trim())
    try {
      const answer = await request<{ bytes: number }>('GET', `${path}&check=true`, undefined, {}, checkMs)
      setNote(t('export_started', { size: bytes(answer.bytes) }))
      download(path)
    } catch (error) {
      setProblem(refusal(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <form class="export-form card" onSubmit={submit} aria-label={t('playback_export')}>
      <label>{t('export_from')}
        <input type="datetime-local" step="1" name="from" value={from} onInput={(event) => setFrom(event.currentTarget.value)} required />
      </label>
      <label>{t('export_to')}
        <input type="datetime-local" step="1" name="to" value={to} onInput={(event) => setTo(event.currentTarget.value)} required />
      </label>
      <label class="wide">{t('export_reason')}
        <input type="text" name="reason" maxLength={150} value={reason} onInput={(event) => setReason(event.currentTarget.value)} required />
      </label>
      <p class="muted wide">{t('export_help')}</p>
      {problem && <p class="problem wide" role="alert">{problem}</p>}
      {note && <p class="wide" role="status">{note}</p>}
      <button type="submit" class="primary" disabled={isBusy}>{t('export_download')}</button>
      <button type="button" class="quiet" onClick={onClose}>{t('close_panel')}</button>
    </form>
  )
}
