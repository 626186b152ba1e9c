// What the page costs, in Debian's Chromium without a graphics device: everything a graphics processor would do is done by the processor
// here ("software rendering"), on the same cores as the page, the server and this program. `make bench-page` runs it.
//
//     node bench.mjs [--seconds N] [--profile] [--only storm|open|pixel]     prints tables, writes var/bench-page.json

import { fork, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, URL } from 'node:url';
import { parseArgs } from 'node:util';
import { choose, DESK, launch, live, onScreen, open, PHONE } from './browser.mjs';
import { BUILD, Cluster } from './cluster.mjs';
import { encodePng } from './png.mjs';
import { makeScene, PALETTE } from './scene.mjs';

const STORM = { side: 2000, rate: 5000 };
const OPEN_TIMES = 9;
const PIXEL_TIMES = 30;
const OUT = fileURLToPath(new URL('../../var/', import.meta.url));
const { values: options } = parseArgs({ options: { seconds: { type: 'string', default: '6' }, profile: { type: 'boolean', default: false }, only: { type: 'string' } } });
const SECONDS = Number(options.seconds);

const sleep = (/** @type {number} */ ms) => new Promise((done) => setTimeout(done, ms));
/** @param {number[]} values @param {number} share */
const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];
const round = (/** @type {number} */ value, digits = 1) => Number(value.toFixed(digits));

// ---- 5,000 updates a second ------------------------------------------------------------------------------------------

/** @param {import('./browser.mjs').Page} page */
async function framesOf(page, seconds = SECONDS) {
  return page.evaluate((ms) => new Promise((done) => {
    /** @type {number[]} */
    const frames = [];
    let last = performance.now();
    const end = last + ms;
    requestAnimationFrame(function frame(now) {
      frames.push(now - last);
      last = now;
      if (now < end) requestAnimationFrame(frame);
      else done(frames.slice(1));
    });
  }), seconds * 1000);
}

/** Seconds of the main thread so far. @param {import('playwright-core').CDPSession} session */
async function mainThread(session) {
  const { metrics } = await session.send('Performance.getMetrics');
  const of = (/** @type {string} */ name) => metrics.find((it) => it.name === name)?.value ?? 0;
  return { task: of('TaskDuration'), script: of('ScriptDuration') };
}

/** Self time by function, in ms. @param {import('playwright-core').CDPSession} session @param {() => Promise<void>} run */
async function profiled(session, run) {
  await session.send('Profiler.enable');
  await session.send('Profiler.setSamplingInterval', { interval: 500 });
  await session.send('Profiler.start');
  await run();
  const { profile } = await session.send('Profiler.stop');
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  /** @type {Map<string, number>} */
  const self = new Map();
  profile.samples?.forEach((id, i) => {
    const frame = nodes.get(id)?.callFrame;
    const name = `${frame?.functionName || '(anonymous)'} ${frame?.url.split('/').pop() ?? ''}:${(frame?.lineNumber ?? 0) + 1}`;
    self.set(name, (self.get(name) ?? 0) + (profile.timeDeltas?.[i] ?? 0) / 1000);
  });
  for (const [name, ms] of [...self].sort((a, b) => b[1] - a[1]).slice(0, 16)) console.log(`    ${ms.toFixed(1).padStart(8)} ms  ${name}`);
}

/** @param {string} name @param {string} url @param {string[]} flags @param {object} device @param {string} query @param {boolean} pans */
async function stormIn(name, url, child, flags, device, query, pans) {
  const browser = await launch(flags);
  const page = await open(browser, url + query, device);
  await live(page);
  await page.waitForFunction(() => document.getAnimations().length === 0);
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const said = (/** @type {string} */ what) => new Promise((done) => (child.once('message', done), child.send(what)));
  const pan = async () => {
    await page.mouse.move(700, 450);
    await page.mouse.down();
    for (const end = Date.now() + SECONDS * 1000; Date.now() < end; ) {
      for (let i = 0; i < 40; i++) await page.mouse.move(700 + 8 * i, 450 + 3 * i);
      for (let i = 40; i > 0; i--) await page.mouse.move(700 + 8 * i, 450 + 3 * i);
    }
    await page.mouse.up();
  };
  const measure = async () => {
    const before = await mainThread(session);
    const start = Date.now();
    const [frames] = await Promise.all([framesOf(page), pans ? pan() : null]);
    const after = await mainThread(session);
    return { frames, seconds: (Date.now() - start) / 1000, task: after.task - before.task, script: after.script - before.script };
  };
  const quiet = await measure();
  await said('go');
  await sleep(500);
  const { told: begin } = await said('go');
  const busy = await measure();
  const { told: end } = await said('go');
  if (options.profile) {
    console.log(`  ${name}:`);
    await profiled(session, async () => void (await framesOf(page, 4)));
  }
  await said('stop');
  await sleep(300);
  const renderer = await page.getAttribute('html', 'data-renderer');
  await browser.close();
  const updates = end - begin;
  return {
    name, renderer, updates_per_s: round(updates / busy.seconds, 0), frames_per_s: round((1000 * busy.frames.length) / busy.frames.reduce((sum, it) => sum + it, 0)),
    frame_ms: { p50: round(quantile(busy.frames, 0.5)), p95: round(quantile(busy.frames, 0.95)), p99: round(quantile(busy.frames, 0.99)) },
    quiet_frame_ms: { p50: round(quantile(quiet.frames, 0.5)), p99: round(quantile(quiet.frames, 0.99)) },
    main_thread_ms_per_1000: round((1000 * 1000 * (busy.task - quiet.task * (busy.seconds / quiet.seconds))) / updates, 2),
    script_ms_per_1000: round((1000 * 1000 * (busy.script - quiet.script * (busy.seconds / quiet.seconds))) / updates, 2),
    main_thread_share: round(busy.task / busy.seconds, 3), quiet_main_thread_share: round(quiet.task / quiet.seconds, 3),
  };
}

