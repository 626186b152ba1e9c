// What the player does with the canvas: a color, a pixel that is aimed at, and what a tap, a key or a held finger means now.

import { buzz } from './alarm.js';
import { SCALE_CLOSE, SCALE_HIT } from './camera.js';
import { hasPixel } from './geom.js';

/** @typedef {{ x: number, y: number }} Point */

/** The mouse rests for so long on a pixel before it is told who placed it. */
const DWELL_MS = 420;
/** Pixels smaller than this are not looked at one by one. */
const SCALE_LOOK = 3;

/**
 * @typedef {object} HandDeps
 * @property {import('./client.js').Client} client
 * @property {import('./screen.js').Screen} screen
 * @property {import('./dock.js').Dock} dock
 * @property {import('./card.js').Card} card
 * @property {import('./settings.js').Settings} settings
 * @property {(reason: import('./placing.js').Reason) => void} refuse  tells why nothing was placed
 * @property {(pixel: Point) => void} aimed  a pixel was aimed at by keys
 * @property {() => void} refresh
 * @property {MediaQueryList} narrow         the palette is a sheet
 */

export class Hand {
  /** @type {number | null} index of the chosen color */
  color = null;
  /** @type {Point | null} the chosen pixel */
  aim = null;
  /** @type {'mouse' | 'touch' | 'keys'} what the player used last */
  kind = matchMedia('(pointer: coarse)').matches ? 'touch' : 'mouse';
  /** Narrow screens: the palette is there. */
  open = false;
  /** @type {Point | null} where the mouse is, on the screen */
  #mouse = null;
  #dwell = 0;

  /** @param {HandDeps} deps */
  constructor(deps) {
    this.deps = deps;
  }

  /** Whether there is a mouse over the canvas. */
  get hovers() {
    return this.#mouse !== null;
  }

  /** The pixel under the mouse. */
  hovered() {
    return this.#mouse && this.kind === 'mouse' ? this.deps.screen.pixelAt(this.#mouse) : null;
  }

  /** Whether a pixel is placed only after it was confirmed. @param {boolean} touch */
  confirms(touch = this.kind === 'touch') {
    const { confirm } = this.deps.settings.now;
    return confirm === 'always' || (confirm === 'touch' && touch);
  }

  // ---- Mouse and fingers --------------------------------------------------------------------------------------------

  /** @param {Point} at @param {boolean} touch */
  tap(at, touch) {
    const { screen } = this.deps;
    this.kind = touch ? 'touch' : 'mouse';
    const pixel = screen.pixelAt(at);
    if (!pixel) {
      this.aim = null;
      this.deps.card.close();
    } else if (this.color === null) {
      this.#tapLooking(pixel);
    } else if (this.confirms(touch)) {
      if (!touch && same(this.aim, pixel) && screen.camera.scale >= SCALE_HIT) this.#place(pixel);
      else this.#aimAt(pixel);
    } else if (screen.camera.scale < SCALE_HIT) {
      screen.motion.zoom(at, SCALE_CLOSE / 2 / screen.camera.scale, true);
    } else {
      this.#place(pixel);
    }
    screen.draw();
  }

