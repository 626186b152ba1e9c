// Where people have placed lately. Two sources come together: the server's sums, one number for each tile of the whole canvas, and the
// updates that this page gets itself, which say where in a tile. Both are counted half after the half-life. Pure.

import { keyTx, keyTy } from './geom.js';

/** Most cells along the longer side; on a huge canvas a cell is a tile. */
const CELLS = 256;
/** Pixels along a side of a cell, at least: a single pixel is no lively place. */
const CELL_LEAST = 16;
/** How much of the logarithm there is in a share. */
const SOFT = 60;
/** Counts grow with time instead of all being shrunk; from here on they are shrunk all the same. */
const GROWTH_MAX = 60;

export class Heat {
  halfLifeMs = 300000;
  #geom;
  #since = 0;
  /** @type {Map<number, number>} by tile: what the server counted, at #told */
  #sums = new Map();
  #told = 0;

  /** @param {import('./geom.js').Geom} geom */
  constructor(geom) {
    this.#geom = geom;
    this.cell = Math.max(CELL_LEAST, Math.ceil(Math.max(geom.width, geom.height) / CELLS));
    this.width = Math.ceil(geom.width / this.cell);
    this.height = Math.ceil(geom.height / this.cell);
    this.counts = new Float64Array(this.width * this.height);
  }

  /** @param {number} key of a tile @param {Uint16Array} offsets of pixels that were placed @param {number} now */
  add(key, offsets, now) {
    const { edge } = this.#geom;
    const weight = this.#weight(now);
    const [left, top] = [keyTx(key) * edge, keyTy(key) * edge];
    for (const offset of offsets) {
      const x = Math.floor((left + (offset % edge)) / this.cell);
      const y = Math.floor((top + Math.floor(offset / edge)) / this.cell);
      if (x < this.width && y < this.height) this.counts[y * this.width + x] += weight;
    }
  }

  /** What the server knows. @param {[number, number, number][]} tiles tx, ty, heat @param {number} halfLifeMs @param {number} now */
  tell(tiles, halfLifeMs, now) {
    this.halfLifeMs = halfLifeMs;
    this.#told = now;
    this.#sums = new Map(tiles.map(([tx, ty, heat]) => [ty * 65536 + tx, heat]));
  }

  /**
   * How hot each cell is, 0 to 1: the logarithm of its share of the hottest one, so that a lively corner does not put out all others.
   * @param {number} now @returns {Float32Array}
   */
  shares(now) {
    const heat = this.#spread(now);
    let most = 0;
    for (const value of heat) most = Math.max(most, value);
    const scale = most > 0 ? 1 / Math.log1p(most * SOFT) : 0;
    return Float32Array.from(heat, (value) => Math.log1p(value * SOFT) * scale);
  }

  /** Own counts, and what the server counted more than these, evenly over the tile. @param {number} now */
  #spread(now) {
    const { edge } = this.#geom;
    const shrink = 1 / this.#weight(now);
    const heat = Float64Array.from(this.counts, (value) => value * shrink);
    const faded = 2 ** ((this.#told - now) / this.halfLifeMs);
    for (const [tile, sum] of this.#sums) {
      const [tx, ty] = [tile % 65536, Math.floor(tile / 65536)];
      const left = Math.floor((tx * edge) / this.cell);
      const top = Math.floor((ty * edge) / this.cell);
      const right = Math.min(this.width, Math.max(left + 1, Math.ceil(((tx + 1) * edge) / this.cell)));
      const bottom = Math.min(this.height, Math.max(top + 1, Math.ceil(((ty + 1) * edge) / this.cell)));
      let own = 0;
      for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) own += heat[y * this.width + x];
      const more = Math.max(0, sum * faded - own) / Math.max(1, (right - left) * (bottom - top));
      for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) heat[y * this.width + x] += more;
    }
    return heat;
  }

  /** What a placement of now counts, in the counts' own unit. @param {number} now */
  #weight(now) {
    const grown = (now - this.#since) / this.halfLifeMs;
    if (grown <= GROWTH_MAX) return 2 ** grown;
    for (let i = 0; i < this.counts.length; i++) this.counts[i] *= 2 ** -grown;
    this.#since = now;
    return 1;
  }
}
