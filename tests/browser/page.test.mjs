// The page draws what is there, with each of its renderers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { away, launch, live, onScreen, open, shown, waitColor } from './browser.mjs';
import { done, gatewayWith, QUERY, RED, shared } from './fixture.mjs';

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
    await away(page);
    const near = [[300, 300], [270, 310], [330, 290]];
    const points = await Promise.all(near.map(([x, y]) => onScreen(page, x, y)));
    assert.deepEqual(await shown(page, points), ['#00a368', '#00a368', '#00a368']);
    gateway.place(300, 300, RED);
    gateway.place(301, 300, 5);
    for (let i = 0; i < 40; i++) gateway.place(270 + (i % 8), 310 + Math.floor(i / 8), 14);
    await waitColor(page, 301, 300, 'yellow');
    await away(page);
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
 * @param {import('./browser.mjs').Page} page @param {import('./fake-gateway.mjs').FakeGateway} gateway
 */
async function drawnInPartsIsDrawnWhole(page, gateway) {
  for (let i = 0; i < 300; i++) gateway.place(286 + ((i * 7) % 29), 290 + ((i * 11) % 23), (i * 5) % 32);
  gateway.place(300, 300, RED);
  await waitColor(page, 300, 300, 'red');
  await away(page);
  const settled = () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await settled();
  const clip = { x: 420, y: 150, width: 600, height: 250 };
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
  const page = await open(shared.browser, gateway.url);
  await live(page);
  assert.equal(await page.getAttribute('html', 'data-renderer'), 'canvas2d');
  await done(page);
});

test('a graphics device that was lost comes back with everything on it', async () => {
  const gateway = await gatewayWith({ px: new Uint8Array(1000 * 1000).fill(11) });
  const page = await open(shared.browser, `${gateway.url + QUERY}&renderer=webgl2`);
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
  await away(page);
  const at = await onScreen(page, 300, 300);
  assert.deepEqual(await shown(page, [at, { x: at.x + 60, y: at.y }]), ['#ff4500', '#009eaa']);
  await done(page, /CONTEXT_LOST|context lost/i);
});
