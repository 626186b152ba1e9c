import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gestures, HOLD_MS, wheelFactor } from '../../../web/src/gesture.js';

const kinds = (intents) => intents.map((it) => it.kind);

test('a short press that hardly moves is a tap, in every direction', () => {
  for (let angle = 0; angle < 360; angle += 15) {
    const way = { x: Math.cos((angle * Math.PI) / 180), y: Math.sin((angle * Math.PI) / 180) };
    const g = new Gestures();
    g.down(1, { x: 100, y: 100 }, 0, true);
    assert.deepEqual(g.move(1, { x: 100 + way.x * 11, y: 100 + way.y * 11 }, 50), []);
    assert.deepEqual(g.up(1, { x: 100 + way.x * 11, y: 100 + way.y * 11 }, 100), [{ kind: 'tap', at: { x: 100, y: 100 }, touch: true }]);
    const far = new Gestures();
    far.down(1, { x: 100, y: 100 }, 0, true);
    assert.deepEqual(kinds(far.move(1, { x: 100 + way.x * 14, y: 100 + way.y * 14 }, 50)), ['pan']);
    assert.ok(!kinds(far.up(1, { x: 100, y: 100 }, 100)).includes('tap'), 'once a drag, always a drag');
  }
});

test('a mouse has less slack than a finger, and a long press is no tap', () => {
  const g = new Gestures();
  g.down(1, { x: 0, y: 0 }, 0, false);
  assert.deepEqual(kinds(g.move(1, { x: 6, y: 0 }, 10)), ['pan']);
  const long = new Gestures();
  long.down(1, { x: 0, y: 0 }, 0, false);
  assert.deepEqual(long.up(1, { x: 0, y: 0 }, 900), []);
});

test('a press that stays where it is holds; then its end is neither tap nor fling', () => {
  for (const touch of [true, false]) {
    const g = new Gestures();
    g.down(1, { x: 50, y: 60 }, 1000, touch);
    assert.deepEqual(g.wait(1000 + HOLD_MS - 1), []);
    assert.deepEqual(g.move(1, { x: 52, y: 61 }, 1200), []);
    assert.deepEqual(g.wait(1000 + HOLD_MS), [{ kind: 'hold', at: { x: 50, y: 60 }, touch }]);
    assert.deepEqual(g.wait(1000 + 2 * HOLD_MS), [], 'once');
    assert.equal(g.dragging, false);
    assert.deepEqual(g.up(1, { x: 52, y: 61 }, 1600), []);
  }
  const moved = new Gestures();
  moved.down(1, { x: 0, y: 0 }, 0, true);
  moved.move(1, { x: 40, y: 0 }, 100);
  assert.deepEqual(moved.wait(HOLD_MS), [], 'a drag does not hold');
  const two = new Gestures();
  two.down(1, { x: 0, y: 0 }, 0, true);
  two.down(2, { x: 90, y: 0 }, 10, true);
  assert.deepEqual(two.wait(HOLD_MS), [], 'nor do two fingers');
  const after = new Gestures();
  after.down(1, { x: 0, y: 0 }, 0, true);
  after.wait(HOLD_MS);
  assert.deepEqual(kinds(after.move(1, { x: 30, y: 0 }, 900)), ['pan'], 'a held finger can still drag');
});

test('two taps in the same place are a double tap, two far apart are not', () => {
  const tap = (g, x, t) => {
    g.down(1, { x, y: 0 }, t, true);
    return kinds(g.up(1, { x, y: 0 }, t + 30));
  };
  const g = new Gestures();
  assert.deepEqual(tap(g, 0, 0), ['tap']);
  assert.deepEqual(tap(g, 10, 150), ['doubleTap']);
  assert.deepEqual(tap(g, 10, 300), ['tap'], 'a third one begins anew');
  assert.deepEqual(tap(g, 90, 400), ['tap']);
  assert.deepEqual(tap(g, 90, 2000), ['tap']);
});

test('a drag pans by what the finger moved, and flings when it leaves at speed', () => {
  const g = new Gestures();
  g.down(1, { x: 0, y: 0 }, 0, true);
  let dx = 0;
  for (let i = 1; i <= 10; i++) for (const it of g.move(1, { x: i * 10, y: 0 }, i * 10)) dx += it.dx;
  assert.equal(dx, 100 - 10 + 10);
  const [fling] = g.up(1, { x: 100, y: 0 }, 101);
  assert.equal(fling.kind, 'fling');
  assert.ok(Math.abs(fling.vx - 1) < 0.2 && fling.vy === 0);
  const slow = new Gestures();
  slow.down(1, { x: 0, y: 0 }, 0, true);
  slow.move(1, { x: 50, y: 0 }, 50);
  assert.deepEqual(slow.up(1, { x: 50, y: 0 }, 800), [], 'held still before it was let go');
});

test('two fingers zoom about their middle and pan with it', () => {
  const g = new Gestures();
  g.down(1, { x: 0, y: 0 }, 0, true);
  g.down(2, { x: 100, y: 0 }, 10, true);
  assert.deepEqual(g.move(2, { x: 200, y: 0 }, 20), [{ kind: 'pinch', at: { x: 100, y: 0 }, factor: 2, dx: 50, dy: 0 }]);
  assert.deepEqual(g.up(2, { x: 200, y: 0 }, 30), [], 'no tap, no fling');
  assert.deepEqual(kinds(g.move(1, { x: 5, y: 0 }, 40)), ['pan'], 'the finger that stays goes on dragging');
});

test('fingers that coincide do not divide by zero', () => {
  const g = new Gestures();
  g.down(1, { x: 0, y: 0 }, 0, true);
  g.down(2, { x: 0, y: 0 }, 0, true);
  const [it] = g.move(2, { x: 0, y: 0 }, 1);
  assert.ok(Number.isFinite(it.factor));
});

test('the wheel zooms alike in all three units, and never leaps', () => {
  const notch = { deltaY: -100, deltaMode: 0, ctrlKey: false };
  assert.ok(wheelFactor(notch) > 1.2 && wheelFactor(notch) < 1.3);
  assert.ok(Math.abs(wheelFactor({ ...notch, deltaY: -3, deltaMode: 1 }) - wheelFactor(notch)) < 0.01);
  assert.ok(wheelFactor({ ...notch, deltaY: -1e6 }) < 1.8);
  assert.ok(Math.abs(wheelFactor({ ...notch, deltaY: 100 }) * wheelFactor(notch) - 1) < 1e-9, 'there and back');
});

test('a press that the system takes away is neither tap nor hold, and what comes then is not disturbed', () => {
  const g = new Gestures();
  g.down(1, { x: 50, y: 50 }, 0, true);
  g.cancel(1);
  assert.deepEqual(g.wait(HOLD_MS), []);
  assert.deepEqual(g.up(1, { x: 50, y: 50 }, HOLD_MS), []);
  assert.equal(g.dragging, false);
  g.down(2, { x: 50, y: 50 }, 600, true);
  assert.deepEqual(kinds(g.up(2, { x: 50, y: 50 }, 650)), ['tap']);
  g.down(3, { x: 0, y: 0 }, 2000, true);
  g.down(4, { x: 90, y: 0 }, 2010, true);
  g.reset();
  assert.equal(g.active, false);
  assert.deepEqual(g.wait(3000), []);
});
