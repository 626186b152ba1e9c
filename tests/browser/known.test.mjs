// What is known of a pixel, and of the player: the card, names, choices.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choose, live, NETWORK, onScreen, open, PHONE, place, settled, waitDock, waitToast, words } from './browser.mjs';
import { QUERY, RED, done, draws, gatewayWith, shared } from './fixture.mjs';

/** @param {import('./browser.mjs').Page} page @param {number} x @param {number} y */
async function click(page, x, y) {
  const at = await onScreen(page, x, y);
  await page.mouse.click(at.x, at.y);
}

/** @param {import('./browser.mjs').Page} page @param {string} text */
const waitNote = (page, text) => page.waitForFunction((it) => document.querySelector('#name-note')?.textContent?.includes(it), text);

test('a click without a color tells who placed the pixel, and before; it follows what happens', async () => {
  const gateway = await gatewayWith();
  gateway.place(300, 300, 14, 'Ada', 7200000);
  gateway.place(300, 300, RED, 'Quiet Heron 12', 180000);
  const page = await open(shared.browser, gateway.url + QUERY);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await live(page);
  await click(page, 300, 300);
  await page.waitForSelector('#card[data-state="known"]');
  const rows = () => page.locator('#card-list li').allInnerTexts().then((all) => all.map((it) => it.replace(/\s+/g, ' ')));
  assert.deepEqual(await rows(), ['Quiet Heron 12 3 minutes ago', 'Ada 2 hours ago']);
  assert.equal(await page.textContent('#card-title'), 'red');
  assert.equal(await page.innerText('#card-at'), '300, 300');
  assert.equal(draws(gateway), 0);
  gateway.place(300, 300, 5, '<i>Eve</i>');
  await page.locator('#card-list li', { hasText: '<i>Eve</i>' }).waitFor();
  assert.equal(await page.textContent('#card-title'), 'yellow');
  assert.equal((await rows()).length, 3);
  await page.click('#card-share');
  await waitToast(page, 'Link to this place copied');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `${gateway.url}?x=300&y=300&zoom=20`);
  await page.keyboard.press('Escape');
  await page.waitForSelector('#card', { state: 'hidden' });
  await click(page, 305, 300);
  await page.waitForFunction(() => document.querySelector('#card-note')?.textContent === 'Nobody has placed here yet.');
  await click(page, 305, 300);
  await page.waitForSelector('#card', { state: 'hidden' });
  gateway.historyStatus = 503;
  await click(page, 306, 300);
  await page.waitForSelector('#card[data-state="failed"]');
  assert.match(await page.innerText('#card-note'), /cannot be read/);
  await done(page, NETWORK);
});

test('a pixel of one\'s own says so, also after a reload; whose name cannot be learned is asked about once', async () => {
  const gateway = await gatewayWith();
  gateway.place(300, 300, RED, 'Brave Otter 4711', 60000);
  gateway.place(305, 300, RED, 'Ada', 60000);
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  const asked = [];
  page.on('request', (it) => it.url().endsWith('/api/v1/me') && asked.push(it));
  await click(page, 300, 300);
  await page.locator('#card-list li', { hasText: 'Brave Otter 4711 (you)' }).waitFor();
  gateway.meStatus = 401;
  await page.reload();
  await live(page);
  for (const [x, name] of /** @type {const} */ ([[305, 'Ada'], [300, 'Brave Otter 4711']])) {
    await click(page, x, 300);
    await page.locator('#card-list li', { hasText: name }).waitFor();
    await page.keyboard.press('Escape');
    await page.waitForSelector('#card', { state: 'hidden' });
  }
  assert.equal(asked.length, 2);
  await done(page, NETWORK);
});

test('a mouse that rests is told; one that moves on is left alone', async () => {
  const gateway = await gatewayWith();
  gateway.place(300, 300, RED, 'Ada', 60000);
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  const at = await onScreen(page, 300, 300);
  await page.mouse.move(at.x + 2, at.y);
  await page.mouse.move(at.x, at.y);
  await page.locator('#card[data-pinned="false"] li', { hasText: 'Ada' }).waitFor();
  await page.mouse.move(at.x + 60, at.y);
  await page.waitForSelector('#card', { state: 'hidden' });
  await choose(page, 'blue');
  await page.mouse.move(at.x, at.y);
  await page.waitForTimeout(600);
  assert.equal(await page.isVisible('#card'), false, 'with a color the mouse is for placing');
  await done(page);
});

test('a finger that stays tells who placed the pixel, and places nothing', async () => {
  const gateway = await gatewayWith();
  gateway.place(302, 301, RED, 'Ada', 60000);
  const page = await open(shared.browser, gateway.url + QUERY, PHONE);
  await live(page);
  await page.keyboard.press('5');
  await waitDock(page, 'color');
  const { x, y } = await onScreen(page, 302, 301);
  const session = await page.context().newCDPSession(page);
  await session.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [{ x, y, id: 0 }] });
  await page.locator('#card[data-pinned="true"] li', { hasText: 'Ada' }).waitFor();
  await session.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  assert.equal(draws(gateway), 0);
  await settled(page);
  const card = /** @type {{ y: number, height: number }} */ (await page.locator('#card').boundingBox());
  const dock = /** @type {{ y: number }} */ (await page.locator('#dock').boundingBox());
  assert.ok(card.y + card.height <= dock.y, 'above the dock');
  await page.tap('#card-close');
  await page.waitForSelector('#card', { state: 'hidden' });
  await done(page);
});

