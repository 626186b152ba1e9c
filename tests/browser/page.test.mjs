// The page against a made-up gateway, for what a real one does only in bad hours, and for what can be seen.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { choose, DESK, launch, live, NETWORK, onScreen, open, PHONE, place, shown, waitColor, waitDock, waitFace, waitToast, words } from './browser.mjs';
import { FakeGateway } from './fake-gateway.mjs';
import { PALETTE } from './scene.mjs';

const axe = createRequire(import.meta.url)('axe-core');

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {FakeGateway[]} */
const gateways = [];

before(async () => {
  browser = await launch();
});
after(async () => {
  await browser?.close();
  for (const gateway of gateways) await gateway.close();
});

/** @param {ConstructorParameters<typeof FakeGateway>[0]} [options] */
async function gatewayWith(options) {
  const gateway = new FakeGateway(options);
  gateways.push(gateway);
  await gateway.listen();
  return gateway;
}

/** @param {import('./browser.mjs').Page} page @param {RegExp} [expected] problems that belong to the test */
async function done(page, expected = /^$/) {
  assert.deepEqual(page.problems.filter((it) => !expected.test(it)), []);
  await page.context().close();
}

const QUERY = '?x=300&y=300&zoom=20';
const RED = 3;

for (const [name, flags] of /** @type {[string, string[]][]} */ ([['webgl2', []], ['canvas2d', ['--disable-3d-apis']]])) {
  test(`${name}: what is drawn is what is there, near and far`, async () => {
    const own = await launch(flags);
    const px = new Uint8Array(600 * 600);
    for (let y = 0; y < 600; y++) for (let x = 0; x < 600; x++) px[y * 600 + x] = x >= 200 && x < 400 ? 7 : (x + y) % 2 === 0 ? 28 : 0;
    const gateway = await gatewayWith({ width: 600, height: 600, px });
    const wish = `renderer=${name}`;
    const page = await open(own, `${gateway.url}?x=300&y=300&zoom=20&${wish}`, { viewport: { width: 1300, height: 760 } });
    await live(page);
    assert.equal(await page.getAttribute('html', 'data-renderer'), name);
    await page.mouse.move(5, 450);
    const near = [[300, 300], [270, 310], [330, 290]];
    const points = await Promise.all(near.map(([x, y]) => onScreen(page, x, y)));
    await page.waitForFunction(() => document.getAnimations().length === 0); // the canvas has faded in
    assert.deepEqual(await shown(page, points), ['#00a368', '#00a368', '#00a368']);
    gateway.place(300, 300, RED);
    gateway.place(301, 300, 5);
    for (let i = 0; i < 40; i++) gateway.place(270 + (i % 8), 310 + Math.floor(i / 8), 14);
    await waitColor(page, 301, 300, 'yellow');
    await page.mouse.move(5, 450);
    assert.deepEqual(await shown(page, points), ['#ff4500', '#3690ea', '#00a368']);
    // Far out, black and white squares are a gray of half the light.
    await page.goto(`${gateway.url}?x=300&y=300&zoom=0.9&${wish}`);
    await live(page);
    await page.waitForFunction(() => document.getAnimations().length === 0);
    const [left, middle] = await shown(page, [await onScreen(page, 100.4, 300.4), await onScreen(page, 350, 350)]);
    assert.equal(middle, '#00a368');
    const gray = parseInt(left.slice(1, 3), 16);
    assert.ok(gray > 90 && gray < 220, left);
    await drawnInPartsIsDrawnWhole(page, gateway);
    assert.deepEqual(page.problems, []);
    await own.close();
  });
}

/**
 * An update draws its own pixels only: what is on the screen then is what drawing all of it gives.
 * @param {import('./browser.mjs').Page} page @param {FakeGateway} gateway
 */
async function drawnInPartsIsDrawnWhole(page, gateway) {
  for (let i = 0; i < 300; i++) gateway.place(286 + ((i * 7) % 29), 290 + ((i * 11) % 23), (i * 5) % 32);
  gateway.place(300, 300, RED);
  await waitColor(page, 300, 300, 'red');
  await page.mouse.move(5, 450);
  const settled = () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await settled();
  const clip = { x: 420, y: 150, width: 600, height: 250 }; // beside the card of what is under the mouse
  const parts = await page.screenshot({ clip });
  await page.emulateMedia({ colorScheme: 'dark' });
  await settled();
  await page.emulateMedia({ colorScheme: null });
  await settled();
  await page.waitForFunction(() => document.getAnimations().length === 0);
  assert.ok(parts.equals(await page.screenshot({ clip })), 'drawn whole it is another picture');
}

