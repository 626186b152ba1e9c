import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from '../../../web/src/protocol.js';
import { Sync, tilePart } from '../../../web/src/sync.js';
import { tileKey } from '../../../web/src/geom.js';
import { Clock, generator, slowInflate, snapshot, tileFrame } from './world.mjs';

test('the rule of TILE frames', () => {
  const mine = { epoch: 5, seq: 10 };
  assert.equal(tilePart(mine, 8, 3, 5, 5), 'known');
  assert.equal(tilePart(mine, 8, 4, 5, 5), 3);
  assert.equal(tilePart(mine, 11, 2, 5, 5), 0);
  assert.equal(tilePart(mine, 12, 1, 5, 5), 'gap');
  assert.equal(tilePart(mine, 11, 1, 6, 5), 0, 'another epoch that follows mine');
  assert.equal(tilePart(mine, 11, 1, 7, 6), 'gap', 'another epoch that follows another');
  assert.equal(tilePart(mine, 10, 2, 6, 5), 'gap', 'frames never cross an epoch');
  assert.equal(tilePart(mine, 12, 1, 6, 5), 'gap');
  assert.equal(tilePart(mine, 11, 1, 5, 4), 'gap', 'histories that parted');
  assert.equal(tilePart({ epoch: 0, seq: 0 }, 1, 3, 9, 0), 0, 'the first placements of a tile');
});

function setup() {
  const clock = new Clock();
  const log = [];
  const sync = new Sync(64, {
    changed: (tile, offsets) => log.push(offsets === null ? 'all' : [...offsets]),
    advanced: (tile) => log.push(`${tile.epoch}/${tile.seq}`),
    resume: ({ seq }) => log.push(`resume ${seq}`),
    damaged: () => log.push('damaged'),
    dropped: (tile) => log.push(`dropped ${tile.key}`),
  }, slowInflate(clock, () => 0.5), () => clock.now);
  sync.watch([tileKey(0, 0)]);
  const frame = (first, colors, epoch = 5, previousEpoch = first === 1 ? 0 : epoch) =>
    decode(tileFrame({ tx: 0, ty: 0, first, epoch, previousEpoch, updates: colors.map((color, i) => ({ offset: first + i, color })) }));
  const tile = sync.tiles.get(tileKey(0, 0));
  return { clock, log, sync, frame, tile };
}

test('updates change exactly their pixels', () => {
  const { sync, frame, log, tile } = setup();
  sync.receive(frame(1, [3, 4]));
  assert.deepEqual(log, ['all', '5/2'], 'a tile that was vacant is shown whole');
  sync.receive(frame(2, [4, 9]));
  assert.deepEqual(log.slice(2), [[3], '5/3'], 'only what is new');
  assert.deepEqual([...tile.px.slice(0, 5)], [0, 3, 4, 9, 0]);
});

test('a gap asks to resume, once, and once more when nothing came', () => {
  const { sync, frame, log, clock } = setup();
  sync.receive(frame(1, [1]));
  sync.receive(frame(4, [1]));
  sync.receive(frame(5, [1]));
  assert.equal(log.filter((it) => it.startsWith?.('resume')).length, 1);
  clock.now += 6000;
  sync.receive(frame(6, [1]));
  assert.equal(log.filter((it) => it.startsWith?.('resume')).length, 2);
  sync.receive(frame(2, [7, 7, 7, 7, 7]));
  assert.equal(log.at(-1), '5/6');
  sync.receive(frame(9, [1]));
  assert.equal(log.filter((it) => it.startsWith?.('resume')).length, 3);
});

test('what comes while a snapshot is inflated waits for it, in order', async () => {
  const { sync, frame, clock, tile } = setup();
  const px = new Uint8Array(4096);
  px[40] = 9;
  sync.receive(decode(snapshot({ tx: 0, ty: 0, seq: 10, epoch: 5, px, zlib: true })));
  sync.receive(frame(11, [6]));
  px[41] = 8;
  sync.receive(decode(snapshot({ tx: 0, ty: 0, seq: 20, epoch: 5, px, zlib: true })));
  sync.receive(frame(21, [7]));
  assert.equal(tile.seq, 0);
  await clock.run(100);
  assert.equal(tile.seq, 21);
  assert.deepEqual([tile.px[11], tile.px[21], tile.px[40], tile.px[41]], [0, 7, 9, 8], 'the second snapshot replaced the first update');
});

test('a snapshot may be short: the rest is background', () => {
  const { sync, tile } = setup();
  tile.px.fill(3);
  sync.receive(decode(snapshot({ tx: 0, ty: 0, seq: 1, epoch: 5, px: Uint8Array.of(1, 2) })));
  assert.deepEqual([tile.px[0], tile.px[1], tile.px[2], tile.px[4095]], [1, 2, 0, 0]);
});

