// What a client of the simulation (tests/sim) got of its tiles, through takeovers, crashes and reconnections, and what it
// showed after each message: the page's own copies have to be the same.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { tileChecksum } from '../../../web/src/checksum.js';
import { tileKey } from '../../../web/src/geom.js';
import { decode } from '../../../web/src/protocol.js';
import { Sync } from '../../../web/src/sync.js';

const traces = new URL('../../sim/traces/', import.meta.url);
const inflateAsync = promisify(inflate);

async function replay(lines) {
  const resumed = new Set();
  const sync = new Sync(64, {
    changed: () => {},
    advanced: (tile) => resumed.delete(tile.key),
    resume: (tile) => resumed.add(tile.key),
    damaged: () => assert.fail('a wrong checksum'),
    dropped: () => {},
  }, (data, most) => inflateAsync(data, { maxOutputLength: most }), () => 1);
  sync.watch([0, 1, 2, 3].map((tx) => tileKey(tx, 0)));
  for (const [number, line] of lines.entries()) {
    const { connect, in: hex, gap, tile: [tx, ty] = [], epoch, seq, checksum } = line;
    if (connect) {
      sync.disconnected();
      continue;
    }
    const tile = sync.tiles.get(tileKey(tx, ty));
    sync.receive(decode(Uint8Array.from(Buffer.from(hex, 'hex'))));
    while (tile.inflating) await new Promise((resolve) => { setImmediate(resolve); });
    assert.deepEqual({ epoch: tile.epoch, seq: tile.seq }, { epoch, seq }, `position after line ${number + 1}`);
    assert.equal(tileChecksum(tile.px), BigInt(`0x${checksum}`), `pixels after line ${number + 1}`);
    if (gap) assert.ok(resumed.has(tile.key), `a resume after line ${number + 1}`);
  }
  return lines.length;
}

for (const name of readdirSync(traces).filter((it) => it.endsWith('.jsonl'))) {
  test(`the page shows what the client of seed ${name.replace('.jsonl', '')} showed`, async () => {
    const lines = readFileSync(new URL(name, traces), 'utf8').trim().split('\n').map((it) => JSON.parse(it));
    assert.ok((await replay(lines)) > 20);
  });
}