test('without a graphics device the processor draws by itself, which is faster than WebGL in software', async () => {
  const gateway = await gatewayWith();
  const page = await open(browser, gateway.url);
  await live(page);
  assert.equal(await page.getAttribute('html', 'data-renderer'), 'canvas2d');
  await done(page);
});

test('a graphics device that was lost comes back with everything on it', async () => {
  const gateway = await gatewayWith({ px: new Uint8Array(1000 * 1000).fill(11) });
  const page = await open(browser, `${gateway.url + QUERY}&renderer=webgl2`);
  await live(page);
  await page.evaluate(async () => {
    const gl = /** @type {HTMLCanvasElement} */ (document.querySelector('#canvas')).getContext('webgl2');
    const lose = gl?.getExtension('WEBGL_lose_context');
    lose?.loseContext();
    await new Promise((resolve) => setTimeout(resolve, 200));
    lose?.restoreContext();
  });
  gateway.place(300, 300, RED);
  await waitColor(page, 300, 300, 'red');
  await page.mouse.move(5, 450);
  const at = await onScreen(page, 300, 300);
  assert.deepEqual(await shown(page, [at, { x: at.x + 60, y: at.y }]), ['#ff4500', '#009eaa']);
  await done(page, /CONTEXT_LOST|context lost/i);
});

test('pending shows at once, and settles', async () => {
  const gateway = await gatewayWith();
  let release = (/** @type {any} */ _) => {};
  gateway.hold = new Promise((resolve) => (release = resolve));
  const page = await open(browser, gateway.url + QUERY);
  await live(page);
  await place(page, 'red', 300, 300);
  await waitDock(page, 'placing');
  const at = await onScreen(page, 300, 300);
  await page.mouse.move(5, 450);
  assert.deepEqual(await shown(page, [at]), ['#ff4500']);
  assert.equal(gateway.tile(1, 1).seq, 0, 'nothing is placed yet');
  release(null);
  await waitDock(page, 'cooldown');
  assert.equal(await page.innerText('#turn-title'), '5:00');
  await waitColor(page, 300, 300, 'red');
  await done(page);
});

test('no answer from the owner: stays pending, asks again, is placed once', async () => {
  const gateway = await gatewayWith();
  let asked = 0;
  gateway.answer = () => (asked++ < 2 ? { code: 7 } : null);
  const page = await open(browser, gateway.url + QUERY);
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
    const page = await open(browser, gateway.url + QUERY);
    await live(page);
    await place(page, 'red', 300, 300);
    await waitToast(page, text);
    await waitColor(page, 300, 300, 'white');
    await done(page);
  });
}

test('read-only has its face, and comes to an end', async () => {
  const gateway = await gatewayWith();
  const page = await open(browser, gateway.url + QUERY);
  await live(page);
  gateway.readOnly = true;
  gateway.status();
  await waitFace(page, 'read-only');
  await waitDock(page, 'blocked');
  await place(page, 'red', 300, 300);
  await waitToast(page, /read-only/);
  gateway.readOnly = false;
  gateway.status();
  await live(page);
  await waitDock(page, 'color');
  await done(page);
});

test('a server that does not understand the page: it stops and says so', async () => {
  const gateway = await gatewayWith();
  const page = await open(browser, gateway.url);
  await live(page);
  gateway.closeAll(4002);
  await page.getByRole('alertdialog').waitFor();
  assert.match(await page.innerText('#veil-text'), /reload/);
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'veil-reload');
  await done(page);
});

test('a server that refuses the origin: it stops and says so', async () => {
  const gateway = await gatewayWith();
  gateway.sessionStatus = 403;
  const page = await open(browser, gateway.url);
  await page.getByRole('alertdialog').waitFor();
  assert.match(await page.innerText('#veil-text'), /does not accept visitors/);
  await done(page, NETWORK);
});

