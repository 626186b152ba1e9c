// Placing, from the click to the server's word, against a made-up gateway.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertClock, away, choose, live, onScreen, open, PHONE, place, shown, waitColor, waitDock, waitToast, words } from './browser.mjs';
import { QUERY, done, draws, gatewayWith, shared, until, waitZoom } from './fixture.mjs';

test('pending shows at once, and settles', async () => {
  const gateway = await gatewayWith();
  let release = (/** @type {any} */ _) => {};
  gateway.hold = new Promise((resolve) => (release = resolve));
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  await place(page, 'red', 300, 300);
  await waitDock(page, 'placing');
  const at = await onScreen(page, 300, 300);
  await away(page);
  assert.deepEqual(await shown(page, [at]), ['#ff4500']);
  assert.equal(gateway.tile(1, 1).seq, 0, 'nothing is placed yet');
  release(null);
  await waitDock(page, 'cooldown');
  await assertClock(page, () => gateway.left());
  await waitColor(page, 300, 300, 'red');
  await done(page);
});

test('no answer from the owner: stays pending, asks again, is placed once', async () => {
  const gateway = await gatewayWith();
  let asked = 0;
  gateway.answer = () => (asked++ < 2 ? { code: 7 } : null);
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  await place(page, 'red', 300, 300);
  await waitDock(page, 'cooldown');
  await waitColor(page, 300, 300, 'red');
  assert.equal(asked, 3);
  const nonces = gateway.said.filter((it) => it.type === 2).map((it) => it.data.readUInt32LE(6));
  assert.deepEqual(nonces, [1, 1, 1]);
  await done(page);
});

for (const [code, text] of /** @type {[number, RegExp][]} */ ([
  [3, /not in the palette/], [4, /outside the canvas/], [6, /too many people/], [8, /network have used their share/], [9, /locked/], [10, /may not draw/],
])) {
  test(`refusal ${code} is told in words, and the pixel goes back`, async () => {
    const gateway = await gatewayWith();
    gateway.answer = () => ({ code, waitMs: code === 8 || code === 6 ? 5000 : 0 });
    const page = await open(shared.browser, gateway.url + QUERY);
    await live(page);
    await place(page, 'red', 300, 300);
    await waitToast(page, text);
    await waitColor(page, 300, 300, 'white');
    await done(page);
  });
}

test('without a cooldown a pixel follows the other', async () => {
  const gateway = await gatewayWith({ cooldownMs: 0 });
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  await choose(page, 'red');
  for (let i = 0; i < 12; i++) {
    const at = await onScreen(page, 300 + i, 300);
    await page.mouse.click(at.x, at.y);
  }
  for (let i = 0; i < 12; i++) await waitColor(page, 300 + i, 300, 'red');
  await done(page);
});

test('from far away the first click goes nearer, the second places', async () => {
  const gateway = await gatewayWith();
  const page = await open(shared.browser, gateway.url);
  await live(page);
  await choose(page, 'red');
  await page.mouse.click(700, 400);
  await waitZoom(page, (zoom) => zoom > 10);
  // The address is where the view goes; this is where it is.
  await page.waitForFunction(() => Number(/[\d.]+/.exec(document.querySelector('#place-zoom')?.textContent ?? '')) > 10);
  assert.equal(draws(gateway), 0);
  await page.mouse.click(700, 400);
  await waitDock(page, 'cooldown');
  assert.equal(draws(gateway), 1);
  await done(page);
});

