// What lies over the canvas: the frame around the pixel that is aimed at, and the short pulse where a draw was decided.

import { toScreen } from './camera.js';

/** @typedef {import('./camera.js').Camera} Camera */
/** @typedef {import('./camera.js').Screen} Screen */
/** @typedef {{ x: number, y: number }} Point */

/** The frame is never smaller than this, however far out the view is. */
const LEAST = 8;

const layer = /** @type {HTMLElement} */ (document.getElementById('marks'));
const reticle = /** @type {HTMLElement} */ (document.getElementById('reticle'));

/** @param {Camera} camera @param {Screen} screen @param {Point} pixel */
function place(camera, screen, pixel) {
  const size = Math.max(camera.scale, LEAST);
  const mid = toScreen(camera, screen, { x: pixel.x + 0.5, y: pixel.y + 0.5 });
  return { size: `${size}px`, translate: `${mid.x - size / 2}px ${mid.y - size / 2}px` };
}

/**
 * @param {Camera} camera @param {Screen} screen
 * @param {Point | null} pixel  null: none
 * @param {object} look
 * @param {{ css: string } | null} look.color  to show in it
 * @param {boolean} look.fixed  it was chosen; otherwise it only follows the mouse
 * @param {boolean} look.ready  it could be placed now; otherwise it is faint, so that nobody takes it for placed
 */
export function showReticle(camera, screen, pixel, { color, fixed, ready }) {
  reticle.hidden = pixel === null;
  if (pixel === null) return;
  const { size, translate } = place(camera, screen, pixel);
  const fill = color === null ? 'transparent' : ready ? color.css : `color-mix(in srgb, ${color.css} 40%, transparent)`;
  Object.assign(reticle.style, { width: size, height: size, translate, backgroundColor: fill });
  reticle.classList.toggle('aim', fixed);
}

/** @param {Camera} camera @param {Screen} screen @param {Point} pixel @param {boolean} failed */
export function pulse(camera, screen, pixel, failed) {
  const { size, translate } = place(camera, screen, pixel);
  const element = document.createElement('div');
  element.className = failed ? 'pulse failed' : 'pulse';
  Object.assign(element.style, { width: size, height: size, translate });
  element.addEventListener('animationend', () => element.remove());
  layer.append(element);
}
