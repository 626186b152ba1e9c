// A made-up gateway in a process of its own, so that it takes no time from what is measured: a painted canvas on which a crowd places, spread
// over all of it, as a gateway tells it: every 5 ms one frame for each tile that has news. Speaks with bench.mjs, which starts it.

import { FakeGateway } from './fake-gateway.mjs';
import { makeScene } from './scene.mjs';

const TICK_MS = 5;
const [side, rate] = process.argv.slice(2).map(Number);
const gateway = new FakeGateway({ width: side, height: side, cooldownMs: 300000, px: makeScene(side, side) });
let storming = false;
let told = 0;
let random = 12345;
const next = (/** @type {number} */ below) => {
  random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
  return Math.floor((random / 4294967296) * below);
};

process.on('message', (message) => {
  if (message === 'go') storming = true;
  if (message === 'stop') storming = false;
  process.send?.({ told });
});
process.on('disconnect', () => process.exit());

let last = performance.now();
let owed = 0;
setInterval(() => {
  const now = performance.now();
  if (storming) owed += ((now - last) * rate) / 1000;
  last = now;
  /** @type {Map<string, { x: number, y: number, color: number }[]>} */
  const tiles = new Map();
  for (; owed >= 1; owed--) {
    const it = { x: next(side), y: next(side), color: next(32) };
    const key = `${it.x >> 8}:${it.y >> 8}`;
    tiles.set(key, [...(tiles.get(key) ?? []), it]);
    told++;
  }
  for (const pixels of tiles.values()) gateway.placeAll(pixels);
}, TICK_MS);
await gateway.listen();
process.send?.({ url: gateway.url });
