import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toCanvas } from '../../../web/src/camera.js';
import { Motion } from '../../../web/src/motion.js';

function still() {
  const motion = new Motion();
  motion.setScreen(1000, 800, 0, 0);
  motion.setCanvas({ width: 1000, height: 1000, edge: 256 }, 256);
  motion.fit(true);
  return motion;
}

/** Runs until it rests; how long it took. */
function settle(motion, from = 0) {
  for (let now = from; now < from + 10000; now += 16) if (!motion.step(now)) return now - from;
  throw new Error('it never rests');
}

test('a soft zoom ends at its factor, anchored at the cursor', () => {
  const motion = still();
  motion.jump({ x: 500, y: 500, scale: 2 });
  const at = { x: 100, y: 100 };
  const kept = toCanvas(motion.camera, motion.screen, at);
  motion.zoom(at, 3, true);
  assert.equal(motion.camera.scale, 2);
  assert.ok(settle(motion) > 50);
  assert.ok(Math.abs(motion.camera.scale - 6) < 1e-9);
  const now = toCanvas(motion.camera, motion.screen, at);
  assert.ok(Math.hypot(now.x - kept.x, now.y - kept.y) < 1e-9);
});

test('with less motion everything is at once', () => {
  const motion = still();
  motion.calm = true;
  motion.fly({ x: 10, y: 20, scale: 8 });
  assert.deepEqual(motion.camera, { x: 10, y: 20, scale: 8 });
  motion.zoom(null, 2, true);
  assert.equal(motion.camera.scale, 16);
  motion.fling(5, 5);
  assert.equal(motion.step(0), false);
});

test('a fling comes to rest, and a grab stops it', () => {
  const motion = still();
  motion.jump({ x: 500, y: 500, scale: 4 });
  motion.fling(-1.5, 0);
  assert.ok(settle(motion) < 2500);
  assert.ok(motion.camera.x > 530 && motion.camera.x < 700, String(motion.camera.x));
  motion.fling(-1.5, 0);
  motion.step(0);
  motion.stop();
  assert.equal(motion.step(16), false);
});

test('a flight knows its goal before it is there', () => {
  const motion = still();
  motion.fly({ x: 100, y: 100, scale: 24 });
  assert.deepEqual(motion.goal, { x: 100, y: 100, scale: 24 });
  assert.notDeepEqual(motion.camera, motion.goal);
  settle(motion);
  assert.deepEqual(motion.camera, { x: 100, y: 100, scale: 24 });
});

test('keys that are held move the view until they are let go', () => {
  const motion = still();
  motion.jump({ x: 500, y: 500, scale: 4 });
  motion.hold({ x: 1, y: 0, zoom: 0 });
  for (let now = 0; now < 200; now += 16) assert.equal(motion.step(now), true);
  assert.ok(motion.camera.x > 530);
  motion.hold({ x: 0, y: 0, zoom: 0 });
  assert.equal(motion.step(300), false);
});

test('controls that open push the middle up softly', () => {
  const motion = still();
  motion.setScreen(1000, 800, 0, 300);
  assert.equal(motion.screen.bottom, 0);
  settle(motion);
  assert.equal(motion.screen.bottom, 300);
});

test('a long pause between two frames is not made up for in one jump', () => {
  const motion = still();
  motion.jump({ x: 500, y: 500, scale: 4 });
  motion.hold({ x: 1, y: 0, zoom: 0 });
  motion.step(0);
  const before = motion.camera.x;
  motion.step(60000);
  assert.ok(motion.camera.x - before < 15);
});