test('confirmed always, the first click aims and the second one places; on touch never, a tap is enough', async () => {
  const gateway = await gatewayWith({ cooldownMs: 0 });
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  await page.click('#menu');
  await page.check('#confirm-always', { force: true });
  await page.keyboard.press('Escape');
  await page.reload();
  await live(page);
  await choose(page, 'red');
  const at = await onScreen(page, 300, 300);
  await page.mouse.click(at.x, at.y);
  await waitDock(page, 'aim');
  await page.waitForSelector('#confirm:enabled', { state: 'visible' });
  assert.equal(draws(gateway), 0);
  await page.mouse.click(at.x, at.y);
  await waitColor(page, 300, 300, 'red');
  assert.equal(draws(gateway), 1);
  await done(page);

  const phone = await open(shared.browser, gateway.url + QUERY, PHONE);
  await live(phone);
  await phone.tap('#menu');
  await phone.check('#confirm-never', { force: true });
  await phone.tap('#menu-sheet .close');
  await phone.keyboard.press('5');
  await waitDock(phone, 'color');
  const there = await onScreen(phone, 303, 300);
  await phone.touchscreen.tap(there.x, there.y);
  await phone.waitForSelector('#confirm', { state: 'hidden' });
  await until(() => draws(gateway) >= 2);
  assert.equal(gateway.tile(1, 1).px[(300 % 256) * 256 + (303 % 256)], 4);
  await done(phone);
});

test('the right button takes back, the middle one and C pick up a color', async () => {
  const gateway = await gatewayWith();
  gateway.place(302, 300, 14);
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  const blue = await onScreen(page, 302, 300);
  await page.mouse.click(blue.x, blue.y, { button: 'middle' });
  await waitDock(page, 'color');
  assert.equal(await page.textContent('#turn-title'), 'blue');
  await page.mouse.click(blue.x, blue.y, { button: 'right' });
  await waitDock(page, 'idle');
  await page.keyboard.press('c');
  await waitDock(page, 'color');
  assert.equal(draws(gateway), 0);
  await done(page);
});

test('the wait counts in the title, and its end is told as it was wished', async () => {
  const gateway = await gatewayWith({ cooldownMs: 2500 });
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  await page.evaluate(() => {
    const told = /** @type {string[]} */ ((/** @type {any} */ (window).told = []));
    const titles = /** @type {string[]} */ ((/** @type {any} */ (window).titles = []));
    new MutationObserver(() => titles.push(document.title)).observe(/** @type {Element} */ (document.querySelector('title')), { childList: true });
    document.hasFocus = () => false;
    navigator.vibrate = () => true;
    const note = class {
      static permission = 'granted';
      static requestPermission = async () => 'granted';
      constructor(/** @type {string} */ title, /** @type {any} */ { body }) {
        told.push(`${title}: ${body}`);
      }
    };
    Object.assign(window, { Notification: note });
    const { resume } = AudioContext.prototype;
    AudioContext.prototype.resume = function () {
      return (/** @type {any} */ (window).resumed = resume.call(this));
    };
    const { start } = OscillatorNode.prototype;
    OscillatorNode.prototype.start = function (...when) {
      told.push('a tone');
      start.apply(this, when);
    };
  });
  await page.click('#menu');
  await page.check('#set-sound');
  await page.check('#set-notify');
  await page.keyboard.press('Escape');
  // What was to be heard once, as a sample, has been.
  await page.waitForFunction(() => /** @type {any} */ (window).resumed);
  await page.evaluate(() => /** @type {any} */ (window).resumed.then(() => new Promise((resolve) => setTimeout(resolve))));
  await page.evaluate(() => (/** @type {any} */ (window).told.length = 0));
  await place(page, 'red', 300, 300);
  await page.waitForFunction(() => document.title === '● Your turn · Tessera');
  const titles = await page.evaluate(() => /** @type {any} */ (window).titles);
  assert.ok(titles.some((/** @type {string} */ it) => /^0:0\d · Tessera$/.test(it)), String(titles));
  await page.waitForFunction(() => /** @type {any} */ (window).told.length >= 3);
  assert.deepEqual((await page.evaluate(() => /** @type {any} */ (window).told)).sort(), [
    'Tessera: You can place a pixel.', 'a tone', 'a tone',
  ]);
  await page.evaluate(() => window.dispatchEvent(new Event('focus')));
  await page.waitForFunction(() => document.title === 'Tessera');
  await done(page);
});
