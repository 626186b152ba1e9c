// What the screen needs of a renderer, and the choice of one. It holds pixels of tiles, draws the part that the camera sees, and
// knows nothing of protocol or page.

import { toScreen } from './camera.js';
import { keyTx, keyTy } from './geom.js';
import { createGlRenderer } from './renderer_gl.js';
import { createPlainRenderer } from './renderer_2d.js';

/**
 * @typedef {object} Mark  a pixel of the player's own, shown over the canvas
 * @property {number} x
 * @property {number} y
 * @property {number[]} rgb
 * @property {number} inset  share of the pixel left free on each side, 0 to 0.5
 *
 * @typedef {object} Frame
 * @property {import('./camera.js').Camera} camera
 * @property {import('./camera.js').Screen} screen
 * @property {number} ratio   device pixels per CSS pixel
 * @property {Mark[]} marks
 * @property {Look} look
 * @property {boolean} coarse  this one only has to be quick: a better one follows
 *
 * @typedef {object} Look  colors of the theme, 0 to 1
 * @property {number[]} vacant  rgba of tiles that are not known yet
 * @property {number} shadow    strength of the canvas' shadow
 *
 * @typedef {object} Renderer
 * @property {string} kind
 * @property {(geom: import('./geom.js').Geom) => void} setGeometry   forgets all tiles when the edge changes, else none
 * @property {(bytes: Uint8Array) => void} setPalette                 256 x RGBA
 * @property {(key: number, px: Uint8Array, offsets: Uint16Array | null) => void} update
 *     pixels of a tile have changed (null: all); `px` is kept and read at the next draw
 * @property {(key: number) => void} drop
 * @property {(width: number, height: number) => void} resize         device pixels
 * @property {(frame: Frame) => void} draw
 */

/** From this scale on, in CSS pixels, the grid shows; fully at twice of it. */
export const GRID_FROM = 7;

/** @param {number} scale CSS pixels per canvas pixel */
export const gridStrength = (scale) => Math.min(1, Math.max(0, scale / GRID_FROM - 1));

/**
 * The changes of one tile between two frames. `offsets` null: everything.
 * @typedef {{ px: Uint8Array, offsets: number[] | null }} Change
 */

/** More single pixels than this are written as the box around them. */
export const SINGLES_MAX = 24;

/** From here on a tile is drawn whole: a page that nobody looks at gets no frames, and collects for hours. */
export const OFFSETS_MAX = 8192;

/** Collects changes until a frame is drawn, so that ten updates of a tile cost one upload. */
export class Changes {
  /** @type {Map<number, Change>} */
  #tiles = new Map();

  /** @param {number} key @param {Uint8Array} px @param {Uint16Array | null} offsets */
  add(key, px, offsets) {
    const change = this.#tiles.get(key);
    if (offsets === null || (change?.offsets?.length ?? 0) + offsets.length > OFFSETS_MAX) this.#tiles.set(key, { px, offsets: null });
    else if (!change) this.#tiles.set(key, { px, offsets: Array.from(offsets) });
    else if (change.offsets !== null) for (const offset of offsets) change.offsets.push(offset);
  }

  /** @param {number} key */
  forget(key) {
    this.#tiles.delete(key);
  }

  take() {
    const tiles = this.#tiles;
    this.#tiles = new Map();
    return tiles;
  }
}

/** More rectangles than this are no less work than the whole screen. */
const RECTS_MAX = 4096;

/**
 * What of the screen an update costs: the device pixels under what has changed since the last frame, as left, top, right, bottom one
 * after the other. null: all of the screen.
 * @param {import('./geom.js').Geom} geom
 * @param {Frame | null} before  the frame that is on the screen
 * @param {Frame} frame
 * @param {Map<number, Change>} changes
 * @returns {number[] | null}
 */
export function damage(geom, before, frame, changes) {
  if (!before || !sameView(before, frame)) return null;
  /** @type {number[]} */
  const rects = [];
  for (const { x, y } of frame.marks) addRect(rects, frame, x, y, 1, 1);
  for (const [key, { offsets }] of changes) {
    const [left, top] = [keyTx(key) * geom.edge, keyTy(key) * geom.edge];
    if (offsets === null) addRect(rects, frame, left, top, geom.edge, geom.edge);
    else for (const offset of offsets) addRect(rects, frame, left + (offset % geom.edge), top + Math.floor(offset / geom.edge), 1, 1);
    if (rects.length > 4 * RECTS_MAX) return null;
  }
  return rects;
}

/** @param {Frame} a @param {Frame} b */
function sameView(a, b) {
  return (
    a.camera.x === b.camera.x && a.camera.y === b.camera.y && a.camera.scale === b.camera.scale && a.ratio === b.ratio &&
    a.screen.width === b.screen.width && a.screen.height === b.screen.height && a.screen.top === b.screen.top &&
    a.screen.bottom === b.screen.bottom && a.look === b.look && a.coarse === b.coarse
  );
}

/** The device pixels that show any of some canvas pixels. @param {number[]} rects @param {Frame} frame @param {number} x @param {number} y
 * @param {number} width @param {number} height */
function addRect(rects, { camera, screen, ratio }, x, y, width, height) {
  const from = toScreen(camera, screen, { x, y });
  const [right, bottom] = [Math.round(screen.width * ratio), Math.round(screen.height * ratio)];
  // A hair more, for what rounds differently on the device.
  const x0 = Math.max(0, Math.floor(from.x * ratio - 0.01));
  const y0 = Math.max(0, Math.floor(from.y * ratio - 0.01));
  const x1 = Math.min(right, Math.ceil((from.x + width * camera.scale) * ratio + 0.01));
  const y1 = Math.min(bottom, Math.ceil((from.y + height * camera.scale) * ratio + 0.01));
  if (x0 < x1 && y0 < y1) rects.push(x0, y0, x1, y1);
}

/** The box around offsets. @param {number[]} offsets @param {number} edge */
export function boxOf(offsets, edge) {
  let [left, top, right, bottom] = [edge, edge, -1, -1];
  for (const offset of offsets) {
    const x = offset % edge;
    const y = Math.floor(offset / edge);
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < top) top = y;
    if (y > bottom) bottom = y;
  }
  return { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {() => void} restored  the device was lost and is back: every tile has to be given again
 * @param {string | null} wish   'webgl2' also where it is done in software, 'canvas2d' in any case
 * @returns {Renderer}
 */
export function createRenderer(canvas, restored, wish) {
  const gl = wish === 'canvas2d' ? null : createGlRenderer(canvas, restored, wish === 'webgl2');
  return gl ?? createPlainRenderer(canvas);
}
