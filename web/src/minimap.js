// The whole canvas in the corner, with a frame around what is in view. It is there only while the view shows less than all.

import { viewRect } from './camera.js';
import { Overview } from './overview.js';

/** @typedef {{ x: number, y: number }} Point */

const SIDE = 148;
/** On the map, in CSS pixels: smaller and nobody would see it. */
const FRAME_LEAST = 8;
const CELLS_AT_ONCE = 3000;
const EVERY_MS = 250;
/** Narrow screens: so long it stays after the view has moved. */
const STAY_MS = 1600;

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

export class Minimap {
  #element = byId('map');
  #canvas = /** @type {HTMLCanvasElement} */ (byId('map-canvas'));
  #frame = byId('map-frame');
  /** @type {Overview | null} */
  #overview = null;
  #timer = 0;
  /** Of the map on the screen, CSS pixels; measured when it changes, for measuring costs a layout. */
  #width = 1;
  #movedAt = -Infinity;
  /** @type {import('./camera.js').Camera | null} */
  #seen = null;

  /** @param {{ rgbAt: (x: number, y: number) => number[] | null, go: (at: Point) => void }} deps  go: canvas point to be shown */
  constructor(deps) {
    this.deps = deps;
    const go = (/** @type {PointerEvent} */ event) => this.#go(event);
    this.#element.addEventListener('pointerdown', (event) => {
      this.#element.setPointerCapture(event.pointerId);
      go(event);
    });
    new ResizeObserver(() => (this.#width = this.#canvas.clientWidth || 1)).observe(this.#canvas);
    this.#element.addEventListener('pointermove', (event) => {
      if (event.buttons > 0) go(event);
    });
  }

  /** @param {import('./geom.js').Geom} geom @param {Iterable<number>} tiles that are known */
  setCanvas(geom, tiles) {
    const overview = new Overview(geom, SIDE, this.deps.rgbAt);
    this.#overview = overview;
    this.#canvas.width = overview.width;
    this.#canvas.height = overview.height;
    for (const key of tiles) this.changed(key, null);
  }

  /** @param {number} key @param {Uint16Array | null} offsets */
  changed(key, offsets) {
    this.#overview?.changed(key, offsets);
    if (this.#timer === 0) this.#timer = window.setTimeout(() => this.#work(), EVERY_MS);
  }

  #work() {
    this.#timer = 0;
    const overview = this.#overview;
    if (!overview || !overview.work(CELLS_AT_ONCE)) return;
    const context = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext('2d'));
    context.putImageData(new ImageData(overview.rgba, overview.width, overview.height), 0, 0);
    if (overview.due > 0) this.#timer = window.setTimeout(() => this.#work(), 30);
  }

  /**
   * @param {import('./camera.js').Camera} camera @param {import('./camera.js').Screen} screen
   * @param {{ wanted: boolean, narrow: boolean, now: number }} how
   */
  show(camera, screen, { wanted, narrow, now }) {
    if (this.#seen && camera !== this.#seen) this.#movedAt = now;
    this.#seen = camera;
    const overview = this.#overview;
    if (!overview) return;
    const { width, height } = overview.geom;
    const view = viewRect(camera, screen);
    const left = Math.max(0, view.left);
    const top = Math.max(0, view.top);
    const right = Math.min(width, view.right);
    const bottom = Math.min(height, view.bottom);
    const all = (right - left) * (bottom - top) > 0.8 * width * height;
    this.#element.hidden = !wanted;
    this.#element.classList.toggle('away', all || (narrow && now - this.#movedAt > STAY_MS));
    if (!wanted || all) return;
    const scale = this.#width / width;
    const frame = { width: Math.max(FRAME_LEAST, (right - left) * scale), height: Math.max(FRAME_LEAST, (bottom - top) * scale) };
    const mid = { x: ((left + right) / 2) * scale, y: ((top + bottom) / 2) * scale };
    Object.assign(this.#frame.style, {
      width: `${frame.width}px`,
      height: `${frame.height}px`,
      translate: `${mid.x - frame.width / 2}px ${mid.y - frame.height / 2}px`,
    });
  }

  /** @param {PointerEvent} event */
  #go(event) {
    const box = this.#canvas.getBoundingClientRect();
    const { width, height } = this.#overview?.geom ?? { width: 1, height: 1 };
    this.deps.go({ x: ((event.clientX - box.left) / box.width) * width, y: ((event.clientY - box.top) / box.height) * height });
  }
}
