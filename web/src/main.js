// Where the page begins: gives the app what it needs of the browser.

import { getCanvas, getSession, getTile, getTiles, inflate } from './api.js';
import { App } from './app.js';
import { stop } from './status.js';

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

if (typeof DecompressionStream === 'undefined') {
  stop('tooOld');
} else {
  try {
    new App(browserEnv()).start();
  } catch (error) {
    stop('failed');
    throw error;
  }
}
