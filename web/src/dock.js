// The dock: whose turn it is (ring, clock, words), the palette, and the buttons that confirm on touch.

import { columns, luminance } from './palette.js';

/** @typedef {import('./palette.js').Color} Color */

/**
 * What the dock shows.
 * @typedef {object} DockState
 * @property {Color | null} color
 * @property {boolean} open      narrow screens: the sheet is up
 * @property {boolean} confirm   the buttons are wanted
 * @property {boolean} canPlace
 *
 * @typedef {object} DockCommands
 * @property {(index: number | null, byKey: boolean) => void} color
 * @property {() => void} turn
 * @property {() => void} place
 * @property {() => void} cancel
 */

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

export class Dock {
  element = byId('dock');
  #turn = byId('turn');
  #palette = byId('palette');
  #title = byId('turn-title');
  #sub = byId('turn-sub');
  #confirm = /** @type {HTMLButtonElement} */ (byId('confirm'));
  #run = /** @type {SVGCircleElement} */ (document.querySelector('#ring .run'));
  #chip = /** @type {SVGRectElement} */ (document.querySelector('#ring .chip'));
  /** @type {HTMLInputElement[]} */
  #inputs = [];
  /** @type {Color[]} */
  #colors = [];
  #shown = '';

  /** @param {DockCommands} commands */
  constructor(commands) {
    this.commands = commands;
    this.#turn.addEventListener('click', () => commands.turn());
    this.#confirm.addEventListener('click', () => commands.place());
    byId('cancel').addEventListener('click', () => commands.cancel());
    this.element.addEventListener('animationend', () => this.element.classList.remove('shake'));
  }

  /** @param {Color[]} palette */
  setPalette(palette) {
    const same = this.#colors.every(({ name, css }, i) => palette[i]?.name === name && palette[i].css === css);
    // Colors are only appended: what is there stays, and with it the focus and the place in the list.
    if (!same) this.#palette.replaceChildren();
    if (!same) this.#inputs = [];
    this.#palette.append(...palette.slice(this.#inputs.length).map((color) => this.#swatch(color, this.#inputs.length)));
    this.#colors = palette;
    const [most, few] = palette.length > 64 ? [24, 12] : palette.length > 32 ? [16, 12] : [16, 8];
    this.#palette.style.setProperty('--columns', String(columns(palette.length, most)));
    this.#palette.style.setProperty('--columns-few', String(columns(palette.length, few)));
    this.#palette.style.setProperty('--columns-flat', String(columns(palette.length, 16)));
  }

  /** @param {number | null} index */
  choose(index) {
    this.#inputs.forEach((input, i) => (input.checked = i === index));
    if (index !== null) this.#inputs[index]?.scrollIntoView({ block: 'nearest' });
  }

  /** Moves the keyboard to the palette. */
  focus() {
    (this.#inputs.find((input) => input.checked) ?? this.#inputs[0])?.focus();
  }

  /** @param {DockState & import('./turn.js').Turn} state */
  show(state) {
    const { dataset } = this.element;
    dataset.face = state.face;
    dataset.color = String(state.color !== null);
    dataset.open = String(state.open);
    dataset.confirm = String(state.confirm);
    this.#turn.setAttribute('aria-expanded', String(state.open));
    this.#confirm.disabled = !state.canPlace;
    if (state.color) this.#chip.style.fill = state.color.css;
    const run = state.face === 'cooldown' ? `${(state.share * 100).toFixed(1)} 100` : '';
    this.#run.style.strokeDasharray = run;
    const shown = `${state.title}\n${state.sub}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#title.textContent = state.title;
    this.#sub.textContent = state.sub;
  }

  /** No, not now. */
  shake() {
    this.element.classList.remove('shake');
    void this.element.offsetWidth; // so that it runs again
    this.element.classList.add('shake');
  }

  /** @param {Color} color @param {number} index */
  #swatch(color, index) {
    const label = document.createElement('label');
    label.className = `swatch ${luminance(color) > 0.8 ? 'pale' : luminance(color) < 0.03 ? 'deep' : ''}`;
    label.title = color.name;
    label.style.setProperty('--color', color.css);
    const input = document.createElement('input');
    input.type = 'radio';
    input.name = 'color';
    input.value = String(index);
    input.setAttribute('aria-label', color.name);
    let was = false;
    label.addEventListener('pointerdown', () => (was = input.checked));
    input.addEventListener('click', (event) => {
      // A click made by an arrow key has no coordinates.
      const byKey = event.detail === 0;
      this.commands.color(was && !byKey ? null : index, byKey);
      was = false;
    });
    input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.commands.color(index, false);
      if (event.key === 'Enter') event.stopPropagation();
    });
    this.#inputs.push(input);
    label.append(input);
    return label;
  }
}

