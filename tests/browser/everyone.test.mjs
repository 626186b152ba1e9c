// The page for everyone: right to left, without a mouse, with the system's own colors, with fingers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DESK, launch, live, open, PHONE, settled, violations, waitColor, waitDock, waitToast } from './browser.mjs';
import { FakeGateway } from './fake-gateway.mjs';

const QUERY = '?x=300&y=300&zoom=20';
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

async function started() {
  const gateway = new FakeGateway();
  gateways.push(gateway);
  await gateway.listen();
  return gateway;
}

/** @param {import('./browser.mjs').Page} page */
async function done(page) {
  assert.deepEqual(page.problems, []);
  await page.context().close();
}

// Each size with each theme and each direction at least once.
for (const [name, locale, options] of /** @type {[string, string, any][]} */ ([
  ['desk, light, right to left', 'ar-EG', { ...DESK, colorScheme: 'light' }],
  ['phone, dark, right to left', 'ar-EG', { ...PHONE, colorScheme: 'dark' }],
  ['desk, dark, left to right', 'de-DE', { ...DESK, colorScheme: 'dark' }],
  ['phone, light, left to right', 'fr-FR', { ...PHONE, colorScheme: 'light' }],
])) {
  test(`${name}: in the reader's language, nothing leaves the screen, and axe finds nothing in any sheet`, async () => {
    const gateway = await started();
    const page = await open(browser, gateway.url + QUERY, { ...options, locale });
    await live(page);
    await settled(page);
    const rtl = locale === 'ar-EG';
    assert.deepEqual(await page.evaluate(() => [document.documentElement.lang, document.documentElement.dir]), [locale.slice(0, 2), rtl ? 'rtl' : 'ltr']);
    const { width, height } = options.viewport;
    const box = async (/** @type {string} */ id) => /** @type {{ x: number, y: number, width: number, height: number }} */ (await page.locator(id).boundingBox());
    const [status, menu] = [await box('#status'), await box('#menu')];
    assert.equal(status.x > menu.x, rtl, 'status where reading begins, menu where it ends');
    // All at one moment: some come and go by themselves.
    const panels = await page.locator('.panel:visible').evaluateAll((all) => all.map((it) => [it.id, it.getBoundingClientRect().toJSON()]));
    for (const [id, { left, top, right, bottom }] of panels) {
      assert.ok(left >= 0 && top >= 0 && right <= width && bottom <= height, `${id} leaves the screen`);
    }
    assert.deepEqual(await violations(page), [], 'at rest');
    if (options.isMobile) {
      await page.tap('#turn');
      await page.waitForSelector('#palette', { state: 'visible' });
      assert.deepEqual(await violations(page), [], 'palette');
      await page.tap('#turn');
    }
    await page.locator('#menu').click();
    assert.deepEqual(await violations(page), [], 'menu');
    await page.locator('#open-help').click();
    assert.deepEqual(await violations(page), [], 'help');
    await page.keyboard.press('Escape');
    await done(page);
  });
}

test('keyboard alone: finds the palette, chooses, aims, hears where it is, places', async () => {
  const gateway = await started();
  const page = await open(browser, gateway.url + QUERY);
  await live(page);
  const focused = () => page.evaluate(() => document.activeElement?.id || /** @type {HTMLInputElement} */ (document.activeElement)?.name || '');
  const order = [];
  for (let i = 0; i < 14 && !order.includes('color'); i++) {
    await page.keyboard.press('Tab');
    order.push(await focused());
  }
  assert.ok(order.includes('canvas') && order.includes('color'), `by Tab: ${order}`);
  // One stop for the whole palette; arrows go through it.
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  const chosen = await page.evaluate(() => /** @type {HTMLInputElement} */ (document.querySelector('input[name=color]:checked')).getAttribute('aria-label'));
  await page.keyboard.press('Enter');
  assert.equal(await focused(), 'canvas', 'with the color chosen the canvas is at hand');
  await page.keyboard.press('ArrowLeft');
  await waitToast(page, /^299, 300: white$/);
  await page.keyboard.press('Enter');
  await waitDock(page, 'cooldown');
  await waitToast(page, new RegExp(`^${chosen} placed at 299, 300\\.$`));
  assert.equal(await page.locator('#toasts').getAttribute('aria-live'), 'polite');
  await waitColor(page, 299, 300, String(chosen));
  await done(page);
});

test('phone: everything that is tapped is 44 pixels', async () => {
  const gateway = await started();
  const page = await open(browser, gateway.url, PHONE);
  await live(page);
  const small = () => page.evaluate(() => [...document.querySelectorAll('button, .swatch, select, input:not([type=radio]):not([type=checkbox]), label.row, .choice label')]
    .filter((it) => it.getClientRects().length > 0 && !it.closest('[inert]'))
    .map((it) => ({ name: it.id || it.className || it.textContent, box: it.getBoundingClientRect() }))
    .filter(({ box }) => box.width < 43.5 || box.height < 43.5)
    .map(({ name, box }) => `${name} ${box.width.toFixed(0)} x ${box.height.toFixed(0)}`));
  await page.tap('#turn');
  await page.waitForSelector('#palette', { state: 'visible' });
  await settled(page);
  assert.deepEqual(await small(), [], 'palette');
  await page.tap('#turn');
  await page.locator('#menu').tap();
  await settled(page);
  assert.deepEqual(await small(), [], 'menu');
  await done(page);
});

test('the system\'s colors: what is chosen, focused and on shows without ours; with less motion nothing moves', async () => {
  const gateway = await started();
  const page = await open(browser, gateway.url + QUERY, { ...DESK, forcedColors: 'active', reducedMotion: 'reduce' });
  await live(page);
  await page.keyboard.press('4');
  const looks = await page.evaluate(() => {
    const of = (/** @type {string} */ it) => getComputedStyle(/** @type {Element} */ (document.querySelector(it)));
    return {
      swatch: of('.swatch:has(:checked)').forcedColorAdjust, paint: of('.swatch:has(:checked)').backgroundColor,
      mark: of('.swatch:has(:checked)').outlineStyle, panel: of('#dock').borderTopStyle,
      running: document.getAnimations().filter((it) => Number(it.effect?.getComputedTiming().activeDuration) > 1).length, // ms; what the key set off may be on its way
    };
  });
  assert.deepEqual([looks.swatch, looks.panel, looks.running], ['none', 'solid', 0], JSON.stringify(looks));
  await done(page);
});
