// build.mjs: makes the console's files; run by npm and by meson.
//
//   node build.mjs --out DIR [--stamp FILE --depfile FILE]   bundles the page into DIR
//   node build.mjs --test                                    checks the types, bundles and runs the unit tests
//
// npm is called only when node_modules doesn't hold what package-lock.json says, so a second build needs no network.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const at = (...parts) => join(here, ...parts)
// The page over a slow village link: this much in all, uncompressed.
const budgetBytes = 250 * 1024

function modulesAreCurrent() {
  const hidden = at('node_modules', '.package-lock.json')
  if (!existsSync(hidden)) return false
  const wanted = JSON.parse(readFileSync(at('package-lock.json'), 'utf8')).packages
  const present = JSON.parse(readFileSync(hidden, 'utf8')).packages
  return Object.entries(wanted).every(
    ([name, entry]) => name === '' || (entry.optional && !present[name]) || present[name]?.version === entry.version)
}

function installModules() {
  if (modulesAreCurrent()) return
  const npm = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    { cwd: here, encoding: 'utf8' })
  if (npm.status !== 0) {
    process.stderr.write(`${npm.stdout ?? ''}${npm.stderr ?? ''}${npm.error ?? ''}\n`)
    throw new Error('npm ci failed: the first build of the console needs an npm registry; ' +
      'build without the console with: meson configure -Dconsole=disabled')
  }
}

const common = {
  absWorkingDir: here,
  bundle: true,
  jsx: 'automatic',
  jsxImportSource: 'preact',
  logLevel: 'warning',
  metafile: true,
}

function writeHashed(directory, name, contents) {
  const hash = createHash('sha256').update(contents).digest('hex').slice(0, 10)
  const dot = name.lastIndexOf('.')
  const file = `assets/${name.slice(0, dot)}-${hash}${name.slice(dot)}`
  writeFileSync(join(directory, file), contents)
  return { file: `/${file}`, size: contents.length }
}

async function buildPage(out) {
  const { build } = await import('esbuild')
  const result = await build({
    ...common,
    entryPoints: { console: at('src/main.tsx') },
    outdir: out,
    write: false,
    minify: true,
    format: 'esm',
    target: ['es2021'],
    charset: 'utf8',
  })
  rmSync(out, { recursive: true, force: true })
  mkdirSync(join(out, 'assets'), { recursive: true })
  let total = 0
  let page = readFileSync(at('static/index.html'), 'utf8')
  const favicon = readFileSync(at('static/favicon.svg'))
  const outputs = result.outputFiles.map(({ path, contents }) => ({ name: relative(out, path), contents }))
  for (const { name, contents } of [...outputs, { name: 'favicon.svg', contents: favicon }]) {
    const written = writeHashed(out, name, Buffer.from(contents))
    total += written.size
    page = page.replaceAll(`{{${name}}}`, written.file)
  }
  if (page.includes('{{')) throw new Error('static/index.html names a file that the build does not make')
  writeFileSync(join(out, 'index.html'), page)
  total += page.length
  if (total > budgetBytes) throw new Error(`the console has ${total} bytes, more than its budget of ${budgetBytes}`)
  return Object.keys(result.metafile.inputs).map((file) => at(file))
}

async function runTests() {
  const { build } = await import('esbuild')
  const types = spawnSync(process.execPath, [at('node_modules/typescript/bin/tsc'), '--noEmit', '-p', here], { stdio: 'inherit' })
  if (types.status !== 0) return 1
  const directory = mkdtempSync(join(tmpdir(), 'gridgate-console-'))
  try {
    const tests = readdirSync(at('test')).filter((name) => name.endsWith('.test.ts'))
    await build({
      ...common,
      entryPoints: tests.map((name) => at('test', name)),
      outdir: directory,
      outExtension: { '.js': '.mjs' },
      platform: 'node',
      format: 'esm',
      target: ['node18'],
    })
    const files = tests.map((name) => join(directory, name.replace(/\.ts$/, '.mjs')))
    return spawnSync(process.execPath, ['--test', ...files], { stdio: 'inherit' }).status ?? 1
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const options = Object.fromEntries(process.argv.slice(2).map((word, index, all) =>
  word.startsWith('--') ? [word.slice(2), all[index + 1] ?? ''] : ['', '']))

installModules()
if ('test' in options) {
  process.exitCode = await runTests()
} else if (options.out) {
  const inputs = await buildPage(resolve(options.out))
  if (options.depfile) {
    const own = ['build.mjs', 'package.json', 'package-lock.json', 'static/index.html', 'static/favicon.svg'].map((name) => at(name))
    const escaped = [...inputs, ...own].map((file) => file.replaceAll(' ', '\\ '))
    writeFileSync(options.depfile, `${options.stamp}: ${escaped.join(' ')}\n`)
  }
  if (options.stamp) writeFileSync(options.stamp, `${new Date().toISOString()}\n`)
} else {
  process.stderr.write('usage: node build.mjs --out DIR [--stamp FILE --depfile FILE] | --test\n')
  process.exitCode = 2
}
