// Which of a camera's streams a tile plays.

export type StreamName = 'main' | 'sub'

// So many attempts in succession without a picture: the sub stream of a camera that is there is wrongly set up.
export const fruitlessAttempts = 4
// More tiles than this, and the smaller stream is enough for each where there is one.
const tilesOfMainStreams = 4

export function prefersSub(tiles: number, isEnlarged: boolean): boolean {
  return tiles > tilesOfMainStreams && !isEnlarged
}

// The wanted one, or the other where it was found to be of no use: an H.265 camera often has an H.264 sub stream.
export function streamFor(streams: string[] | undefined, wantsSub: boolean, useless: ReadonlySet<StreamName>): StreamName {
  const order: StreamName[] = !streams?.includes('sub') ? ['main'] : wantsSub ? ['sub', 'main'] : ['main', 'sub']
  return order.find((name) => !useless.has(name)) ?? order[0]!
}
