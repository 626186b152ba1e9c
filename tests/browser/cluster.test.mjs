// The page against a real cluster: two shards, two gateways, one Redis.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { choose, DESK, launch, live, NETWORK, onScreen, open, openIn, PHONE, place, settled, waitColor, waitDock, waitFace, waitToast, words } from './browser.mjs';
import { Cluster } from './cluster.mjs';

const COOLDOWN = 8000;
/** @type {Cluster} */
let cluster;
/** @type {import('playwright-core').Browser} */
let browser;
let column = 0;

before(async () => {
  cluster = await Cluster.start({ options: [`--cooldown=${COOLDOWN}ms`, '--guests-per-address=0'] });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await cluster?.stop();
});

/** A fresh place for each test; both gateways own the same canvas. */
function spot() {
  column += 40;
  return { x: 100 + column, y: 300, query: `?x=${100 + column}&y=300&zoom=20` };
}

/** @param {import('./browser.mjs').Page[]} pages */
async function done(...pages) {
  for (const page of pages) {
    assert.deepEqual(page.problems, []);
    await page.context().close();
  }
}

test('one places, another sees it, a third that comes later sees it too', async () => {
  const { x, y, query } = spot();
  const [one, other] = await Promise.all([
    open(browser, cluster.gateways[0].url + query),
    open(browser, cluster.gateways[1].url + query),
  ]);
  await Promise.all([live(one), live(other)]);
  await place(one, 'red', x, y);
  await waitDock(one, 'cooldown');
  await waitColor(other, x, y, 'red');
  await waitColor(one, x, y, 'red');
  const third = await open(browser, cluster.gateways[1].url + query);
  await waitColor(third, x, y, 'red'); // which the page shows before its socket is open
  await live(third);
  await third.waitForFunction(() => /online|Just you/.test(document.querySelector('#state-text')?.textContent ?? ''));
  await done(one, other, third);
});

/** Speaks the protocol from inside the page, past all of its manners. @param {import('./browser.mjs').Page} page */
const drawByScript = (page, /** @type {{ x: number, y: number, color: number }} */ draw) =>
  page.evaluate(async ({ x, y, color }) => {
    const url = new URL('ws', location.href);
    url.protocol = 'ws:';
    url.search = '';
    const asked = performance.now();
    const socket = new WebSocket(url, 'tessera.v1');
    socket.binaryType = 'arraybuffer';
    const next = (/** @type {number} */ type) =>
      new Promise((resolve, reject) => {
        socket.onclose = (event) => reject(new Error(`closed ${event.code}`));
        socket.onmessage = ({ data }) => {
          const view = new DataView(data);
          if (view.getUint8(0) === type) resolve(view);
        };
      });
    await new Promise((resolve) => (socket.onopen = resolve));
    const hello = new DataView(new ArrayBuffer(12));
    hello.setUint8(0, 1);
    hello.setBigUint64(4, 12345n, true);
    socket.send(hello);
    const welcome = await next(0x81);
    /** The earliest and the latest end of a wait that was told between `since` and now. */
    const end = (/** @type {number} */ since, /** @type {number} */ waitMs) => [since + waitMs, performance.now() + waitMs];
    const told = end(asked, welcome.getUint32(24, true));
    const drawn = performance.now();
    const bytes = new DataView(new ArrayBuffer(10));
    bytes.setUint8(0, 2);
    bytes.setUint8(1, color);
    bytes.setUint16(2, x, true);
    bytes.setUint16(4, y, true);
    bytes.setUint32(6, welcome.getUint32(20, true), true);
    socket.send(bytes);
    const verdict = await next(0x82);
    socket.onclose = null;
    socket.close();
    const waitMs = verdict.getUint32(16, true);
    return { code: verdict.getUint8(1), waitMs, told, end: end(drawn, waitMs) };
  }, draw);

