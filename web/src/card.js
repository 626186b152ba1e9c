// What is known of a pixel: its color, where it is, who placed it and when, and who before. Near the pixel on a wide screen, above the dock
// on a narrow one. Pinned by a tap, a key or a held finger; otherwise it only lives as long as the mouse rests.

import { getPixel } from './api.js';
import { toScreen } from './camera.js';
import { ago, coords, say, when } from './words.js';

/**
 * @typedef {{ x: number, y: number }} Point
 * @typedef {import('./api.js').Placement} Placement
 *
 * @typedef {object} CardDeps
 * @property {() => import('./palette.js').Color[]} palette
 * @property {(x: number, y: number) => number | null} colorAt
 * @property {(pixel: Point) => void} share
 * @property {() => void} closed
 * @property {(text: string) => void} told   for those who listen
 * @property {() => string} myName           '': not known
 * @property {() => void} wantName           the card has names, and would know the player's
 */

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** From the edge of the screen and from the pixel. */
const GAP = 12;
/** Arrow keys and other players are waited for before the server is asked. */
const ASK_MS = 130;
const AGAIN_MS = 1200;
/** Placements in the list at most. */
const ROWS_MAX = 64;

export class Card {
  /** @type {Point | null} */
  pixel = null;
  pinned = false;
  element = byId('card');
  #list = byId('card-list');
  #note = byId('card-note');
  #more = byId('card-more');
  /** @type {{ placements: Placement[], next: number, at: number } | null} */
  #known = null;
  #failed = false;
  /** @type {AbortController | null} */
  #asking = null;
  #timer = 0;
  #shown = '';
  /** Once is enough: who has no session would be asked about again and again. */
  #nameWanted = false;

  /** @param {CardDeps} deps */
  constructor(deps) {
    this.deps = deps;
    byId('card-close').onclick = () => this.deps.closed();
    byId('card-share').onclick = () => this.pixel && this.deps.share(this.pixel);
    this.#more.onclick = () => this.#fetchMore();
  }

  /** @param {Point} pixel @param {boolean} pinned */
  show(pixel, pinned) {
    this.pinned = pinned;
    this.element.hidden = false;
    this.element.dataset.pinned = String(pinned);
    if (this.pixel?.x === pixel.x && this.pixel.y === pixel.y) return this.refresh();
    this.pixel = pixel;
    this.#known = null;
    this.#failed = false;
    this.#ask(ASK_MS);
    this.refresh();
  }

  close() {
    if (!this.pixel) return;
    this.pixel = null;
    this.pinned = false;
    this.element.hidden = true;
    this.#asking?.abort();
    clearTimeout(this.#timer);
  }

  /** Pixels of a tile have changed: is it this one? @param {number} left @param {number} top @param {number} edge @param {Uint16Array | null} offsets */
  changed(left, top, edge, offsets) {
    if (!this.pixel) return;
    const [x, y] = [this.pixel.x - left, this.pixel.y - top];
    if (x < 0 || y < 0 || x >= edge || y >= edge) return;
    if (offsets?.includes(y * edge + x)) this.#ask(AGAIN_MS);
  }

  /** @param {number} wait */
  #ask(wait) {
    this.#asking?.abort();
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#fetch(), wait);
  }

