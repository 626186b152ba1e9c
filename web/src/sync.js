// The page's copies of tiles, and the rules by which they follow the server (PROTOCOL.md 1.2). Knows no socket and no
// screen: messages go in, what follows from them goes out through `events`.
//
//     TILE, SNAPSHOT ──► per tile: [queue while a snapshot is inflated] ──► pixels and position ──► changed, advanced
//                                                                      └─► gap, bad checksum ──► resume

import { keyTx, keyTy, tileKey } from './geom.js';
import { tileChecksum } from './checksum.js';
import { ENCODING } from './protocol.js';

/** Messages that may wait for one snapshot to be inflated; more, and the tile starts over. */
const QUEUE_MAX = 256;
/** Tiles kept beside the watched ones, for the way back. */
const LINGER_MAX = 64;
/** A resume that brought nothing is asked for again after this time. */
const RESUME_AGAIN_MS = 5000;
/** So often in a row may a tile's snapshots have a wrong checksum before the player is told. */
const DAMAGED_AFTER = 3;

/**
 * @typedef {object} Tile
 * @property {number} key
 * @property {Uint8Array} px       edge * edge colors; the same array for the tile's whole life
 * @property {number} epoch        position, (0, 0): none
 * @property {number} seq
 * @property {boolean} known       its pixels have been told, not only assumed
 * @property {boolean} inflating
 * @property {(TileFrame | Snapshot)[]} queue     what came while inflating
 * @property {number} asked        when a resume was asked for, 0: none is open
 * @property {number} damaged      wrong checksums in a row
 *
 * @typedef {import('./protocol.js').TileFrame} TileFrame
 * @typedef {import('./protocol.js').Snapshot} Snapshot
 *
 * @typedef {object} Events
 * @property {(tile: Tile, offsets: Uint16Array | null) => void} changed   null: all pixels
 * @property {(tile: Tile) => void} advanced                               the position has moved
 * @property {(tile: Tile) => void} resume                                 to be asked of the server, from the tile's position
 * @property {(tile: Tile) => void} damaged                                will not come right by itself
 * @property {(tile: Tile) => void} dropped
 */

export class Sync {
  /** @type {Map<number, Tile>} */
  tiles = new Map();
  /** @type {Set<number>} */
  watched = new Set();

  /**
   * @param {number} edge
   * @param {Events} events
   * @param {(data: Uint8Array, most: number) => Promise<Uint8Array>} inflate  zlib; rejects for more than `most` bytes
   * @param {() => number} now
   */
  constructor(edge, events, inflate, now) {
    this.edge = edge;
    this.events = events;
    this.inflate = inflate;
    this.now = now;
  }

  /**
   * Replaces the watch. Tiles that leave it stay for a while, the latest ones longest.
   * @param {number[]} keys
   */
  watch(keys) {
    for (const key of this.watched) this.#touch(key);
    this.watched = new Set(keys);
    for (const key of keys) if (!this.tiles.has(key)) this.tiles.set(key, this.#blank(key));
    let spare = this.tiles.size - this.watched.size - LINGER_MAX;
    for (const tile of this.tiles.values()) {
      if (spare <= 0) break;
      if (this.watched.has(tile.key)) continue;
      this.tiles.delete(tile.key);
      this.events.dropped(tile);
      spare--;
    }
  }

  /** What HELLO, WATCH and RESUME say of tiles. @param {Iterable<number>} keys */
  entries(keys) {
    return Array.from(keys, (key) => {
      const { seq, epoch } = this.tiles.get(key) ?? { seq: 0, epoch: 0 };
      return { tx: keyTx(key), ty: keyTy(key), seq, epoch };
    });
  }

  /** Messages of tiles that are not held are of no use. @param {TileFrame | Snapshot} message */
  receive(message) {
    const tile = this.tiles.get(tileKey(message.tx, message.ty));
    if (!tile) return;
    if (!tile.inflating) this.#handle(tile, message);
    else if (tile.queue.length < QUEUE_MAX) tile.queue.push(message);
    else this.#resume(tile, false);
  }

  /**
   * Pixels that came over HTTP. Used only where nothing newer of the same history is known.
   * @param {number} tx @param {number} ty @param {{ epoch: number, seq: number }} position @param {Uint8Array} px
   */
  load(tx, ty, position, px) {
    const tile = this.tiles.get(tileKey(tx, ty));
    if (!tile || tile.inflating || px.length > tile.px.length) return;
    if (tile.epoch > position.epoch || (tile.epoch === position.epoch && tile.seq >= position.seq && tile.known)) return;
    this.#replace(tile, position, px);
  }

  /** Tiles of which nothing came although they were asked for have never been placed on. @param {Iterable<number>} keys */
  assumeBlank(keys) {
    for (const key of keys) {
      const tile = this.tiles.get(key);
      if (!tile || tile.known || tile.inflating) continue;
      tile.known = true;
      this.events.changed(tile, null);
    }
  }

  /** Whatever was asked for on a connection that is gone will not be answered. */
  disconnected() {
    for (const tile of this.tiles.values()) tile.asked = 0;
  }

  /** @param {number} key @returns {Tile} */
  #blank(key) {
    const px = new Uint8Array(this.edge * this.edge);
    return { key, px, epoch: 0, seq: 0, known: false, inflating: false, queue: [], asked: 0, damaged: 0 };
  }

