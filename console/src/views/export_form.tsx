// A stretch of a recording as a file: from, to, and why, which the gateway keeps.

import { useState } from 'preact/hooks'
import { t } from '../strings'

const firstLengthMs = 60_000
const longestMs = 24 * 3600 * 1000

interface ExportFormProps { camera: string; fromMs: number; onClose: () => void }

// As the input type datetime-local takes and gives it: local time with seconds.
function localText(ms: number): string {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000)
  return date.toISOString().slice(0, 19)
}

export function exportUrl(camera: string, fromMs: number, toMs: number, reason: string): string {
  const query = new URLSearchParams({ from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), reason })
  return `/api/v1/cameras/${encodeURIComponent(camera)}/recordings.mp4?${query}`
}

export function ExportForm({ camera, fromMs, onClose }: ExportFormProps) {
  const [from, setFrom] = useState(localText(fromMs))
  const [to, setTo] = useState(localText(fromMs + firstLengthMs))
  const [reason, setReason] = useState('')
  const [problem, setProblem] = useState<string | null>(null)

  const submit = (event: Event): void => {
    event.preventDefault()
    const start = new Date(from).getTime(), end = new Date(to).getTime()
    if (!(end > start) || end - start > longestMs) return setProblem(t('export_times'))
    if (!reason.trim()) return setProblem(t('export_reason_needed'))
    setProblem(null)
    const link = document.createElement('a') // the browser's own download: it may be many gigabytes
    link.href = exportUrl(camera, start, end, reason.trim())
    link.download = ''
    document.body.append(link)
    link.click()
    link.remove()
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
      <button type="submit" class="primary">{t('export_download')}</button>
      <button type="button" class="quiet" onClick={onClose}>{t('close_panel')}</button>
    </form>
  )
}
