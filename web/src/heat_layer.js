// The heat over the canvas: where nobody has placed lately it gets dark, where many have it glows. Small as the cells are, the browser
// draws them large and soft.

import { getHeat } from './api.js';
import { toScreen, viewRect } from './camera.js';
import { Heat } from './heat.js';

const ASK_MS = 15000;
const PAINT_MS = 1000;
/** RGBA where it is cold, and where it is hottest. */
const COLD = [14, 14, 24, 158];
const HOT = [255, 128, 40, 40];

export class HeatLayer {
  on = false;
  #canvas = /** @type {HTMLCanvasElement} */ (document.getElementById('heat'));
  #context = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext('2d'));
  /** @type {Heat | null} */
  #heat = null;
  #image = document.createElement('canvas');
  #timer = 0;
  #asked = -Infinity;

  /** @param {{ draw: () => void, failed: () => void }} events  draw: there is something new to be drawn */
  constructor(events) {
    this.events = events;
  }

  /** @param {import('./geom.js').Geom} geom */
  setCanvas(geom) {
    this.geom = geom;
    this.#heat = new Heat(geom);
    this.#image.width = this.#heat.width;
    this.#image.height = this.#heat.height;
  }

  /** @param {number} key @param {Uint16Array | null} offsets */
  changed(key, offsets) {
    if (offsets) this.#heat?.add(key, offsets, performance.now());
  }

  toggle() {
    this.on = !this.on;
    this.#canvas.classList.toggle('on', this.on);
    clearTimeout(this.#timer);
    if (this.on) this.#turn();
    else this.events.draw();
  }

  #turn() {
    this.#timer = window.setTimeout(() => this.#turn(), PAINT_MS);
    if (document.visibilityState !== 'visible') return;
    const now = performance.now();
    if (now - this.#asked > ASK_MS) {
      this.#asked = now;
      getHeat().then(
        ({ tiles, halfLifeMs }) => {
          this.#heat?.tell(tiles, halfLifeMs, performance.now());
          this.#paint();
        },
        () => this.events.failed(),
      );
    }
    this.#paint();
  }

  #paint() {
    if (!this.#heat || !this.on) return;
    const shares = this.#heat.shares(performance.now());
    const image = new ImageData(this.#heat.width, this.#heat.height);
    shares.forEach((share, i) => {
      for (let k = 0; k < 4; k++) image.data[i * 4 + k] = COLD[k] + (HOT[k] - COLD[k]) * share;
    });
    this.#image.getContext('2d')?.putImageData(image, 0, 0);
    this.events.draw();
  }

  /** @param {import('./camera.js').Camera} camera @param {import('./camera.js').Screen} screen */
  draw(camera, screen) {
    const { geom } = this;
    const heat = this.#heat;
    if (!this.on || !heat || !geom) return;
    if (this.#canvas.width !== screen.width || this.#canvas.height !== screen.height) {
      this.#canvas.width = screen.width;
      this.#canvas.height = screen.height;
    }
    const view = viewRect(camera, screen);
    const left = Math.max(0, view.left);
    const top = Math.max(0, view.top);
    const right = Math.min(geom.width, view.right);
    const bottom = Math.min(geom.height, view.bottom);
    this.#context.clearRect(0, 0, screen.width, screen.height);
    if (right <= left || bottom <= top) return;
    const from = toScreen(camera, screen, { x: left, y: top });
    const cells = [left, top, right - left, bottom - top].map((value) => value / heat.cell);
    const [sx, sy, width, height] = cells;
    this.#context.drawImage(
      this.#image, sx, sy, width, height, from.x, from.y, (right - left) * camera.scale, (bottom - top) * camera.scale,
    );
  }
}
