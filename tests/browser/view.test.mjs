// Looking around: zooming, links, the map, the heat.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { live, onScreen, open, PHONE, place, waitColor, waitToast } from './browser.mjs';
import { QUERY, RED, done, gatewayWith, shared, until, waitZoom } from './fixture.mjs';

test('a large canvas opens at a place, watches what is in view, and never more than allowed', async () => {
  const gateway = await gatewayWith({ width: 65536, height: 65536 });
  gateway.tile(156, 78).px.fill(RED);
  Object.assign(gateway.tile(156, 78), { seq: 5, epoch: gateway.epoch });
  const page = await open(shared.browser, `${gateway.url}?x=40000&y=20000&zoom=8`);
  await live(page);
  await waitColor(page, 40000, 20000, 'red');
  gateway.place(40001, 20000, 14);
  await waitColor(page, 40001, 20000, 'blue');
  for (let i = 0; i < 12; i++) await page.mouse.wheel(0, 240);
  await page.waitForFunction(() => Number(new URLSearchParams(location.search).get('zoom')) < 1);
  const most = () => Math.max(...gateway.said.filter((it) => it.type === 1 || it.type === 3).map((it) => it.data.readUInt16LE(2)));
  await until(() => most() > 100);
  gateway.place(40100, 20040, 14);
  assert.ok(most() <= 256, String(most()));
  await done(page);
});