  /** @param {Point} pixel */
  #tapLooking(pixel) {
    const { card, screen } = this.deps;
    if (this.open) {
      this.#aimAt(pixel);
    } else if (card.pinned && same(card.pixel, pixel)) {
      this.#closeCard();
    } else {
      this.aim = pixel;
      if (screen.camera.scale >= SCALE_LOOK) this.#look(pixel);
      else card.close();
    }
  }

  /** @param {Point} at @param {boolean} touch */
  doubleTap(at, touch) {
    // Who places with each tap places two pixels with two.
    if (this.color !== null && (!touch || !this.confirms(touch))) {
      this.tap(at, touch);
      return;
    }
    if (this.color === null) this.#closeCard();
    this.deps.screen.motion.zoom(at, 2.5, true);
    this.deps.screen.draw();
  }

  /** A finger or button stays where it is: who placed this? @param {Point} at @param {boolean} touch */
  hold(at, touch) {
    const pixel = this.deps.screen.pixelAt(at);
    if (!pixel) return;
    this.kind = touch ? 'touch' : 'mouse';
    if (touch) buzz(8);
    this.open = false;
    if (touch || this.color === null) this.aim = pixel;
    this.#look(pixel);
  }

  /** @param {Point | null} at */
  hover(at) {
    const { card, screen } = this.deps;
    this.#mouse = at;
    if (at && this.color !== null && this.kind === 'keys') this.aim = null;
    if (at) this.kind = 'mouse';
    clearTimeout(this.#dwell);
    if (at && this.color === null && !card.pinned && screen.camera.scale >= SCALE_HIT) {
      this.#dwell = window.setTimeout(() => this.#rest(), DWELL_MS);
    }
    screen.ask();
  }

  #rest() {
    const pixel = this.hovered();
    const { card, screen } = this.deps;
    if (!pixel || card.pinned || this.color !== null || screen.motion.goal !== screen.camera) return;
    card.show(pixel, false);
    screen.ask();
  }

  /** The view has moved, or the mouse: a card that belongs to what is under it may be out of place. */
  settle() {
    const { card } = this.deps;
    if (card.pixel && !card.pinned && !same(card.pixel, this.hovered())) card.close();
  }

  // ---- Keys ---------------------------------------------------------------------------------------------------------

  /** An arrow key: aims when there is something to aim with, otherwise moves the view. @param {number} dx @param {number} dy */
  step(dx, dy) {
    const { screen, card } = this.deps;
    const { motion } = screen;
    if (this.color === null && this.aim === null) {
      const { x, y, scale } = motion.goal;
      motion.fly({ x: x + (dx * 80) / scale, y: y + (dy * 80) / scale, scale }, 180);
    } else {
      const from = this.aim ?? this.hovered() ?? screen.central();
      this.aim = { x: clampTo(from.x + dx, motion.geom.width), y: clampTo(from.y + dy, motion.geom.height) };
      motion.reveal({ x: this.aim.x + 0.5, y: this.aim.y + 0.5 });
      this.#approach(this.aim);
      if (card.pinned) card.show(this.aim, true);
      this.deps.aimed(this.aim);
    }
    this.kind = 'keys';
    screen.draw();
  }

  /** Shows, or puts away, what is known of a pixel. */
  inspect() {
    const { card, screen } = this.deps;
    if (card.pinned) {
      this.#closeCard();
      return;
    }
    const pixel = this.aim ?? this.hovered() ?? screen.central();
    if (!hasPixel(screen.motion.geom, pixel.x, pixel.y)) return;
    if (this.kind === 'keys' || this.color === null) this.aim = pixel;
    this.#look(pixel);
  }

  /** Takes the color of a pixel. @param {Point | null} at on the screen; null: of the one that is aimed at */
  pick(at) {
    const pixel = at ? this.deps.screen.pixelAt(at) : (this.aim ?? this.hovered());
    const color = pixel && this.deps.client.colorAt(pixel.x, pixel.y);
    if (color !== null) this.choose(color, false);
  }

  // ---- Colors and placing -------------------------------------------------------------------------------------------

  /** @param {number | null} index @param {boolean} byKey  the keyboard stays in the palette */
  choose(index, byKey) {
    const { client, dock, screen, card } = this.deps;
    if (index !== null && index >= (client.canvas?.palette.length ?? 0)) return;
    this.color = index;
    if (!card.pinned) card.close();
    dock.choose(index);
    if (!byKey) screen.element.focus({ preventScroll: true });
    screen.draw();
  }

  /** @param {number} by the next or a previous one */
  otherColor(by) {
    const count = this.deps.client.canvas?.palette.length ?? 1;
    this.choose(this.color === null ? 0 : (this.color + by + count) % count, false);
  }

  /** The large button of the dock. */
  turn() {
    const { narrow, dock, screen, card } = this.deps;
    if (!narrow.matches) {
      if (this.color === null) dock.focus();
      else this.placeOrAim();
      return;
    }
    this.open = !this.open;
    card.close();
    if (this.open) {
      this.aim ??= screen.central();
      this.#approach(this.aim);
    } else {
      this.aim = null;
    }
    screen.draw();
  }

  placeOrAim() {
    const at = this.aim ?? this.hovered();
    if (this.color === null) {
      this.open = true;
      this.deps.refresh();
      this.deps.dock.focus();
    } else if (at) {
      this.#place(at);
    } else {
      this.step(0, 0);
    }
  }

  cancel() {
    const { card, screen } = this.deps;
    if (card.pixel) {
      this.#closeCard();
    } else if (this.open) {
      this.open = false;
      this.aim = null;
    } else if (this.aim) {
      this.aim = null;
    } else {
      this.choose(null, false);
    }
    screen.draw();
  }

  /** @param {Point} pixel */
  #place(pixel) {
    const { client, screen, card } = this.deps;
    if (this.color === null) return;
    const reason = client.draw(pixel.x, pixel.y, this.color);
    if (reason !== null) {
      this.deps.refuse(reason);
      return;
    }
    card.close();
    if (this.kind !== 'keys') this.aim = null;
    if (client.placing.cooldownMs > 0) this.open = false;
    screen.draw();
  }

  /** @param {Point} pixel */
  #aimAt(pixel) {
    this.aim = pixel;
    if (this.deps.card.pinned) this.deps.card.close();
    this.#approach(pixel);
  }

  /** Flies to a pixel that would be too small to be hit. @param {Point} pixel */
  #approach(pixel) {
    const { motion } = this.deps.screen;
    if (motion.goal.scale < SCALE_HIT) motion.fly({ x: pixel.x + 0.5, y: pixel.y + 0.5, scale: SCALE_CLOSE });
  }

  /** @param {Point} pixel */
  #look(pixel) {
    const { card, screen } = this.deps;
    clearTimeout(this.#dwell);
    card.show(pixel, true);
    this.deps.refresh();
    screen.measure();
    screen.motion.reveal({ x: pixel.x + 0.5, y: pixel.y + 0.5 });
    screen.draw();
  }

  #closeCard() {
    const { card, screen } = this.deps;
    if (this.color === null && same(card.pixel, this.aim)) this.aim = null;
    card.close();
    screen.draw();
  }
}

/** @param {Point | null} a @param {Point | null} b */
const same = (a, b) => a !== null && b !== null && a.x === b.x && a.y === b.y;

/** @param {number} value @param {number} side */
const clampTo = (value, side) => Math.min(Math.max(value, 0), side - 1);
