// What the page says of itself: every state has its face, and nothing fails silently.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertClock, DESK, live, NETWORK, open, openIn, place, waitColor, waitDock, waitFace, waitToast, words } from './browser.mjs';
import { QUERY, RED, done, gatewayWith, shared, until } from './fixture.mjs';
import { PALETTE } from './scene.mjs';

test('read-only has its face, and comes to an end', async () => {
  const gateway = await gatewayWith();
  const page = await open(shared.browser, gateway.url + QUERY);
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
  const page = await open(shared.browser, gateway.url);
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
  const page = await open(shared.browser, gateway.url);
  await page.getByRole('alertdialog').waitFor();
  assert.match(await page.innerText('#veil-text'), /does not accept visitors/);
  await done(page, NETWORK);
});

test('a new page is fetched when the gateway asks for it', async () => {
  const gateway = await gatewayWith();
  const page = await open(shared.browser, gateway.url);
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
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  await page.evaluate(() => {
    new MutationObserver(() => (document.documentElement.dataset.faces += ` ${document.querySelector('#status')?.getAttribute('data-face')}`)).observe(
      /** @type {Element} */ (document.querySelector('#status')), { attributes: true, attributeFilter: ['data-face'] });
  });
  const before = gateway.said.length;
  const [old] = gateway.clients;
  gateway.move(50);
  await until(() => gateway.clients.size === 1 && !gateway.clients.has(old));
  assert.equal(gateway.said.slice(before).filter((it) => it.type === 1).length, 1);
  gateway.place(300, 300, RED);
  await waitColor(page, 300, 300, 'red');
  assert.doesNotMatch(await page.evaluate(() => document.documentElement.dataset.faces ?? ''), /waiting|connecting/);
  await done(page);
});

test('canvas and palette grow, and the cooldown changes, without a reload', async () => {
  const gateway = await gatewayWith({ palette: PALETTE.slice(0, 8), width: 300, height: 300 });
  const page = await open(shared.browser, `${gateway.url}?x=290&y=150&zoom=20`);
  await live(page);
  assert.equal(await page.locator('.swatch').count(), 8);
  Object.assign(gateway, { palette: PALETTE, width: 600, cooldownMs: 90000 });
  gateway.config();
  await waitToast(page, 'grown to 600 × 300');
  assert.equal(await page.locator('.swatch').count(), 32);
  await place(page, 'black', 305, 150);
  await waitColor(page, 305, 150, 'black');
  await waitDock(page, 'cooldown');
  await assertClock(page, () => gateway.left());
  await done(page);
});

test('the status counts people, and says when it counts seconds', async () => {
  const gateway = await gatewayWith();
  const page = await open(shared.browser, gateway.url);
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

test('a server that restarts, one that is full, one that wants no more newcomers: each has its face', async () => {
  const gateway = await gatewayWith();
  const context = await shared.browser.newContext({ serviceWorkers: 'block', ...DESK });
  await context.clock.install();
  const page = await openIn(context, gateway.url);
  /** Attempt after attempt, without the waiting between them. @param {string} face @param {RegExp} text */
  const comesTo = async (face, text) => {
    const there = () => page.evaluate(() => [document.querySelector('#status')?.getAttribute('data-face'), document.querySelector('#state-text')?.textContent]);
    for (let i = 0; i < 200; i++) {
      const [shown, said] = await there();
      if (shown === face && text.test(said ?? '')) return;
      await context.clock.fastForward(1000);
      await new Promise((done) => setTimeout(done, 50));
    }
    assert.deepEqual(await there(), [face, text]);
  };
  await live(page);
  gateway.acceptSockets = false;
  gateway.closeAll(1001);
  await waitFace(page, 'restarting');
  assert.match(await words(page), /^The server is restarting/);
  gateway.acceptSockets = true;
  await live(page);
  gateway.acceptSockets = false;
  gateway.closeAll(4005);
  await waitFace(page, 'refused');
  assert.match(await words(page), /^The server is full/);
  gateway.sessionStatus = 429;
  await comesTo('refused', /Too many newcomers/);
  gateway.sessionStatus = 200;
  gateway.acceptSockets = true;
  await comesTo('live', /online|Just you/);
  await done(page, NETWORK);
});

test('a browser that keeps no cookie: the canvas is there, and why nobody is let in is said', async () => {
  const gateway = await gatewayWith({ px: new Uint8Array(1000 * 1000).fill(7) });
  Object.assign(gateway, { acceptSockets: false, meStatus: 401 });
  const page = await open(shared.browser, gateway.url + QUERY);
  await waitFace(page, 'refused');
  assert.equal(await words(page), 'This browser blocks cookies');
  await waitToast(page, 'Allow it for this site');
  await waitColor(page, 300, 300, 'dark green');
  await done(page, NETWORK);
});

test('what the operators say is shown at once, can be put away, and goes when it is over', async () => {
  const gateway = await gatewayWith();
  gateway.announcement = 'Welcome, everybody.';
  const page = await open(shared.browser, gateway.url);
  await live(page);
  const shown = page.locator('#announcement-text');
  await shown.filter({ hasText: 'Welcome, everybody.' }).waitFor();
  gateway.announce('<b>Tonight</b> the canvas grows.');
  await shown.filter({ hasText: '<b>Tonight</b> the canvas grows.' }).waitFor();
  await page.click('#announcement-close');
  await shown.waitFor({ state: 'hidden' });
  gateway.announce('Now!');
  await shown.filter({ hasText: 'Now!' }).waitFor();
  gateway.announce('');
  await shown.waitFor({ state: 'hidden' });
  await done(page);
});

test('who was erased is told, and goes on as somebody new only when that is wished', async () => {
  const gateway = await gatewayWith();
  const page = await open(shared.browser, gateway.url);
  await live(page);
  gateway.closeAll(4007);
  await page.getByRole('alertdialog').waitFor();
  assert.match(await page.innerText('#veil-text'), /You were erased/);
  assert.equal(gateway.fresh, 0);
  const loaded = page.waitForEvent('load');
  await page.click('#veil-reload');
  await loaded;
  await live(page);
  assert.equal(gateway.fresh, 1);
  await done(page);
});
