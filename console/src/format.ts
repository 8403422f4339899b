// Times and numbers as people read them.

import { language, t } from './strings'

export function clockTime(iso: string | null | undefined): string {
  const date = parse(iso)
  return date ? date.toLocaleTimeString(locale(), { hour12: false }) : t('none')
}

export function fullTime(iso: string | null | undefined): string {
  const date = parse(iso)
  if (!date) return t('none')
  return date.toLocaleString(locale(), {
    year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false,
  })
}

export function ago(iso: string | null | undefined, nowMs: number): string {
  const date = parse(iso)
  if (!date) return t('none')
  const seconds = Math.floor((nowMs - date.getTime()) / 1000)
  if (seconds < 3) return t('ago_now')
  if (seconds < 60) return t('ago_seconds', { count: seconds })
  if (seconds < 3600) return t('ago_minutes', { count: Math.floor(seconds / 60) })
  if (seconds < 86400) return t('ago_hours', { count: Math.floor(seconds / 3600) })
  return t('ago_days', { count: Math.floor(seconds / 86400) })
}

export function untilDue(iso: string | null | undefined, nowMs: number): string | null {
  const date = parse(iso)
  if (!date) return null
  const left = date.getTime() - nowMs
  return t(left >= 0 ? 'left' : 'over', { time: span(Math.abs(left)) })
}

export function span(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 120) return t('span_minutes', { count: minutes })
  if (minutes < 48 * 60) return t('span_hours', { count: Math.floor(minutes / 60) })
  return t('span_days', { count: Math.floor(minutes / 1440) })
}

// Sensors send floats: as many digits as say something, none that are noise of the binary form.
export function number(value: number): string {
  if (!Number.isFinite(value)) return t('none')
  return Number(value.toPrecision(6)).toLocaleString(locale(), { maximumFractionDigits: 3 })
}

// UCUM codes that people write in another way.
const units: Record<string, string> = { Cel: '°C', deg: '°', '%': '%', '1': '', um: 'µm', 'ug/m3': 'µg/m³', m3: 'm³' }

export function unit(code: string | null | undefined): string {
  return code ? (units[code] ?? code) : ''
}

export function bytes(count: number): string {
  if (count < 1024 * 1024) return `${Math.max(1, Math.round(count / 1024))} KiB`
  return `${(count / 1024 / 1024).toFixed(1)} MiB`
}

function parse(iso: string | null | undefined): Date | null {
  if (!iso) return null
  const date = new Date(iso)
  return Number.isNaN(date.getTime()) ? null : date
}

function locale(): string {
  return language() === 'zh' ? 'zh-CN' : 'en-GB'
}