test('pinch zooms where the fingers are', async () => {
  const gateway = await gatewayWith();
  const page = await open(shared.browser, `${gateway.url}?x=300&y=300&zoom=4`, PHONE);
  await live(page);
  const session = await page.context().newCDPSession(page);
  const touch = (/** @type {string} */ type, /** @type {number[][]} */ points) =>
    session.send('Input.dispatchTouchEvent', { type: /** @type {any} */ (type), touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
  await touch('touchStart', [[150, 400], [240, 400]]);
  for (let i = 1; i <= 10; i++) await touch('touchMove', [[150 - 9 * i, 400], [240 + 9 * i, 400]]);
  await touch('touchEnd', []);
  await waitZoom(page, (zoom) => Math.abs(zoom - 12) < 0.1);
  await done(page);
});

test('links of the older sites open at their place, and one that names no place here says so', async () => {
  const gateway = await gatewayWith();
  const page = await open(shared.browser, gateway.url);
  for (const [link, where] of [
    ['?cx=412&cy=87&px=17', '412, 87 · 17×'], ['#x=10&y=20&scale=20', '10, 20 · 20×'], ['#d,-100,50,40', '400, 550 · 16×'],
  ]) {
    await live(page);
    await page.goto(gateway.url + link); // another query or none, so always another document
    await live(page);
    await page.waitForFunction((text) => document.querySelector('#place-text')?.textContent?.replaceAll('\u00a0', ' ').replace(/ +/g, ' ') === text, where);
    await page.waitForURL((url) => url.searchParams.has('zoom') && url.hash === '' && !url.searchParams.has('cx'));
  }
  await page.goto(`${gateway.url}?lat=48.2&lng=16.4&zoom=15`);
  await waitToast(page, /map of the world/);
  await done(page);
});

test('the map shows all there is, and takes the view to where it is tapped', async () => {
  const px = new Uint8Array(1000 * 1000).fill(7);
  const gateway = await gatewayWith({ px });
  const page = await open(shared.browser, gateway.url);
  await live(page);
  assert.equal(await page.isVisible('#map'), false, 'all of it is in view');
  await page.goto(gateway.url + QUERY);
  await live(page);
  await page.waitForSelector('#map:not(.away)');
  await page.waitForFunction(() => document.getAnimations().length === 0);
  await page.waitForFunction(() => {
    const map = /** @type {HTMLCanvasElement} */ (document.querySelector('#map-canvas'));
    return map.getContext('2d')?.getImageData(map.width - 1, map.height - 1, 1, 1).data.join() === '0,163,104,255';
  });
  const box = /** @type {{ x: number, y: number, width: number, height: number }} */ (await page.locator('#map-canvas').boundingBox());
  await page.mouse.click(box.x + box.width * 0.8, box.y + box.height * 0.6);
  await page.waitForURL((url) => Math.abs(Number(url.searchParams.get('x')) - 800) < 8 && Math.abs(Number(url.searchParams.get('y')) - 600) < 8);
  await page.keyboard.press('m');
  await page.waitForSelector('#map', { state: 'hidden' });
  await page.reload();
  await live(page);
  assert.equal(await page.isVisible('#map'), false, 'as it was chosen');
  await done(page, /willReadFrequently/);
});

test('the heat leaves bright where people draw, by the server\'s sums and by what is seen', async () => {
  const gateway = await gatewayWith();
  gateway.heat = [[0, 0, 500]];
  const page = await open(shared.browser, gateway.url);
  await live(page);
  await page.waitForURL((url) => url.searchParams.has('zoom'));
  await page.keyboard.press('h');
  /** How dark it is over a pixel of the canvas, 0 to 255. */
  const dark = async (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ least, /** @type {number} */ most) => {
    const at = await onScreen(page, x, y);
    await page.waitForFunction(([left, top, from, to]) => {
      const layer = /** @type {HTMLCanvasElement} */ (document.querySelector('#heat'));
      const alpha = layer.getContext('2d')?.getImageData(left, top, 1, 1).data[3] ?? -1;
      return alpha >= from && alpha <= to;
    }, [Math.round(at.x), Math.round(at.y), least, most]);
  };
  await dark(100, 100, 0, 90);
  await dark(900, 900, 140, 255);
  await dark(400, 600, 140, 255);
  for (let i = 0; i < 300; i++) gateway.place(400 + (i % 8), 600 + (i % 7), i % 2);
  await dark(408, 600, 0, 110);
  await page.click('#heat-toggle');
  await page.waitForFunction(() => document.querySelector('#heat-toggle')?.getAttribute('aria-pressed') === 'false');
  await page.waitForFunction(() => getComputedStyle(/** @type {Element} */ (document.querySelector('#heat'))).opacity === '0');
  await done(page, /willReadFrequently/);
});

test('a wheel that counts lines zooms like one that counts pixels, around the mouse; keys move and zoom', async () => {
  const gateway = await gatewayWith();
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  const turn = (/** @type {number} */ deltaY, /** @type {number} */ deltaMode) =>
    page.evaluate(([y, mode]) => document.querySelector('#canvas')?.dispatchEvent(
      new WheelEvent('wheel', { deltaY: y, deltaMode: mode, clientX: 400, clientY: 300, cancelable: true })), [deltaY, deltaMode]);
  await turn(-99, 0);
  await waitZoom(page, (zoom) => Math.abs(zoom - 24.9) < 0.3);
  await turn(3, 1);
  await waitZoom(page, (zoom) => Math.abs(zoom - 20) < 0.3);
  assert.equal(new URL(page.url()).searchParams.get('x'), '300', 'the pixel under the mouse stays there');
  // A pinch on the trackpad of a Mac, as Safari tells of it.
  const pinch = (/** @type {string} */ type, /** @type {number} */ scale) => page.evaluate(([name, by]) => document.querySelector('#canvas')?.dispatchEvent(
    Object.assign(new MouseEvent(name, { clientX: 400, clientY: 300, cancelable: true }), { scale: by })), /** @type {[string, number]} */ ([type, scale]));
  await pinch('gesturestart', 1);
  await pinch('gesturechange', 1.25);
  await pinch('gesturechange', 1.5);
  await waitZoom(page, (zoom) => Math.abs(zoom - 30) < 0.3);
  await pinch('gesturestart', 1);
  await pinch('gesturechange', 2 / 3);
  await waitZoom(page, (zoom) => Math.abs(zoom - 20) < 0.3);
  await page.keyboard.press('ArrowRight');
  await page.waitForURL((url) => url.searchParams.get('x') === '304');
  await page.keyboard.down('d');
  await page.waitForFunction(() => !document.querySelector('#place-text')?.textContent?.startsWith('304,'));
  await page.keyboard.up('d');
  await page.waitForURL((url) => Number(url.searchParams.get('x')) > 304);
  await page.keyboard.press('+');
  await waitZoom(page, (zoom) => Math.abs(zoom - 30) < 0.5);
  await page.keyboard.press('Home');
  await waitZoom(page, (zoom) => zoom < 1);
  await done(page);
});
