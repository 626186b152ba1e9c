// The page that the service worker shows where the canvas cannot be reached. It tries again by itself.

import { loadLanguage, pickLanguage, say, translate, wantedLanguages } from './words.js';

const AGAIN_MS = 15000;
const again = () => location.reload();

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** A device that is online, and a server that does not answer, is another thing. */
function tell() {
  byId('veil-title').textContent = say(navigator.onLine ? 'unreachable' : 'offline');
}

/** Only a server that answers is worth leaving this page for. */
async function tryAgain() {
  const there = await fetch('api/v1/canvas', { method: 'HEAD', cache: 'no-store' }).then((it) => it.ok, () => false);
  if (there) again();
}

async function begin() {
  await loadLanguage(pickLanguage(wantedLanguages()));
  translate();
  tell();
  addEventListener('offline', tell);
}

byId('veil-reload').onclick = again;
addEventListener('online', again);
setInterval(tryAgain, AGAIN_MS);
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') void tryAgain();
});
void begin();
