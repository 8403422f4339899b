// story.mjs: the flood story as an operator lives it: sign in, see four moving pictures, see the incident arrive, play
// its clip, carry it to its close.
//
// GRIDGATE_URL, GRIDGATE_NAME and GRIDGATE_PASSWORD name a running gateway whose site has at least four H.264 cameras
// and a flood that begins within GRIDGATE_FLOOD_SECONDS (120). Without GRIDGATE_URL it plays against mock.mjs.
// GRIDGATE_SCREENSHOTS: a folder for pictures of the pages.

import { assert, openBrowser, openPage, playingCameras, screenshot, signIn, step, watchTiles } from './tools.mjs'

const mock = process.env.GRIDGATE_URL ? null : await (await import('./mock.mjs')).startMock({ floodAfterMs: 9000 })
const url = process.env.GRIDGATE_URL ?? mock.url
const name = process.env.GRIDGATE_NAME ?? 'operator'
const password = process.env.GRIDGATE_PASSWORD ?? 'mock-password'
const floodMs = Number(process.env.GRIDGATE_FLOOD_SECONDS ?? 120) * 1000
const wantedPictures = 4
const watchSeconds = 4

const browser = await openBrowser()
const page = await openPage(browser)

const detailState = (state) => page.waitForSelector(`article.detail[data-state="${state}"]`, { timeout: 15_000 })

// Evidence or an alert may change the incident just before the button is pressed; the page says so and loads it again,
// and a person presses once more.
async function press(selector, state) {
  for (let attempt = 0; ; attempt++) {
    await page.click(selector)
    const outcome = await Promise.race([
      detailState(state).then(() => 'done'),
      page.waitForSelector('.action-panel .problem', { timeout: 15_000 }).then((problem) => problem.textContent()),
    ])
    if (outcome === 'done') return
    if (attempt === 3) throw new Error(outcome)
  }
}

const act = (action, state) => press(`button[data-action="${action}"]:enabled`, state)

try {
  await step('an operator signs in', () => signIn(page, url, name, password))

  await step('four live pictures play', async () => {
    await page.waitForFunction(
      (count) => document.querySelectorAll('[data-camera][data-player=playing]').length >= count, wantedPictures,
      { timeout: 30_000 })
  })

  await step('they move and stay within a second or so of the live edge', async () => {
    const cameras = (await playingCameras(page)).slice(0, wantedPictures)
    await watchTiles(page, cameras, 3) // the burst of the first group of pictures is caught up here
    const seen = await watchTiles(page, cameras, watchSeconds)
    await screenshot(page, 'wall')
    for (const { camera, frames, changes, worstDelay } of seen) {
      assert.ok(frames >= 5 * watchSeconds, `${camera}: only ${frames} frames in ${watchSeconds} s`)
      assert.ok(changes >= 2 * watchSeconds, `${camera}: only ${changes} of ${frames} frames differ`)
      assert.ok(worstDelay < 1.5, `${camera}: ${worstDelay.toFixed(2)} s behind the live edge`)
    }
    return seen.map(({ camera, frames, worstDelay }) => `${camera} ${frames} frames, ${worstDelay.toFixed(2)} s`).join('; ')
  })

  await step('the flood incident arrives', async () => {
    const row = await page.waitForSelector('.rail [data-incident][data-category=flood]', { timeout: floodMs })
    await screenshot(page, 'incident-arrives')
    await row.click()
    await page.waitForSelector('article.detail', { timeout: 15_000 })
  })

  await step('it shows its alert', () => page.waitForSelector('article.detail [data-alert]', { timeout: 15_000 }))

  await step('its clip plays', async () => {
    const clip = await page.waitForSelector('.evidence-item.clip[data-evidence-state=done] video', { timeout: 90_000 })
    const played = await clip.evaluate(async (video) => {
      let frames = 0
      const count = () => { frames++; video.requestVideoFrameCallback(count) }
      video.requestVideoFrameCallback(count)
      video.muted = true
      await video.play()
      const from = video.currentTime
      await new Promise((resolve, reject) => {
        video.ontimeupdate = () => { if (video.currentTime > from + 1.5 || video.ended) resolve() }
        video.onerror = () => reject(new Error(video.error?.message ?? 'the clip cannot be played'))
        setTimeout(() => reject(new Error(`the clip stands at ${video.currentTime} s`)), 15_000)
      })
      return { frames, width: video.videoWidth, duration: video.duration }
    })
    assert.ok(played.frames > 5 && played.width > 0, JSON.stringify(played))
    return `${played.duration.toFixed(1)} s, ${played.width} wide`
  })

  await step('its picture shows', async () => {
    const picture = await page.waitForSelector('.evidence-item.picture[data-evidence-state=done] img', { timeout: 60_000 })
    await picture.evaluate((image) => image.decode())
    assert.ok((await picture.evaluate((image) => image.naturalWidth)) > 0)
    await screenshot(page, 'incident')
  })

  await step('it is carried to its close by the buttons', async () => {
    await act('accept', 'accepted')
    await page.click('button[data-action="dispatch"]')
    await page.waitForSelector('form.assignee')
    await screenshot(page, 'dispatch')
    await press('button[data-do="assign"]:enabled', 'dispatched')
    await act('start', 'in_progress')
    await page.fill('.action-panel textarea', '已到场处置，水位回落。')
    await act('resolve', 'resolved')
    await act('verify', 'verified')
    await act('close', 'closed')
    await page.waitForSelector('text=已到场处置，水位回落。', { timeout: 15_000 })
    await screenshot(page, 'closed')
  })

  await step('it is no longer among the open ones', async () => {
    const id = await page.getAttribute('article.detail', 'data-incident')
    await page.goto(`${url.replace(/\/$/, '')}/#/wall`)
    await page.waitForFunction((closed) => document.querySelector('.rail') &&
      !document.querySelector(`.rail [data-incident="${closed}"]`), id, { timeout: 15_000 })
  })

  await step('sensors show values', async () => {
    await page.click('a[href="#/sensors"]')
    await page.waitForSelector('[data-sensor] [data-metric] strong', { timeout: 20_000 })
    await screenshot(page, 'sensors')
  })

  await step('the page had no script error and broke no policy', () => assert.deepEqual(page.complaints, []))
} catch {
  await screenshot(page, 'failure')
  process.exitCode = 1
} finally {
  await browser.close()
  await mock?.stop()
}
