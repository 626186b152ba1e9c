// What the page says, in the reader's language: one file for each in lang/, of which only one is fetched. Numbers, durations and plural
// forms are the browser's (Intl). Until a language is loaded, the page shows the English of index.html.

/**
 * @typedef {keyof typeof import('./lang/en.js').default} Key
 * @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Phrase  plural forms are chosen by the value {n}
 * @typedef {Record<Key, Phrase>} Words
 */

/** The languages there are, under their own names. */
export const LANGUAGES = { en: 'English', de: 'Deutsch', fr: 'Français', ar: 'العربية' };

/** @typedef {keyof typeof LANGUAGES} Code */

/** @type {Record<Code, () => Promise<{ default: Words }>>} */
const FILES = {
  en: () => import('./lang/en.js'),
  de: () => import('./lang/de.js'),
  fr: () => import('./lang/fr.js'),
  ar: () => import('./lang/ar.js'),
};
/** @type {Set<Code>} */
const RIGHT_TO_LEFT = new Set(['ar']);
const STORED = 'lang';

const known = (/** @type {string} */ code) => Object.hasOwn(LANGUAGES, code);

/** @type {Partial<Words>} */
let words = {};
let plural = new Intl.PluralRules('en');
let locale = 'en';

/** The language that is spoken; code null: none is loaded yet. @type {{ code: Code | null, dir: 'ltr' | 'rtl' }} */
export const language = { code: null, dir: 'ltr' };

// ---- Choosing -------------------------------------------------------------------------------------------------------

/**
 * The first of the wanted languages that there is, by the whole tag's beginning ("de-AT" is served by "de"). Pure.
 * @param {(string | null | undefined)[]} wanted  the most wanted first
 * @returns {{ code: Code, tag: string }} tag: as it was asked for, with the region, for numbers and dates
 */
export function pickLanguage(wanted) {
  for (const tag of wanted) {
    const code = tag?.toLowerCase().split('-')[0] ?? '';
    if (tag && known(code)) return { code: /** @type {Code} */ (code), tag: isTag(tag) ? tag : code };
  }
  return { code: 'en', tag: 'en' };
}

/** @param {string} tag */
function isTag(tag) {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

/** What the reader wants: ?lang=, else the choice of before, else the browser's languages. */
export function wantedLanguages() {
  return [new URLSearchParams(location.search).get('lang'), stored(), ...navigator.languages];
}

/** The choice of before, null: the browser's languages count. */
export function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null; // a browser that keeps nothing
  }
}

/** Chooses for this time and the next ones, and shows the page in it. @param {Code | null} code null: as the browser says */
export function setLanguage(code) {
  const url = new URL(location.href);
  url.searchParams.delete('lang');
  try {
    if (code === null) localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, code);
  } catch {
    if (code !== null) url.searchParams.set('lang', code);
  }
  if (url.href === location.href) location.reload();
  else location.replace(url.href);
}

/** @param {{ code: Code, tag: string }} picked  rejects when the file cannot be had */
export async function loadLanguage({ code, tag }) {
  words = (await FILES[code]()).default;
  // Coordinates, clocks and links have the digits 0 to 9 everywhere; so do all other numbers.
  locale = new Intl.Locale(tag, { numberingSystem: 'latn' }).toString();
  plural = new Intl.PluralRules(locale);
  formats.clear();
  language.code = code;
  language.dir = RIGHT_TO_LEFT.has(code) ? 'rtl' : 'ltr';
}

/** Puts the words into the page: data-say is the text, data-say-label the aria-label, data-say-title the title. */
export function translate(root = document.documentElement) {
  document.documentElement.lang = language.code ?? 'en';
  document.documentElement.dir = language.dir;
  for (const it of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('[data-say], [data-say-label], [data-say-title]'))) {
    const { say: text, sayLabel: label, sayTitle: title } = /** @type {Record<string, Key | undefined>} */ (it.dataset);
    if (text) it.textContent = say(text);
    if (label) it.setAttribute('aria-label', say(label));
    if (title) it.title = say(title);
  }
}

// ---- Saying ---------------------------------------------------------------------------------------------------------

/**
 * @param {Key} key
 * @param {Record<string, string | number>} [values]  for the {names} in it; numbers are counts, written as the reader writes them
 */
export function say(key, values = {}) {
  const phrase = words[key] ?? key;
  const text = typeof phrase === 'string' ? phrase : (phrase[plural.select(Number(values.n))] ?? phrase.other ?? key);
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name] ?? '';
    return isolated(typeof value === 'number' ? count(value) : value);
  });
}

/** The palette's own name of a color, in the reader's language where that is known. @param {string} name */
export const colorName = (name) => (Object.hasOwn(words, `color.${name}`) ? say(/** @type {Key} */ (`color.${name}`)) : name);

/** What is put into right-to-left text keeps its own direction. @param {string} text */
const isolated = (text) => (language.dir === 'rtl' && text !== '' ? `\u2068${text}\u2069` : text);

/** Digits and signs that are read from left to right everywhere. @param {string} text */
export const leftToRight = (text) => (language.dir === 'rtl' ? `\u2066${text}\u2069` : text);

/** @param {number} x @param {number} y */
export const coords = (x, y) => leftToRight(`${x}, ${y}`);

/** @param {number} width @param {number} height */
export const size = (width, height) => leftToRight(`${width} × ${height}`);

// ---- Numbers and times ----------------------------------------------------------------------------------------------

/** Making a format is slow, using it is not. @type {Map<string, any>} */
const formats = new Map();

/** @template T @param {string} key @param {() => T} make @returns {T} */
function format(key, make) {
  if (!formats.has(key)) formats.set(key, make());
  return formats.get(key);
}

/** With the separators of the reader's language. @param {number} value */
export const count = (value) => format('count', () => new Intl.NumberFormat(locale)).format(value);

/** @param {number} value @param {number} digits after the point */
export const decimal = (value, digits) =>
  format(`decimal ${digits}`, () => new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits })).format(value);

/** A number with its unit in full: "2 minutes". @param {number} value @param {'second' | 'minute' | 'hour' | 'day'} unit */
export const unit = (value, unit) =>
  format(`unit ${unit}`, () => new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' })).format(value);

/** In words that stay true while the message is read; the clock beside it counts. @param {number} ms */
export function about(ms) {
  if (ms >= 5400000) return say('about.time', { time: unit(Math.round(ms / 3600000), 'hour') });
  if (ms >= 90000) return say('about.time', { time: unit(Math.round(ms / 60000), 'minute') });
  if (ms >= 50000) return say('about.minute');
  return say(ms > 10000 ? 'about.less' : 'about.few');
}

/** @type {['year' | 'month' | 'day' | 'hour' | 'minute' | 'second', number][]} */
const AGES = [['year', 31557600e3], ['month', 2629800e3], ['day', 86400e3], ['hour', 3600e3], ['minute', 60e3], ['second', 1e3]];

/** "3 minutes ago", "yesterday", "now". @param {number} ms that have passed */
export function ago(ms) {
  const [name, length] = AGES.find(([, least]) => ms >= least) ?? ['second', 1e3];
  return format('ago', () => new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })).format(-Math.floor(Math.max(0, ms) / length), name);
}

/** A moment in full. @param {number} unixMs */
export const when = (unixMs) =>
  format('when', () => new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })).format(unixMs);