test('a new page is fetched when the gateway asks for it', async () => {
  const gateway = await gatewayWith();
  const page = await open(browser, gateway.url);
  await live(page);
  const loaded = page.waitForEvent('load');
  gateway.closeAll(4006);
  await loaded;
  await live(page);
  gateway.closeAll(4006);
  await page.getByRole('alertdialog').waitFor();
  assert.match(await page.innerText('#veil-text'), /new page/);
  await done(page);
});

test('moving to another gateway is not seen', async () => {
  const gateway = await gatewayWith();
  const page = await open(browser, gateway.url + QUERY);
  await live(page);
  await page.evaluate(() => {
    new MutationObserver(() => (document.documentElement.dataset.faces += ` ${document.querySelector('#status')?.getAttribute('data-face')}`)).observe(
      /** @type {Element} */ (document.querySelector('#status')), { attributes: true, attributeFilter: ['data-face'] });
  });
  const before = gateway.said.length;
  gateway.move(50);
  await page.waitForTimeout(600);
  assert.equal(gateway.said.slice(before).filter((it) => it.type === 1).length, 1);
  assert.equal(gateway.clients.size, 1);
  gateway.place(300, 300, RED);
  await waitColor(page, 300, 300, 'red');
  assert.doesNotMatch(await page.evaluate(() => document.documentElement.dataset.faces ?? ''), /waiting|connecting/);
  await done(page);
});

test('canvas and palette grow, and the cooldown changes, without a reload', async () => {
  const gateway = await gatewayWith({ palette: PALETTE.slice(0, 8), width: 300, height: 300 });
  const page = await open(browser, `${gateway.url}?x=290&y=150&zoom=20`);
  await live(page);
  assert.equal(await page.locator('.swatch').count(), 8);
  Object.assign(gateway, { palette: PALETTE, width: 600, cooldownMs: 90000 });
  gateway.config();
  await waitToast(page, 'grown to 600 × 300');
  assert.equal(await page.locator('.swatch').count(), 32);
  await place(page, 'black', 305, 150);
  await waitColor(page, 305, 150, 'black');
  await waitDock(page, 'cooldown');
  assert.match(await page.innerText('#turn-title'), /^1:(30|2\d)$/);
  await done(page);
});

test('a large canvas opens at a place, watches what is in view, and never more than allowed', async () => {
  const gateway = await gatewayWith({ width: 65536, height: 65536 });
  gateway.tile(156, 78).px.fill(RED);
  Object.assign(gateway.tile(156, 78), { seq: 5, epoch: gateway.epoch });
  const page = await open(browser, `${gateway.url}?x=40000&y=20000&zoom=8`);
  await live(page);
  await waitColor(page, 40000, 20000, 'red');
  gateway.place(40001, 20000, 14);
  await waitColor(page, 40001, 20000, 'blue');
  for (let i = 0; i < 12; i++) await page.mouse.wheel(0, 240);
  await page.waitForFunction(() => Number(new URLSearchParams(location.search).get('zoom')) < 1);
  const counts = gateway.said.filter((it) => it.type === 1 || it.type === 3).map((it) => it.data.readUInt16LE(2));
  assert.ok(Math.max(...counts) <= 256 && Math.max(...counts) > 100, String(counts));
  gateway.place(40100, 20040, 14);
  await done(page);
});

test('without a cooldown a pixel follows the other', async () => {
  const gateway = await gatewayWith({ cooldownMs: 0 });
  const page = await open(browser, gateway.url + QUERY);
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
  const page = await open(browser, gateway.url);
  await live(page);
  await choose(page, 'red');
  await page.mouse.click(700, 400);
  await page.waitForTimeout(900);
  assert.equal(gateway.said.filter((it) => it.type === 2).length, 0);
  await page.mouse.click(700, 400);
  await waitDock(page, 'cooldown');
  assert.equal(gateway.said.filter((it) => it.type === 2).length, 1);
  await done(page);
});

