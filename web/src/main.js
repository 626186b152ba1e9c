// Where the page begins: the reader's language, and what the app needs of the browser.

import { getCanvas, getSession, getTile, getTiles, inflate } from './api.js';
import { App } from './app.js';
import { keepOffline } from './install.js';
import { stop } from './status.js';
import { loadLanguage, pickLanguage, translate, wantedLanguages } from './words.js';

/** A number that this page keeps over its reconnections. */
function randomId() {
  const [id] = crypto.getRandomValues(new BigUint64Array(1));
  return id === 0n ? 1n : id;
}

/** @returns {import('./client.js').ClientEnv} */
function browserEnv() {
  const url = new URL('ws', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = url.hash = '';
  return {
    url: url.href,
    id: randomId(),
    socket: (address, protocol) => new WebSocket(address, protocol),
    now: () => performance.now(),
    wall: () => Date.now(),
    after: (run, ms) => window.setTimeout(run, ms),
    cancel: (timer) => window.clearTimeout(timer),
    random: Math.random,
    api: { getCanvas, getTiles, getTile, getSession, inflate },
  };
}

async function begin() {
  await loadLanguage(pickLanguage(wantedLanguages()));
  translate();
  if (typeof DecompressionStream === 'undefined') {
    stop('tooOld');
    return;
  }
  await new App(browserEnv()).start();
  await keepOffline();
}

begin().catch((error) => {
  stop('failed');
  throw error;
});
