// Canvas 2D, where there is no WebGL2 or where that would be done in software: the processor writes the pixels of the screen itself, by the
// same rules as the shader of renderer_gl.js. Only what has changed is written; when the view moves, all of it.

import { across, hasTile, keyTx, keyTy } from './geom.js';
import { toCanvas, toScreen } from './camera.js';
import { Changes, damage, gridStrength } from './renderer.js';

/** @typedef {import('./renderer.js').Renderer} Renderer */
/** @typedef {import('./renderer.js').Frame} Frame */

const TAPS_MAX = 12;
/** The entry of all color tables for what is not known yet. */
const VACANT = 256;
/** Beyond so many times its size a shadow is nothing. */
const SHADOW_END = 6;
const OPAQUE = 0xff000000;

/** @param {HTMLCanvasElement} canvas @returns {Renderer} */
export function createPlainRenderer(canvas) {
  const context = canvas.getContext('2d', { willReadFrequently: true }); // it stays where the processor can write it
  if (!context) throw new Error('this browser cannot draw');
  return new PlainScreen(context);
}

/**
 * One direction of a part of the screen: the canvas pixels under each device pixel.
 * @typedef {object} Axis
 * @property {number} taps        for each device pixel
 * @property {Int32Array} at      canvas coordinates; -1: off the canvas
 * @property {Uint8Array} line    whether a line of the grid begins here
 * @property {Float32Array} past  how far off the canvas, device pixels
 */

/** @implements {Renderer} */
class PlainScreen {
  kind = 'canvas2d';
  /** @type {import('./geom.js').Geom} */
  #geom = { width: 1, height: 1, edge: 256 };
  /** @type {Uint8Array} */
  #palette = new Uint8Array(1024);
  #changes = new Changes();
  /** @type {Map<number, Uint8Array>} */
  #tiles = new Map();
  /** @type {(Uint8Array | undefined)[]} the same, by place */
  #table = [];
  /** @type {Frame | null} what is on the screen, null: it has to be drawn whole */
  #shown = null;
  #image = new ImageData(1, 1);
  #out = new Uint32Array(1);
  /** Colors as they are, under a line of the grid, and as light. */
  #plain = new Uint32Array(257);
  #lined = new Uint32Array(257);
  #light = new Float32Array(257 * 3);

  /** @param {CanvasRenderingContext2D} context */
  constructor(context) {
    this.context = context;
  }

