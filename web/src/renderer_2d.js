// Canvas 2D, where there is no WebGL2: each tile is a small canvas of its own, drawn scaled.

import { across, down, keyTx, keyTy } from './geom.js';
import { toScreen, viewRect } from './camera.js';
import { boxOf, Changes, gridStrength } from './renderer.js';

/** @typedef {import('./renderer.js').Renderer} Renderer */
/** @typedef {import('./renderer.js').Frame} Frame */

/** @param {HTMLCanvasElement} canvas @returns {Renderer} */
export function createPlainRenderer(canvas) {
  const context = canvas.getContext('2d');
  if (!context) throw new Error('this browser cannot draw');
  return new PlainScreen(context);
}

/** @implements {Renderer} */
class PlainScreen {
  kind = 'canvas2d';
  /** @type {import('./geom.js').Geom} */
  #geom = { width: 1, height: 1, edge: 256 };
  #colors = new Uint32Array(256);
  #changes = new Changes();
  /** @type {Map<number, { canvas: OffscreenCanvas, context: OffscreenCanvasRenderingContext2D, px: Uint8Array }>} */
  #tiles = new Map();

  /** @param {CanvasRenderingContext2D} context */
  constructor(context) {
    this.context = context;
  }

  /** @param {import('./geom.js').Geom} geom */
  setGeometry(geom) {
    if (geom.edge !== this.#geom.edge) this.#tiles.clear();
    this.#geom = geom;
  }

  /** @param {Uint8Array} bytes */
  setPalette(bytes) {
    this.#colors = new Uint32Array(bytes.slice().buffer);
    for (const [key, { px }] of this.#tiles) this.#changes.add(key, px, null);
  }

  /** @param {number} key @param {Uint8Array} px @param {Uint16Array | null} offsets */
  update(key, px, offsets) {
    this.#changes.add(key, px, offsets);
  }

  /** @param {number} key */
  drop(key) {
    this.#changes.forget(key);
    this.#tiles.delete(key);
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    this.context.canvas.width = width;
    this.context.canvas.height = height;
  }

  /** @param {Frame} frame */
  draw(frame) {
    for (const [key, { px, offsets }] of this.#changes.take()) this.#upload(key, px, offsets);
    const { context } = this;
    const { camera, screen, ratio, marks } = frame;
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    /** @param {number} x @param {number} y */
    const device = (x, y) => {
      const at = toScreen(camera, screen, { x, y });
      return { x: Math.round(at.x * ratio), y: Math.round(at.y * ratio) };
    };
    this.#drawPaper(frame, device(0, 0), device(this.#geom.width, this.#geom.height));
    this.#drawTiles(frame, device);
    if (gridStrength(camera.scale) > 0) this.#drawGrid(frame, device);
    for (const { x, y, rgb, inset } of marks) {
      const from = device(x + inset, y + inset);
      const to = device(x + 1 - inset, y + 1 - inset);
      context.fillStyle = `rgb(${rgb.join(' ')})`;
      context.fillRect(from.x, from.y, Math.max(1, to.x - from.x), Math.max(1, to.y - from.y));
    }
  }

  /** @typedef {{ x: number, y: number }} Point */
  /** @param {Frame} frame @param {Point} from @param {Point} to */
  #drawPaper({ look, ratio }, from, to) {
    const { context } = this;
    const [r, g, b, a] = look.vacant.map((v, i) => (i < 3 ? Math.round(v * 255) : v));
    context.save();
    context.shadowColor = `rgb(0 0 0 / ${look.shadow})`;
    context.shadowBlur = 28 * ratio;
    context.fillStyle = `rgb(${r} ${g} ${b} / ${a})`;
    context.fillRect(from.x, from.y, to.x - from.x, to.y - from.y);
    context.restore();
  }

  /** @param {Frame} frame @param {(x: number, y: number) => Point} device */
  #drawTiles({ camera, screen, ratio, coarse }, device) {
    const { context } = this;
    const { edge, width, height } = this.#geom;
    const view = viewRect(camera, screen);
    context.imageSmoothingEnabled = camera.scale * ratio < 1 && !coarse;
    context.imageSmoothingQuality = 'high';
    for (const [key, { canvas }] of this.#tiles) {
      const [left, top] = [keyTx(key) * edge, keyTy(key) * edge];
      if (left > view.right || top > view.bottom || left + edge < view.left || top + edge < view.top) continue;
      if (keyTx(key) >= across(this.#geom) || keyTy(key) >= down(this.#geom)) continue;
      const cols = Math.min(edge, width - left);
      const rows = Math.min(edge, height - top);
      const from = device(left, top);
      const to = device(left + cols, top + rows);
      context.drawImage(canvas, 0, 0, cols, rows, from.x, from.y, to.x - from.x, to.y - from.y);
    }
  }

  /** @param {Frame} frame @param {(x: number, y: number) => Point} device */
  #drawGrid({ camera, screen }, device) {
    const { context } = this;
    const view = viewRect(camera, screen);
    const left = Math.max(0, Math.floor(view.left));
    const top = Math.max(0, Math.floor(view.top));
    const right = Math.min(this.#geom.width, Math.ceil(view.right));
    const bottom = Math.min(this.#geom.height, Math.ceil(view.bottom));
    const from = device(left, top);
    const to = device(right, bottom);
    context.fillStyle = `rgb(128 128 128 / ${0.22 * gridStrength(camera.scale)})`;
    for (let x = left; x < right; x++) context.fillRect(device(x, top).x, from.y, 1, to.y - from.y);
    for (let y = top; y < bottom; y++) context.fillRect(from.x, device(left, y).y, to.x - from.x, 1);
  }

  /** @param {number} key @param {Uint8Array} px @param {number[] | null} offsets */
  #upload(key, px, offsets) {
    const { edge } = this.#geom;
    let tile = this.#tiles.get(key);
    if (!tile) {
      const canvas = new OffscreenCanvas(edge, edge);
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d', { alpha: false }));
      tile = { canvas, context, px };
      this.#tiles.set(key, tile);
      offsets = null;
    }
    const box = offsets === null ? { x: 0, y: 0, width: edge, height: edge } : boxOf(offsets, edge);
    const image = new ImageData(box.width, box.height);
    const out = new Uint32Array(image.data.buffer);
    for (let row = 0, to = 0; row < box.height; row++) {
      const at = (box.y + row) * edge + box.x;
      for (let col = 0; col < box.width; col++) out[to++] = this.#colors[px[at + col]];
    }
    tile.context.putImageData(image, box.x, box.y);
  }
}
