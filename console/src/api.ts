// The gateway's HTTP API: JSON in and out, the session's CSRF token on every unsafe call, problems as exceptions.

import { t } from './strings'
import type { Session } from './types'

const base = '/api/v1'
const timeoutMs = 15_000
const listMost = 20_000

export class Problem extends Error {
  constructor(
    readonly status: number,         // 0: the gateway could not be reached
    readonly type: string,           // "stale-revision", without its urn prefix
    detail: string,
    readonly body: Record<string, unknown> = {},
  ) {
    super(detail)
  }
}

let csrf: string | null = null
let whenSignedOut: () => void = () => {}

export function onSignedOut(call: () => void): void {
  whenSignedOut = call
}

export async function request<T>(method: string, path: string, body?: unknown,
                                 headers: Record<string, string> = {}, waitsMs = timeoutMs): Promise<T> {
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), waitsMs)
  try {
    const response = await fetch(base + path, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      signal: abort.signal,
      headers: {
        Accept: 'application/json',
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(csrf && method !== 'GET' ? { 'X-CSRF-Token': csrf } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (response.ok) return (text ? JSON.parse(text) : null) as T
    throw problemOf(response.status, text)
  } catch (error) {
    if (error instanceof Problem) {
      if (error.status === 401 && path !== '/session') whenSignedOut()
      throw error
    }
    throw new Problem(0, 'network', t('error_network'))
  } finally {
    clearTimeout(timer)
  }
}

export function problemOf(status: number, text: string): Problem {
  let body: Record<string, unknown> = {}
  try {
    const parsed: unknown = JSON.parse(text)
    if (parsed && typeof parsed === 'object') body = parsed as Record<string, unknown>
  } catch {
    // A proxy's page, not the gateway's problem document.
  }
  const type = typeof body.type === 'string' ? body.type.replace(/^urn:gridgate:problem:/, '') : ''
  const detail = typeof body.detail === 'string' ? body.detail
    : status === 403 ? t('error_forbidden') : t('error_server', { status })
  return new Problem(status, type, detail, body)
}

export const get = <T>(path: string): Promise<T> => request<T>('GET', path)

export interface Page<T> { items: T[]; next: string | null }

// A page of a list.
export async function page<T>(path: string): Promise<Page<T>> {
  const { items = [], next = null } = await get<Partial<Page<T>>>(path)
  return { items, next }
}

// All pages of a list, up to a number that a township does not reach.
export async function list<T>(path: string): Promise<T[]> {
  const all: T[] = []
  let cursor: string | null = null
  do {
    const answer: Page<T> = await page(`${path}${path.includes('?') ? '&' : '?'}limit=1000` +
      (cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''))
    all.push(...answer.items)
    cursor = answer.next
  } while (cursor && all.length < listMost)
  return all
}

// After a reload of the page the cookie is still there: the gateway says whose it is. Null: nobody is signed in.
export async function currentSession(): Promise<Session | null> {
  try {
    const session = await get<Session>('/session')
    csrf = session.csrf
    return session
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return null
    throw error
  }
}

export async function signIn(name: string, password: string): Promise<Session | null> {
  const answer = await request<{ csrf: string }>('POST', '/session', { name, password })
  csrf = answer.csrf
  return currentSession()
}

export async function signOut(): Promise<void> {
  try {
    await request('DELETE', '/session')
  } finally {
    csrf = null
  }
}

export async function setUp(token: string, name: string, password: string): Promise<void> {
  await request('POST', '/setup', { token, name, password })
}

// A key that makes a repeated report one incident. crypto.randomUUID is not there on a page without TLS.
export function idempotencyKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
