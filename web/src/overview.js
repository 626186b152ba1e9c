// The whole canvas in few cells, for the map: each is the mean of some of its pixels. An update costs the cells that it touches, and the
// work of a turn is bounded, however much has changed. Pure.

import { keyTx, keyTy } from './geom.js';

/** Pixels looked at for a cell, along each side. */
const SAMPLES = 4;

export class Overview {
  /** @type {number[]} cells to be looked at again, each once */
  #due = [];

  /**
   * @param {import('./geom.js').Geom} geom
   * @param {number} most cells along the longer side
   * @param {(x: number, y: number) => number[] | null} rgbAt  null: that pixel is not known
   */
  constructor(geom, most, rgbAt) {
    this.geom = geom;
    this.rgbAt = rgbAt;
    const side = Math.max(geom.width, geom.height);
    this.cell = Math.max(1, side / most);
    this.width = Math.max(1, Math.round(geom.width / this.cell));
    this.height = Math.max(1, Math.round(geom.height / this.cell));
    this.rgba = new Uint8ClampedArray(this.width * this.height * 4);
    this.#marked = new Uint8Array(this.width * this.height);
  }

  /** @type {Uint8Array} */
  #marked;

  /** Pixels of a tile have changed. @param {number} key @param {ArrayLike<number> | null} offsets null: all of them */
  changed(key, offsets) {
    const { edge } = this.geom;
    const [left, top] = [keyTx(key) * edge, keyTy(key) * edge];
    if (offsets === null) {
      for (let y = this.#row(top); y <= this.#row(top + edge - 1); y++) {
        for (let x = this.#column(left); x <= this.#column(left + edge - 1); x++) this.#mark(y * this.width + x);
      }
      return;
    }
    for (let i = 0; i < offsets.length; i++) {
      const x = this.#column(left + (offsets[i] % edge));
      this.#mark(this.#row(top + Math.floor(offsets[i] / edge)) * this.width + x);
    }
  }

  /** Looks at what is due, at most `most` cells. @param {number} most @returns {boolean} whether anything was looked at */
  work(most) {
    const some = this.#due.splice(0, most);
    for (const cell of some) {
      this.#marked[cell] = 0;
      this.#look(cell);
    }
    return some.length > 0;
  }

  get due() {
    return this.#due.length;
  }

  /** @param {number} x */
  #column(x) {
    return Math.min(this.width - 1, Math.floor(x / this.cell));
  }

  /** @param {number} y */
  #row(y) {
    return Math.min(this.height - 1, Math.floor(y / this.cell));
  }

  /** @param {number} cell */
  #mark(cell) {
    if (this.#marked[cell]) return;
    this.#marked[cell] = 1;
    this.#due.push(cell);
  }

  /** @param {number} cell */
  #look(cell) {
    const [left, top] = [(cell % this.width) * this.cell, Math.floor(cell / this.width) * this.cell];
    const samples = Math.min(SAMPLES, Math.ceil(this.cell));
    const sum = [0, 0, 0];
    let known = 0;
    for (let i = 0; i < samples * samples; i++) {
      const x = Math.floor(left + (((i % samples) + 0.5) * this.cell) / samples);
      const y = Math.floor(top + ((Math.floor(i / samples) + 0.5) * this.cell) / samples);
      const rgb = this.rgbAt(x, y);
      if (rgb === null) continue;
      known++;
      for (let k = 0; k < 3; k++) sum[k] += rgb[k];
    }
    this.rgba.set(known > 0 ? [...sum.map((value) => value / known), 255] : [0, 0, 0, 0], cell * 4);
  }
}
