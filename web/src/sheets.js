// The two sheets that come when they are asked for: the menu (name, placing, telling, showing) and the help. Both are dialogs of the
// browser, which keeps the focus in them and gives it back.

import { buzz } from './alarm.js';
import { eraseMe, me, NameError } from './api.js';
import { about, LANGUAGES, say, setLanguage, stored } from './words.js';

/**
 * @typedef {object} SheetDeps
 * @property {import('./settings.js').Settings} settings
 * @property {() => void} heat       shows it or not
 * @property {() => boolean} heatOn
 * @property {() => void} sound      lets the sound be heard once
 * @property {(name: string) => void} named
 * @property {() => void} erased
 */

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @param {string} id */
const input = (id) => /** @type {HTMLInputElement} */ (byId(id));
/** @param {string} id */
const dialog = (id) => /** @type {HTMLDialogElement} */ (byId(id));

/** Gestures and keys, as the help lists them; a key that counts by its place has the name of that. @type {[import('./words.js').Key, string[]][]} */
const KEYS = [
  ['help.move', ['←', '↑', '↓', '→', 'KeyW', 'KeyA', 'KeyS', 'KeyD']],
  ['help.zoom', ['+', '−', 'KeyQ', 'KeyE']],
  ['help.fit', ['Home']],
  ['help.color', ['1', '–', '0', ',', '.']],
  ['help.pick', ['C']],
  ['help.aim', ['←', '↑', '↓', '→']],
  ['help.place', ['Enter']],
  ['help.cancel', ['Escape']],
  ['help.inspect', ['I']],
  ['help.heat', ['H']],
  ['help.map', ['M']],
  ['help.help', ['?']],
];

/** What a refused name is told. @type {Record<string, import('./words.js').Key>} */
const NAME_REASONS = {
  length: 'name.length', character: 'name.character', script: 'name.script', separator: 'name.separator', no_letter: 'name.noLetter',
  name_taken: 'name.taken', no_placement: 'name.noPlacement', erased: 'name.erased', too_soon: 'name.tooSoon',
};

export class Sheets {
  /** What the player is called, '': not known. */
  name = '';
  #menu = dialog('menu-sheet');
  #help = dialog('help');
  #field = input('name');
  /** The field has what the player wrote since the menu was opened. */
  #written = false;
  /** Names that were given since the page was opened. */
  #given = 0;

  /** @param {SheetDeps} deps */
  constructor(deps) {
    this.deps = deps;
    for (const it of [this.#menu, this.#help]) {
      it.addEventListener('click', (event) => {
        const close = event.target instanceof Element && event.target.closest('.close');
        if (close || event.target === it) it.close();
      });
    }
    this.#bindMenu();
    byId('keys').replaceChildren(...KEYS.map(([key, caps]) => keyRow(say(key), caps)));
    window.addEventListener('keydown', (event) => this.#typed(event));
  }

  /** There is a keyboard, and this is what is written on one of its keys. @param {KeyboardEvent} event */
  #typed({ code, key }) {
    document.documentElement.classList.add('keys');
    if (/^\p{L}$/u.test(key)) nameKey(code, key);
  }

  get open() {
    return this.#menu.open || this.#help.open;
  }

  menu() {
    if (this.open) return;
    this.#show();
    this.#menu.showModal();
    this.#menu.focus(); // or what is typed at once would press the button that closes it
    this.#fetchName();
  }

  help() {
    this.#menu.close();
    if (this.#help.open) return;
    this.#help.showModal();
    this.#help.focus();
    // Where the browser tells, also before a key was pressed.
    /** @type {any} */ (navigator).keyboard?.getLayoutMap?.().then(
      (/** @type {Map<string, string>} */ keys) => keys.forEach((key, code) => nameKey(code, key)),
      () => {},
    );
  }

  /** The player has another name since, by another window. @param {string} name */
  called(name) {
    this.name = name;
    byId('me').textContent = name;
  }

  /** Asks what the player is called, where that is not known yet. */
  async learnName() {
    if (this.name === '') await this.#fetchName();
  }

  #bindMenu() {
    const { settings } = this.deps;
    byId('open-help').onclick = () => this.help();
    byId('name-form').onsubmit = (event) => {
      event.preventDefault();
      this.#rename(this.#field.value.normalize('NFC').trim());
    };
    this.#field.oninput = () => (this.#written = true);
    byId('name-reset').onclick = () => this.#rename(null);
    byId('erase').onclick = () => (byId('erase-sure').hidden = false);
    byId('erase-no').onclick = () => (byId('erase-sure').hidden = true);
    byId('erase-yes').onclick = () => this.#erase();
    for (const it of /** @type {NodeListOf<HTMLInputElement>} */ (this.#menu.querySelectorAll('[name=confirm]'))) {
      it.onchange = () => settings.set('confirm', /** @type {any} */ (it.value));
    }
    for (const name of /** @type {const} */ (['sound', 'vibrate', 'notify', 'map'])) {
      input(`set-${name}`).onchange = () => this.#switch(name, input(`set-${name}`).checked);
    }
    input('set-heat').onchange = () => this.deps.heat();
    byId('row-vibrate').hidden = !('vibrate' in navigator) || !matchMedia('(pointer: coarse)').matches;
    byId('row-notify').hidden = typeof Notification === 'undefined';
    const select = /** @type {HTMLSelectElement} */ (byId('language'));
    select.append(new Option(say('languageAuto'), ''), ...Object.entries(LANGUAGES).map(([code, own]) => new Option(own, code)));
    select.value = stored() ?? '';
    select.onchange = () => setLanguage(/** @type {any} */ (select.value || null));
  }

  /** @param {'sound' | 'vibrate' | 'notify' | 'map'} name @param {boolean} on */
  async #switch(name, on) {
    if (name === 'notify' && on) {
      const allowed = (await Notification.requestPermission()) === 'granted';
      byId('notify-note').hidden = allowed;
      input('set-notify').checked = on = allowed;
    }
    this.deps.settings.set(name, on);
    if (name === 'sound' && on) this.deps.sound();
    if (name === 'vibrate' && on) buzz(20);
  }

  /** The switches as they stand. */
  #show() {
    const { now } = this.deps.settings;
    input(`confirm-${now.confirm}`).checked = true;
    for (const name of /** @type {const} */ (['sound', 'vibrate', 'notify', 'map'])) input(`set-${name}`).checked = now[name];
    input('set-heat').checked = this.deps.heatOn();
    byId('erase-sure').hidden = true;
    byId('name-note').textContent = '';
    this.#written = false;
  }

