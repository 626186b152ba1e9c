// The camera in motion: dragging, gliding on, zooming softly, flying to a place, keys held down. Knows neither screen nor clock:
// `step` is called with the time of each frame and says whether there is more to come.

import { between, clamp, fit, glide, middle, minScale, pan, reveal, zoom } from './camera.js';

/** @typedef {import('./camera.js').Camera} Camera */
/** @typedef {import('./camera.js').Point} Point */
/** @typedef {import('./camera.js').Screen} Screen */
/** @typedef {import('./geom.js').Geom} Geom */

const FLIGHT_MS = 420;
/** How fast a wheel's turn is caught up with. */
const ZOOM_MS = 55;
const HELD_SPEED = 0.9; // px/ms
const HELD_ZOOM = 0.0022; // of the logarithm, per ms
const COVER_MS = 70;

export class Motion {
  /** @type {Camera} */
  camera = { x: 0.5, y: 0.5, scale: 1 };
  /** @type {Screen} */
  screen = { width: 1, height: 1, top: 0, bottom: 0 };
  /** @type {Geom} */
  geom = { width: 1, height: 1, edge: 256 };
  /** Set by those who want less motion. */
  calm = false;
  #tiles = 256;
  #least = 0.1;
  #bottom = 0;
  /** @type {{ from: Camera, to: Camera, since: number | null, ms: number } | null} */
  #flight = null;
  /** @type {{ vx: number, vy: number } | null} */
  #glide = null;
  /** @type {{ at: Point, left: number } | null} the logarithm of what is still to be zoomed */
  #zoom = null;
  #held = { x: 0, y: 0, zoom: 0 };
  /** @type {number | null} */
  #last = null;

  /** @param {Geom} geom @param {number} tiles that may be watched */
  setCanvas(geom, tiles) {
    this.geom = geom;
    this.#tiles = tiles;
    this.#measure();
  }

  /** @param {number} width @param {number} height @param {number} top @param {number} bottom covered by controls */
  setScreen(width, height, top, bottom) {
    const first = this.screen.width <= 1;
    this.#bottom = bottom;
    this.screen = { width, height, top, bottom: first || this.calm ? bottom : this.screen.bottom };
    this.#measure();
  }

  /** Where it will be when all motion has come to its end. */
  get goal() {
    return this.#flight?.to ?? this.camera;
  }

  get least() {
    return this.#least;
  }

  /** Stops whatever moves by itself. */
  stop() {
    this.#flight = this.#glide = this.#zoom = null;
  }

  /** @param {number} dx @param {number} dy screen pixels */
  pan(dx, dy) {
    this.#flight = null;
    this.#set(pan(this.camera, dx, dy));
  }

  /** @param {Point | null} at null: the middle @param {number} factor @param {boolean} smooth */
  zoom(at, factor, smooth) {
    const point = at ?? middle(this.screen);
    this.#flight = this.#glide = null;
    if (!smooth || this.calm) this.#set(zoom(this.camera, this.screen, point, factor, this.#least));
    else this.#zoom = { at: point, left: (this.#zoom?.left ?? 0) + Math.log(factor) };
  }

  /** @param {number} vx @param {number} vy px/ms */
  fling(vx, vy) {
    if (!this.calm) this.#glide = { vx, vy };
  }

  /** @param {{ x: number, y: number, zoom: number }} held */
  hold(held) {
    this.#held = held;
    this.#flight = null;
  }

  /** @param {Camera} camera */
  jump(camera) {
    this.stop();
    this.#set(camera);
  }

  /** @param {Camera} camera @param {number} [ms] */
  fly(camera, ms = FLIGHT_MS) {
    this.stop();
    const to = clamp(camera, this.geom, this.#least);
    if (this.calm) this.#set(to);
    else this.#flight = { from: this.camera, to, since: null, ms };
  }

  /** The whole canvas, or as much as may be. @param {boolean} now without flying there */
  fit(now) {
    const camera = fit(this.geom, { ...this.screen, bottom: this.#bottom }, this.#least);
    if (now) this.jump(camera);
    else this.fly(camera);
  }

  /** Keeps a canvas point in view. @param {Point} at */
  reveal(at) {
    const to = reveal(this.goal, { ...this.screen, bottom: this.#bottom }, at);
    if (to.x !== this.goal.x || to.y !== this.goal.y) this.fly(to, 160);
  }

  /** @param {number} now @returns {boolean} whether it goes on by itself */
  step(now) {
    const ms = this.#last === null ? 16 : Math.min(50, Math.max(0, now - this.#last));
    const moving = [this.#stepCover(ms), this.#stepFlight(now), this.#stepGlide(ms), this.#stepZoom(ms), this.#stepHeld(ms)];
    const more = moving.includes(true);
    this.#last = more ? now : null;
    return more;
  }

  /** The controls come and go: the free part of the screen follows softly. @param {number} ms */
  #stepCover(ms) {
    const left = this.#bottom - this.screen.bottom;
    if (left === 0) return false;
    const bottom = Math.abs(left) < 0.5 || this.calm ? this.#bottom : this.screen.bottom + left * (1 - Math.exp(-ms / COVER_MS));
    this.screen = { ...this.screen, bottom };
    return bottom !== this.#bottom;
  }

  /** @param {number} now */
  #stepFlight(now) {
    const flight = this.#flight;
    if (!flight) return false;
    flight.since ??= now;
    const t = (now - flight.since) / flight.ms;
    this.#set(between(flight.from, flight.to, t));
    if (t >= 1) this.#flight = null;
    return t < 1;
  }

  /** @param {number} ms */
  #stepGlide(ms) {
    if (!this.#glide) return false;
    const { vx, vy } = this.#glide;
    this.#set(pan(this.camera, vx * ms, vy * ms));
    this.#glide = { vx: glide(vx, ms), vy: glide(vy, ms) };
    if (Math.hypot(vx, vy) < 0.02) this.#glide = null;
    return this.#glide !== null;
  }

  /** @param {number} ms */
  #stepZoom(ms) {
    if (!this.#zoom) return false;
    const { at, left } = this.#zoom;
    const part = Math.abs(left) < 0.002 ? left : left * (1 - Math.exp(-ms / ZOOM_MS));
    this.#set(zoom(this.camera, this.screen, at, Math.exp(part), this.#least));
    this.#zoom = part === left ? null : { at, left: left - part };
    return this.#zoom !== null;
  }

  /** @param {number} ms */
  #stepHeld(ms) {
    const { x, y, zoom: way } = this.#held;
    if (x === 0 && y === 0 && way === 0) return false;
    this.#set(pan(this.camera, -x * HELD_SPEED * ms, -y * HELD_SPEED * ms));
    const factor = Math.exp(way * HELD_ZOOM * ms);
    if (way !== 0) this.#set(zoom(this.camera, this.screen, middle(this.screen), factor, this.#least));
    return true;
  }

  #measure() {
    this.#least = minScale(this.geom, { ...this.screen, bottom: this.#bottom }, this.#tiles);
    if (this.#flight) this.#flight.to = clamp(this.#flight.to, this.geom, this.#least);
    this.#set(this.camera);
  }

  /** @param {Camera} camera */
  #set(camera) {
    this.camera = clamp(camera, this.geom, this.#least);
  }
}
