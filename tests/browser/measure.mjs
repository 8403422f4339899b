// measure.mjs: how soon and how late the wall's pictures are, against a running gateway with cameras of gridgate-sim.
//
//   GRIDGATE_URL=… GRIDGATE_NAME=… GRIDGATE_PASSWORD=… node tests/browser/measure.mjs
//
// For each playing camera: milliseconds from the WebSocket's opening to the first picture; seconds behind the live edge
// after ten seconds; milliseconds from the camera's burned-in clock (pipelines/sim/picture.h) to the picture on a canvas.

import { openBrowser, openPage, playingCameras, signIn } from './tools.mjs'

const settleMs = 10_000
const watchMs = Number(process.env.GRIDGATE_WATCH_SECONDS ?? 5) * 1000

// Runs in the page before its own scripts: notes when sockets open and when a video shows its first picture.
function noteTimes() {
  const times = window.measured = {}
  const of = (camera) => (times[camera] ??= {})
  const Plain = window.WebSocket
  window.WebSocket = class extends Plain {
    constructor(url, protocols) {
      super(url, protocols)
      const entry = of(/cameras\/([^/]+)\/live/.exec(url)?.[1])
      entry.asked ??= performance.now()
      this.addEventListener('open', () => { entry.opened ??= performance.now() })
    }
  }
  const play = HTMLMediaElement.prototype.play
  HTMLMediaElement.prototype.play = function () {
    const entry = of(this.closest('[data-camera]')?.dataset.camera)
    if (entry.first === undefined) {
      entry.first = null
      this.requestVideoFrameCallback((now) => { entry.first = now })
    }
    return play.call(this)
  }
}

// Runs in the page: delays of one camera's pictures by its blocks, in milliseconds; what it hears beside it.
async function readClock([camera, duration]) {
  const video = document.querySelector(`[data-camera="${CSS.escape(camera)}"] video`)
  const size = Math.max(Math.floor(video.videoWidth / 80), 1) * 2
  const canvas = document.createElement('canvas')
  canvas.width = 32 * size
  canvas.height = size
  const context = canvas.getContext('2d', { willReadFrequently: true })
  const delays = []
  const look = () => {
    context.drawImage(video, 0, 0, 32 * size, size, 0, 0, 32 * size, size)
    const now = Date.now()
    const { data } = context.getImageData(0, 0, 32 * size, size)
    let bits = 0
    for (let i = 0; i < 32; i++) bits = bits * 2 + (data[4 * ((size >> 1) * 32 * size + i * size + (size >> 1)) + 1] > 127 ? 1 : 0)
    const clock = Math.floor(bits / 256)
    const check = (clock ^ (clock >> 8) ^ (clock >> 16) ^ 0x5a) & 0xff
    if (check === bits % 256) delays.push(((now & 0xffffff) - clock + 0x1000000) % 0x1000000)
  }
  const endAt = performance.now() + duration
  await new Promise((resolve) => {
    const onFrame = () => {
      look()
      if (performance.now() < endAt) video.requestVideoFrameCallback(onFrame)
      else resolve()
    }
    video.requestVideoFrameCallback(onFrame)
    setTimeout(resolve, duration + 2000)
  })
  const { buffered } = video
  delays.sort((a, b) => a - b)
  return {
    behindEdge: buffered.length > 0 ? buffered.end(buffered.length - 1) - video.currentTime : NaN,
    frames: delays.length, median: delays[delays.length >> 1], p90: delays[Math.floor(delays.length * 0.9)], worst: delays.at(-1),
    audioBytes: video.webkitAudioDecodedByteCount,
    dropped: video.getVideoPlaybackQuality().droppedVideoFrames,
  }
}

const browser = await openBrowser()
try {
  const page = await openPage(browser)
  await page.addInitScript(noteTimes)
  await signIn(page, process.env.GRIDGATE_URL, process.env.GRIDGATE_NAME, process.env.GRIDGATE_PASSWORD)
  await page.waitForTimeout(settleMs)
  const cameras = await playingCameras(page)
  const seen = await Promise.all(cameras.map((camera) => page.evaluate(readClock, [camera, watchMs])))
  const times = await page.evaluate(() => window.measured)
  console.table(Object.fromEntries(cameras.map((camera, index) => {
    const { asked, opened, first } = times[camera]
    const { behindEdge, frames, median, p90, worst, audioBytes, dropped } = seen[index]
    return [camera, { 'open→picture ms': Math.round(first - opened), 'asked→picture ms': Math.round(first - asked),
      'behind edge s': Number(behindEdge.toFixed(2)), 'camera→canvas ms': median, p90, worst, frames, dropped, audioBytes }]
  })))
  // for bench_start
  cameras.forEach((camera, index) => console.log(JSON.stringify({ camera, first_picture_ms: times[camera].first - times[camera].asked,
    delay_median_ms: seen[index].median, delay_p90_ms: seen[index].p90, delay_worst_ms: seen[index].worst,
    pictures: seen[index].frames, dropped: seen[index].dropped })))
} finally {
  await browser.close()
}
