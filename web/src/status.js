// What the page says about itself: connection and crowd in the corner, the place in view, passing messages, and the last word
// when it can not go on.

import { coords, decimal, language, leftToRight, say } from './words.js';

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const TOASTS_MAX = 3;
const TOAST_MS = 5200;

/**
 * @typedef {object} StatusState
 * @property {import('./connection.js').State} connection
 * @property {boolean} offline    the device says that it has no network
 * @property {boolean} readOnly
 * @property {number} online
 * @property {number} now
 * @property {number} heard       when the server was last heard, 0: never
 */

/**
 * The face and the words of a state. Pure.
 * @param {StatusState} state
 * @returns {{ face: 'live' | 'read-only' | 'waiting' | 'connecting' | 'restarting' | 'refused' | 'offline' | 'stopped', text: string }}
 */
export function describe({ connection, offline, readOnly, online, now, heard }) {
  const { phase } = connection;
  if (phase === 'stopped') return { face: 'stopped', text: say('stopped.title') };
  if (phase === 'live' && readOnly) return { face: 'read-only', text: say('readOnly') };
  if (phase === 'live') return { face: 'live', text: online > 1 ? say('online', { n: online }) : say('onlineOne') };
  const age = heard > 0 ? Math.floor((now - heard) / 1000) : 0;
  const behind = age >= 3 ? ` · ${say('behind', { s: age })}` : '';
  if (offline) return { face: 'offline', text: say('offline') + behind };
  const left = Math.ceil((connection.retryAt - now) / 1000);
  const again = phase === 'waiting' && left > 1 ? ` · ${say('againIn', { s: left })}` : '';
  if (connection.reason === 'restarting') return { face: 'restarting', text: say('restarting') + behind };
  if (connection.reason === 'full') return { face: 'refused', text: say('full') + again };
  if (connection.reason === 'noCookies') return { face: 'refused', text: say('noCookies') };
  if (connection.reason === 'tooManySessions') return { face: 'refused', text: say('tooManySessions') + again };
  if (heard === 0 && connection.attempt === 0) return { face: 'connecting', text: say('connecting') };
  const words = phase === 'waiting' && left > 1 ? say('reconnectingIn', { s: left }) : say('reconnecting');
  return { face: 'waiting', text: words + behind };
}

/** @param {StatusState} state */
export function showStatus(state) {
  const { face, text } = describe(state);
  byId('status').dataset.face = face;
  // Counting seconds and people is not for the ear.
  byId('state').setAttribute('aria-live', face === 'live' || face === 'waiting' || face === 'refused' ? 'off' : 'polite');
  write('state-text', text);
}

/**
 * @param {{ x: number, y: number, scale: number } | null} place
 * @param {import('./palette.js').Color | null} color  of the pixel, where it is known
 */
export function showPlace(place, color) {
  byId('place').hidden = place === null;
  if (place === null) return;
  write('place-at', coords(place.x, place.y));
  write('place-zoom', `  ·  ${leftToRight(`${zoomText(place.scale)}×`)}`);
  const chip = byId('place-color');
  chip.hidden = color === null;
  if (color) chip.style.backgroundColor = color.css;
  byId('place').title = color ? color.name : say('copyLink');
}

/** @param {string} id @param {string} text */
function write(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

/** @param {number} scale */
const zoomText = (scale) => decimal(scale, scale >= 10 ? 0 : scale >= 1 ? 1 : 2);

/**
 * @param {string} text
 * @param {{ quiet?: boolean }} [how]  quiet: only for those who listen
 */
export function toast(text, { quiet = false } = {}) {
  const list = byId('toasts');
  const same = [...list.children].find((it) => it.textContent === text && !it.classList.contains('leaving'));
  same?.remove();
  const element = document.createElement('p');
  element.className = quiet ? 'toast quiet' : 'toast';
  element.textContent = text;
  list.append(element);
  while (list.children.length > TOASTS_MAX) list.firstElementChild?.remove();
  setTimeout(() => element.classList.add('leaving'), TOAST_MS);
  setTimeout(() => element.remove(), TOAST_MS + 400);
}

/** What was put away stays away, as long as it is the same. */
let putAway = '';

/** What the operators say. @param {string} text '': nothing */
export function showAnnouncement(text) {
  const panel = byId('announcement');
  const words = byId('announcement-text');
  const show = text !== '' && text !== putAway;
  if (show && words.textContent !== text) words.textContent = text;
  if (panel.hidden !== show) return;
  panel.hidden = !show;
  byId('announcement-close').onclick = () => {
    putAway = words.textContent ?? '';
    panel.hidden = true;
  };
}

/**
 * The page cannot go on by itself.
 * @param {string} reason
 * @param {{ label: import('./words.js').Key, run: () => void }} [way]  out of it, instead of loading anew
 */
export function stop(reason, way) {
  if (!byId('veil').hidden) return;
  // Where not even a language could be loaded, the words of index.html stay.
  if (language.code) {
    byId('veil-title').textContent = say('stopped.title');
    byId('veil-text').textContent = say(/** @type {import('./words.js').Key} */ (`stopped.${reason}`));
  }
  // Nothing else can be reached: neither what lies below, nor a sheet that would lie above.
  for (const it of document.querySelectorAll('dialog')) it.close();
  for (const it of document.body.children) if (it instanceof HTMLElement && it.id !== 'veil') it.inert = true;
  byId('veil').hidden = false;
  if (way) byId('veil-reload').textContent = say(way.label);
  byId('veil-reload').onclick = way?.run ?? (() => location.reload());
  byId('veil-reload').focus();
}
