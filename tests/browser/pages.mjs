// pages.mjs: what else the page promises, against mock.mjs: sign-in and set-up, hostile names, H.265, broken sockets,
// stale revisions, roles, languages, the keyboard and narrow screens.

import { hostileName, startMock } from './mock.mjs'
import { assert, openBrowser, openPage, screenshot, signIn, step } from './tools.mjs'

const mock = await startMock({ floodAfterMs: null, cameras: 2 })
const browser = await openBrowser()
const password = 'mock-password'
const playing = (page, camera) =>
  page.waitForSelector(`[data-camera="${camera}"][data-player=playing]`, { timeout: 20_000 })

async function signedIn(name, options) {
  const page = await openPage(browser, options)
  await signIn(page, mock.url, name, password)
  return page
}

const isStream = (socket, camera, stream) => socket.url().endsWith(`/cameras/${camera}/live?stream=${stream}`)

try {
  const page = await openPage(browser)
  let sockets = [] // since the page was loaded
  page.on('framenavigated', () => { sockets = [] })
  page.on('websocket', (socket) => sockets.push(socket))
  const streamsOf = (camera) => sockets.flatMap((socket) => ['main', 'sub'].filter((stream) => isStream(socket, camera, stream)))

  await step('a wrong password is told, and the right one then works', async () => {
    await page.goto(mock.url)
    await page.fill('input[name=name]', 'operator')
    await page.fill('input[name=password]', 'wrong')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.problem:has-text("用户名或密码不对")')
    await screenshot(page, 'sign-in')
    await page.fill('input[name=password]', password)
    await page.keyboard.press('Enter')
    await page.waitForSelector('header.top')
  })

  await step('a reload of the page keeps the session', async () => {
    await page.reload()
    await page.waitForSelector('header.top')
  })

  await step('a name from the site is text, whatever it holds', async () => {
    const name = await page.waitForSelector('[data-camera=down] .tile-name')
    assert.ok((await name.textContent()).startsWith(hostileName))
    assert.equal(await page.$$eval('.tile img, .tile script', (found) => found.length), 0)
    assert.doesNotMatch(await page.title(), /taken/)
  })

  await step('an H.265 camera says why it has no picture, in both languages', async () => {
    await page.waitForSelector('[data-camera=h265] .notice:has-text("H.265：此浏览器不能播放 H.265")')
    await page.click('button:has-text("English")')
    await page.waitForSelector('[data-camera=h265] .notice:has-text("H.265: this browser cannot play it")')
    await screenshot(page, 'wall-english')
  })

  await step('the chosen language outlives a reload', async () => {
    await page.reload()
    await page.waitForSelector('h1:has-text("Live video")')
    assert.equal(await page.getAttribute('html', 'lang'), 'en')
  })

  await step('a full wall plays sub streams, where there are any', async () => {
    await playing(page, 'dual')
    assert.deepEqual(streamsOf('dual'), ['sub'])
    assert.deepEqual(streamsOf('c1'), ['main'])
  })

  await step('enlarged, an H.265 main stream is left for its H.264 sub stream', async () => {
    const subAgain = page.waitForEvent('websocket', (socket) => isStream(socket, 'dual', 'sub'))
    await page.click('[data-camera=dual] .tile-press')
    await subAgain
    await playing(page, 'dual')
    assert.deepEqual(streamsOf('dual'), ['sub', 'main', 'sub'])
    await page.keyboard.press('Escape')
  })

  await step('a camera that is away says why', async () => {
    mock.publish('camera', { id: 'down', stream: 'sub', state: 'live', reason: null })
    await page.waitForSelector('[data-camera=down] .notice:has-text("refuses name or password")')
  })

  await step('a picture comes back after its connection broke', async () => {
    await playing(page, 'c1')
    mock.sources.get('c1').breakAll()
    await page.waitForSelector('[data-camera=c1]:not([data-player=playing])', { timeout: 10_000 })
    await playing(page, 'c1')
  })

  await step('a camera’s state arrives live', async () => {
    mock.publish('camera', { id: 'down', state: 'failed' })
    await page.waitForSelector('[data-camera=down] .camera-failed')
  })

  await step('a tile is enlarged and shrunk by the keyboard', async () => {
    await page.focus('[data-camera=c1] .tile-press')
    await page.keyboard.press('Enter')
    await page.waitForSelector('[data-camera=c1].enlarged')
    await screenshot(page, 'enlarged')
    await page.keyboard.press('Escape')
    await page.waitForSelector('[data-camera=c1]:not(.enlarged)')
  })

  await step('the wall shows the chosen cameras, also after a reload', async () => {
    await page.click('button:has-text("Choose cameras")')
    await page.click('.chooser label:has-text("H.265")')
    await page.waitForSelector('[data-camera=h265]', { state: 'detached' })
    await screenshot(page, 'chooser')
    await page.reload()
    await playing(page, 'c1')
    assert.equal(await page.$('[data-camera=h265]'), null)
  })

  await step('an incident arrives with news that leads to it', async () => {
    const { id } = mock.flood()
    await page.waitForSelector(`.news-item[data-incident="${id}"]`)
    await screenshot(page, 'news')
    await page.click('.news-item a')
    await page.waitForSelector(`article.detail[data-incident="${id}"]`)
    await page.waitForSelector('.news-item', { state: 'detached' })
  })

  await step('a person reports an incident, once', async () => {
    const before = mock.incidents.size
    await page.click('button[data-do=report]')
    await page.fill('input[name=title]', '路边塌方')
    await page.selectOption('select[name=category]', 'geology')
    await page.fill('textarea[name=note]', '半幅路面')
    await page.fill('input[name=lon]', '105.2')
    await page.click('form.report button.primary')
    await page.waitForSelector('form.report .problem') // a latitude is missing
    await page.fill('input[name=lat]', '35.2')
    await screenshot(page, 'report')
    await page.click('form.report button.primary')
    await page.waitForSelector('article.detail:has-text("路边塌方")')
    assert.equal(mock.incidents.size, before + 1)
  })

  await step('an incident that somebody else changed is loaded again, and told', async () => {
    const id = await page.getAttribute('article.detail', 'data-incident')
    mock.changeSilently(id)
    await page.click('button[data-action=accept]')
    await page.waitForSelector('.action-panel .problem:has-text("Somebody changed")')
    assert.equal(await page.getAttribute('article.detail', 'data-state'), 'reported')
    await page.click('button[data-action=accept]:enabled')
    await page.waitForSelector('article.detail[data-state=accepted]')
  })

  await step('an action that needs a note asks for it', async () => {
    await page.click('button[data-action=void]')
    await page.waitForSelector('.action-panel .problem:has-text("needs a note")')
    assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'TEXTAREA')
  })

  await step('alerts are silenced for a while with a reason, and heard again', async () => {
    await page.click('a[href="#/silences"]')
    await page.fill('.silences-part input[name=reason]', '检修水泵')
    await page.click('.silences-part form button.primary')
    await page.waitForSelector('[data-silence]:has-text("检修水泵"):has-text("active")')
    await page.click('button[data-do=end-silence]')
    await page.waitForSelector('[data-silence]:has-text("over")')
    assert.equal(await page.$('button[data-do=end-silence]'), null)
  })

  await step('the first page had no script error and broke no policy', () => assert.deepEqual(page.complaints, []))

  await step('somebody who only looks is offered nothing to do', async () => {
    const viewer = await signedIn('viewer', { language: 'en-GB' })
    await viewer.click('a[href="#/incidents"]')
    await viewer.click('.list-part [data-incident]')
    await viewer.waitForSelector('article.detail')
    assert.equal(await viewer.$('button[data-action], button[data-do=report]'), null)
    await viewer.context().close()
  })

  await step('a sensor that was discovered appears, is marked, and is forgotten by an administrator alone', async () => {
    const operator = await signedIn('operator', { language: 'en-GB' })
    const admin = await signedIn('admin', { language: 'en-GB' })
    for (const at of [operator, admin]) await at.click('a[href="#/sensors"]')
    mock.discover('nanchuan-7', hostileName)
    for (const at of [operator, admin]) await at.waitForSelector('[data-sensor=nanchuan-7] p:has-text("Discovered")', { timeout: 20_000 })
    assert.equal(await operator.$('button[data-do=forget-sensor]'), null)
    assert.equal(await admin.$('[data-sensor=level-1] button[data-do=forget-sensor]'), null)
    await admin.click('[data-sensor=nanchuan-7] button[data-do=forget-sensor]')
    await admin.waitForSelector('[data-sensor=nanchuan-7]', { state: 'detached' })
    await operator.context().close()
    await admin.context().close()
  })

  await step('narrow screens scroll down, never sideways', async () => {
    for (const width of [1024, 390]) {
      const small = await signedIn('operator', { width, height: 800 })
      for (const at of ['wall', 'incidents', 'sensors', 'silences']) {
        await small.click(`a[href="#/${at}"]`)
        await small.waitForSelector(`.page-${at} h1`)
        const over = await small.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
        assert.ok(over <= 0, `${at} at ${width}: ${over} pixels too wide`)
        await screenshot(small, `${at}-${width}`)
      }
      await small.context().close()
    }
  })

  await step('a session that ended leads to the sign-in', async () => {
    mock.endSessions()
    await page.waitForSelector('input[name=password]', { timeout: 15_000 })
    await page.waitForSelector('.problem:has-text("Your session has ended")')
  })

  await step('the set-up link makes an administrator and signs them in', async () => {
    const first = await openPage(browser)
    await first.goto(`${mock.url}setup?token=one-time`)
    await first.fill('input[name=name]', 'zhang')
    await first.fill('input[name=password]', 'short')
    await first.fill('input[name=again]', 'short')
    await first.click('button[type=submit]')
    await first.waitForSelector('.problem')
    await screenshot(first, 'set-up')
    await first.fill('input[name=password]', password)
    await first.fill('input[name=again]', password)
    await first.click('button[type=submit]')
    await first.waitForSelector('header.top')
    assert.equal(new URL(first.url()).pathname, '/')
    const second = await openPage(browser)
    await second.goto(`${mock.url}setup?token=one-time`)
    await second.fill('input[name=name]', 'li')
    await second.fill('input[name=password]', password)
    await second.fill('input[name=again]', password)
    await second.click('button[type=submit]')
    await second.waitForSelector('.problem:has-text("used already")')
    assert.deepEqual([...first.complaints, ...second.complaints], [])
  })
} catch {
  process.exitCode = 1
} finally {
  await browser.close()
  await mock.stop()
}
