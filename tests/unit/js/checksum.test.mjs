import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Checksum, tileChecksum } from '../../../web/src/checksum.js';
import { fromHex, vectors } from './vectors.mjs';

const golden = vectors('checksum.json');

/** @param {bigint} value */
const hex = (value) => value.toString(16).padStart(16, '0');

/** The pixels of a `made` vector. @param {{seed: number, len: number, colors: number}} recipe */
function made({ seed, len, colors }) {
  const pixels = new Uint8Array(len);
  let s = seed;
  for (let i = 0; i < len; i++) {
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    pixels[i] = (s >>> 0) % colors;
  }
  return pixels;
}

test('mix64 of single pixels', () => {
  for (const { offset, color, mix } of golden.mix64) {
    const sum = new Checksum();
    sum.add(offset, color, 1);
    assert.equal(hex(sum.value), mix, `offset ${offset}, color ${color}`);
    sum.add(offset, color, -1);
    assert.equal(sum.value, 0n);
  }
});

test('checksums of tiles', () => {
  for (const tile of golden.tiles) assert.equal(hex(tileChecksum(fromHex(tile.hex))), tile.checksum, tile.name);
  for (const tile of golden.made) assert.equal(hex(tileChecksum(made(tile))), tile.checksum, tile.name);
});

test('kept up with changes it is what it would be from the start', () => {
  const pixels = made({ seed: 7, len: 4096, colors: 32 });
  const sum = Checksum.of(pixels);
  const others = made({ seed: 8, len: 4096, colors: 32 });
  for (let i = 0; i < 4096; i += 3) {
    sum.replace(i, pixels[i], others[i]);
    pixels[i] = others[i];
  }
  assert.ok(sum.equals(tileChecksum(pixels)));
  assert.ok(!sum.equals(tileChecksum(others)));
});