  /** Moves a tile to the end of the map: the order is that of leaving the watch. @param {number} key */
  #touch(key) {
    const tile = this.tiles.get(key);
    if (!tile) return;
    this.tiles.delete(key);
    this.tiles.set(key, tile);
  }

  /** @param {Tile} tile @param {TileFrame | Snapshot} message */
  #handle(tile, message) {
    if (message.type === 'tile') this.#update(tile, message);
    else if (message.encoding === ENCODING.RAW) this.#snapshot(tile, message, message.data);
    else this.#inflate(tile, message);
  }

  /** @param {Tile} tile @param {Snapshot} message */
  async #inflate(tile, message) {
    tile.inflating = true;
    const px = await this.inflate(message.data, tile.px.length).catch(() => null);
    tile.inflating = false;
    this.#snapshot(tile, message, px);
    while (tile.queue.length > 0 && !tile.inflating) this.#handle(tile, /** @type {TileFrame | Snapshot} */ (tile.queue.shift()));
  }

  /** @param {Tile} tile @param {Snapshot} message @param {Uint8Array | null} px */
  #snapshot(tile, message, px) {
    if (px === null || px.length > tile.px.length || tileChecksum(px) !== message.checksum) {
      tile.damaged++;
      tile.asked = 0;
      if (tile.damaged < DAMAGED_AFTER) this.#resume(tile, true);
      else this.events.damaged(tile);
      return;
    }
    tile.damaged = 0;
    this.#replace(tile, message, px);
  }

  /** @param {Tile} tile @param {{ epoch: number, seq: number }} position @param {Uint8Array} px */
  #replace(tile, position, px) {
    tile.px.set(px);
    tile.px.fill(0, px.length);
    this.#moveTo(tile, position.epoch, position.seq);
    this.events.changed(tile, null);
    this.events.advanced(tile);
  }

  /** @param {Tile} tile @param {TileFrame} message */
  #update(tile, message) {
    const { first, count, epoch, previousEpoch, updates } = message;
    const skip = tilePart(tile, first, count, epoch, previousEpoch);
    if (skip === 'known') return;
    if (skip === 'gap') {
      this.#resume(tile, false);
      return;
    }
    const offsets = new Uint16Array(count - skip);
    for (let i = skip; i < count; i++) {
      const offset = updates[3 * i] | (updates[3 * i + 1] << 8);
      if (offset >= tile.px.length) continue;
      tile.px[offset] = updates[3 * i + 2];
      offsets[i - skip] = offset;
    }
    const blank = !tile.known;
    this.#moveTo(tile, epoch, first + count - 1);
    this.events.changed(tile, blank ? null : offsets);
    this.events.advanced(tile);
  }

  /** @param {Tile} tile @param {number} epoch @param {number} seq */
  #moveTo(tile, epoch, seq) {
    tile.epoch = epoch;
    tile.seq = seq;
    tile.known = true;
    tile.asked = 0;
  }

  /** Asks once, and again when nothing came of it. @param {Tile} tile @param {boolean} fromScratch */
  #resume(tile, fromScratch) {
    const now = this.now();
    if (tile.asked !== 0 && now - tile.asked < RESUME_AGAIN_MS && !fromScratch) return;
    tile.asked = Math.max(1, now);
    if (fromScratch) this.#forget(tile);
    this.events.resume(tile);
  }

  /** What is kept of the tile is worth nothing. Position (0, 0) says so, and that all of it is background. @param {Tile} tile */
  #forget(tile) {
    tile.px.fill(0);
    tile.epoch = tile.seq = 0;
    tile.known = false;
    this.events.changed(tile, null);
  }
}

/**
 * The rule of TILE frames: how many of the updates are known already, or that all are, or that some are missing.
 * @param {{ epoch: number, seq: number }} mine
 * @param {number} first @param {number} count @param {number} epoch @param {number} previousEpoch
 * @returns {number | 'known' | 'gap'}
 */
export function tilePart(mine, first, count, epoch, previousEpoch) {
  const joins = first - 1 === mine.seq;
  if (epoch !== mine.epoch) return joins && previousEpoch === mine.epoch ? 0 : 'gap';
  if (first + count - 1 <= mine.seq) return 'known';
  if (first - 1 > mine.seq) return 'gap';
  // It joins on, but says that the placement before it is of another epoch than mine is: histories that parted.
  if (joins && previousEpoch !== epoch) return 'gap';
  return mine.seq - (first - 1);
}
