// What is shown around the canvas: the map's cells, and the heat.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tileKey } from '../../../web/src/geom.js';
import { Heat } from '../../../web/src/heat.js';
import { Overview } from '../../../web/src/overview.js';
import { Changes, OFFSETS_MAX } from '../../../web/src/renderer.js';

const geom = { width: 1000, height: 600, edge: 256 };

test('the map: each cell is the mean of its pixels, and what is not known is clear', () => {
  const overview = new Overview(geom, 100, (x) => (x >= 512 ? null : x % 2 === 0 ? [200, 0, 40] : [100, 0, 20]));
  assert.deepEqual([overview.width, overview.height, overview.cell], [100, 60, 10]);
  for (const tx of [0, 1, 2, 3]) for (const ty of [0, 1, 2]) overview.changed(tileKey(tx, ty), null);
  assert.equal(overview.due, 6000, 'every cell once, also those that two tiles share');
  while (overview.work(500));
  assert.equal(overview.due, 0);
  assert.deepEqual([...overview.rgba.slice(0, 4)], [150, 0, 30, 255]);
  assert.deepEqual([...overview.rgba.slice(99 * 4, 100 * 4)], [0, 0, 0, 0]);
});

test('the map: an update costs its cell, and a turn has an end', () => {
  const seen = [];
  const overview = new Overview(geom, 100, (x, y) => (seen.push([x, y]), [1, 2, 3]));
  overview.changed(tileKey(3, 2), Uint16Array.from([0, 1, 256 * 3 + 1]));
  assert.equal(overview.due, 1);
  assert.equal(overview.work(10), true);
  assert.equal(overview.work(10), false);
  assert.equal(seen.length, 16);
  assert.ok(seen.every(([x, y]) => x >= 760 && x < 770 && y >= 510 && y < 520), String(seen));
  overview.changed(tileKey(0, 0), null);
  seen.length = 0;
  overview.work(7);
  assert.equal(seen.length, 7 * 16);
});

test('the map of a huge canvas has cells as well', () => {
  const overview = new Overview({ width: 65536, height: 65536, edge: 256 }, 148, () => [9, 9, 9]);
  overview.changed(tileKey(255, 255), Uint16Array.from([65535]));
  overview.changed(tileKey(255, 255), null);
  overview.work(100);
  assert.deepEqual([...overview.rgba.slice(-4)], [9, 9, 9, 255]);
});

/** @param {Heat} heat @param {number} x @param {number} y @param {number} now */
const at = (heat, x, y, now) => heat.shares(now)[Math.floor(y / heat.cell) * heat.width + Math.floor(x / heat.cell)];

test('heat: own updates say where, and fade by the half-life', () => {
  const heat = new Heat(geom);
  assert.ok(heat.shares(0).every((share) => share === 0));
  heat.add(tileKey(1, 0), Uint16Array.from(Array(64).fill(256 * 10 + 20)), 0);
  heat.add(tileKey(0, 0), Uint16Array.from([0]), 0);
  assert.equal(at(heat, 276, 10, 0), 1, 'the hottest');
  const cool = at(heat, 0, 0, 0);
  assert.ok(cool > 0.2 && cool < 1, String(cool));
  heat.add(tileKey(0, 0), Uint16Array.from(Array(64).fill(0)), 6 * heat.halfLifeMs);
  assert.equal(at(heat, 0, 0, 6 * heat.halfLifeMs), 1);
  assert.ok(Math.abs(at(heat, 276, 10, 6 * heat.halfLifeMs) - cool) < 0.05, '64 have become one');
});

test('heat: the sums of the server fill what the page has not seen itself, and no more', () => {
  const heat = new Heat(geom);
  heat.tell([[0, 0, 256], [3, 2, 8], [9, 9, 5]], 60000, 1000);
  assert.equal(heat.halfLifeMs, 60000);
  assert.equal(at(heat, 5, 5, 1000), 1);
  assert.ok(at(heat, 999, 599, 1000) > 0 && at(heat, 999, 599, 1000) < 1);
  assert.equal(at(heat, 500, 100, 1000), 0);
  heat.add(tileKey(0, 0), Uint16Array.from(Array(300).fill(0)), 1000);
  assert.equal(at(heat, 0, 0, 1000), 1);
  assert.equal(at(heat, 200, 200, 1000), 0, 'all of it is known to have been elsewhere');
});

test('heat has no edges where tiles have them, and is as much as was counted', () => {
  const heat = new Heat({ width: 1280, height: 1280, edge: 256 });
  heat.tell([[2, 2, 1024]], 60000, 0);
  const row = Array.from({ length: 160 }, (_, i) => at(heat, i * heat.cell, 640, 0));
  assert.equal(Math.max(...row), Math.max(...heat.shares(0)));
  for (let i = 1; i < row.length; i++) assert.ok(Math.abs(row[i] - row[i - 1]) < 0.32, `${i}: ${row[i - 1]} ${row[i]}`);
  assert.ok(at(heat, 500, 640, 0) > 0.3, 'beyond the edge of the tile');
  assert.equal(at(heat, 380, 640, 0), 0, 'not beyond the middle of the next one');
});

test('heat stays a number, however long the page is open', () => {
  const heat = new Heat({ width: 65536, height: 65536, edge: 256 });
  assert.deepEqual([heat.width, heat.height, heat.cell], [256, 256, 256]);
  for (let day = 0; day < 30; day++) heat.add(tileKey(255, 0), Uint16Array.from([1]), day * 86400000);
  const share = at(heat, 65535, 0, 30 * 86400000);
  assert.ok(Number.isFinite(share) && share >= 0 && share <= 1);
});

test('what changes while no frame is drawn has a bound: from there on the tile is drawn whole', () => {
  const changes = new Changes();
  const px = new Uint8Array(65536);
  for (let i = 0; i < 1000; i++) changes.add(1, px, Uint16Array.of(i));
  assert.equal(changes.take().get(1)?.offsets?.length, 1000);
  for (let i = 0; i < 3 * OFFSETS_MAX; i++) changes.add(1, px, Uint16Array.of(i));
  changes.add(2, px, new Uint16Array(OFFSETS_MAX + 1));
  const taken = changes.take();
  assert.deepEqual([taken.get(1), taken.get(2)], [{ px, offsets: null }, { px, offsets: null }]);
});
