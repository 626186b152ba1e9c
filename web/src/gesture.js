// From fingers and mouse to intents. Pure: pointer events come in as plain values with their time, intents go out.
// A tap is a short press that hardly moves, in every direction; whatever moves further is a drag, for good.

/**
 * @typedef {{ x: number, y: number }} Point
 *
 * @typedef {object} Press
 * @property {number} id
 * @property {Point} start
 * @property {Point} at
 * @property {number} since
 *
 * @typedef {{ kind: 'pan', dx: number, dy: number }
 *   | { kind: 'pinch', at: Point, factor: number, dx: number, dy: number }
 *   | { kind: 'fling', vx: number, vy: number }
 *   | { kind: 'tap', at: Point, touch: boolean }
 *   | { kind: 'hold', at: Point, touch: boolean }
 *   | { kind: 'doubleTap', at: Point, touch: boolean }} Intent
 */

const TAP_MS = 600;
/** A press that stays where it is for so long is no tap any more: it asks what is there. */
export const HOLD_MS = 480;
const SLOP_MOUSE = 5;
const SLOP_TOUCH = 12;
const DOUBLE_MS = 320;
const DOUBLE_PX = 28;
/** Movement older than this says nothing about the speed at release. */
const SPEED_MS = 90;
const FLING_LEAST = 0.12; // px/ms

export class Gestures {
  /** @type {Press[]} */
  #presses = [];
  /** Whether what is down can still become a tap. */
  #tappable = false;
  /** Whether what is down has asked what is there: then its end means nothing. */
  #held = false;
  #touch = false;
  /** @type {{ t: number, at: Point }[]} */
  #trail = [];
  /** @type {{ t: number, at: Point } | null} */
  #lastTap = null;

  get active() {
    return this.#presses.length > 0;
  }

  /** Whether the view is being dragged. */
  get dragging() {
    return this.active && !this.#tappable && !this.#held;
  }

  /** @param {number} id @param {Point} at @param {number} t @param {boolean} touch */
  down(id, at, t, touch) {
    if (this.#presses.length === 2 || this.#presses.some((press) => press.id === id)) return;
    this.#presses.push({ id, start: at, at, since: t });
    this.#tappable = this.#presses.length === 1;
    this.#held = false;
    this.#touch = touch;
    this.#trail = [{ t, at }];
  }

  /** @param {number} id @param {Point} at @param {number} t @returns {Intent[]} */
  move(id, at, t) {
    const press = this.#presses.find((it) => it.id === id);
    if (!press) return [];
    const before = press.at;
    if (this.#presses.length === 2) {
      const other = /** @type {Press} */ (this.#presses.find((it) => it !== press));
      press.at = at;
      return [pinch(before, at, other.at)];
    }
    if (this.#tappable || this.#held) {
      if (distance(press.start, at) <= (this.#touch ? SLOP_TOUCH : SLOP_MOUSE)) return [];
      this.#tappable = false;
    }
    press.at = at;
    this.#held = false;
    this.#trail = [...this.#trail.filter((it) => t - it.t < SPEED_MS), { t, at }];
    return [{ kind: 'pan', dx: at.x - before.x, dy: at.y - before.y }];
  }

  /** Time has passed: a finger or button that is still down, and has not moved, holds. @param {number} t @returns {Intent[]} */
  wait(t) {
    if (!this.#tappable || t - this.#presses[0].since < HOLD_MS) return [];
    this.#tappable = false;
    this.#held = true;
    return [{ kind: 'hold', at: this.#presses[0].start, touch: this.#touch }];
  }

  /** @param {number} id @param {Point} at @param {number} t @returns {Intent[]} */
  up(id, at, t) {
    const press = this.#presses.find((it) => it.id === id);
    if (!press) return [];
    const wasAlone = this.#presses.length === 1;
    const tappable = this.#tappable;
    this.cancel(id);
    if (!wasAlone) return [];
    if (!tappable) return this.#fling(at, t);
    if (t - press.since > TAP_MS) return [];
    const last = this.#lastTap;
    if (last && t - last.t < DOUBLE_MS && distance(last.at, press.start) < DOUBLE_PX) {
      this.#lastTap = null;
      return [{ kind: 'doubleTap', at: press.start, touch: this.#touch }];
    }
    this.#lastTap = { t, at: press.start };
    return [{ kind: 'tap', at: press.start, touch: this.#touch }];
  }

  /** A press ends without meaning anything: the system took it, or it became something else. @param {number} id */
  cancel(id) {
    this.#presses = this.#presses.filter((it) => it.id !== id);
    if (this.#presses.length === 1) this.#trail = [];
    if (this.#presses.length === 0) this.#tappable = this.#held = false;
  }

  /** All that is down is forgotten. */
  reset() {
    for (const { id } of this.#presses) this.cancel(id);
  }

  /** @param {Point} at @param {number} t @returns {Intent[]} */
  #fling(at, t) {
    const first = this.#trail.find((it) => t - it.t < SPEED_MS);
    if (!first || t - first.t < 8) return [];
    const vx = (at.x - first.at.x) / (t - first.t);
    const vy = (at.y - first.at.y) / (t - first.t);
    return Math.hypot(vx, vy) < FLING_LEAST ? [] : [{ kind: 'fling', vx, vy }];
  }
}

/** @param {Point} a @param {Point} b */
const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

/** One of two fingers has moved. @param {Point} before @param {Point} after @param {Point} other @returns {Intent} */
function pinch(before, after, other) {
  const factor = Math.max(distance(after, other), 1) / Math.max(distance(before, other), 1);
  const at = { x: (after.x + other.x) / 2, y: (after.y + other.y) / 2 };
  return { kind: 'pinch', at, factor, dx: (after.x - before.x) / 2, dy: (after.y - before.y) / 2 };
}

/**
 * How much a turn of the wheel zooms. The three units of `deltaMode` come to the same, and no single event jumps.
 * @param {{ deltaY: number, deltaMode: number, ctrlKey: boolean }} event  ctrlKey: a pinch on a touchpad
 */
export function wheelFactor({ deltaY, deltaMode, ctrlKey }) {
  const pixels = deltaY * (deltaMode === 1 ? 33 : deltaMode === 2 ? 400 : 1);
  const turn = Math.min(Math.max(pixels, -240), 240);
  return Math.exp(-turn * (ctrlKey ? 0.01 : 0.0022));
}