test('a second draw within the cooldown is refused by the server, also to a script, with the exact wait', async () => {
  const { x, y, query } = spot();
  const page = await open(browser, cluster.gateways[0].url + query);
  const elsewhere = await openIn(page.context(), cluster.gateways[1].url + query);
  await Promise.all([live(page), live(elsewhere)]);
  await place(page, 'blue', x, y);
  await waitDock(page, 'cooldown');
  const refused = await drawByScript(page, { x: x + 1, y, color: 3 });
  assert.equal(refused.code, 1);
  assert.ok(refused.waitMs > 0 && refused.waitMs <= COOLDOWN, `${refused.waitMs} ms`);
  // The gateway, that lets in, and the shard, that refuses, mean the same moment.
  const apart = Math.max(refused.told[0] - refused.end[1], refused.end[0] - refused.told[1]);
  assert.ok(apart < 60, `${refused.told} and ${refused.end}`);
  // To the other gateway it is the same user: cookies know no ports.
  assert.equal((await drawByScript(elsewhere, { x: x + 1, y, color: 3 })).code, 1);
  // And after exactly that wait it is accepted.
  await page.waitForFunction((end) => performance.now() > end, refused.end[1] + 1);
  assert.equal((await drawByScript(page, { x: x + 1, y, color: 3 })).code, 0);
  await elsewhere.reload();
  await waitDock(elsewhere, 'cooldown');
  await waitColor(page, x + 1, y, 'red');
  await done(page);
});

test('a draw that the server refuses is rolled back, with the reason and the clock', async () => {
  const { x, y, query } = spot();
  const page = await open(browser, cluster.gateways[0].url + query);
  await live(page);
  // The same user elsewhere: the page cannot know of it.
  assert.equal((await drawByScript(page, { x: x + 2, y, color: 4 })).code, 0);
  await place(page, 'black', x, y);
  await waitToast(page, 'Too soon: your next pixel comes in a few seconds.');
  await waitDock(page, 'cooldown');
  await waitColor(page, x, y, 'white');
  await waitColor(page, x + 2, y, 'orange');
  await done(page);
});

test('killed gateway: the page says so, comes back by itself, and has what it missed', async () => {
  const { x, y, query } = spot();
  const [page, other] = await Promise.all([
    open(browser, cluster.gateways[0].url + query),
    open(browser, cluster.gateways[1].url + query),
  ]);
  await Promise.all([live(page), live(other)]);
  await page.evaluate(() => (document.documentElement.dataset.mark = 'same page'));
  await cluster.end(cluster.gateways[0], 'SIGKILL');
  await waitFace(page, 'waiting');
  assert.match(await words(page), /^Reconnecting/);
  await waitDock(page, 'blocked');
  await place(other, 'green', x, y);
  await waitDock(other, 'cooldown');
  await page.waitForFunction(() => /canvas as of \d+ s ago/.test(document.querySelector('#state-text')?.textContent ?? ''));
  await place(page, 'red', x + 1, y);
  await waitToast(page, 'Not connected');
  await cluster.again(cluster.gateways[0]);
  await live(page);
  await waitColor(page, x, y, 'green');
  await waitDock(page, 'color');
  await place(page, 'purple', x + 1, y);
  await waitColor(other, x + 1, y, 'purple');
  assert.equal(await page.evaluate(() => document.documentElement.dataset.mark), 'same page');
  page.problems = page.problems.filter((it) => !NETWORK.test(it));
  await done(page, other);
});

test('a draw that was under way when its gateway died is placed, once', async () => {
  const { x, y, query } = spot();
  const [page, other] = await Promise.all([
    open(browser, cluster.gateways[0].url + query),
    open(browser, cluster.gateways[1].url + query),
  ]);
  await Promise.all([live(page), live(other)]);
  cluster.gateways[0].child.kill('SIGSTOP');
  await place(page, 'magenta', x, y);
  await waitDock(page, 'placing');
  await page.waitForTimeout(300);
  await cluster.end(cluster.gateways[0], 'SIGKILL');
  await waitFace(page, 'waiting');
  await cluster.again(cluster.gateways[0]);
  await waitDock(page, 'cooldown');
  await waitColor(other, x, y, 'magenta');
  page.problems = page.problems.filter((it) => !NETWORK.test(it));
  await done(page, other);
});

test('a gateway that drains hands its players over, and nobody notices', async () => {
  const { x, y, query } = spot();
  const page = await open(browser, cluster.gateways[0].url + query);
  await live(page);
  await cluster.end(cluster.gateways[0], 'SIGTERM');
  await page.waitForSelector('#status:not([data-face="live"])'); // it has noticed that nobody is there
  await cluster.again(cluster.gateways[0]);
  await live(page);
  await place(page, 'teal', x, y);
  await waitColor(page, x, y, 'teal');
  page.problems = page.problems.filter((it) => !NETWORK.test(it));
  await done(page);
});

