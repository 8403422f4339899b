// playback.mjs: what was recorded, in a real Chromium against a real gateway: it moves, it is sought in, it is taken along as a file.
//
// GRIDGATE_URL, GRIDGATE_NAME and GRIDGATE_PASSWORD name a running gateway; GRIDGATE_CAMERA one of its H.264 cameras, of which
// the last ten seconds at least are recorded.

import { assert, openBrowser, openPage, screenshot, signIn, step, watchVideo } from './tools.mjs'

const { GRIDGATE_URL: url, GRIDGATE_NAME: name, GRIDGATE_PASSWORD: password, GRIDGATE_CAMERA: camera } = process.env
const browser = await openBrowser()
const page = await openPage(browser)
const recordedMs = Number(process.env.GRIDGATE_RECORDED_FROM)

const playing = () => page.waitForSelector('[data-playback=playing]', { timeout: 20_000 })
const shownMs = async () => Number(await page.getAttribute('.playback-time', 'data-at'))

const watch = (seconds) => watchVideo(page, '.playback-screen video', seconds)

try {
  await step('an operator opens the recordings', async () => {
    await signIn(page, url, name, password)
    await page.click('nav a[href="#/playback"]')
    await page.waitForSelector('.playback select[name=camera]')
    await page.selectOption('select[name=camera]', camera)
    await page.waitForSelector('.timeline .recorded', { timeout: 20_000, state: 'attached' })
  })

  await step('the first recording plays, and its pictures move', async () => {
    await page.click('[data-action=play]')
    await playing()
    const { frames, passed } = await watch(3)
    await screenshot(page, 'playback')
    assert.ok(frames >= 20, `only ${frames} frames in 3 s`)
    assert.ok(passed > 1.5, `only ${passed} s passed in 3 s`)
    assert.ok(Math.abs(await shownMs() - recordedMs) < 20_000, 'the time shown is not that of the recording')
    return `${frames} frames in 3 s`
  })

  await step('it pauses and goes on', async () => {
    await page.click('[data-action=play]')
    await page.waitForSelector('[data-playback=paused]')
    const { passed } = await watch(1)
    assert.ok(passed < 0.1, `${passed} s passed while paused`)
    await page.click('[data-action=play]')
    await playing()
  })

  await step('a seek shows the time that was asked for', async () => {
    const before = await shownMs()
    await page.click('button:has-text("+10")')
    await page.waitForFunction((ms) => Number(document.querySelector('.playback-time').dataset.at) > ms + 7000, before, { timeout: 20_000 })
    await playing()
    const { frames } = await watch(2)
    assert.ok(frames >= 10, `only ${frames} frames after the seek`)
  })

  await step('an export needs a reason, and then comes as a file', async () => {
    await page.click('[data-action=export]')
    await page.fill('.export-form input[name=reason]', '案件 7')
    const [download] = await Promise.all([page.waitForEvent('download', { timeout: 30_000 }), page.click('.export-form button[type=submit]')])
    assert.match(download.suggestedFilename(), /^.+_\d{8}T\d{6}Z_\d{8}T\d{6}Z\.mp4$/)
    assert.equal(await download.failure(), null)
    return download.suggestedFilename()
  })

  await step('nothing was complained of', () => assert.deepEqual(page.complaints, []))

  await step('where nothing is recorded the form says so, and no download fails', async () => {
    let downloads = 0
    page.on('download', () => downloads++)
    await page.fill('.export-form input[name=from]', '2020-01-01T00:00:01')
    await page.fill('.export-form input[name=to]', '2020-01-01T00:01:01')
    await page.click('.export-form button[type=submit]')
    await page.waitForSelector('.export-form .problem', { timeout: 20_000 })
    assert.equal(downloads, 0)
    return page.textContent('.export-form .problem')
  })
} finally {
  await browser.close()
}
