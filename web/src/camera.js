// Pan and zoom as arithmetic. A camera is a value: every function returns a new one.
// `x`, `y` is the canvas point in the middle of the free part of the screen, `scale` is CSS pixels per canvas pixel.

/** @typedef {import('./geom.js').Geom} Geom */

/**
 * @typedef {object} Camera
 * @property {number} x
 * @property {number} y
 * @property {number} scale
 *
 * @typedef {object} Screen  the viewport in CSS pixels, and what the controls cover of it
 * @property {number} width
 * @property {number} height
 * @property {number} top     covered at the top
 * @property {number} bottom  covered at the bottom
 *
 * @typedef {{ x: number, y: number }} Point
 */

export const SCALE_MAX = 64;
/** From here on a pixel is large enough to be hit. */
export const SCALE_HIT = 6;
/** Where the view goes to when a pixel is chosen from too far away. */
export const SCALE_CLOSE = 24;

/** Left free around the whole canvas, in CSS pixels. */
const AIR = 12;

/** The middle of what the controls leave free. @param {Screen} screen @returns {Point} */
export const middle = (screen) => ({ x: screen.width / 2, y: (screen.top + screen.height - screen.bottom) / 2 });

/** @param {Camera} camera @param {Screen} screen @param {Point} at screen point @returns {Point} canvas point */
export function toCanvas(camera, screen, at) {
  const mid = middle(screen);
  return { x: camera.x + (at.x - mid.x) / camera.scale, y: camera.y + (at.y - mid.y) / camera.scale };
}

/** @param {Camera} camera @param {Screen} screen @param {Point} at canvas point @returns {Point} screen point */
export function toScreen(camera, screen, at) {
  const mid = middle(screen);
  return { x: mid.x + (at.x - camera.x) * camera.scale, y: mid.y + (at.y - camera.y) * camera.scale };
}

/** What of the canvas plane the screen shows. @param {Camera} camera @param {Screen} screen */
export function viewRect(camera, screen) {
  const from = toCanvas(camera, screen, { x: 0, y: 0 });
  const to = toCanvas(camera, screen, { x: screen.width, y: screen.height });
  return { left: from.x, top: from.y, right: to.x, bottom: to.y };
}

/** The scale at which the whole canvas fits into what is free. @param {Geom} geom @param {Screen} screen */
export function fitScale(geom, screen) {
  const free = Math.max(1, screen.height - screen.top - screen.bottom - 2 * AIR);
  return Math.min(Math.max(1, screen.width - 2 * AIR) / geom.width, free / geom.height, SCALE_MAX);
}

/**
 * The least scale: the whole canvas in view with some air, or, where that would be more tiles than may be watched,
 * what the limit allows.
 * @param {Geom} geom @param {Screen} screen @param {number} tiles most tiles that may be watched
 */
export function minScale(geom, screen, tiles) {
  const whole = Math.min(fitScale(geom, screen) * 0.7, 1);
  /** @param {number} length of the screen @param {number} side of the canvas @param {number} scale */
  const needed = (length, side, scale) =>
    Math.min(Math.ceil(side / geom.edge), Math.floor(length / scale / geom.edge) + 2);
  let scale = whole;
  while (
    scale < SCALE_MAX &&
    needed(screen.width, geom.width, scale) * needed(screen.height, geom.height, scale) > tiles
  ) {
    scale *= 1.02;
  }
  return scale;
}

/**
 * Keeps the middle of the screen on the canvas and the scale in its bounds.
 * @param {Camera} camera @param {Geom} geom @param {number} least @returns {Camera}
 */
export function clamp(camera, geom, least) {
  return {
    x: Math.min(Math.max(camera.x, 0), geom.width),
    y: Math.min(Math.max(camera.y, 0), geom.height),
    scale: Math.min(Math.max(camera.scale, least), SCALE_MAX),
  };
}

/** Moves the canvas by screen pixels, as a dragging finger does. @param {Camera} camera @param {number} dx @param {number} dy */
export const pan = (camera, dx, dy) => ({ ...camera, x: camera.x - dx / camera.scale, y: camera.y - dy / camera.scale });

/**
 * Zooms by a factor; the canvas point under `at` stays where it is.
 * @param {Camera} camera @param {Screen} screen @param {Point} at @param {number} factor
 * @param {number} least @returns {Camera}
 */
export function zoom(camera, screen, at, factor, least) {
  const scale = Math.min(Math.max(camera.scale * factor, least), SCALE_MAX);
  const mid = middle(screen);
  const keep = 1 / camera.scale - 1 / scale;
  return { x: camera.x + (at.x - mid.x) * keep, y: camera.y + (at.y - mid.y) * keep, scale };
}

/** The whole canvas in view. @param {Geom} geom @param {Screen} screen @param {number} least @returns {Camera} */
export function fit(geom, screen, least) {
  return { x: geom.width / 2, y: geom.height / 2, scale: Math.max(fitScale(geom, screen), least) };
}

/**
 * The least move that brings a canvas point into the middle three quarters of the free screen.
 * @param {Camera} camera @param {Screen} screen @param {Point} at @returns {Camera}
 */
export function reveal(camera, screen, at) {
  const halfX = (screen.width * 0.375) / camera.scale;
  const halfY = ((screen.height - screen.top - screen.bottom) * 0.375) / camera.scale;
  return {
    ...camera,
    x: Math.min(Math.max(camera.x, at.x - halfX), at.x + halfX),
    y: Math.min(Math.max(camera.y, at.y - halfY), at.y + halfY),
  };
}

/**
 * A point on the way between two cameras, `t` from 0 to 1: starts fast, lands softly. The scale runs in its logarithm, and
 * the place with it, so that the goal does not race past while the view is still far out.
 * @param {Camera} from @param {Camera} to @param {number} t @returns {Camera}
 */
export function between(from, to, t) {
  if (t >= 1) return to;
  const eased = 1 - (1 - t) ** 3;
  const scale = from.scale * (to.scale / from.scale) ** eased;
  const share =
    Math.abs(to.scale / from.scale - 1) < 1e-6 ? eased : (1 / from.scale - 1 / scale) / (1 / from.scale - 1 / to.scale);
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share, scale };
}

/** Speed left after `ms` of gliding. @param {number} speed @param {number} ms */
export const glide = (speed, ms) => speed * Math.exp(-ms / 180);