  async #fetch() {
    const { x, y } = /** @type {Point} */ (this.pixel);
    const asking = (this.#asking = new AbortController());
    const known = await getPixel(x, y, asking.signal).catch(() => null);
    if (asking.signal.aborted) return;
    this.#known = known && { ...known, at: performance.now() };
    this.#failed = known === null;
    const [last] = known?.placements ?? [];
    if (last && !this.#nameWanted && this.deps.myName() === '') this.deps.wantName();
    this.#nameWanted ||= last !== undefined;
    if (this.pinned && last) this.deps.told(say('placedBy', { name: last.by, ago: ago(last.ago) }));
    this.refresh();
  }

  /** Goes on where the list ends. */
  async #fetchMore() {
    const known = this.#known;
    if (!this.pixel || !known || known.next === 0) return;
    const asking = (this.#asking = new AbortController());
    const more = await getPixel(this.pixel.x, this.pixel.y, asking.signal, known.next).catch(() => null);
    if (asking.signal.aborted) return;
    this.#failed = more === null;
    if (more) {
      const late = performance.now() - known.at;
      const placements = [...known.placements, ...more.placements.map((it) => ({ ...it, ago: Math.max(0, it.ago - late) }))];
      this.#known = { placements: placements.slice(0, ROWS_MAX), next: placements.length < ROWS_MAX ? more.next : 0, at: known.at };
    }
    this.refresh();
  }

  /** Says what is known now; ages grow. */
  refresh() {
    if (!this.pixel) return;
    const { x, y } = this.pixel;
    const palette = this.deps.palette();
    const index = this.deps.colorAt(x, y);
    const color = index === null ? null : palette[index];
    const passed = this.#known ? performance.now() - this.#known.at : 0;
    const rows = (this.#known?.placements ?? []).map((it) => ({ ...it, age: ago(it.ago + passed) }));
    const shown = JSON.stringify([x, y, color, this.#failed, this.#known?.next, this.deps.myName(), rows]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    byId('card-title').textContent = color?.name ?? say('unknownColor');
    byId('card-at').textContent = coords(x, y);
    byId('card-color').style.backgroundColor = color?.css ?? 'transparent';
    this.#list.replaceChildren(...rows.map((it) => this.#row(it, palette[it.color]?.css ?? 'transparent', palette[it.color]?.name ?? '')));
    this.element.dataset.state = this.#failed ? 'failed' : this.#known ? 'known' : 'asking';
    this.#note.textContent = this.#failed ? say('historyFailed') : !this.#known ? say('historyAsking') : rows.length === 0 ? say('neverPlaced') : '';
    this.#note.hidden = this.#note.textContent === '';
    this.#more.hidden = !this.pinned || !this.#known?.next;
  }

  /** @param {Placement & { age: string }} it @param {string} css @param {string} name */
  #row(it, css, name) {
    const row = document.createElement('li');
    const chip = document.createElement('span');
    chip.className = 'chip';
    chip.style.backgroundColor = css;
    chip.title = name;
    if (name) chip.setAttribute('role', 'img');
    if (name) chip.setAttribute('aria-label', name);
    // The name in its own direction, where the page's lines begin.
    const who = document.createElement('span');
    who.className = 'who';
    const called = document.createElement('bdi');
    const mine = it.by === this.deps.myName();
    row.classList.toggle('mine', mine);
    called.textContent = mine ? say('youNamed', { name: it.by }) : it.by;
    who.title = it.by;
    who.append(called);
    const time = document.createElement('time');
    time.dateTime = new Date(it.time).toISOString();
    time.title = when(it.time);
    time.textContent = it.age;
    row.append(chip, who, time);
    return row;
  }

  /** Beside its pixel. @param {import('./camera.js').Camera} camera @param {import('./camera.js').Screen} screen @param {boolean} narrow */
  follow(camera, screen, narrow) {
    if (!this.pixel) return;
    if (narrow) {
      this.element.style.translate = '';
      return;
    }
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const from = toScreen(camera, screen, this.pixel);
    const to = toScreen(camera, screen, { x: this.pixel.x + 1, y: this.pixel.y + 1 });
    const right = to.x + GAP + width + GAP <= screen.width;
    const x = Math.min(Math.max(right ? to.x + GAP : from.x - GAP - width, GAP), screen.width - width - GAP);
    const lowest = screen.height - screen.bottom - height;
    const y = Math.max(screen.top, Math.min((from.y + to.y) / 2 - height / 3, lowest));
    this.element.style.translate = `${Math.round(x)}px ${Math.round(y)}px`;
  }
}
