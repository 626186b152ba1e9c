// page.mjs URL: two people, each in a browser of their own, on a Tessera behind its balancer: one places, the other sees it, and the
// first sees it again after a reload. The certificate is one that nobody vouches for.
import assert from 'node:assert/strict';
import { DESK, launch, live, open, place, waitColor } from '../browser/browser.mjs';

const url = process.argv[2];
const [x, y] = [40, 250];
const browser = await launch();
try {
  const options = { ...DESK, ignoreHTTPSErrors: true };
  const [one, other] = await Promise.all([1, 2].map(() => open(browser, `${url}?x=${x}&y=${y}&zoom=20`, options)));
  await Promise.all([live(one), live(other)]);
  const socket = await one.evaluate(() => performance.getEntriesByType('resource').map((entry) => entry.name).concat(location.href));
  assert.ok(socket.every((name) => name.startsWith('https:')), socket.join(' '));
  await place(one, 'red', x, y);
  await waitColor(other, x, y, 'red');
  await one.reload();
  await live(one);
  await waitColor(one, x, y, 'red');
  for (const page of [one, other]) assert.deepEqual(page.problems, []);
  const cookies = await one.context().cookies();
  assert.ok(cookies.length > 0 && cookies.every((cookie) => cookie.secure && cookie.httpOnly), JSON.stringify(cookies));
} finally {
  await browser.close();
}