test('pinch zooms where the fingers are', async () => {
  const gateway = await gatewayWith();
  const page = await open(browser, `${gateway.url}?x=300&y=300&zoom=4`, PHONE);
  await live(page);
  const session = await page.context().newCDPSession(page);
  const touch = (/** @type {string} */ type, /** @type {number[][]} */ points) =>
    session.send('Input.dispatchTouchEvent', { type: /** @type {any} */ (type), touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
  await touch('touchStart', [[150, 400], [240, 400]]);
  for (let i = 1; i <= 10; i++) await touch('touchMove', [[150 - 9 * i, 400], [240 + 9 * i, 400]]);
  await touch('touchEnd', []);
  await page.waitForFunction(() => Number(new URLSearchParams(location.search).get('zoom')) > 10);
  const at = new URL(page.url()).searchParams;
  assert.ok(Math.abs(Number(at.get('zoom')) - 12) < 0.1, page.url());
  await done(page);
});

for (const [name, options] of /** @type {[string, any][]} */ ([['desk', DESK], ['phone', PHONE]])) {
  test(`${name}: nothing overlaps, nothing leaves the screen, targets can be hit`, async () => {
    const gateway = await gatewayWith();
    const page = await open(browser, gateway.url, options);
    await live(page);
    if (name === 'phone') await page.tap('#turn');
    await page.waitForTimeout(500);
    const { boxes, targets, size } = await page.evaluate(() => {
      const visible = (/** @type {Element} */ it) => it.getClientRects().length > 0;
      const box = (/** @type {Element} */ it) => {
        const { left, top, right, bottom } = it.getBoundingClientRect();
        return { name: it.id || it.className, left, top, right, bottom };
      };
      return {
        boxes: [...document.querySelectorAll('.panel')].filter(visible).map(box),
        targets: [...document.querySelectorAll('button, .swatch')].filter(visible).map(box),
        size: { width: innerWidth, height: innerHeight },
      };
    });
    for (const it of boxes) {
      assert.ok(it.left >= 0 && it.top >= 0 && it.right <= size.width && it.bottom <= size.height, `${it.name} leaves the screen`);
      for (const other of boxes) {
        if (other === it) continue;
        const apart = other.left >= it.right || other.right <= it.left || other.top >= it.bottom || other.bottom <= it.top;
        assert.ok(apart, `${it.name} overlaps ${other.name}`);
      }
    }
    for (const it of targets) {
      const least = name === 'phone' ? 38 : 28;
      assert.ok(it.right - it.left >= least && it.bottom - it.top >= least, `${it.name}: ${it.right - it.left} x ${it.bottom - it.top}`);
    }
    await done(page);
  });
}

for (const colorScheme of ['light', 'dark']) {
  for (const [name, options] of /** @type {[string, any][]} */ ([['desk', DESK], ['phone', PHONE]])) {
    test(`axe finds nothing: ${name}, ${colorScheme}`, async () => {
      const gateway = await gatewayWith();
      const page = await open(browser, gateway.url + QUERY, { ...options, colorScheme });
      await live(page);
      const found = async () => {
        const { violations } = await page.evaluate(() => /** @type {any} */ (window).axe.run());
        return violations.map((/** @type {any} */ it) => `${it.id}: ${it.nodes.map((/** @type {any} */ node) => node.html).join(' ')}`);
      };
      await page.evaluate(axe.source);
      assert.deepEqual(await found(), [], 'at rest');
      if (name === 'phone') await page.tap('#turn');
      await page.keyboard.press('4');
      await page.keyboard.press('ArrowRight');
      await waitDock(page, 'aim');
      await page.waitForTimeout(600);
      assert.deepEqual(await found(), [], 'aiming');
      gateway.readOnly = true;
      gateway.status();
      await waitDock(page, 'blocked');
      await page.keyboard.press('Enter');
      await waitToast(page, /read-only/);
      await page.waitForTimeout(600);
      assert.deepEqual(await found(), [], 'refused');
      gateway.closeAll(4002);
      await page.getByRole('alertdialog').waitFor();
      assert.deepEqual(await found(), [], 'stopped');
      await done(page);
    });
  }
}

test('the status counts people, and says when it counts seconds', async () => {
  const gateway = await gatewayWith();
  const page = await open(browser, gateway.url);
  await live(page);
  gateway.online = 12345;
  gateway.status();
  await page.waitForFunction(() => document.querySelector('#state-text')?.textContent === '12,345 online');
  gateway.acceptSockets = false;
  gateway.cut();
  await waitFace(page, 'waiting');
  await page.waitForFunction(() => /canvas as of \d+ s ago/.test(document.querySelector('#state-text')?.textContent ?? ''));
  await page.context().setOffline(true);
  await waitFace(page, 'offline');
  assert.match(await words(page), /You are offline/);
  gateway.acceptSockets = true;
  await page.context().setOffline(false);
  await live(page);
  await done(page, NETWORK);
});
