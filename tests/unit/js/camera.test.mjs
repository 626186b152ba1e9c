import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as camera from '../../../web/src/camera.js';

const screen = { width: 1440, height: 900, top: 64, bottom: 120 };
const geom = { width: 1000, height: 1000, edge: 256 };
const close = (a, b, what) => assert.ok(Math.abs(a - b) < 1e-6, `${what}: ${a} is not ${b}`);

test('screen and canvas points are each other\'s inverse', () => {
  const view = { x: 123.25, y: 900.5, scale: 7.3 };
  for (const at of [{ x: 0, y: 0 }, { x: 1440, y: 900 }, { x: 333, y: 17 }]) {
    const back = camera.toScreen(view, screen, camera.toCanvas(view, screen, at));
    close(back.x, at.x, 'x');
    close(back.y, at.y, 'y');
  }
});

test('the point under the cursor stays there while zooming, whatever the factor', () => {
  const at = { x: 200, y: 700 };
  for (const factor of [0.01, 0.5, 0.99, 1, 1.7, 30, 10000]) {
    const before = { x: 500, y: 500, scale: 4 };
    const kept = camera.toCanvas(before, screen, at);
    const after = camera.zoom(before, screen, at, factor, 0.5);
    const now = camera.toCanvas(after, screen, at);
    close(now.x, kept.x, `x at ${factor}`);
    close(now.y, kept.y, `y at ${factor}`);
    assert.ok(after.scale >= 0.5 && after.scale <= camera.SCALE_MAX);
  }
});

test('a whole canvas that fits is in the free part of the screen', () => {
  const view = camera.fit(geom, screen, camera.minScale(geom, screen, 256));
  const from = camera.toScreen(view, screen, { x: 0, y: 0 });
  const to = camera.toScreen(view, screen, { x: 1000, y: 1000 });
  assert.ok(from.y >= screen.top && to.y <= screen.height - screen.bottom && from.x >= 0 && to.x <= screen.width);
});

test('a canvas of 65,536 pixels is never so far out that more tiles than allowed are in view', () => {
  const large = { width: 65536, height: 65536, edge: 256 };
  for (const size of [screen, { width: 390, height: 844, top: 56, bottom: 90 }, { width: 3840, height: 2160, top: 64, bottom: 120 }]) {
    const scale = camera.minScale(large, size, 256);
    const rect = camera.viewRect({ x: 30000.5, y: 30000.5, scale }, size);
    const across = Math.floor(rect.right / 256) - Math.floor(rect.left / 256) + 1;
    const down = Math.floor(rect.bottom / 256) - Math.floor(rect.top / 256) + 1;
    assert.ok(across * down <= 256, `${across} x ${down}`);
    assert.ok(across * down > 100, `${across} x ${down} is not as far out as may be`);
  }
});

test('clamping keeps the middle on the canvas', () => {
  assert.deepEqual(camera.clamp({ x: -5, y: 2000, scale: 0.001 }, geom, 0.5), { x: 0, y: 1000, scale: 0.5 });
  assert.equal(camera.clamp({ x: 5, y: 5, scale: 1e9 }, geom, 0.5).scale, camera.SCALE_MAX);
});

test('a flight begins and ends where it says and goes one way', () => {
  const from = { x: 0, y: 0, scale: 0.8 };
  const to = { x: 700, y: 300, scale: 24 };
  const start = camera.between(from, to, 0);
  close(start.x, 0, 'start');
  close(start.scale, 0.8, 'start');
  assert.deepEqual(camera.between(from, to, 1), to);
  let last = -1;
  for (let t = 0; t <= 1; t += 0.05) {
    const { x } = camera.between(from, to, t);
    assert.ok(x >= last && x <= 700);
    last = x;
  }
  close(camera.between({ ...to, x: 0 }, to, 0.999).x, 700, 'without zoom');
});

test('revealing moves no more than it must', () => {
  const view = { x: 500, y: 500, scale: 10 };
  assert.deepEqual(camera.reveal(view, screen, { x: 510, y: 505 }), view);
  const moved = camera.reveal(view, screen, { x: 600, y: 500 });
  close(camera.toScreen(moved, screen, { x: 600, y: 500 }).x, 720 + 1440 * 0.375, 'x');
  assert.equal(moved.y, 500);
});
