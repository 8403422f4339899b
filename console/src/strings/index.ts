// The page's words: t('key', {values}). One language at a time; changing it draws the page anew.

import { en } from './en'
import { zh, type Key } from './zh'

export type { Key }
export type Language = 'zh' | 'en'

const tables: Record<Language, Record<Key, string>> = { zh, en }
const kept = 'gridgate.language'

export function languageFor(wish: string | null, browser: string): Language {
  if (wish === 'zh' || wish === 'en') return wish
  return browser.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

let current: Language = 'zh'

export function setLanguage(language: Language): void {
  current = language
  try {
    localStorage.setItem(kept, language)
  } catch {
    // A browser that keeps nothing still shows the language for now.
  }
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
}

export function startLanguage(): void {
  let wish: string | null = null
  try {
    wish = localStorage.getItem(kept)
  } catch {
    // As above.
  }
  current = languageFor(wish, navigator.language)
  document.documentElement.lang = current === 'zh' ? 'zh-CN' : 'en'
}

export function language(): Language {
  return current
}

export function fill(text: string, values: Record<string, string | number> = {}): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole))
}

export function t(key: Key, values?: Record<string, string | number>): string {
  return fill(tables[current][key], values)
}

// A name that the site or a newer gateway gives: translated when it is known, else as it is.
export function named(kind: string, name: string | null | undefined): string {
  if (!name) return t('none')
  const key = `${kind}_${name}`
  return Object.hasOwn(tables[current], key) ? t(key as Key) : name
}
