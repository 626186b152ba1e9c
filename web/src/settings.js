// What the player has chosen, kept by the browser. Whatever is stored is checked: an older or newer page may have written it.

/**
 * @typedef {object} Choices
 * @property {'touch' | 'always' | 'never'} confirm  when a pixel is placed only after it was confirmed
 * @property {boolean} sound     when the next pixel may be placed
 * @property {boolean} vibrate   the same
 * @property {boolean} notify    the same, while the page is out of sight
 * @property {boolean} map
 *
 * @typedef {Pick<Storage, 'getItem' | 'setItem'>} Store
 */

const STORED = 'settings';

/** @type {Choices} */
export const DEFAULTS = { confirm: 'touch', sound: false, vibrate: false, notify: false, map: true };

/** Only what is known and of the right kind. @param {string | null} text @returns {Choices} */
export function parseChoices(text) {
  const choices = { ...DEFAULTS };
  /** @type {any} */
  let stored = null;
  try {
    stored = JSON.parse(text ?? 'null');
  } catch {
    return choices;
  }
  for (const name of /** @type {(keyof Choices)[]} */ (Object.keys(DEFAULTS))) {
    const value = stored?.[name];
    const right = name === 'confirm' ? ['touch', 'always', 'never'].includes(value) : typeof value === 'boolean';
    if (right) Object.assign(choices, { [name]: value });
  }
  return choices;
}

export class Settings {
  /** @type {Choices} */
  now = { ...DEFAULTS };
  #store;

  /** @param {() => Store} store  throws where the browser keeps nothing @param {() => void} changed */
  constructor(store, changed) {
    this.#store = store;
    this.changed = changed;
    this.read();
  }

  /** As they are stored: another window may have chosen. */
  read() {
    try {
      this.now = parseChoices(this.#store().getItem(STORED));
    } catch {
      // then they last as long as the page
    }
  }

  /** @template {keyof Choices} K @param {K} name @param {Choices[K]} value */
  set(name, value) {
    this.now = { ...this.now, [name]: value };
    try {
      this.#store().setItem(STORED, JSON.stringify(this.now));
    } catch {
      // as above
    }
    this.changed();
  }
}
