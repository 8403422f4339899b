// Which cameras stand on the wall.

export const mostTiles = 9

// What was chosen and still exists; the site's first ones for somebody who never chose.
export function chosenCameras(present: string[], choice: string[] | null): string[] {
  if (choice === null) return present.slice(0, mostTiles)
  return [...new Set(choice)].filter((id) => present.includes(id)).slice(0, mostTiles)
}

export function toggled(shown: string[], id: string): string[] {
  if (shown.includes(id)) return shown.filter((other) => other !== id)
  return shown.length < mostTiles ? [...shown, id] : shown
}

export function columnsFor(count: number): 1 | 2 | 3 {
  return count <= 1 ? 1 : count <= 4 ? 2 : 3
}
