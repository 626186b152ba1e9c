import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as protocol from '../../../web/src/protocol.js';
import { fromHex, toHex, vectors } from './vectors.mjs';

const ws = vectors('ws.json');
const FROM_CLIENT = new Set(['hello', 'watch', 'resume', 'draw']);

/** @param {{type: string, fields: any}} message */
function encode({ type, fields }) {
  switch (type) {
  case 'hello':
    return protocol.encodeHello(BigInt(`0x${fields.connection}`), fields.entries);
  case 'watch':
    return protocol.encodeWatch(fields.entries);
  case 'resume':
    return protocol.encodeResume(fields.entries);
  default:
    return protocol.encodeDraw(fields);
  }
}

/** Fields as the vectors write them. @param {any} message */
function plain({ type, ...fields }) {
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === 'bigint') fields[name] = value.toString(16).padStart(16, '0');
    if (value instanceof Uint8Array) fields[name] = toHex(value);
  }
  return { type, fields };
}

for (const message of ws.messages) {
  test(message.name, () => {
    if (FROM_CLIENT.has(message.type)) {
      assert.equal(toHex(encode(message)), message.hex);
    } else {
      const decoded = plain(protocol.decode(fromHex(message.hex)));
      assert.deepEqual(decoded, { type: message.type, fields: message.fields });
    }
  });
}

for (const message of [...ws.malformed, ...ws.refused_by_numbers]) {
  if (FROM_CLIENT.has(message.type)) continue;
  test(`malformed: ${message.name}`, () => {
    assert.throws(() => protocol.decode(fromHex(message.hex)), protocol.ProtocolError);
  });
}

test('every server message cut short is refused', () => {
  for (const message of ws.messages) {
    if (FROM_CLIENT.has(message.type)) continue;
    const bytes = fromHex(message.hex);
    // A snapshot may be as short as its head: where its colors end, only zlib knows.
    const least = message.type === 'snapshot' ? 28 : bytes.length;
    for (let len = 0; len < least; len++) {
      assert.throws(() => protocol.decode(bytes.subarray(0, len)), protocol.ProtocolError, `${message.name} at ${len}`);
    }
  }
});

test('messages of a client are of unknown type to it', () => {
  for (const message of ws.messages.filter((/** @type {any} */ m) => FROM_CLIENT.has(m.type))) {
    assert.throws(() => protocol.decode(fromHex(message.hex)), protocol.ProtocolError);
  }
});

test('views point into the message wherever it lies', () => {
  const tile = ws.messages.find((/** @type {any} */ m) => m.type === 'tile');
  const bytes = fromHex(tile.hex);
  const shifted = new Uint8Array(bytes.length + 5);
  shifted.set(bytes, 5);
  assert.deepEqual(plain(protocol.decode(shifted.subarray(5))).fields, tile.fields);
  assert.deepEqual(plain(protocol.decode(bytes.buffer.slice(0))).fields, tile.fields);
});

test('8192 updates are a tile frame, 8193 are not', () => {
  for (const [count, fine] of [[8192, true], [8193, false]]) {
    const bytes = new Uint8Array(20 + Number(count) * 3);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, protocol.TYPE.TILE);
    view.setUint16(6, Number(count), true);
    view.setUint32(8, 5, true);
    if (fine) assert.equal(/** @type {any} */ (protocol.decode(bytes)).count, 8192);
    else assert.throws(() => protocol.decode(bytes), protocol.ProtocolError);
  }
});

test('257 tiles are too many to watch', () => {
  const entries = Array.from({ length: 257 }, (_, tx) => ({ tx, ty: 0, seq: 0, epoch: 0 }));
  assert.throws(() => protocol.encodeWatch(entries), RangeError);
});
