// Chromium for the tests, and the few things that they do on a page again and again. Pixels are read the way a player reads them: the
// page says coordinates and color name of the pixel under the mouse.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const axe = createRequire(import.meta.url)('axe-core');

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

export const DESK = { viewport: { width: 1440, height: 900 } };
export const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

/** What Chromium says of its own software rendering while screenshots are taken, and of what the tests forbid. */
const NOISE = /GPU stall due to ReadPixels|Automatic fallback to software WebGL|Service Worker registration blocked by Playwright/;
/** What it says, unasked, when a server is away. */
export const NETWORK = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|WebSocket connection to|Failed to load resource/;

/** @typedef {import('playwright-core').Page & { problems: string[] }} Page */

/** @param {string[]} [flags] */
export const launch = (flags = []) => chromium.launch({ executablePath: EXECUTABLE, timeout: 120000, args: [...FLAGS, ...flags] });

/**
 * A page of a browser profile of its own, without a service worker unless it is asked for. `problems` collects what the console says.
 * @param {import('playwright-core').Browser} browser @param {string} url @param {object} [options] of the context
 * @returns {Promise<Page>}
 */
export async function open(browser, url, options = DESK) {
  const context = await browser.newContext({ serviceWorkers: 'block', ...options });
  return openIn(context, url);
}

/** @param {import('playwright-core').BrowserContext} context @param {string} url @returns {Promise<Page>} */
export async function openIn(context, url) {
  const page = /** @type {Page} */ (await context.newPage());
  page.problems = [];
  page.setDefaultTimeout(60000); // whatever else the machine does
  page.on('console', (message) => {
    if (!NOISE.test(message.text())) page.problems.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => page.problems.push(`error: ${error.stack}`));
  await page.goto(url);
  return page;
}

/** @param {Page} page @param {string} face */
export const waitFace = (page, face) => page.waitForSelector(`#status[data-face="${face}"]`);
/** @param {Page} page @param {string} face */
export const waitDock = (page, face) => page.waitForSelector(`#dock[data-face="${face}"]`);
/** @param {Page} page */
export const live = (page) => waitFace(page, 'live');
/** @param {Page} page */
export const words = (page) => page.innerText('#state-text');
/** @param {Page} page @param {string | RegExp} text */
export const waitToast = (page, text) => page.locator('.toast', { hasText: text }).first().waitFor({ state: 'attached' });

/**
 * Where on the screen a pixel of the canvas is, for a page whose view was given by its address and has not moved since.
 * @param {Page} page @param {number} x @param {number} y
 */
export async function onScreen(page, x, y) {
  const at = new URL(page.url()).searchParams;
  const [cx, cy, zoom] = ['x', 'y', 'zoom'].map((name) => Number(at.get(name)));
  const { width, height } = /** @type {{ width: number, height: number }} */ (page.viewportSize());
  const dock = /** @type {{ y: number }} */ (await page.locator('#dock').boundingBox());
  const bottom = Math.round(height - dock.y) + 8;
  const middle = ((width < 768 ? 56 : 64) + height - bottom) / 2;
  return { x: width / 2 + (x - cx) * zoom, y: middle + (y - cy) * zoom };
}

/** Moves the mouse over a pixel and waits until the page names its color. @param {Page} page @param {number} x @param {number} y
 * @param {string} color */
export async function waitColor(page, x, y, color) {
  const at = await onScreen(page, x, y);
  await page.mouse.move(at.x + 1, at.y + 1);
  await page.mouse.move(at.x, at.y);
  await page.waitForFunction(
    ([where, name]) =>
      document.querySelector('#place-text')?.textContent?.startsWith(where) &&
      /** @type {HTMLElement} */ (document.querySelector('#place')).title === name,
    [`${x}, ${y} `, color],
  );
}

/** @param {Page} page @param {string} color @param {number} x @param {number} y */
export async function place(page, color, x, y) {
  await choose(page, color);
  const at = await onScreen(page, x, y);
  await page.mouse.click(at.x, at.y);
}

/** @param {Page} page @param {string} color */
export const choose = (page, color) => page.click(`.swatch[title="${color}"]`);

/** Nothing moves any more but what always does. @param {Page} page */
export const settled = (page) =>
  page.waitForFunction(() => document.getAnimations().every((it) => it.effect?.getComputedTiming().endTime === Infinity));

/** Moves the mouse to where nothing of the canvas is under it: what is told of a pixel where it rests covers others. @param {Page} page */
export const away = (page) => page.hover('#menu');

/**
 * What axe has against the page. What fades in has done so, and nothing begins to fade meanwhile: a passing message that goes would be
 * pale for a moment.
 * @param {Page} page @returns {Promise<string[]>}
 */
export async function violations(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Animation.enable');
  const rate = (/** @type {number} */ playbackRate) => session.send('Animation.setPlaybackRate', { playbackRate });
  for (let still = false; !still; ) {
    await rate(1);
    await settled(page);
    await rate(0);
    still = await page.evaluate(() => document.getAnimations().every((it) => it.effect?.getComputedTiming().endTime === Infinity || !it.currentTime));
  }
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe.source);
  const found = await page.evaluate(() => /** @type {any} */ (window).axe.run());
  await rate(1);
  await session.detach();
  return found.violations.map((/** @type {any} */ it) => `${it.id}: ${it.nodes.map((/** @type {any} */ node) => node.html).join(' ')}`);
}

/**
 * The clock of the dock counts what the server has told: `left()` ms, now.
 * @param {Page} page @param {() => number} left
 */
export async function assertClock(page, left) {
  let said = '';
  for (let i = 0; i < 300; i++) {
    const most = left();
    const text = await page.innerText('#turn-title');
    const least = left();
    const [, minutes, seconds] = /^(\d+):(\d\d)$/.exec(text) ?? [];
    const shown = (Number(minutes) * 60 + Number(seconds)) * 1000;
    // It is rounded up, and looked at four times a second.
    if (shown >= least - 50 && shown <= most + 1300) return;
    said = `${text}, when ${least} to ${most} ms are left`;
    await page.waitForTimeout(20);
  }
  assert.fail(said);
}

/**
 * The colors that the screen really shows, as #rrggbb, once what fades in has done so. (What turns for ever is not waited for.)
 * @param {Page} page @param {{ x: number, y: number }[]} points in CSS pixels
 */
export async function shown(page, points) {
  await settled(page);
  const picture = (await page.screenshot({ scale: 'css' })).toString('base64');
  const reader = await page.context().newPage();
  const colors = await reader.evaluate(async ([data, at]) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${data}`)).blob());
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(image.width, image.height).getContext('2d'));
    context.drawImage(image, 0, 0);
    return at.map(({ x, y }) => {
      const [r, g, b] = context.getImageData(Math.floor(x), Math.floor(y), 1, 1).data;
      return `#${[r, g, b].map((value) => value.toString(16).padStart(2, '0')).join('')}`;
    });
  }, /** @type {[string, { x: number, y: number }[]]} */ ([picture, points]));
  await reader.close();
  return colors;
}