async function storm() {
  const child = fork(fileURLToPath(new URL('./storm.mjs', import.meta.url)), [STORM.side, STORM.rate].map(String));
  const { url } = /** @type {{ url: string }} */ (await new Promise((done) => child.once('message', done)));
  /** @type {[string, string[], object, string, boolean][]} */
  const scenes = [
    ['desk, whole canvas', [], DESK, '?', false],
    ['desk, zoom 4', [], DESK, '?x=1000&y=1000&zoom=4', false],
    ['desk, zoom 4, dragging', [], DESK, '?x=1000&y=1000&zoom=4', true],
    ['phone, whole canvas', [], PHONE, '?', false],
    ['desk, whole canvas', [], DESK, '?renderer=webgl2', false],
    ['desk, zoom 4', [], DESK, '?x=1000&y=1000&zoom=4&renderer=webgl2', false],
  ];
  const results = [];
  console.log(`${STORM.rate} updates/s on ${STORM.side} x ${STORM.side}, ${SECONDS} s each\n`);
  console.log('                           renderer  updates/s  frames/s   frame ms p50/p95/p99   main thread ms per 1,000 updates (script)  busy (quiet)');
  try {
    for (const [name, flags, device, query, pans] of scenes) {
      const it = await stormIn(name, url, child, flags, device, query, pans);
      results.push(it);
      const frame = `${it.frame_ms.p50} / ${it.frame_ms.p95} / ${it.frame_ms.p99}`;
      const share = `${(it.main_thread_share * 100).toFixed(0)} % (${(it.quiet_main_thread_share * 100).toFixed(0)} %)`;
      console.log(`${name.padEnd(26)} ${String(it.renderer).padEnd(8)} ${String(it.updates_per_s).padStart(10)} ${String(it.frames_per_s).padStart(9)}   ${frame.padStart(20)}   ${`${it.main_thread_ms_per_1000} (${it.script_ms_per_1000})`.padStart(41)}  ${share}`);
    }
  } finally {
    child.disconnect();
  }
  return { ...STORM, seconds: SECONDS, scenes: results };
}

// ---- Opening, and a pixel on another screen, on a real cluster -------------------------------------------------------

/** @param {string} program @param {string[]} args */
const run = (program, args) => new Promise((done, failed) => {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  child.on('error', failed);
  child.on('exit', (code) => (code === 0 ? done(null) : failed(new Error(`${program} ended with ${code}`))));
});

/** Sees what is on the glass: looks at a pixel of the canvas in every frame. Runs in the page. */
function watchGlass() {
  const color = (/** @type {number} */ x, /** @type {number} */ y) => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector('#canvas'));
    const [left, top] = [Math.round(x * devicePixelRatio), Math.round(y * devicePixelRatio)];
    if (document.documentElement.dataset.renderer === 'canvas2d') return canvas.getContext('2d')?.getImageData(left, top, 1, 1).data.join(' ') ?? '';
    const gl = document.documentElement.dataset.renderer === 'webgl2' ? canvas.getContext('webgl2') : null;
    const px = new Uint8Array(4);
    gl?.readPixels(left, gl.drawingBufferHeight - 1 - top, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, px);
    return px.join(' ');
  };
  /** When the pixel at a place of the screen first has another color than it has now (or `than`). */
  /** @type {any} */ (window).changed = (/** @type {number} */ x, /** @type {number} */ y, /** @type {string} */ than = color(x, y)) =>
    new Promise((done) => requestAnimationFrame(function frame() {
      // After the page's own frame: what it draws in this turn is seen in this turn.
      if (color(x, y) !== than) done(performance.timeOrigin + performance.now());
      else requestAnimationFrame(frame);
    }));
  /** When the canvas first shows a color at one of a few places. */
  /** @type {any} */ (window).shownAt = new Promise((done) => requestAnimationFrame(function frame() {
    const known = document.querySelector('#canvas.known');
    if (known && [[0.4, 0.4], [0.5, 0.45], [0.6, 0.5]].every(([x, y]) => !/ 0$|^$/.test(color(innerWidth * x, innerHeight * y)))) done(performance.now());
    else requestAnimationFrame(frame);
  }));
}