  /** @param {import('./geom.js').Geom} geom */
  setGeometry(geom) {
    if (geom.edge !== this.#geom.edge) this.#tiles.clear();
    this.#geom = geom;
    this.#table = [];
    for (const [key, px] of this.#tiles) this.#point(key, px);
    this.#shown = null;
  }

  /** @param {Uint8Array} bytes */
  setPalette(bytes) {
    this.#palette = bytes;
    this.#shown = null;
  }

  /** @param {number} key @param {Uint8Array} px @param {Uint16Array | null} offsets */
  update(key, px, offsets) {
    this.#changes.add(key, px, this.#tiles.has(key) ? offsets : null);
    this.#tiles.set(key, px);
    this.#point(key, px);
  }

  /** @param {number} key */
  drop(key) {
    this.#changes.forget(key);
    this.#tiles.delete(key);
    this.#point(key, undefined);
    this.#shown = null;
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    this.context.canvas.width = width;
    this.context.canvas.height = height;
    this.#image = new ImageData(Math.max(1, width), Math.max(1, height));
    this.#out = new Uint32Array(this.#image.data.buffer);
    this.#shown = null;
  }

  /** @param {Frame} frame */
  draw(frame) {
    const { context } = this;
    const { width, height } = this.#image;
    const rects = damage(this.#geom, this.#shown, frame, this.#changes.take()) ?? [0, 0, width, height];
    if (!this.#shown || frame.camera.scale !== this.#shown.camera.scale || frame.look !== this.#shown.look) this.#mix(frame);
    this.#shown = frame;
    for (let i = 0; i < rects.length; i += 4) {
      const [left, top, right, bottom] = [rects[i], rects[i + 1], Math.min(rects[i + 2], width), Math.min(rects[i + 3], height)];
      if (left >= right || top >= bottom) continue;
      this.#fill(frame, left, top, right, bottom);
      context.putImageData(this.#image, 0, 0, left, top, right - left, bottom - top);
    }
    if (rects.length > 0) this.#drawMarks(frame);
  }

  /** @param {Frame} frame */
  #drawMarks({ camera, screen, ratio, marks }) {
    for (const { x, y, rgb, inset } of marks) {
      const from = toScreen(camera, screen, { x: x + inset, y: y + inset });
      const side = Math.max(1, Math.round((1 - 2 * inset) * camera.scale * ratio));
      this.context.fillStyle = `rgb(${rgb.join(' ')})`;
      this.context.fillRect(Math.round(from.x * ratio), Math.round(from.y * ratio), side, side);
    }
  }

  /** Makes the color tables. @param {Frame} frame */
  #mix({ camera, look }) {
    const grid = gridStrength(camera.scale);
    for (let i = 0; i <= VACANT; i++) {
      const rgb = i === VACANT ? look.vacant.slice(0, 3).map((v) => v * 255) : this.#palette.subarray(4 * i, 4 * i + 3);
      const bright = (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]) / 255 > 0.45;
      const share = grid * (bright ? 0.11 : 0.16);
      this.#plain[i] = packed(rgb[0], rgb[1], rgb[2]);
      this.#lined[i] = packed(...lineOn(rgb, bright ? 0 : 255, share));
      for (let c = 0; c < 3; c++) this.#light[3 * i + c] = LIGHT[Math.round(rgb[c])];
    }
  }

  /** Writes a rectangle of the screen into the image. @param {Frame} frame @param {number} left @param {number} top @param {number} right
   * @param {number} bottom */
  #fill(frame, left, top, right, bottom) {
    const { camera, screen, ratio, coarse, look } = frame;
    const step = 1 / (camera.scale * ratio);
    const corner = toCanvas(camera, screen, { x: 0, y: 0 });
    const taps = step > 1 && !coarse ? Math.min(TAPS_MAX, Math.ceil(step) + 1) : 1;
    const cols = axis(corner.x, step, taps, left, right, this.#geom.width);
    const rows = axis(corner.y, step, taps, top, bottom, this.#geom.height);
    const shade = { strength: look.shadow * 255, size: 9 * ratio };
    const width = right - left;
    const stride = this.#image.width;
    for (let row = 0; row < bottom - top; row++) {
      const to = (top + row) * stride + left;
      const same = taps === 1 && row > 0 && rows.at[row] === rows.at[row - 1] && rows.line[row] === rows.line[row - 1] && rows.at[row] >= 0;
      if (same) this.#out.copyWithin(to, to - stride, to - stride + width);
      else if (taps === 1) this.#nearest(to, width, cols, rows, row, shade);
      else this.#average(to, width, cols, rows, row, shade);
    }
  }

  /** @typedef {{ strength: number, size: number }} Shade */
  /** @param {number} to @param {number} width @param {Axis} cols @param {Axis} rows @param {number} row @param {Shade} shade */
  #nearest(to, width, cols, rows, row, shade) {
    const { edge } = this.#geom;
    const y = rows.at[row];
    const band = Math.floor(y / edge) * across(this.#geom);
    const line = (y % edge) * edge;
    const colors = this.#plain;
    const lined = this.#lined;
    let [tile, from, until] = [/** @type {Uint8Array | undefined} */ (undefined), 0, -1];
    for (let i = 0; i < width; i++) {
      const x = cols.at[i];
      if (x < 0 || y < 0) {
        this.#out[to + i] = shadow(cols.past[i], rows.past[row], shade);
        continue;
      }
      if (x >= until || x < from) {
        const tx = Math.floor(x / edge);
        [tile, from, until] = [this.#table[band + tx], tx * edge, (tx + 1) * edge];
      }
      const color = tile ? tile[line + x - from] : VACANT;
      this.#out[to + i] = cols.line[i] | rows.line[row] ? lined[color] : colors[color];
    }
  }

  /** @param {number} to @param {number} width @param {Axis} cols @param {Axis} rows @param {number} row @param {Shade} shade */
  #average(to, width, cols, rows, row, shade) {
    const { edge } = this.#geom;
    const { taps } = cols;
    const wide = across(this.#geom);
    const light = this.#light;
    for (let i = 0; i < width; i++) {
      let [r, g, b, count] = [0, 0, 0, 0];
      for (let j = 0; j < taps; j++) {
        const y = rows.at[row * taps + j];
        if (y < 0) continue;
        const band = Math.floor(y / edge) * wide;
        const line = (y % edge) * edge;
        for (let k = 0; k < taps; k++) {
          const x = cols.at[i * taps + k];
          if (x < 0) continue;
          const tx = Math.floor(x / edge);
          const tile = this.#table[band + tx];
          const at = 3 * (tile ? tile[line + x - tx * edge] : VACANT);
          r += light[at];
          g += light[at + 1];
          b += light[at + 2];
          count++;
        }
      }
      const under = shadow(cols.past[i], rows.past[row], shade);
      this.#out[to + i] = count === 0 ? under : over(r / count, g / count, b / count, count / (taps * taps), under >>> 24);
    }
  }

  /** @param {number} key @param {Uint8Array | undefined} px */
  #point(key, px) {
    if (hasTile(this.#geom, keyTx(key), keyTy(key))) this.#table[keyTy(key) * across(this.#geom) + keyTx(key)] = px;
  }
}

/** @param {number} corner @param {number} step @param {number} taps @param {number} from @param {number} to @param {number} side
 * @returns {Axis} */
function axis(corner, step, taps, from, to, side) {
  const at = new Int32Array((to - from) * taps);
  const line = new Uint8Array(to - from);
  const past = new Float32Array(to - from);
  for (let i = from; i < to; i++) {
    for (let tap = 0; tap < taps; tap++) {
      const pixel = Math.floor(corner + (i + (tap + 0.5) / taps) * step);
      at[(i - from) * taps + tap] = pixel >= 0 && pixel < side ? pixel : -1;
    }
    const middle = corner + (i + 0.5) * step;
    line[i - from] = middle - Math.floor(middle) <= step ? 1 : 0;
    past[i - from] = Math.max(0, -middle, middle - side) / step;
  }
  return { taps, at, line, past };
}

// ---- Colors, as ImageData has them in a Uint32Array ------------------------------------------------------------------

/** @param {number} r @param {number} g @param {number} b 0 to 255 */
const packed = (r, g, b) => (OPAQUE | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;

/** @param {ArrayLike<number>} rgb @param {number} ink @param {number} share @returns {[number, number, number]} */
const lineOn = (rgb, ink, share) => [rgb[0] + (ink - rgb[0]) * share, rgb[1] + (ink - rgb[1]) * share, rgb[2] + (ink - rgb[2]) * share];

/** @param {number} x @param {number} y off the canvas @param {{ strength: number, size: number }} shade */
function shadow(x, y, { strength, size }) {
  const far = Math.hypot(x, y) / size;
  return far > SHADOW_END ? 0 : (Math.round(strength * Math.exp(-far)) << 24) >>> 0;
}

/** Light of a share of a pixel, over the shadow. @param {number} r @param {number} g @param {number} b 0 to 1 @param {number} share
 * @param {number} under 0 to 255 */
function over(r, g, b, share, under) {
  const alpha = Math.max(share * 255, under);
  const part = (share * 255) / alpha;
  const value = (/** @type {number} */ light) => Math.round(ENCODED[Math.round(light * 4095)] * part);
  return ((Math.round(alpha) << 24) | (value(b) << 16) | (value(g) << 8) | value(r)) >>> 0;
}

/** sRGB to light, and back. */
const LIGHT = Float32Array.from({ length: 256 }, (_, i) => (i <= 10 ? i / 255 / 12.92 : ((i / 255 + 0.055) / 1.055) ** 2.4));
const ENCODED = Uint8Array.from({ length: 4096 }, (_, i) => {
  const light = i / 4095;
  return Math.round(255 * (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055));
});