test('by keyboard: I asks, arrows go on asking, and it is said aloud', async () => {
  const gateway = await gatewayWith();
  gateway.place(301, 300, RED, 'Ada', 60000);
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  await page.keyboard.press('i');
  await page.waitForSelector('#card[data-pinned="true"]');
  await page.keyboard.press('ArrowRight');
  await waitToast(page, 'Placed by Ada, 1 minute ago.');
  assert.equal(await page.innerText('#card-at'), '301, 300');
  await page.keyboard.press('i');
  await page.waitForSelector('#card', { state: 'hidden' });
  await done(page);
});

test('a name can be chosen; what is wrong with one is said', async () => {
  const gateway = await gatewayWith();
  gateway.names = {
    'no': [400, { error: 'bad_name', reason: 'length', message: '' }], 'Ada': [409, { error: 'name_taken', message: '' }],
    'Adа': [400, { error: 'bad_name', reason: 'script', message: '' }], 'Eve': [403, { error: 'no_placement', message: '' }],
  };
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  await page.click('#menu');
  await page.locator('#me', { hasText: 'Brave Otter 4711' }).waitFor();
  const wish = async (/** @type {string} */ name) => {
    await page.fill('#name', name);
    await page.keyboard.press('Enter');
  };
  for (const [name, words] of [['no', '3 to 20'], ['Ada', 'Somebody else'], ['Adа', 'one script'], ['Eve', 'first pixel']]) {
    await wish(name);
    await waitNote(page, words);
  }
  await wish('  Grace\u0065\u0301 ');
  await waitNote(page, 'You are Graceé now.');
  assert.equal(await page.innerText('#me'), 'Graceé');
  await page.click('#name-reset');
  await page.locator('#me', { hasText: 'Brave Otter 4711' }).waitFor();
  await page.click('#erase');
  await page.click('#erase-yes');
  await page.getByRole('alertdialog').waitFor();
  await done(page, NETWORK);
});

test('the answer to what one is called comes late: what was written meanwhile stays, and so does the name that was given', async () => {
  const gateway = await gatewayWith();
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  /** The answer that was held back has come, and the page has read it. */
  const late = async (/** @type {() => Promise<unknown>} */ meanwhile) => {
    let release = (/** @type {any} */ _) => {};
    gateway.holdMe = new Promise((resolve) => (release = resolve));
    const answer = page.waitForResponse((it) => it.url().endsWith('/api/v1/me') && it.request().method() === 'GET');
    await page.click('#menu');
    await meanwhile();
    release(null);
    await (await answer).finished();
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
  };
  await late(() => page.fill('#name', 'Grace'));
  await page.locator('#me', { hasText: 'Brave Otter 4711' }).waitFor();
  assert.equal(await page.inputValue('#name'), 'Grace');
  await page.keyboard.press('Escape');
  await late(async () => {
    await page.fill('#name', 'Grace');
    await page.keyboard.press('Enter');
    await waitNote(page, 'You are Grace now.');
  });
  assert.deepEqual([await page.innerText('#me'), await page.inputValue('#name')], ['Grace', 'Grace']);
  let give = (/** @type {any} */ _) => {};
  gateway.holdName = new Promise((resolve) => (give = resolve));
  await page.fill('#name', 'Hopper');
  await page.keyboard.press('Enter');
  await page.fill('#name', 'Hopper the second');
  give(null);
  await waitNote(page, 'You are Hopper now.');
  assert.deepEqual([await page.innerText('#me'), await page.inputValue('#name')], ['Hopper', 'Hopper the second']);
  await done(page);
});

test('an open sheet has all keys, also when what had the focus cannot have it any more', async () => {
  const gateway = await gatewayWith();
  gateway.nameStays = 86400;
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  await page.keyboard.press('4');
  await page.keyboard.press('ArrowRight');
  await waitDock(page, 'aim');
  const before = gateway.history.length;
  await page.click('#menu');
  // Typed before a field has the focus: it closes nothing and is no key of the page.
  await page.keyboard.type('Ann a4m');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'menu-sheet');
  await page.locator('#menu-sheet[open]').waitFor();
  await page.fill('#name', 'Grace');
  await page.keyboard.press('Enter');
  await waitNote(page, 'You are Grace now. Your name can be changed again in');
  assert.deepEqual([await page.isDisabled('#name'), await page.isDisabled('#name-save')], [true, true]);
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'menu-sheet');
  for (const key of ['Enter', 'm', 'i', '7', ' ']) await page.keyboard.press(key);
  await page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement).blur());
  for (const key of ['Enter', 'm', 'i', '7', ' ']) await page.keyboard.press(key);
  assert.equal(gateway.history.length, before);
  await page.keyboard.press('Escape');
  await page.locator('#menu-sheet').waitFor({ state: 'hidden' });
  assert.equal(await page.locator('#card').isVisible(), false);
  await done(page);
});

test('? shows the keys; a sheet keeps the keyboard to itself and gives it back', async () => {
  const gateway = await gatewayWith();
  const page = await open(shared.browser, gateway.url + QUERY);
  await live(page);
  await page.keyboard.press('?');
  await page.locator('#help[open]').waitFor();
  assert.ok((await page.locator('#keys dt').count()) >= 12);
  await page.keyboard.press('4');
  await page.keyboard.press('Escape');
  await page.locator('#help').waitFor({ state: 'hidden' });
  await waitDock(page, 'idle');
  await page.click('#menu');
  await page.keyboard.press('Escape');
  await page.locator('#menu-sheet').waitFor({ state: 'hidden' });
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'menu');
  await done(page);
});