  async #fetchName() {
    const given = this.#given;
    const known = await me().catch(() => null);
    if (given !== this.#given) return; // the answer is older than the name
    if (known) this.#named(known);
    else byId('me').textContent = this.name;
  }

  /** @param {import('./api.js').Me} known */
  #named({ name, chosen, changeInMs }) {
    this.name = name;
    byId('me').textContent = name;
    if (!this.#written) this.#field.value = chosen ? name : '';
    byId('name-reset').hidden = !chosen;
    const locked = changeInMs > 0;
    const { activeElement } = document;
    this.#field.disabled = input('name-save').disabled = locked;
    // What is disabled loses the focus to the page, where keys would not be those of the sheet.
    if (locked && activeElement?.closest('#name-form')) this.#menu.focus();
    if (locked) byId('name-note').textContent = say('name.tooSoon', { wait: about(changeInMs) });
    this.deps.named(name);
  }

  /** @param {string | null} name */
  async #rename(name) {
    const note = byId('name-note');
    const asked = this.#field.value;
    if (name === '') return;
    note.textContent = say('name.asking');
    try {
      const known = await me({ name });
      this.#given++;
      this.#written = this.#field.value !== asked; // whoever has gone on writing meanwhile keeps it
      this.#named(known);
      note.textContent = say('name.done', { name: this.name });
      if (known.changeInMs > 0) note.textContent += ` ${say('name.tooSoon', { wait: about(known.changeInMs) })}`;
    } catch (error) {
      const { code, retryMs } = error instanceof NameError ? error : { code: '', retryMs: 0 };
      note.textContent = say(NAME_REASONS[code] ?? 'name.failed', { wait: about(retryMs) });
    }
  }

  async #erase() {
    const erased = await eraseMe().then(() => true, () => false);
    if (!erased) {
      byId('name-note').textContent = say('name.failed');
      byId('erase-sure').hidden = true;
      return;
    }
    this.#menu.close();
    this.deps.erased();
  }
}

/** @param {string} text @param {string[]} caps */
function keyRow(text, caps) {
  const what = document.createElement('dt');
  what.textContent = text;
  const keys = document.createElement('dd');
  for (const cap of caps) {
    const key = document.createElement(cap === '–' ? 'span' : 'kbd');
    const code = /^Key/.test(cap);
    key.textContent = code ? cap.slice(3) : cap;
    if (code) key.dataset.code = cap;
    keys.append(key);
  }
  const row = document.createElement('div');
  row.append(what, keys);
  return row;
}

/** What is written on a key that counts by its place. @param {string} code @param {string} key */
function nameKey(code, key) {
  for (const it of document.querySelectorAll(`kbd[data-code="${CSS.escape(code)}"]`)) it.textContent = key.toUpperCase();
}
