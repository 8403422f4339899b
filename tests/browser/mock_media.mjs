// mock_media.mjs: live fMP4 for mock.mjs: files made by ffmpeg, sent at their own pace, cut into fragments.

import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'

const framesPerGroup = 15 // a second: each fragment is a frame, so every 15th one begins with a key frame

function run(args) {
  const done = spawnSync('ffmpeg', ['-v', 'error', '-y', ...args], { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`ffmpeg: ${done.stderr || done.error}`)
}

// Four seconds that can be looped, each camera with colours of its own; and the incident's picture.
export function makeFile(folder, index) {
  const file = join(folder, `camera-${index}.mp4`)
  const source = ['testsrc2', 'mandelbrot', 'testsrc', 'life=ratio=0.2:mold=10:death_color=#203040:life_color=#40c0a0'][index % 4]
  const join_ = source.includes('=') ? ':' : '='
  run(['-f', 'lavfi', '-i', `${source}${join_}size=640x360:rate=15`, '-t', '4', '-vf', `hue=h=${index * 40},format=yuv420p`,
    '-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '0', '-g', String(framesPerGroup), '-sc_threshold', '0', file])
  return file
}

export function makeEvidence(folder, file) {
  const clip = join(folder, 'clip.mp4')
  const picture = join(folder, 'picture.jpg')
  run(['-i', file, '-c', 'copy', '-movflags', 'frag_keyframe+empty_moov+default_base_moof', clip])
  run(['-i', file, '-frames:v', '1', picture])
  return { clip, picture }
}

function* boxes(bytes) {
  let at = 0
  while (at + 8 <= bytes.length) {
    const size = bytes.readUInt32BE(at)
    if (size < 8 || at + size > bytes.length) break
    yield { type: bytes.toString('latin1', at + 4, at + 8), bytes: bytes.subarray(at, at + size) }
    at += size
  }
  return at
}

// "avc1.64001f" from the avcC box.
function codecOf(init) {
  const at = init.indexOf('avcC', 0, 'latin1')
  return `avc1.${init.subarray(at + 5, at + 8).toString('hex')}`
}

// One camera's stream: everybody who joins gets the init segment and the group of pictures that is under way.
export class LiveSource {
  init = null
  mime = null
  group = []
  viewers = new Set()

  constructor(file) {
    this.process = spawn('ffmpeg', ['-v', 'error', '-re', '-stream_loop', '-1', '-i', file, '-c', 'copy', '-f', 'mp4',
      '-flush_packets', '1', '-movflags', 'empty_moov+default_base_moof+frag_every_frame', 'pipe:1'],
    { stdio: ['ignore', 'pipe', 'inherit'] })
    let rest = Buffer.alloc(0)
    let pending = []
    let count = 0
    this.process.stdout.on('data', (data) => {
      rest = Buffer.concat([rest, data])
      let used = 0
      for (const box of boxes(rest)) {
        used += box.bytes.length
        pending.push(Buffer.from(box.bytes))
        if (box.type === 'moov') {
          this.init = Buffer.concat(pending.splice(0))
          this.mime = `video/mp4; codecs="${codecOf(this.init)}"`
          for (const viewer of this.viewers) this.greet(viewer)
        } else if (box.type === 'mdat') {
          this.fragment(Buffer.concat(pending.splice(0)), count++ % framesPerGroup === 0)
        }
      }
      rest = rest.subarray(used)
    })
  }

  fragment(bytes, isKey) {
    if (isKey) this.group = []
    this.group.push(bytes)
    for (const viewer of this.viewers) viewer.send(bytes)
  }

  greet(viewer) {
    viewer.send(JSON.stringify({ mime: this.mime }))
    viewer.send(this.init)
    for (const bytes of this.group) viewer.send(bytes)
  }

  join(viewer) {
    this.viewers.add(viewer)
    viewer.on('close', () => this.viewers.delete(viewer))
    if (this.init) this.greet(viewer)
  }

  breakAll() {
    for (const viewer of this.viewers) viewer.terminate()
  }

  stop() {
    this.process.kill()
  }
}