test('a wrong checksum starts over, and in the end says so', () => {
  const { sync, log, tile, frame } = setup();
  sync.receive(frame(1, [4, 4]));
  log.length = 0;
  const bad = () => decode(snapshot({ tx: 0, ty: 0, seq: 1, epoch: 5, px: Uint8Array.of(1), checksum: 77n }));
  for (let i = 0; i < 3; i++) sync.receive(bad());
  assert.deepEqual(log, ['all', 'resume 0', 'all', 'resume 0', 'damaged']);
  assert.equal(tile.px[0], 0);
  sync.receive(decode(snapshot({ tx: 0, ty: 0, seq: 1, epoch: 5, px: Uint8Array.of(1) })));
  assert.equal(tile.px[0], 1);
});

test('bytes that do not inflate, or to more than a tile, start over', async () => {
  const { sync, log, clock } = setup();
  const good = decode(snapshot({ tx: 0, ty: 0, seq: 1, epoch: 5, px: new Uint8Array(9000), zlib: true }));
  sync.receive(good);
  await clock.run(100);
  assert.deepEqual(log, ['all', 'resume 0']);
});

test('more messages than may wait start the tile over instead of growing', async () => {
  const { sync, frame, log, clock, tile } = setup();
  sync.receive(decode(snapshot({ tx: 0, ty: 0, seq: 1, epoch: 5, px: new Uint8Array(1), zlib: true })));
  for (let i = 0; i < 300; i++) sync.receive(frame(2 + i, [1]));
  assert.equal(tile.queue.length, 256);
  assert.deepEqual(log, ['resume 0']);
  await clock.run(100);
  assert.equal(tile.seq, 257);
});

test('HTTP never replaces what is newer', () => {
  const { sync, frame, tile } = setup();
  sync.load(0, 0, { epoch: 5, seq: 3 }, Uint8Array.of(9));
  assert.deepEqual([tile.seq, tile.px[0]], [3, 9]);
  sync.receive(frame(4, [1]));
  sync.load(0, 0, { epoch: 5, seq: 3 }, Uint8Array.of(8));
  sync.load(0, 0, { epoch: 4, seq: 99 }, Uint8Array.of(8));
  sync.load(7, 7, { epoch: 9, seq: 9 }, Uint8Array.of(8));
  assert.deepEqual([tile.seq, tile.px[0]], [4, 9]);
});

test('tiles that leave the watch stay for a while; not for ever', () => {
  const { sync, log } = setup();
  for (let i = 1; i <= 80; i++) sync.watch([tileKey(i, 0)]);
  assert.equal(sync.tiles.size, 65);
  assert.equal(log[0], `dropped ${tileKey(0, 0)}`, 'the one that left first');
  assert.deepEqual(sync.entries([tileKey(80, 0), tileKey(3000, 1)])[1], { tx: 3000, ty: 1, seq: 0, epoch: 0 });
});

test('tiles of which nothing came have never been placed on', () => {
  const { sync, log, tile } = setup();
  assert.equal(tile.known, false);
  sync.assumeBlank([tile.key, 12345]);
  assert.deepEqual([tile.known, log], [true, ['all']]);
});

test('any history, cut, doubled and rearranged at the seams, ends at the same pixels', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = generator(seed);
    const { sync, clock, tile } = setup();
    const truth = new Uint8Array(4096);
    const history = [];
    let epoch = 5;
    for (let seq = 1; seq <= 60; seq++) {
      if (random() < 0.08) epoch += 1;
      history.push({ offset: Math.floor(random() * 64), color: Math.floor(random() * 32), epoch });
    }
    history.forEach(({ offset, color }) => (truth[offset] = color));
    // Frames of random length from random places, never across an epoch, and snapshots, until the end is reached.
    for (let guard = 0; guard < 2000 && tile.seq < 60; guard++) {
      const first = 1 + Math.floor(random() * Math.min(60, tile.seq + 6));
      if (random() < 0.06) {
        const px = new Uint8Array(4096);
        history.slice(0, first).forEach(({ offset, color }) => (px[offset] = color));
        sync.receive(decode(snapshot({ tx: 0, ty: 0, seq: first, epoch: history[first - 1].epoch, px, zlib: random() < 0.5 })));
      } else {
        const its = history[first - 1].epoch;
        let last = first;
        while (last < 60 && history[last].epoch === its && random() < 0.7) last++;
        sync.receive(decode(tileFrame({
          tx: 0, ty: 0, first, epoch: its, previousEpoch: history[first - 2]?.epoch ?? 0, updates: history.slice(first - 1, last),
        })));
      }
      if (random() < 0.3) await clock.run(random() * 40);
    }
    await clock.run(100);
    const px = new Uint8Array(4096);
    history.slice(0, tile.seq).forEach(({ offset, color }) => (px[offset] = color));
    assert.deepEqual(tile.px, px, `seed ${seed}`);
    assert.equal(tile.epoch, tile.seq === 0 ? 0 : history[tile.seq - 1].epoch, `seed ${seed}`);
  }
});
