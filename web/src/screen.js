// The canvas on the screen: camera in motion, renderer, theme, and one coalesced frame for whatever has changed.

import { toCanvas } from './camera.js';
import { hasPixel } from './geom.js';
import { Motion } from './motion.js';
import { createRenderer } from './renderer.js';

/** @typedef {import('./camera.js').Point} Point */

/** Frames further apart than this while the view moves: draw less until it rests. */
const SLOW_MS = 40;
const DARK = matchMedia('(prefers-color-scheme: dark)');
const CALM = matchMedia('(prefers-reduced-motion: reduce)');

/**
 * @typedef {object} ScreenEvents
 * @property {() => { top: number, bottom: number }} covered  what the controls cover of the screen, CSS pixels
 * @property {(now: number, calm: boolean) => { marks: import('./renderer.js').Mark[], moving: boolean }} marks
 *     what to show over the canvas, and whether that moves
 * @property {() => void} frame   a frame was made: the rest of the page may follow
 * @property {() => void} moved   the view is, or will be, another one
 * @property {() => void} lost    every tile has to be given again
 */

export class Screen {
  motion = new Motion();
  /** @type {import('./renderer.js').Renderer} */
  renderer;
  /** @type {import('./renderer.js').Look} */
  #look = { vacant: [1, 1, 1, 1], shadow: 0 };
  #ratio = 1;
  /** The device pixels of the canvas, where the browser tells them: a side need not be a whole number of them. @type {number[]} */
  #exact = [0, 0];
  #drawn = [0, 0];
  #asked = false;
  #redraw = true;
  /** Whether frames come too slowly for all that could be drawn; looked at anew after each rest. */
  #slow = false;
  #lastFrame = 0;
  /** @type {import('./camera.js').Camera | null} the last goal that was told */
  #seen = null;

  /** @param {HTMLCanvasElement} element @param {ScreenEvents} events */
  constructor(element, events) {
    this.element = element;
    this.events = events;
    const lost = () => {
      events.lost();
      this.draw();
    };
    this.renderer = createRenderer(element, lost, new URLSearchParams(location.search).get('renderer'));
    document.documentElement.dataset.renderer = this.renderer.kind;
    this.#observe();
    this.#followRatio();
    DARK.addEventListener('change', () => this.#theme());
    CALM.addEventListener('change', () => (this.motion.calm = CALM.matches));
    this.motion.calm = CALM.matches;
    this.#theme();
  }

  get camera() {
    return this.motion.camera;
  }

  get size() {
    return this.motion.screen;
  }

  /** The pixel under a point of the screen, where there is one. @param {Point} at @returns {Point | null} */
  pixelAt(at) {
    const point = toCanvas(this.camera, this.size, at);
    const pixel = { x: Math.floor(point.x), y: Math.floor(point.y) };
    return hasPixel(this.motion.geom, pixel.x, pixel.y) ? pixel : null;
  }

  /** The pixel in the middle of the free screen, also while the view is still on its way there. */
  central() {
    const { x, y } = this.motion.goal;
    const { width, height } = this.motion.geom;
    return { x: Math.min(Math.floor(x), width - 1), y: Math.min(Math.floor(y), height - 1) };
  }

  /** Screen or controls have another size. */
  measure() {
    const { clientWidth: width, clientHeight: height } = this.element;
    const { top, bottom } = this.events.covered();
    this.#ratio = window.devicePixelRatio || 1;
    const [w, h] = [width, height].map((side, i) => {
      const about = Math.round(side * this.#ratio);
      return Math.abs(this.#exact[i] - about) <= this.#ratio ? this.#exact[i] : about;
    });
    if (w !== this.#drawn[0] || h !== this.#drawn[1]) this.renderer.resize(w, h);
    this.#drawn = [w, h];
    this.motion.setScreen(width, height, top, bottom);
    // Drawn at once: a canvas that was resized is empty.
    this.#redraw = true;
    this.#frame(performance.now());
  }

  #observe() {
    const observer = new ResizeObserver((entries) => {
      const [size] = entries[entries.length - 1].devicePixelContentBoxSize ?? [];
      if (size) this.#exact = [size.inlineSize, size.blockSize];
      this.measure();
    });
    try {
      observer.observe(this.element, { box: 'device-pixel-content-box' });
    } catch {
      observer.observe(this.element); // Safari does not tell
    }
  }

  /** The window goes to another screen, or the page is zoomed: its size in CSS pixels may stay the same. */
  #followRatio() {
    const query = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    query.addEventListener('change', () => {
      this.measure();
      this.#followRatio();
    }, { once: true });
  }

  /** Asks for a frame in which the canvas is drawn. */
  draw() {
    this.#redraw = true;
    this.ask();
  }

  /** Asks for a frame. */
  ask() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame((now) => {
      this.#asked = false;
      this.#frame(now);
    });
  }

  /** @param {number} now */
  #frame(now) {
    const moving = this.motion.step(now);
    const over = this.events.marks(now, this.motion.calm);
    if (this.#redraw || moving || over.moving) {
      this.#redraw = false;
      const { camera, size: screen } = this;
      const coarse = moving && this.#slow;
      this.renderer.draw({ camera, screen, ratio: this.#ratio, marks: over.marks, look: this.#look, coarse });
    }
    if (this.motion.goal !== this.#seen) {
      this.#seen = this.motion.goal;
      this.events.moved();
    }
    this.events.frame();
    this.#slow = moving && (this.#slow || (this.#lastFrame !== 0 && now - this.#lastFrame > SLOW_MS));
    this.#lastFrame = moving ? now : 0;
    if (moving || over.moving) this.draw();
  }

  #theme() {
    const style = getComputedStyle(document.documentElement);
    const vacant = /^#(..)(..)(..)$/.exec(style.getPropertyValue('--vacant').trim());
    const rgb = vacant ? vacant.slice(1).map((hex) => parseInt(hex, 16) / 255) : [1, 1, 1];
    this.#look = { vacant: [...rgb, 1], shadow: Number(style.getPropertyValue('--shadow')) };
    this.draw();
  }
}
