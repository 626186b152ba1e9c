// The browser protocol, tessera.v1 (PROTOCOL.md, part 1.2): messages to plain objects and back. No DOM, no sockets.
//
// Epochs are numbers: they are milliseconds since 1970, far below 2^53; a greater one is refused. The user, connection
// and checksum are random 64 bits: bigint.

/** @typedef {{tx: number, ty: number, seq: number, epoch: number}} Entry A tile and the position that one has of it. */
/** @typedef {{color: number, x: number, y: number, nonce: number}} Draw */
/**
 * @typedef {{type: 'welcome', readOnly: boolean, edge: number, version: number, width: number, height: number,
 *   cooldownMs: number, nextNonce: number, waitMs: number, online: number, user: bigint}} Welcome
 * @typedef {{type: 'verdict', code: number, x: number, y: number, nonce: number, nextNonce: number, waitMs: number,
 *   seq: number}} Verdict
 * @typedef {{type: 'tile', tx: number, ty: number, count: number, first: number, epoch: number, previousEpoch: number,
 *   updates: Uint8Array}} TileFrame `updates` is a view of count * 3 bytes: offset u16 little-endian, color u8
 * @typedef {{type: 'snapshot', encoding: number, tx: number, ty: number, seq: number, epoch: number, checksum: bigint,
 *   data: Uint8Array}} Snapshot `data` is a view of the rest of the message
 * @typedef {{type: 'status', readOnly: boolean, online: number}} Status
 * @typedef {{type: 'config', readOnly: boolean, edge: number, version: number, width: number, height: number,
 *   cooldownMs: number}} Config
 * @typedef {{type: 'move', delayMs: number}} Move
 * @typedef {{type: 'error', code: number}} ErrorMessage
 * @typedef {{type: 'announcement', text: string}} Announcement
 * @typedef {{type: 'palette', colors: { name: string, rgb: string }[]}} PaletteFrame
 * @typedef {Welcome | Verdict | TileFrame | Snapshot | Status | Config | Move | ErrorMessage | Announcement | PaletteFrame}
 *   ServerMessage
 */

export const SUBPROTOCOL = 'tessera.v1';
export const MAX_WATCH = 256;
export const MAX_UPDATES = 8192;
export const UPDATE_LEN = 3;
/** Bytes. */
export const MAX_ANNOUNCEMENT = 500;

export const TYPE = Object.freeze({
  HELLO: 0x01, DRAW: 0x02, WATCH: 0x03, RESUME: 0x04,
  WELCOME: 0x81, VERDICT: 0x82, TILE: 0x83, SNAPSHOT: 0x84, STATUS: 0x85, CONFIG: 0x86, MOVE: 0x87, ERROR: 0x88,
  ANNOUNCEMENT: 0x89, PALETTE: 0x8a,
});

export const VERDICT = Object.freeze({
  PLACED: 0, COOLDOWN: 1, STALE: 2, BAD_COLOR: 3, OUT_OF_BOUNDS: 4, READ_ONLY: 5, OVERLOADED: 6, UNAVAILABLE: 7,
  ALLOWANCE: 8, LOCKED: 9, BANNED: 10,
});

export const ERROR = Object.freeze({ WATCH_LIMIT: 1, TILE_UNAVAILABLE: 2 });

export const CLOSE = Object.freeze({
  NORMAL: 1000, GOING_AWAY: 1001, PROTOCOL: 1002, TEXT: 1003, TOO_LONG: 1009,
  NO_HELLO: 4000, MALFORMED: 4002, SLOW: 4004, FULL: 4005, NEW_PAGE: 4006, ERASED: 4007,
});

export const ENCODING = Object.freeze({ RAW: 0, ZLIB: 1 });

const FLAG_READ_ONLY = 1;
const FLAG_PREVIOUS_EPOCH = 1;
const ENTRY_LEN = 16;
const TILE_HEAD_LEN = 20;
const SNAPSHOT_HEAD_LEN = 28;
const MAX_U32 = 0xffffffff;
const MAX_SIDE = 65536;

/** Bytes that are no message of the protocol. */
export class ProtocolError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = 'ProtocolError';
  }
}

/**
 * @param {boolean} condition
 * @param {string} what
 */
function expect(condition, what) {
  if (!condition) throw new ProtocolError(what);
}

// ---- Client to gateway -----------------------------------------------------------------------------------------------

/**
 * @param {DataView} view
 * @param {number} at
 * @param {number} value
 */
