// The page's decoders against those in C (tests/unit/ws_oracle.c), over messages that were made wrong by a seed: both take the same ones,
// and read the same values. Likewise the place of a link, where the gateway's preview finds one.
//
//     SEED=17 RUNS=1000000 node --test tests/unit/js/differential.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

import * as protocol from '../../../web/src/protocol.js';
import { readLink } from '../../../web/src/url.js';
import { whole } from './property.mjs';
import { fromHex, toHex, vectors } from './vectors.mjs';
import { generator } from './world.mjs';

const SEED = Number(process.env.SEED ?? 1);
const RUNS = Number(process.env.RUNS ?? 100_000);
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const LONGEST = 400; // bytes of what is mutated: a longer message has no further field
const EDGES = [0, 1, 2, 0x7f, 0x80, 0xff];
const TEXTS = ['é', '\u0085', '\u007f', '\ufeff', '€', '😀', '\n', '\0'].map((text) => new TextEncoder().encode(text));

/** A line for each, in their order. @param {Uint8Array[]} messages @param {number} kind 0: of a gateway, 1: the query of a link */
function oracle(messages, kind) {
  execFileSync('make', ['-s', 'build/ws-oracle'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
  const input = Buffer.concat(messages.flatMap((bytes) => {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(bytes.length);
    return [head, bytes, Buffer.from([kind])];
  }));
  const output = execFileSync(`${ROOT}/build/ws-oracle`, { input, maxBuffer: 2 ** 30 });
  return output.toString().split('\n').slice(0, -1);
}

/** @param {Uint8Array} bytes */
const sum = (bytes) => bytes.reduce((all, byte) => (Math.imul(all, 31) + byte) >>> 0, 0);

/** What the oracle says of the same. @param {any} m */
function line(m) {
  switch (m.type) {
  case 'welcome':
    return ['welcome', Number(m.readOnly), m.edge, m.version, m.width, m.height, m.cooldownMs, m.nextNonce, m.waitMs, m.online, m.user].join(' ');
  case 'config':
    return ['config', Number(m.readOnly), m.edge, m.version, m.width, m.height, m.cooldownMs].join(' ');
  case 'verdict':
    return ['verdict', m.code, m.x, m.y, m.nonce, m.nextNonce, m.waitMs, m.seq].join(' ');
  case 'status':
    return ['status', Number(m.readOnly), m.online].join(' ');
  case 'move':
    return `move ${m.delayMs}`;
  case 'error':
    return `error ${m.code}`;
  case 'tile':
    return ['tile', m.tx, m.ty, m.count, m.first, m.epoch, m.previousEpoch, sum(m.updates)].join(' ');
  case 'snapshot':
    return ['snapshot', m.encoding, m.tx, m.ty, m.seq, m.epoch, m.checksum, m.data.length, sum(m.data)].join(' ');
  case 'announcement':
    return `announcement ${m.text}`;
  default:
    return ['palette', m.colors.length, ...m.colors.map(({ rgb, name }) => `${rgb.slice(1)}:${name}`)].join(' ');
  }
}

/** @param {Uint8Array} bytes */
function decoded(bytes) {
  try {
    return line(protocol.decode(bytes));
  } catch (error) {
    assert.ok(error instanceof protocol.ProtocolError, `${toHex(bytes)}: ${error}`);
    return '-';
  }
}

/** One thing is made wrong. @param {Uint8Array} bytes @param {() => number} random */
function mutate(bytes, random) {
  const at = whole(random, bytes.length);
  const text = TEXTS[whole(random, TEXTS.length)];
  switch (whole(random, 7)) {
  case 0:
    return bytes.subarray(0, at);
  case 1:
    return Buffer.concat([bytes, Buffer.alloc(1 + whole(random, 4), whole(random, 256))]);
  case 2:
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + whole(random, 4))]);
  case 3: {
    const copy = Buffer.from(bytes);
    copy.set(text.subarray(0, copy.length - at), at);
    return copy;
  }
  case 4: {
    const copy = Buffer.from(bytes);
    copy[at] ^= 1 << whole(random, 8);
    return copy;
  }
  default: {
    const copy = Buffer.from(bytes);
    copy[at] = random() < 0.5 ? EDGES[whole(random, EDGES.length)] : whole(random, 256);
    return copy;
  }
  }
}

test(`${RUNS} messages made wrong are taken, and read, as in C (seed ${SEED})`, () => {
  const random = generator(SEED);
  const ws = vectors('ws.json');
  const bases = [...ws.messages, ...ws.malformed, ...ws.refused_by_numbers].map(({ hex }) => fromHex(hex)).filter(({ length }) => length > 0 && length <= LONGEST);
  const messages = Array.from({ length: RUNS }, () => {
    let bytes = bases[whole(random, bases.length)];
    for (let changes = whole(random, 4); changes > 0 && bytes.length > 0; changes--) bytes = mutate(bytes, random);
    return bytes;
  });
  const said = oracle(messages, 0);
  assert.equal(said.length, messages.length);
  let taken = 0;
  for (const [i, bytes] of messages.entries()) {
    const here = decoded(bytes);
    if (here !== said[i]) assert.fail(`${toHex(bytes)}: here ${here}, in C ${said[i]}`);
    taken += Number(here !== '-');
  }
  assert.ok(taken > RUNS / 10 && taken < RUNS, `${taken} taken`);
});

test(`where the preview of a link finds a place, the page does as well (seed ${SEED})`, () => {
  const random = generator(SEED);
  const names = ['x', 'y', 'zoom', 'scale', 'cx', 'cy', 'px', 'z'];
  const values = ['0', '7', '12.5', '65535', '65536', '-1', '007', '1e3', '', '12.', '.5', '1.5.2', '00000000012', '9'.repeat(13), '3.' + '1'.repeat(30), '+4', ' 5', '-0.5', '-0.0', '3.0000'];
  const queries = Array.from({ length: RUNS / 20 }, () =>
    Array.from({ length: 2 + whole(random, 4) }, () => `${names[whole(random, names.length)]}=${values[whole(random, values.length)]}`).join('&'));
  const said = oracle(queries.map((query) => Buffer.from(query)), 1);
  let found = 0;
  for (const [i, query] of queries.entries()) {
    if (said[i] === '-') continue;
    const { place } = readLink(`http://a/?${query}`);
    assert.equal(place && `link ${Math.floor(place.x) + 0} ${Math.floor(place.y) + 0}`, said[i], query);
    found++;
  }
  assert.ok(found > queries.length / 100, `${found} found`);
});