async function onCluster() {
  const cluster = await Cluster.start({ options: ['--cooldown=0', '--width=1000', '--height=1000', '--guests-per-address=0'] });
  const browser = await launch();
  try {
    const image = join(cluster.dir, 'scene.png');
    await writeFile(image, encodePng(1000, 1000, makeScene(1000, 1000), PALETTE));
    const ws = cluster.gateways.map(({ url }) => url.replace(/^http/, 'ws').replace(/\/$/, '')).join(',');
    await run(join(BUILD, 'tessera-load'), ['paint', `--image=${image}`, `--url=${ws}`, '--connections=40', '--progress=false']);
    const results = {};
    if (options.only !== 'pixel') Object.assign(results, { open: await opening(browser, cluster) });
    if (options.only !== 'open') Object.assign(results, { pixel: await otherScreen(browser, cluster) });
    return results;
  } finally {
    await browser.close();
    await cluster.stop();
  }
}

/** @param {import('playwright-core').Browser} browser @param {Cluster} cluster */
async function opening(browser, cluster) {
  const times = [];
  for (let i = 0; i < OPEN_TIMES; i++) {
    const context = await browser.newContext({ ...DESK, serviceWorkers: 'block' });
    const page = await context.newPage();
    await page.addInitScript(watchGlass);
    await page.goto(cluster.gateways[0].url);
    times.push(await page.evaluate(() => /** @type {any} */ (window).shownAt));
    await context.close();
  }
  const it = { times: times.length, ms: { p50: round(quantile(times, 0.5), 0), most: round(Math.max(...times), 0) } };
  console.log(`\nopening, 1000 x 1000 painted, nothing cached:    median ${it.ms.p50} ms, most ${it.ms.most} ms to the canvas on screen (${it.times} times)`);
  return it;
}

/** @param {import('playwright-core').Browser} browser @param {Cluster} cluster */
async function otherScreen(browser, cluster) {
  const query = '?x=500&y=500&zoom=20';
  const one = await open(browser, cluster.gateways[0].url + query);
  const context = await browser.newContext({ ...DESK, serviceWorkers: 'block' });
  const other = /** @type {import('./browser.mjs').Page} */ (await context.newPage());
  await other.addInitScript(watchGlass);
  await other.goto(cluster.gateways[1].url + query);
  await Promise.all([live(one), live(other)]);
  await one.evaluate(() => addEventListener('pointerup', () => (/** @type {any} */ (window).released = performance.timeOrigin + performance.now()), true));
  const times = [];
  for (let i = 0; i < PIXEL_TIMES; i++) {
    const pixel = { x: 490 + (i % 20), y: 496 + Math.floor(i / 20) };
    const at = await onScreen(other, pixel.x, pixel.y);
    await other.evaluate(({ x, y }) => {
      const it = /** @type {any} */ (window);
      it.seen = it.changed(x, y);
    }, at);
    await choose(one, i % 2 ? 'black' : 'magenta');
    const from = await onScreen(one, pixel.x, pixel.y);
    await one.mouse.click(from.x, from.y);
    const released = await one.evaluate(() => /** @type {any} */ (window).released);
    const seen = await Promise.race([other.evaluate(() => /** @type {any} */ (window).seen), sleep(5000)]);
    if (typeof seen === 'number') times.push(seen - released); // else it had that color already
  }
  const it = { times: times.length, ms: { p50: round(quantile(times, 0.5), 0), p95: round(quantile(times, 0.95), 0), most: round(Math.max(...times), 0) } };
  console.log(`a placed pixel on another screen:                median ${it.ms.p50} ms, 95 % ${it.ms.p95} ms, most ${it.ms.most} ms, two gateways and shards (${it.times} pixels)`);
  return it;
}

// ---- All of it -------------------------------------------------------------------------------------------------------

const browser = await launch();
const version = browser.version();
await browser.close();
const machine = { chromium: version, rendering: 'software (no graphics device)', cores: cpus().length, processor: cpus()[0].model };
console.log(`Chromium ${version}, software rendering, ${machine.cores} cores for page, server and measuring (${machine.processor})\n`);
const wanted = (/** @type {string} */ what) => !options.only || options.only === what;
const report = { when: new Date().toISOString(), machine, ...(wanted('storm') ? { storm: await storm() } : {}), ...(wanted('open') || wanted('pixel') ? await onCluster() : {}) };
await mkdir(OUT, { recursive: true });
await writeFile(join(OUT, 'bench-page.json'), `${JSON.stringify(report, null, 2)}\n`);
console.log('\nvar/bench-page.json has all of it');
