// The HTTP API: what the canvas is, its tiles for the first paint, a session.

import { parsePalette } from './palette.js';
import { Refusal } from './connection.js';
import { colorName } from './words.js';

/**
 * @typedef {object} Canvas
 * @property {import('./geom.js').Geom} geom
 * @property {import('./palette.js').Color[]} palette
 * @property {number} version
 * @property {number} cooldownMs
 * @property {boolean} readOnly
 * @property {number} online
 * @property {number} watch    most tiles that may be watched
 * @property {string} announcement   of the operators, '': none
 *
 * @typedef {object} Placement
 * @property {number} seq
 * @property {number} color
 * @property {number} ago     ms
 * @property {number} time    Unix, ms
 * @property {string} by      what the user is called now
 *
 * @typedef {object} Me
 * @property {string} name
 * @property {boolean} chosen     otherwise it is the generated one
 * @property {number} changeInMs  until another may be chosen
 *
 * @typedef {(tx: number, ty: number, position: { epoch: number, seq: number }, px: Uint8Array) => void} OnTile
 */

const TILE_HEAD = 16;
/** Placements that are shown of a pixel. */
const HISTORY = 8;

/** Whether the server answers at all. */
export const reachable = () => fetch('api/v1/canvas', { method: 'HEAD', cache: 'no-store' }).then((it) => it.ok, () => false);

/** @returns {Promise<Canvas>} rejects when it cannot be had now */
export async function getCanvas() {
  const response = await fetch('api/v1/canvas', { cache: 'no-cache' });
  if (!response.ok) throw new Error(`canvas: ${response.status}`);
  const it = await response.json();
  return {
    geom: { width: it.width, height: it.height, edge: it.tile_edge },
    palette: parsePalette(it.palette, colorName),
    version: it.version,
    cooldownMs: it.cooldown_ms,
    readOnly: it.read_only,
    online: it.online,
    watch: it.limits.watch,
    announcement: it.announcement ?? '',
  };
}

/**
 * The whole canvas, tile by tile as it arrives.
 * @param {number} edge @param {OnTile} onTile
 */
export async function getTiles(edge, onTile) {
  const response = await fetch('api/v1/tiles');
  if (!response.ok || !response.body) throw new Error(`tiles: ${response.status}`);
  const record = new Uint8Array(TILE_HEAD + edge * edge);
  let filled = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    for (let at = 0; at < value.length; ) {
      const part = value.subarray(at, at + record.length - filled);
      record.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < record.length) continue;
      filled = 0;
      const head = new DataView(record.buffer);
      const position = { seq: head.getUint32(4, true), epoch: Number(head.getBigUint64(8, true)) };
      onTile(head.getUint16(0, true), head.getUint16(2, true), position, record.subarray(TILE_HEAD));
    }
  }
}

/** One tile. @param {number} tx @param {number} ty @param {OnTile} onTile */
export async function getTile(tx, ty, onTile) {
  const response = await fetch(`api/v1/tiles/${tx}/${ty}`);
  const match = /^(\d+)-(\d+)$/.exec(response.headers.get('Tessera-Position') ?? '');
  if (!response.ok || !match) throw new Error(`tile: ${response.status}`);
  const px = new Uint8Array(await response.arrayBuffer());
  onTile(tx, ty, { epoch: Number(match[1]), seq: Number(match[2]) }, px);
}

/**
 * The last placements of a pixel, the newest first.
 * @param {number} x @param {number} y @param {AbortSignal} signal @param {number} [before] where an earlier answer ended
 * @returns {Promise<{ placements: Placement[], next: number }>} next: where to go on, 0: these were all
 */
export async function getPixel(x, y, signal, before = 0) {
  const response = await fetch(`api/v1/pixel/${x}/${y}?history=${HISTORY}${before > 0 ? `&before=${before}` : ''}`, { signal });
  if (!response.ok) throw new Error(`pixel: ${response.status}`);
  const it = await response.json();
  const placements = it.placements.map((/** @type {any} */ one) => ({
    seq: one.seq,
    color: one.color,
    ago: Math.max(0, it.now_ms - one.time_ms),
    time: one.time_ms,
    by: String(one.by),
  }));
  return { placements, next: it.next };
}

/** How many placements per tile there were lately. */
export async function getHeat() {
  const response = await fetch('api/v1/heat');
  if (!response.ok) throw new Error(`heat: ${response.status}`);
  const it = await response.json();
  return { halfLifeMs: Number(it.half_life_ms), tiles: /** @type {[number, number, number][]} */ (it.tiles) };
}

/** Why the server does not give a name: its error code, and for a name that is none what is wrong with it. */
export class NameError extends Error {
  /** @param {string} code @param {number} retryMs */
  constructor(code, retryMs) {
    super(code);
    this.code = code;
    this.retryMs = retryMs;
  }
}

/**
 * What the player is called.
 * @param {{ name: string | null }} [wanted]  another name, null: the generated one again
 * @returns {Promise<Me>} rejects with a NameError
 */
export async function me(wanted) {
  const init = wanted ? { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(wanted) } : {};
  const response = await fetch('api/v1/me', { cache: 'no-store', ...init }).catch(() => null);
  const it = await response?.json().catch(() => null);
  if (!response?.ok || !it) {
    throw new NameError(it?.reason ?? it?.error ?? 'unreachable', Number(response?.headers.get('Retry-After') ?? 0) * 1000);
  }
  return { name: String(it.name), chosen: it.chosen, changeInMs: it.change_in_s * 1000 };
}

/** Ends the user: name and session go, the placements stay. */
export async function eraseMe() {
  const response = await fetch('api/v1/me', { method: 'DELETE' }).catch(() => null);
  if (!response?.ok) throw new Error('not erased');
}

/** Whether the browser keeps the cookie: looked at once, when a session did not let the page in. @type {'new' | 'given' | 'kept'} */
let cookie = 'new';
/** Who allows cookies does that in the settings of the browser, not in a second. */
const COOKIES_MS = 30000;

/** Makes sure that the browser has the session cookie. Rejects with a Refusal. @param {boolean} [fresh] another user than before */
export async function getSession(fresh = false) {
  const response = await fetch(fresh ? 'api/v1/session?fresh' : 'api/v1/session', { method: 'POST', signal: AbortSignal.timeout(10000) }).catch(() => null);
  if (response === null) throw new Refusal('unreachable', 0);
  if (response.ok) {
    if (cookie === 'given' && (await fetch('api/v1/me', { cache: 'no-store' }).then((it) => it.status === 401, () => false))) {
      throw new Refusal('noCookies', COOKIES_MS);
    }
    cookie = cookie === 'new' ? 'given' : 'kept';
    return;
  }
  const after = Number(response.headers.get('Retry-After') ?? 1) * 1000;
  if (response.status === 403) throw new Refusal('origin', null);
  throw new Refusal(response.status === 429 ? 'tooManySessions' : 'unreachable', after);
}

/**
 * zlib (RFC 1950) to bytes.
 * @param {Uint8Array} data @param {number} most bytes; more is an error
 */
export async function inflate(data, most) {
  const stream = new Blob([/** @type {Uint8Array<ArrayBuffer>} */ (data)]).stream();
  const out = new Uint8Array(most);
  let length = 0;
  for (const reader = stream.pipeThrough(new DecompressionStream('deflate')).getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return out.subarray(0, length);
    if (length + value.length > most) {
      await reader.cancel();
      throw new RangeError('more than a tile');
    }
    out.set(value, length);
    length += value.length;
  }
}
