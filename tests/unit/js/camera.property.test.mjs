// Whatever a player does in whatever order: the camera stays on the canvas, shows no more tiles than may be watched, and comes to rest.
import assert from 'node:assert/strict';
import { SCALE_MAX, toCanvas, toScreen, viewRect } from '../../../web/src/camera.js';
import { tileCount, watchSet } from '../../../web/src/geom.js';
import { Motion } from '../../../web/src/motion.js';
import { pick, property, whole } from './property.mjs';

const SCREENS = [[1440, 900, 64, 120], [390, 844, 56, 90], [390, 844, 56, 420], [3840, 2160, 64, 120], [844, 390, 56, 90], [320, 320, 56, 200]];
const CANVASES = [[1000, 1000, 256], [2000, 2000, 256], [65536, 65536, 256], [64, 64, 64], [3, 60000, 128], [16384, 9, 64]];
const REST_MS = 10000;
const WATCH = 256;

function command(random) {
  const at = () => ({ x: whole(random, 1440), y: whole(random, 900) });
  const signed = (/** @type {number} */ most) => (random() * 2 - 1) * most;
  const camera = () => ({ x: signed(70000), y: signed(70000), scale: 2 ** signed(9) });
  return pick(random, [
    () => ({ do: 'pan', args: [signed(2000), signed(2000)] }),
    () => ({ do: 'zoom', args: [random() < 0.3 ? null : at(), 2 ** signed(6), random() < 0.6] }),
    () => ({ do: 'fling', args: [signed(9), signed(9)] }),
    () => ({ do: 'hold', args: [{ x: whole(random, 3) - 1, y: whole(random, 3) - 1, zoom: whole(random, 3) - 1 }] }),
    () => ({ do: 'jump', args: [camera()] }),
    () => ({ do: 'fly', args: [camera()] }),
    () => ({ do: 'fit', args: [random() < 0.3] }),
    () => ({ do: 'reveal', args: [{ x: whole(random, 1000), y: whole(random, 1000) }] }),
    () => ({ do: 'stop', args: [] }),
    () => ({ do: 'setScreen', args: pick(random, SCREENS) }),
    () => ({ do: 'setCanvas', args: [(([width, height, edge]) => ({ width, height, edge }))(pick(random, CANVASES)), WATCH] }),
    () => ({ do: 'calm', args: [random() < 0.4] }),
    () => ({ do: 'frames', args: [1 + whole(random, 30), pick(random, [1, 7, 16, 16, 33, 400])] }),
  ])();
}

/** What holds at every moment. */
function check(motion) {
  const { camera, goal, screen, geom, least } = motion;
  for (const it of [camera, goal]) {
    assert.ok([it.x, it.y, it.scale].every(Number.isFinite), `not a number: ${JSON.stringify(it)}`);
    assert.ok(it.x >= 0 && it.y >= 0 && it.x <= geom.width && it.y <= geom.height, `off the canvas: ${JSON.stringify(it)}`);
    assert.ok(it.scale >= least && it.scale <= SCALE_MAX, `scale ${it.scale} is not in ${least} to ${SCALE_MAX}`);
  }
  const point = { x: screen.width / 3, y: screen.height / 7 };
  const back = toScreen(camera, screen, toCanvas(camera, screen, point));
  assert.ok(Math.hypot(back.x - point.x, back.y - point.y) < 1e-4, 'screen to canvas and back');
  // Every tile that is seen is watched: nothing in view is out of date for want of room.
  if (tileCount(geom) <= WATCH || least >= SCALE_MAX) return;
  const { left, top, right, bottom } = viewRect(camera, screen);
  const seen = new Set(watchSet(geom, { left, top, right, bottom }, WATCH));
  for (const [x, y] of [[left, top], [right, top], [left, bottom], [right, bottom], [(left + right) / 2, (top + bottom) / 2]]) {
    const [tx, ty] = [Math.floor(x / geom.edge), Math.floor(y / geom.edge)];
    const there = tx >= 0 && ty >= 0 && tx * geom.edge < geom.width && ty * geom.edge < geom.height;
    assert.ok(!there || seen.has(tx * 65536 + ty), `tile ${tx}, ${ty} is in view and not watched`);
  }
}

function run(commands) {
  const motion = new Motion();
  motion.setScreen(1440, 900, 64, 120);
  motion.setCanvas({ width: 1000, height: 1000, edge: 256 }, WATCH);
  motion.fit(true);
  let now = 1000;
  const frame = (ms) => {
    now += ms;
    const more = motion.step(now);
    check(motion);
    return more;
  };
  for (const { do: what, args } of commands) {
    if (what === 'frames') for (let i = 0; i < args[0]; i++) frame(args[1]);
    else if (what === 'calm') [motion.calm] = args;
    else if (what === 'zoom' && args[0] && (!args[2] || motion.calm)) anchored(motion, args);
    else motion[what](...args);
    check(motion);
  }
  // Everything is let go: it rests, and rests where it said it would.
  motion.hold({ x: 0, y: 0, zoom: 0 });
  const end = now + REST_MS;
  while (frame(16)) assert.ok(now < end, 'it never rests');
  assert.deepEqual(motion.goal, motion.camera, 'rests elsewhere than it said');
}

/** Zooming at once: what is under the finger stays there, unless an end of the canvas is in the way. */
function anchored(motion, [at, factor, smooth]) {
  const kept = toCanvas(motion.camera, motion.screen, at);
  motion.zoom(at, factor, smooth);
  const { x, y, scale } = motion.camera;
  if (x <= 0 || y <= 0 || x >= motion.geom.width || y >= motion.geom.height) return;
  const now = toCanvas(motion.camera, motion.screen, at);
  assert.ok(Math.hypot(now.x - kept.x, now.y - kept.y) * scale < 0.01, `the point under the finger moved by ${Math.hypot(now.x - kept.x, now.y - kept.y)}`);
}

property('camera: on the canvas, within the watch, at rest in the end', { command, run, runs: 400, length: 60 });
