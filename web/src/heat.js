// Where people have placed lately. Two sources come together: the server's sums, one number for each tile of the whole canvas, and the
// updates that this page gets itself, which say where in a tile. Both are counted half after the half-life. Pure.

import { keyTx, keyTy } from './geom.js';

/** Most cells along the longer side; on a huge canvas a cell is a tile. */
const CELLS = 256;
/** Pixels along a side of a cell, at least: a single pixel is no lively place. */
const CELL_LEAST = 8;
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

  /** Own counts, softened, and what the server counted more than these, as hills in the middle of their tiles. @param {number} now */
  #spread(now) {
    const shrink = 1 / this.#weight(now);
    const heat = Float64Array.from(this.counts, (value) => value * shrink);
    const more = this.#unseen(heat, now);
    soften(heat, this.width, this.height);
    for (const [tile, density] of more) this.#hill(heat, tile, density);
    return heat;
  }

  /** What the server counted in a tile beyond what was seen here, for each of its cells. @param {Float64Array} heat @param {number} now */
  #unseen(heat, now) {
    const faded = 2 ** ((this.#told - now) / this.halfLifeMs);
    /** @type {Map<number, number>} */
    const unseen = new Map();
    for (const [tile, sum] of this.#sums) {
      const { left, top, right, bottom } = this.#cells(tile);
      let own = 0;
      for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) own += heat[y * this.width + x];
      const more = sum * faded - own;
      if (more > 0 && right > left && bottom > top) unseen.set(tile, more / ((right - left) * (bottom - top)));
    }
    return unseen;
  }

  /** A hill of so much for each cell: highest in the middle, down to nothing at the middles of the tiles around, whose hills begin there.
   * @param {Float64Array} heat @param {number} tile @param {number} density */
  #hill(heat, tile, density) {
    const { left, top, right, bottom } = this.#cells(tile);
    const [across, down] = [slope(left, right, this.width), slope(top, bottom, this.height)];
    down.shares.forEach((high, j) => {
      const row = (down.from + j) * this.width + across.from;
      across.shares.forEach((share, i) => (heat[row + i] += density * high * share));
    });
  }

  /** @param {number} tile */
  #cells(tile) {
    const { edge } = this.#geom;
    const [tx, ty] = [tile % 65536, Math.floor(tile / 65536)];
    const left = Math.floor((tx * edge) / this.cell);
    const top = Math.floor((ty * edge) / this.cell);
    const right = Math.min(this.width, Math.max(left + 1, Math.ceil(((tx + 1) * edge) / this.cell)));
    const bottom = Math.min(this.height, Math.max(top + 1, Math.ceil(((ty + 1) * edge) / this.cell)));
    return { left, top, right, bottom };
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

/** The hill of a tile along one side of the canvas, at whose edge it does not fall. @param {number} from @param {number} to of the tile
 * @param {number} side */
function slope(from, to, side) {
  const [mid, half] = [(from + to) / 2, to - from];
  const first = Math.max(0, Math.floor(mid - half));
  const shares = Array.from({ length: Math.min(side, Math.ceil(mid + half)) - first }, (_, i) => {
    const off = first + i + 0.5 - mid;
    const edge = (off < 0 && from === 0) || (off > 0 && to === side);
    return edge ? 1 : Math.max(0, 1 - Math.abs(off) / half);
  });
  return { from: first, shares };
}

/** A pixel warms the cells around it too: a half stays, the rest goes to both sides, along and across. @param {Float64Array} heat
 * @param {number} width @param {number} height */
function soften(heat, width, height) {
  for (const [step, length, lines, stride] of [[1, width, height, width], [width, height, width, 1]]) {
    for (let line = 0; line < lines; line++) {
      let before = 0;
      for (let i = 0, at = line * stride; i < length; i++, at += step) {
        const here = heat[at];
        heat[at] = here / 2 + (before + (i + 1 < length ? heat[at + step] : 0)) / 4;
        before = here;
      }
    }
  }
}
