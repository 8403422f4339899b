import type { Location } from './types'

// Null: left out. Degrees, WGS-84.
export function parseLocation(lon: string, lat: string): Location | null | 'wrong' {
  if (lon === '' && lat === '') return null
  const location = { lon: Number(lon), lat: Number(lat) }
  const isRight = lon !== '' && lat !== '' && Math.abs(location.lon) <= 180 && Math.abs(location.lat) <= 90
  return isRight ? location : 'wrong'
}
