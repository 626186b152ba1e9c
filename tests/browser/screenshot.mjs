// Makes the picture of the README: a real cluster, a made-up canvas painted by the load client, the page in Chromium.
//
//     node screenshot.mjs [FILE]        (default deploy/screenshot.png)

import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { choose, DESK, launch, live, open, place, waitDock } from './browser.mjs';
import { BUILD, Cluster } from './cluster.mjs';
import { encodePng } from './png.mjs';
import { makeScene, PALETTE } from './scene.mjs';

const SIDE = 1000;
const out = resolve(process.argv[2] ?? fileURLToPath(new URL('../../deploy/screenshot.png', import.meta.url)));

/** @param {string} program @param {string[]} args */
const run = (program, args) =>
  new Promise((done, failed) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    child.on('error', failed);
    child.on('exit', (code) => (code === 0 ? done(null) : failed(new Error(`${program} ended with ${code}`))));
  });

const cluster = await Cluster.start({ options: ['--cooldown=0', `--width=${SIDE}`, `--height=${SIDE}`] });
const browser = await launch();
/** @type {import('node:child_process').ChildProcess | null} */
let crowd = null;
try {
  const image = join(cluster.dir, 'scene.png');
  await writeFile(image, encodePng(SIDE, SIDE, makeScene(SIDE, SIDE), PALETTE));
  const urls = cluster.gateways.map(({ url }) => url.replace(/^http/, 'ws').replace(/\/$/, '')).join(',');
  await run(join(BUILD, 'tessera-load'), ['paint', `--image=${image}`, `--url=${urls}`, '--connections=40', '--progress=false']);
  await cluster.setCooldown(300000);
  crowd = spawn(join(BUILD, 'tessera-load'), ['idle', `--url=${urls}`, '--connections=180', '--seconds=120', '--progress=false'], { stdio: 'ignore' });
  const page = await open(browser, `${cluster.gateways[0].url}?x=560&y=400&zoom=20`, { ...DESK, colorScheme: 'light' });
  await live(page);
  await place(page, 'orange', 560, 400);
  await waitDock(page, 'cooldown');
  await page.goto(`${cluster.gateways[0].url}?x=505&y=478&zoom=1.85`);
  await waitDock(page, 'cooldown');
  await choose(page, 'orange');
  await page.mouse.move(776, 300);
  await page.waitForFunction(() => /^1\d\d online/.test(document.querySelector('#state-text')?.textContent ?? ''));
  await page.waitForTimeout(1500);
  await page.screenshot({ path: out });
  console.log(out);
} finally {
  crowd?.kill();
  await browser.close();
  await cluster.stop();
}
