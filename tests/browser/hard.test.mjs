// What players, browsers and devices do to the page on bad days.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertClock, choose, live, NETWORK, onScreen, open, openIn, PHONE, place, waitColor, waitDock, waitFace } from './browser.mjs';
import { QUERY, done, draws, gatewayWith, shared, until } from './fixture.mjs';

test('two windows of one player: a wait, a name and a choice are the same in both at once', async () => {
  const gateway = await gatewayWith();
  const one = await open(shared.browser, gateway.url + QUERY);
  const other = await openIn(one.context(), gateway.url + QUERY);
  await Promise.all([live(one), live(other)]);
  await place(one, 'red', 300, 300);
  await waitDock(other, 'cooldown');
  await assertClock(other, () => gateway.left());
  await one.click('#menu');
  await one.fill('#name', 'Grace');
  await one.keyboard.press('Enter');
  await one.click('#set-map');
  await other.waitForFunction(() => document.querySelector('#me')?.textContent === 'Grace');
  await other.waitForSelector('#map', { state: 'hidden' });
  assert.equal(draws(gateway), 1);
  assert.deepEqual(other.problems, []);
  await done(one);
});

test('a browser that keeps nothing, tells pages nothing and has no workers: the page works, and does not load itself for ever', async () => {
  const gateway = await gatewayWith();
  const context = await shared.browser.newContext({ serviceWorkers: 'block' });
  await context.addInitScript(() => {
    const no = () => {
      throw new DOMException('denied', 'SecurityError');
    };
    for (const name of ['localStorage', 'sessionStorage', 'BroadcastChannel', 'OffscreenCanvas']) Object.defineProperty(window, name, { get: no });
    Object.defineProperty(navigator, 'serviceWorker', { get: no });
    for (const name of ['userActivation', 'vibrate', 'keyboard', 'clipboard']) Object.defineProperty(navigator, name, { value: undefined });
  });
  const page = await openIn(context, gateway.url + QUERY);
  await live(page);
  await page.keyboard.press('h');
  await place(page, 'red', 300, 300);
  await waitDock(page, 'cooldown');
  gateway.closeAll(4006);
  await page.getByRole('alertdialog').waitFor();
  await done(page);
});

test('the device says that it is offline: that is said at once, and what was placed meanwhile is', async () => {
  const gateway = await gatewayWith();
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  let release = (/** @type {any} */ _) => {};
  gateway.hold = new Promise((resolve) => (release = resolve));
  await place(page, 'red', 300, 300);
  await waitDock(page, 'placing');
  await page.context().setOffline(true);
  await waitFace(page, 'offline');
  gateway.hold = Promise.resolve();
  await page.context().setOffline(false);
  await live(page);
  await waitDock(page, 'cooldown');
  await waitColor(page, 300, 300, 'red');
  release(null);
  assert.equal(gateway.tile(1, 1).seq, 1, 'once');
  await done(page, NETWORK);
});

test('colors and pixels are appended while one is chosen: choice, focus and card stay', async () => {
  const palette = Array.from({ length: 40 }, (_, i) => ({ name: `color ${i}`, rgb: `#${(i * 6).toString(16).padStart(2, '0').repeat(3)}` }));
  const gateway = await gatewayWith({ palette: palette.slice(0, 20), width: 600, height: 600 });
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  await page.keyboard.press('i');
  await page.focus('input[name=color] >> nth=0');
  await page.keyboard.press('ArrowRight');
  Object.assign(gateway, { palette, width: 900, cooldownMs: 1000 });
  gateway.config();
  await page.waitForFunction(() => document.querySelectorAll('.swatch').length === 40);
  assert.deepEqual(await page.evaluate(() => [
    /** @type {HTMLInputElement} */ (document.activeElement).value, /** @type {HTMLInputElement} */ (document.querySelector('input[name=color]:checked')).value,
    document.querySelector('#card')?.hasAttribute('hidden'),
  ]), ['1', '1', false]);
  // The ring around a color at the edge of a list that scrolls is whole.
  await page.keyboard.press('End');
  await choose(page, 'color 39');
  const room = await page.evaluate(() => {
    const [list, swatch] = ['#palette', '.swatch:has(:checked)'].map((it) => /** @type {Element} */ (document.querySelector(it)).getBoundingClientRect());
    return [swatch.left - list.left, list.right - swatch.right, swatch.top - list.top, list.bottom - swatch.bottom];
  });
  assert.ok(Math.min(...room) >= 4, String(room));
  await done(page);
});