test('a dead shard is not seen by the player', async () => {
  const { x, y, query } = spot();
  const page = await open(browser, cluster.gateways[0].url + query);
  await live(page);
  await cluster.end(cluster.shards[0], 'SIGKILL');
  await place(page, 'brown', x, y);
  await waitDock(page, 'cooldown');
  await waitColor(page, x, y, 'brown');
  await cluster.again(cluster.shards[0]);
  await done(page);
});

test('the address holds the place, and a link to it opens there', async () => {
  const page = await open(browser, `${cluster.gateways[0].url}?x=640&y=201&zoom=12`);
  await live(page);
  await page.waitForTimeout(700);
  assert.match(page.url(), /\?x=640&y=201&zoom=12$/);
  await page.mouse.move(700, 300);
  await page.mouse.down();
  await page.mouse.move(640, 300, { steps: 5 });
  await page.mouse.move(580, 300, { steps: 5 });
  await page.waitForTimeout(150);
  await page.mouse.up();
  await page.waitForFunction(() => new URLSearchParams(location.search).get('x') === '650');
  await page.mouse.wheel(0, -100);
  await page.waitForFunction(() => Number(new URLSearchParams(location.search).get('zoom')) > 14);
  await done(page);
});

test('by touch, on a phone: look, choose, aim, confirm', async () => {
  const { x, y, query } = spot();
  const page = await open(browser, cluster.gateways[1].url + query, PHONE);
  await live(page);
  assert.equal(await page.isVisible('#palette'), false);
  await page.tap('#turn');
  await page.waitForSelector('#palette', { state: 'visible' });
  assert.equal(await page.isDisabled('#confirm'), true);
  await page.tap('.swatch[title="pink"]');
  await page.waitForSelector('#confirm:enabled'); // the pixel in the middle is aimed at
  await settled(page);
  const at = await onScreen(page, x + 3, y + 2);
  await page.touchscreen.tap(at.x, at.y);
  await page.waitForFunction((text) => document.querySelector('#turn-sub')?.textContent === text, `at ${x + 3}, ${y + 2}`);
  assert.equal(await page.getAttribute('#place', 'title'), 'white', 'nothing is placed by a tap alone');
  await page.tap('#confirm');
  await waitDock(page, 'cooldown');
  await page.waitForSelector('#palette', { state: 'hidden' });
  const other = await open(browser, cluster.gateways[0].url + query);
  await waitColor(other, x + 3, y + 2, 'pink');
  // The next pixel of the same color: a tap, and the button beside the words; the palette stays away.
  await waitDock(page, 'color');
  const next = await onScreen(page, x + 4, y + 2);
  await page.touchscreen.tap(next.x, next.y);
  await page.waitForSelector('#confirm:enabled', { state: 'visible' });
  assert.equal(await page.isVisible('#palette'), false);
  await page.tap('#confirm');
  await waitDock(page, 'cooldown');
  await waitColor(other, x + 4, y + 2, 'pink');
  await done(page, other);
});

test('by keyboard alone: choose, aim, place', async () => {
  const { x, y, query } = spot();
  const page = await open(browser, cluster.gateways[0].url + query);
  await live(page);
  await page.keyboard.press('4');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  await page.waitForFunction((text) => document.querySelector('#turn-sub')?.textContent === text, `at ${x + 1}, ${y + 1}`);
  await page.keyboard.press('Enter');
  await waitDock(page, 'cooldown');
  await waitToast(page, `red placed at ${x + 1}, ${y + 1}.`);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await waitColor(page, x + 1, y + 1, 'red');
  await done(page);
});

test('many players, each their own pixel: all screens agree in the end', async () => {
  const { x, y, query } = spot();
  const pages = await Promise.all(Array.from({ length: 6 }, (_, i) => open(browser, cluster.gateways[i % 2].url + query)));
  const colors = ['red', 'yellow', 'green', 'blue', 'indigo', 'black'];
  await Promise.all(pages.map(live));
  await Promise.all(pages.map((page, i) => place(page, colors[i], x + i, y)));
  for (const page of pages) for (let i = 0; i < pages.length; i++) await waitColor(page, x + i, y, colors[i]);
  await done(...pages);
});

