// What the tests of the page against a made-up gateway share: a browser, and gateways that end with them.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launch } from './browser.mjs';
import { FakeGateway } from './fake-gateway.mjs';

/** @type {FakeGateway[]} */
const gateways = [];

/** The browser of a test file: there while its tests run. */
export const shared = { browser: /** @type {import('playwright-core').Browser} */ (/** @type {unknown} */ (null)) };

before(async () => {
  shared.browser = await launch();
});
after(async () => {
  await shared.browser?.close();
  for (const gateway of gateways) await gateway.close();
});

/** @param {ConstructorParameters<typeof FakeGateway>[0]} [options] */
export async function gatewayWith(options) {
  const gateway = new FakeGateway(options);
  gateways.push(gateway);
  await gateway.listen();
  return gateway;
}

/** @param {import('./browser.mjs').Page} page @param {RegExp} [expected] problems that belong to the test */
export async function done(page, expected = /^$/) {
  assert.deepEqual(page.problems.filter((it) => !expected.test(it)), []);
  await page.context().close();
}

/** A place to draw at. */
export const QUERY = '?x=300&y=300&zoom=20';
export const RED = 3;

/** @param {() => boolean} good */
export async function until(good) {
  for (let i = 0; i < 1500 && !good(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(good(), String(good));
}

/** How many draws the page has sent. @param {FakeGateway} gateway */
export const draws = (gateway) => gateway.said.filter((it) => it.type === 2).length;

/** The zoom in the address, once the view rests. @param {import('./browser.mjs').Page} page @param {(zoom: number) => boolean} good */
export const waitZoom = (page, good) =>
  page.waitForURL((url) => good(Number(url.searchParams.get('zoom'))));
