// sounds.mjs: cameras with sound of several kinds, in a real Chromium against a real gateway: live and recorded, pictures move and
// sound is decoded.
//
// GRIDGATE_URL, GRIDGATE_NAME and GRIDGATE_PASSWORD name a running gateway; GRIDGATE_CAMERAS some of its H.264 cameras with sound,
// with commas between, of which something is recorded today.

import { assert, openBrowser, openPage, signIn, step, watchVideo } from './tools.mjs'

const { GRIDGATE_URL: url, GRIDGATE_NAME: name, GRIDGATE_PASSWORD: password } = process.env
const cameras = process.env.GRIDGATE_CAMERAS.split(',')
const seconds = 2
const browser = await openBrowser()
const page = await openPage(browser)

const check = (camera, { frames, sound }) => {
  assert.ok(frames >= 10 * seconds, `${camera}: only ${frames} frames in ${seconds} s`)
  assert.ok(sound > 500 * seconds, `${camera}: only ${sound} bytes of sound in ${seconds} s`)
  return `${camera} ${frames} frames, ${sound} bytes of sound`
}

try {
  await signIn(page, url, name, password)

  await step('live, pictures move and sound is decoded', async () => {
    for (const camera of cameras)
      await page.waitForSelector(`[data-camera="${camera}"][data-player=playing]`, { timeout: 30_000 })
    const seen = await Promise.all(cameras.map((camera) => watchVideo(page, `[data-camera="${camera}"] video`, seconds)))
    return cameras.map((camera, index) => check(camera, seen[index])).join('; ')
  })

  await page.click('nav a[href="#/playback"]')
  for (const camera of cameras)
    await step(`recorded, so do those of ${camera}`, async () => {
      await page.selectOption('select[name=camera]', camera)
      await page.waitForSelector('.playback-screen:not([data-playback=playing])')
      await page.waitForSelector('.timeline .recorded', { timeout: 20_000, state: 'attached' })
      await page.click('[data-action=play]:enabled')
      await page.waitForSelector('[data-playback=playing]', { timeout: 20_000 })
      return check(camera, await watchVideo(page, '.playback-screen video', seconds))
    })

  await step('nothing was complained of', () => assert.deepEqual(page.complaints, []))
} finally {
  await browser.close()
}