test('the page is strict about what it loads, and small', async () => {
  const sizes = [];
  const context = await browser.newContext(DESK);
  const page = await context.newPage();
  page.on('response', async (response) => {
    if (!response.url().includes('/api/')) sizes.push(Number(response.headers()['content-length'] ?? NaN));
  });
  const response = await page.goto(cluster.gateways[0].url);
  const policy = response?.headers()['content-security-policy'] ?? '';
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  await page.waitForSelector('#status[data-face="live"]');
  const total = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(sizes.length > 10 && total < 100 * 1024, `${sizes.length} files, ${total} bytes`);
  await context.close();
});

test('choosing again takes the choice back; Esc too', async () => {
  const page = await open(browser, cluster.gateways[0].url + spot().query);
  await live(page);
  await choose(page, 'red');
  await waitDock(page, 'color');
  await choose(page, 'red');
  await waitDock(page, 'idle');
  await choose(page, 'red');
  await waitDock(page, 'color');
  await page.keyboard.press('Escape');
  await waitDock(page, 'idle');
  await done(page);
});

test('installable; while the server is away a page of its own says so, in the reader\'s language, and comes back by itself', async () => {
  const [gateway] = cluster.gateways;
  const page = await open(browser, gateway.url, { ...DESK, locale: 'de-DE', serviceWorkers: 'allow' });
  await live(page);
  const manifest = await page.evaluate(async () => {
    const it = await (await fetch(/** @type {HTMLLinkElement} */ (document.querySelector('link[rel=manifest]')).href)).json();
    const sizes = await Promise.all(it.icons.map(async (/** @type {{ src: string }} */ { src }) => {
      const image = await createImageBitmap(await (await fetch(src)).blob()).catch(() => null);
      return image && `${image.width}x${image.height}`;
    }));
    return { ...it, found: sizes };
  });
  assert.deepEqual([manifest.display, manifest.start_url], ['standalone', './']);
  manifest.icons.forEach((/** @type {{ sizes: string }} */ { sizes }, /** @type {number} */ i) => sizes === 'any' || assert.equal(manifest.found[i], sizes));
  const kept = await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    const cache = await caches.open((await caches.keys())[0]);
    return (await cache.keys()).map((it) => new URL(it.url).pathname);
  });
  assert.ok(kept.includes('/offline.html') && kept.length < 12 && !kept.some((it) => it.startsWith('/api') || it === '/'), String(kept));
  const { installabilityErrors } = await (await page.context().newCDPSession(page)).send('Page.getInstallabilityErrors');
  assert.deepEqual(installabilityErrors.filter((it) => it.errorId !== 'in-incognito'), []);
  await cluster.end(gateway, 'SIGKILL');
  await page.goto(gateway.url);
  await page.getByText('Die Leinwand ist nicht erreichbar').waitFor();
  assert.ok((await page.locator('.panel').boundingBox()) !== null);
  assert.equal(await page.evaluate(() => getComputedStyle(/** @type {Element} */ (document.querySelector('.panel'))).borderRadius), '14px');
  await cluster.again(gateway);
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await live(page);
  page.problems = page.problems.filter((it) => !NETWORK.test(it));
  await done(page);
});

test('who placed a pixel is told to everybody, by the name that they chose', async () => {
  const { x, y, query } = spot();
  const [page, other] = await Promise.all([
    open(browser, cluster.gateways[0].url + query),
    open(browser, cluster.gateways[1].url + query),
  ]);
  await Promise.all([live(page), live(other)]);
  await place(page, 'red', x, y);
  await waitDock(page, 'cooldown');
  await page.click('#menu');
  await page.locator('#me', { hasText: /\w/ }).waitFor();
  await page.fill('#name', `Painter ${x}`);
  await page.click('#name-save');
  await page.waitForFunction((name) => document.querySelector('#name-note')?.textContent?.startsWith(`You are ${name} now.`), `Painter ${x}`);
  const at = await onScreen(other, x, y);
  await other.mouse.click(at.x, at.y);
  await other.locator('#card-list li', { hasText: `Painter ${x}` }).waitFor();
  assert.equal(await other.textContent('#card-title'), 'red');
  await done(page, other);
});