function putEpoch(view, at, value) {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/**
 * @param {DataView} view
 * @param {number} at
 * @param {readonly Entry[]} entries
 */
function putEntries(view, at, entries) {
  for (const [i, entry] of entries.entries()) {
    const to = at + i * ENTRY_LEN;
    view.setUint16(to, entry.tx, true);
    view.setUint16(to + 2, entry.ty, true);
    view.setUint32(to + 4, entry.seq, true);
    putEpoch(view, to + 8, entry.epoch);
  }
}

/**
 * @param {number} type
 * @param {number} headLen
 * @param {readonly Entry[]} entries at most MAX_WATCH
 */
function begin(type, headLen, entries) {
  if (entries.length > MAX_WATCH) throw new RangeError(`${entries.length} tiles: at most ${MAX_WATCH}`);
  const view = new DataView(new ArrayBuffer(headLen + entries.length * ENTRY_LEN));
  view.setUint8(0, type);
  view.setUint16(2, entries.length, true);
  putEntries(view, headLen, entries);
  return view;
}

/** @param {DataView} view */
function bytesOf(view) {
  return new Uint8Array(view.buffer);
}

/**
 * @param {bigint} connection not 0; drawn once and kept over reconnections
 * @param {readonly Entry[]} entries what to watch
 * @returns {Uint8Array}
 */
export function encodeHello(connection, entries) {
  const view = begin(TYPE.HELLO, 12, entries);
  view.setBigUint64(4, connection, true);
  return bytesOf(view);
}

/**
 * @param {readonly Entry[]} entries what to watch from now on
 * @returns {Uint8Array}
 */
export function encodeWatch(entries) {
  return bytesOf(begin(TYPE.WATCH, 4, entries));
}

/**
 * @param {readonly Entry[]} entries watched tiles that were found to be wrong or behind
 * @returns {Uint8Array}
 */
export function encodeResume(entries) {
  return bytesOf(begin(TYPE.RESUME, 4, entries));
}

/**
 * @param {Draw} draw
 * @returns {Uint8Array}
 */
export function encodeDraw({ color, x, y, nonce }) {
  const view = new DataView(new ArrayBuffer(10));
  view.setUint8(0, TYPE.DRAW);
  view.setUint8(1, color);
  view.setUint16(2, x, true);
  view.setUint16(4, y, true);
  view.setUint32(6, nonce, true);
  return bytesOf(view);
}

// ---- Gateway to client -----------------------------------------------------------------------------------------------

/**
 * @param {DataView} view
 * @param {number} at
 */
function getEpoch(view, at) {
  const high = view.getUint32(at + 4, true);
  expect(high < 2 ** 21, 'an epoch past 2^53');
  return high * 2 ** 32 + view.getUint32(at, true);
}

/**
 * The fields that WELCOME and CONFIG begin with.
 * @param {DataView} view
 */
function getCanvas(view) {
  const canvas = {
    readOnly: (view.getUint8(1) & FLAG_READ_ONLY) !== 0,
    edge: view.getUint16(2, true),
    version: view.getUint32(4, true),
    width: view.getUint32(8, true),
    height: view.getUint32(12, true),
    cooldownMs: view.getUint32(16, true),
  };
  expect(canvas.edge === 64 || canvas.edge === 128 || canvas.edge === 256, 'an edge that is none');
  for (const side of [canvas.width, canvas.height]) expect(side >= 1 && side <= MAX_SIDE, 'a side that is none');
  return canvas;
}

/**
 * @param {DataView} view
 * @returns {Welcome}
 */
function decodeWelcome(view) {
  return {
    type: 'welcome',
    ...getCanvas(view),
    nextNonce: view.getUint32(20, true),
    waitMs: view.getUint32(24, true),
    online: view.getUint32(28, true),
    user: view.getBigUint64(32, true),
  };
}

/**
 * @param {DataView} view
 * @returns {Verdict}
 */
function decodeVerdict(view) {
  return {
    type: 'verdict',
    code: view.getUint8(1),
    x: view.getUint16(2, true),
    y: view.getUint16(4, true),
    nonce: view.getUint32(8, true),
    nextNonce: view.getUint32(12, true),
    waitMs: view.getUint32(16, true),
    seq: view.getUint32(20, true),
  };
}

/**
 * @param {DataView} view
 * @returns {TileFrame}
 */
function decodeTile(view) {
  expect(view.byteLength >= TILE_HEAD_LEN, 'a tile frame cut short');
  const flags = view.getUint8(1);
  expect(flags <= FLAG_PREVIOUS_EPOCH, 'a tile frame of another layout');
  const headLen = TILE_HEAD_LEN + (flags === FLAG_PREVIOUS_EPOCH ? 8 : 0);
  const count = view.getUint16(6, true);
  const first = view.getUint32(8, true);
  expect(count >= 1 && count <= MAX_UPDATES, 'a tile frame of too few or too many updates');
  expect(view.byteLength === headLen + count * UPDATE_LEN, 'a tile frame of another length than it says');
  expect(first >= 1 && first + count - 1 <= MAX_U32, 'a tile frame with numbers that are none');
  const epoch = getEpoch(view, 12);
  const previousEpoch = headLen > TILE_HEAD_LEN ? getEpoch(view, TILE_HEAD_LEN) : epoch;
  expect(previousEpoch <= epoch, 'a tile frame whose epochs fall');
  return {
    type: 'tile',
    tx: view.getUint16(2, true),
    ty: view.getUint16(4, true),
    count,
    first,
    epoch,
    previousEpoch,
    updates: new Uint8Array(view.buffer, view.byteOffset + headLen, count * UPDATE_LEN),
  };
}

/**
 * @param {DataView} view
 * @returns {Snapshot}
 */
function decodeSnapshot(view) {
  expect(view.byteLength >= SNAPSHOT_HEAD_LEN, 'a snapshot cut short');
  const encoding = view.getUint8(1);
  expect(encoding === ENCODING.RAW || encoding === ENCODING.ZLIB, 'a snapshot in an unknown encoding');
  return {
    type: 'snapshot',
    encoding,
    tx: view.getUint16(2, true),
    ty: view.getUint16(4, true),
    seq: view.getUint32(8, true),
    epoch: getEpoch(view, 12),
    checksum: view.getBigUint64(20, true),
    data: new Uint8Array(view.buffer, view.byteOffset + SNAPSHOT_HEAD_LEN, view.byteLength - SNAPSHOT_HEAD_LEN),
  };
}

/**
 * @param {DataView} view
 * @returns {Status}
 */
function decodeStatus(view) {
  return { type: 'status', readOnly: (view.getUint8(1) & FLAG_READ_ONLY) !== 0, online: view.getUint32(4, true) };
}

// A mark at the beginning is a character like any other.
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const CONTROL = /\p{Cc}/u;

/**
 * @param {DataView} view
 * @param {number} at
 * @param {number} length
 */
function getText(view, at, length) {
  expect(at + length <= view.byteLength, 'a text cut short');
  let text;
  try {
    text = UTF8.decode(new Uint8Array(view.buffer, view.byteOffset + at, length));
  } catch {
    throw new ProtocolError('a text that is no UTF-8');
  }
  expect(!CONTROL.test(text), 'a text with control characters');
  return text;
}

/**
 * @param {DataView} view
 * @returns {Announcement}
 */
function decodeAnnouncement(view) {
  expect(view.byteLength >= 4, 'an announcement cut short');
  const length = view.getUint16(2, true);
  expect(length <= MAX_ANNOUNCEMENT && view.byteLength === 4 + length, 'an announcement of another length than it says');
  return { type: 'announcement', text: getText(view, 4, length) };
}

/**
 * @param {DataView} view
 * @returns {PaletteFrame}
 */
function decodePalette(view) {
  expect(view.byteLength >= 4, 'a palette cut short');
  const count = view.getUint16(2, true);
  expect(count >= 2 && count <= 256, 'a palette of too few or too many colors');
  const colors = [];
  let at = 4;
  for (let i = 0; i < count; i++) {
    expect(at + 4 <= view.byteLength, 'a palette cut short');
    const length = view.getUint8(at + 3);
    expect(length >= 1 && length < 32, 'a color with a name that is none');
    const rgb = [0, 1, 2].map((k) => view.getUint8(at + k).toString(16).padStart(2, '0'));
    colors.push({ name: getText(view, at + 4, length), rgb: `#${rgb.join('')}` });
    at += 4 + length;
  }
  expect(at === view.byteLength, 'bytes behind a palette');
  return { type: 'palette', colors };
}

/** @type {Map<number, {len: number | null, decode: (view: DataView) => ServerMessage}>} */
const DECODERS = new Map([
  [TYPE.WELCOME, { len: 40, decode: decodeWelcome }],
  [TYPE.VERDICT, { len: 24, decode: decodeVerdict }],
  [TYPE.TILE, { len: null, decode: decodeTile }],
  [TYPE.SNAPSHOT, { len: null, decode: decodeSnapshot }],
  [TYPE.STATUS, { len: 8, decode: decodeStatus }],
  [TYPE.CONFIG, { len: 20, decode: (/** @type {DataView} */ view) => ({ type: 'config', ...getCanvas(view) }) }],
  [TYPE.MOVE, { len: 8, decode: (/** @type {DataView} */ view) => ({ type: 'move', delayMs: view.getUint32(4, true) }) }],
  [TYPE.ERROR, { len: 2, decode: (/** @type {DataView} */ view) => ({ type: 'error', code: view.getUint8(1) }) }],
  [TYPE.ANNOUNCEMENT, { len: null, decode: decodeAnnouncement }],
  [TYPE.PALETTE, { len: null, decode: decodePalette }],
]);

/**
 * Reads one message of a gateway. Unknown verdict and error codes, reserved bytes and unknown flags are let through: a
 * later gateway may have more of them.
 * @param {ArrayBuffer | Uint8Array} message
 * @returns {ServerMessage} views in it point into `message`
 * @throws {ProtocolError}
 */
export function decode(message) {
  const view = message instanceof Uint8Array
    ? new DataView(message.buffer, message.byteOffset, message.byteLength)
    : new DataView(message);
  expect(view.byteLength >= 1, 'an empty message');
  const decoder = DECODERS.get(view.getUint8(0));
  if (!decoder) throw new ProtocolError(`a message of unknown type ${view.getUint8(0)}`);
  expect(decoder.len === null || decoder.len === view.byteLength, 'a message of the wrong length');
  return decoder.decode(view);
}
