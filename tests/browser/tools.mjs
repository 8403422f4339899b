// tools.mjs: what the browser tests share: Chromium, a page that collects its own complaints, steps that are logged.

import assert from 'node:assert/strict'
import { existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

// The console's package holds playwright-core and ws: one lock file for all.
export const consoleFolder = new URL('../../console/', import.meta.url)
export const require = createRequire(new URL('package.json', consoleFolder))

const chromiumPath = process.env.GRIDGATE_CHROMIUM ?? '/usr/bin/chromium'
const chromiumArguments = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
]
const skipped = 77 // what meson takes for "skipped"

export async function openBrowser() {
  if (!existsSync(chromiumPath)) {
    console.error(`${chromiumPath} is not there: apt-get install chromium, or set GRIDGATE_CHROMIUM`)
    process.exit(skipped)
  }
  const { chromium } = require('playwright-core')
  return chromium.launch({ executablePath: chromiumPath, headless: true, args: chromiumArguments })
}

// A page whose script errors and policy violations fail the test at its end.
export async function openPage(browser, { language = 'zh-CN', width = 1600, height = 900 } = {}) {
  const context = await browser.newContext({ locale: language, viewport: { width, height } })
  const page = await context.newPage()
  const complaints = []
  page.on('pageerror', (error) => complaints.push(`script: ${error.message}`))
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/i.test(message.text())) complaints.push(`policy: ${message.text()}`)
  })
  page.complaints = complaints
  return page
}

export async function signIn(page, url, name, password) {
  await page.goto(url)
  await page.fill('input[name=name]', name)
  await page.fill('input[name=password]', password)
  await page.click('button[type=submit]')
  await page.waitForSelector('header.top', { timeout: 20_000 })
}

export async function screenshot(page, name) {
  const folder = process.env.GRIDGATE_SCREENSHOTS
  if (!folder) return
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`) })
}

const started = Date.now()

export async function step(name, work) {
  try {
    const result = await work()
    console.log(`ok   ${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${name}${typeof result === 'string' ? `: ${result}` : ''}`)
  } catch (error) {
    console.error(`FAIL ${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${name}\n${error.stack ?? error}`)
    throw error
  }
}

// Counts the frames that each playing picture of the wall shows in `seconds`, how often its pixels differ, and how far
// behind the live edge it is at most.
export async function watchTiles(page, cameras, seconds) {
  return page.evaluate(async ([wanted, duration]) => {
    const watch = async (camera) => {
      const video = document.querySelector(`[data-camera="${CSS.escape(camera)}"] video`)
      const canvas = document.createElement('canvas')
      canvas.width = 64
      canvas.height = 36
      const context = canvas.getContext('2d', { willReadFrequently: true })
      const seen = { camera, frames: 0, changes: 0, worstDelay: 0 }
      let last = ''
      const endAt = performance.now() + duration * 1000
      await new Promise((resolve) => {
        const onFrame = () => {
          seen.frames++
          context.drawImage(video, 0, 0, 64, 36)
          const pixels = context.getImageData(0, 0, 64, 36).data.join()
          if (pixels !== last) seen.changes++
          last = pixels
          const { buffered } = video
          if (buffered.length > 0)
            seen.worstDelay = Math.max(seen.worstDelay, buffered.end(buffered.length - 1) - video.currentTime)
          if (performance.now() < endAt) video.requestVideoFrameCallback(onFrame)
          else resolve()
        }
        video.requestVideoFrameCallback(onFrame)
        setTimeout(resolve, duration * 1000 + 2000) // a picture that stands still never calls back
      })
      return seen
    }
    return Promise.all(wanted.map(watch))
  }, [cameras, seconds])
}

// How many frames a video shows within so many seconds, how much of media time passes, and how many bytes of sound are decoded.
export function watchVideo(page, selector, seconds) {
  return page.$eval(selector, async (video, ms) => {
    let frames = 0
    const count = () => { frames++; video.requestVideoFrameCallback(count) }
    video.requestVideoFrameCallback(count)
    const from = video.currentTime, before = video.webkitAudioDecodedByteCount
    await new Promise((done) => setTimeout(done, ms))
    return { frames, passed: video.currentTime - from, sound: video.webkitAudioDecodedByteCount - before }
  }, seconds * 1000)
}

export function playingCameras(page) {
  return page.$$eval('[data-camera][data-player=playing]', (tiles) => tiles.map((tile) => tile.dataset.camera))
}

export { assert }