test('a system that takes the finger away, and one that brings its own menu, place nothing and take nothing back', async () => {
  const gateway = await gatewayWith();
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  await page.keyboard.press('4');
  const at = await onScreen(page, 303, 300);
  /** Without a moment between them: a finger that rests for half a second asks who placed the pixel. @param {string[]} types @param {any} how */
  const tell = (types, how) => page.evaluate(([names, init, where]) => {
    const canvas = /** @type {HTMLElement} */ (document.querySelector('#canvas'));
    canvas.setPointerCapture = () => {};
    for (const name of names) canvas.dispatchEvent(new PointerEvent(name, { pointerId: 7, clientX: where.x, clientY: where.y, bubbles: true, cancelable: true, ...init }));
  }, /** @type {[string[], any, any]} */ ([types, how, at]));
  await tell(['pointerdown', 'pointercancel'], { pointerType: 'touch' });
  await page.waitForTimeout(600);
  await tell(['pointerdown', 'contextmenu', 'pointerup', 'contextmenu'], { pointerType: 'touch' });
  await waitDock(page, 'aim');
  assert.equal(draws(gateway), 0);
  // Control and a click, on a Mac, are the right button.
  await page.keyboard.press('Escape');
  await tell(['pointerdown', 'contextmenu', 'pointerup'], { pointerType: 'mouse', ctrlKey: true });
  await waitDock(page, 'idle');
  assert.equal(draws(gateway), 0);
  // A pen is a finger: it is asked first. (Sooner it would be the second half of a double tap.)
  await page.waitForTimeout(400);
  await page.keyboard.press('4');
  await tell(['pointerdown', 'pointerup'], { pointerType: 'pen' });
  await waitDock(page, 'aim');
  assert.equal(draws(gateway), 0);
  await done(page);
});

test('felt and heard as it was wished, and only where the page was touched', async () => {
  const gateway = await gatewayWith({ cooldownMs: 1500 });
  const context = await shared.browser.newContext({ serviceWorkers: 'block', ...PHONE });
  await context.addInitScript(() => {
    const told = /** @type {any[]} */ ((/** @type {any} */ (window).told = []));
    navigator.vibrate = (/** @type {any} */ pattern) => told.push(pattern) > 0;
    // What the tests ask of the page counts as touching it, so that is told apart here.
    const activation = { hasBeenActive: false };
    Object.defineProperty(navigator, 'userActivation', { value: activation });
    addEventListener('pointerdown', () => (activation.hasBeenActive = true), true);
    localStorage.setItem('settings', JSON.stringify({ confirm: 'never', vibrate: true, sound: true }));
  });
  gateway.landed = performance.now();
  const page = await openIn(context, gateway.url + QUERY);
  await live(page);
  await waitDock(page, 'idle');
  const told = () => page.evaluate(() => /** @type {any} */ (window).told);
  assert.deepEqual(await told(), [], 'nobody has touched it: the browser would only complain');
  await page.keyboard.press('5');
  const at = await onScreen(page, 303, 300);
  await page.touchscreen.tap(at.x, at.y);
  await page.waitForFunction(() => /** @type {any} */ (window).told.length > 0);
  assert.deepEqual(await told(), [[40, 70, 40]]);
  await page.tap('#menu');
  assert.equal(await page.isVisible('#row-vibrate'), true);
  await page.click('#set-vibrate');
  await page.click('#set-vibrate');
  assert.deepEqual((await told()).slice(1), [20], 'once, so that one knows what it is like');
  await done(page);
});

test('without a cooldown and without being asked, two quick taps are two pixels', async () => {
  const gateway = await gatewayWith({ cooldownMs: 0 });
  const context = await shared.browser.newContext({ serviceWorkers: 'block', ...PHONE });
  await context.addInitScript(() => localStorage.setItem('settings', JSON.stringify({ confirm: 'never' })));
  const page = await openIn(context, gateway.url + QUERY);
  await live(page);
  await page.keyboard.press('5');
  const [a, b] = [await onScreen(page, 303, 300), await onScreen(page, 304, 300)];
  await page.touchscreen.tap(a.x, a.y);
  await page.touchscreen.tap(b.x, b.y);
  await until(() => draws(gateway) >= 2);
  assert.deepEqual(gateway.said.filter((it) => it.type === 2).map((it) => it.data.readUInt16LE(2)), [303, 304]);
  await done(page);
});
