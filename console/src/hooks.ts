import { useEffect, useReducer, useState } from 'preact/hooks'
import type { Model } from './model'

// Draws the component again when the model changed.
export function useModel(model: Model): void {
  const [, draw] = useReducer<number, void>((count) => count + 1, 0)
  useEffect(() => model.subscribe(() => draw()), [model])
}

// The time, for ages and deadlines.
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return now
}

export interface Route { page: 'wall' | 'incidents' | 'sensors' | 'silences' | 'playback'; id: string | null }

export function routeOf(hash: string): Route {
  const [page = '', id = ''] = hash.replace(/^#\/?/, '').split('/')
  let decoded: string | null = null
  try {
    decoded = id ? decodeURIComponent(id) : null
  } catch {
    // A mangled link leads to the list.
  }
  if (page === 'incidents') return { page, id: decoded }
  return { page: page === 'sensors' || page === 'silences' || page === 'playback' ? page : 'wall', id: null }
}

export function useRoute(): Route {
  const [route, setRoute] = useState(routeOf(location.hash))
  useEffect(() => {
    const changed = (): void => setRoute(routeOf(location.hash))
    window.addEventListener('hashchange', changed)
    return () => window.removeEventListener('hashchange', changed)
  }, [])
  return route
}
