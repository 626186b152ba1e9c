// For everybody: nothing overlaps, everything can be hit, axe finds nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DESK, live, open, PHONE, settled, violations, waitDock, waitToast } from './browser.mjs';
import { QUERY, done, gatewayWith, shared } from './fixture.mjs';

for (const [name, options] of /** @type {[string, any][]} */ ([['desk', DESK], ['phone', PHONE]])) {
  test(`${name}: nothing overlaps, nothing leaves the screen, targets can be hit`, async () => {
    const gateway = await gatewayWith();
    const page = await open(shared.browser, gateway.url + QUERY, options);
    gateway.announce('Tonight the canvas grows to 2000 × 2000, and everybody is invited.');
    await live(page);
    if (name === 'phone') await page.tap('#turn');
    else await page.keyboard.press('i');
    await page.waitForSelector('#announcement', { state: 'visible' });
    await settled(page);
    const { boxes, targets, size } = await page.evaluate(() => {
      const visible = (/** @type {Element} */ it) => it.getClientRects().length > 0;
      const box = (/** @type {Element} */ it) => {
        const { left, top, right, bottom } = it.getBoundingClientRect();
        return { name: it.id || it.className, left, top, right, bottom };
      };
      return {
        boxes: [...document.querySelectorAll('.panel')].filter((it) => visible(it) && getComputedStyle(it).visibility === 'visible').map(box),
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
    if ((name === 'phone') !== (colorScheme === 'dark')) continue; // all of them: everyone.test.mjs
    test(`axe finds nothing: ${name}, ${colorScheme}`, async () => {
      const gateway = await gatewayWith();
      for (let i = 0; i < 4; i++) gateway.place(301, 300, i + 1, `Ada ${i}`, 3600000 - i * 600000);
      const page = await open(shared.browser, gateway.url + QUERY, { ...options, colorScheme });
      await live(page);
      assert.deepEqual(await violations(page), [], 'at rest');
      if (name === 'phone') await page.tap('#turn');
      await page.keyboard.press('4');
      await page.keyboard.press('ArrowRight');
      await waitDock(page, 'aim');
      assert.deepEqual(await violations(page), [], 'aiming');
      await page.keyboard.press('i');
      await page.waitForSelector('#card[data-state="known"]');
      assert.deepEqual(await violations(page), [], 'looking');
      await page.keyboard.press('h');
      gateway.announce('Tonight the canvas grows.');
      await page.waitForSelector('#announcement', { state: 'visible' });
      await page.click('#menu');
      await page.click('#erase');
      assert.deepEqual(await violations(page), [], 'the menu');
      await page.click('#open-help');
      assert.deepEqual(await violations(page), [], 'the help');
      await page.keyboard.press('Escape');
      await page.focus('#canvas');
      gateway.readOnly = true;
      gateway.status();
      await waitDock(page, 'blocked');
      await page.keyboard.press('Enter');
      await waitToast(page, /read-only/);
      assert.deepEqual(await violations(page), [], 'refused');
      gateway.closeAll(4002);
      await page.getByRole('alertdialog').waitFor();
      assert.deepEqual(await violations(page), [], 'stopped');
      await done(page);
    });
  }
}
