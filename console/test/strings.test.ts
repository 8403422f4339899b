import assert from 'node:assert/strict'
import { test } from 'node:test'
import { en } from '../src/strings/en'
import { fill, languageFor } from '../src/strings'
import { zh } from '../src/strings/zh'

const placeholders = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!).sort()

test('both languages have the same keys', () => {
  assert.deepEqual(Object.keys(en).sort(), Object.keys(zh).sort())
})

test('no string is empty, and both languages take the same values', () => {
  for (const [key, text] of Object.entries(zh)) {
    const other = en[key as keyof typeof zh]
    assert.ok(text.length > 0 && other.length > 0, key)
    assert.deepEqual(placeholders(text), placeholders(other), key)
  }
})

test('the Chinese table is Chinese and the English one is not', () => {
  for (const [key, text] of Object.entries(en))
    if (key !== 'language_other') assert.doesNotMatch(text, /\p{Script=Han}/u, key)
  assert.equal(zh.player_h265, 'H.265：此浏览器不能播放 H.265')
  assert.equal(en.player_h265, 'H.265: this browser cannot play it')
})

test('the browser’s language decides until a person does', () => {
  assert.equal(languageFor(null, 'zh-CN'), 'zh')
  assert.equal(languageFor(null, 'de-DE'), 'en')
  assert.equal(languageFor('en', 'zh-CN'), 'en')
  assert.equal(languageFor('nonsense', 'zh-TW'), 'zh')
})

test('a value that looks like a placeholder is not filled again', () => {
  assert.equal(fill('{name}!', { name: '{name}' }), '{name}!')
  assert.equal(fill('{other}', { name: 'x' }), '{other}')
})
