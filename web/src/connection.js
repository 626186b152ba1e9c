// The WebSocket and its life: session, HELLO, silence, reconnection, moving to another gateway. What the messages mean is
// decided elsewhere. Everything of the browser comes in through `Env`, so that tests run it on made-up time.
//
//     connecting ──WELCOME──► live ──close, silence──► waiting ──(0.5 s … 15 s)──► connecting
//          └────────close code that ends it, session refused──► stopped

import { CLOSE, decode, encodeHello, SUBPROTOCOL } from './protocol.js';

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 15000;
/** Attempts that a "slower" close counts as. */
const SLOWER = 4;
const SILENCE_MS = 35000;
/** The server says something every 15 s; somebody who has just come back does not wait for the rest of the silence. */
const OVERDUE_MS = 17000;
const CONNECT_MS = 15000;
/** A connection that held this long ends the row of failures. */
const STEADY_MS = 5000;

/** Session cookies are asked for again after this time, or when the gateway would not let us in. */
const SESSION_MS = 3600000;

/**
 * @typedef {{ phase: 'connecting' | 'live' | 'waiting' | 'stopped', attempt: number, retryAt: number, reason: string }} State
 *     reason: why it is not live, '' where nobody said
 *
 * @typedef {object} Env
 * @property {(url: string, protocol: string) => WebSocket} socket
 * @property {() => number} now
 * @property {(run: () => void, ms: number) => number} after   a timer
 * @property {(timer: number) => void} cancel
 * @property {() => number} random                             0 to 1
 * @property {() => Promise<void>} session   gets a session; rejects with a Refusal
 *
 * @typedef {import('./protocol.js').ServerMessage} Message
 *
 * @typedef {object} Handlers
 * @property {() => import('./protocol.js').Entry[]} entries   for HELLO
 * @property {(message: Message & { askedAt?: number }) => void} message   of WELCOME: when HELLO was sent
 * @property {(state: State) => void} state
 * @property {() => void} reload   the gateway wants a new page
 */

/** Why no session was given. `retryMs` null: asking again is of no use. */
export class Refusal extends Error {
  /** @param {string} reason @param {number | null} retryMs */
  constructor(reason, retryMs) {
    super(reason);
    this.reason = reason;
    this.retryMs = retryMs;
  }
}

/** What a close code asks of the page. Codes that are not named, such as 1006 (just gone): again.
 * @type {Map<number, 'again' | 'slower' | 'stop' | 'reload'>} */
const CLOSINGS = new Map([
  [CLOSE.PROTOCOL, 'slower'],
  [CLOSE.TEXT, 'stop'],
  [CLOSE.TOO_LONG, 'stop'],
  [CLOSE.MALFORMED, 'stop'],
  [CLOSE.FULL, 'slower'],
  [CLOSE.NEW_PAGE, 'reload'],
  [CLOSE.ERASED, 'stop'],
]);

/** Why the connection was lost, where that is worth telling. @type {Map<number, string>} */
const REASONS = new Map([
  [CLOSE.GOING_AWAY, 'restarting'],
  [CLOSE.FULL, 'full'],
]);

/** @param {number} code */
export const closing = (code) => CLOSINGS.get(code) ?? 'again';

/** Time to the next attempt. @param {number} attempt from 0 @param {number} random 0 to 1 */
export const backoff = (attempt, random) =>
  Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(attempt, 10)) * (0.5 + random / 2);

export class Connection {
  /** @type {State} */
  state = { phase: 'waiting', attempt: 0, retryAt: 0, reason: '' };
  /** When the server was last heard. */
  heard = 0;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {WebSocket | null} while moving: the one that will take over */
  #next = null;
  /** @type {number | null} */
  #retry = null;
  /** @type {number | null} */
  #watchdog = null;
  #liveSince = 0;
  #opening = false;
  #sessionAt = -Infinity;

  /** @param {string} url @param {bigint} id random, kept over reconnections @param {Env} env @param {Handlers} handlers */
  constructor(url, id, env, handlers) {
    this.url = url;
    this.id = id;
    this.env = env;
    this.handlers = handlers;
  }

  start() {
    this.#connect();
  }

  /** Tries at once instead of waiting; a live connection that should have been heard since is given up. */
  kick() {
    if (this.state.phase === 'waiting') this.#connect();
    else if (this.state.phase === 'live' && this.#silent(OVERDUE_MS)) this.renew();
  }

  /** Starts over: after a sleep nobody knows whether the other side still holds the connection. */
  renew() {
    if (this.state.phase === 'stopped') return;
    this.#dropAll();
    if (this.state.phase === 'live') this.#lost('again');
    void this.#connect();
  }

  /** @param {Uint8Array} bytes @returns {boolean} whether it was handed to a live connection */
  send(bytes) {
    if (this.state.phase !== 'live' || this.#socket === null) return false;
    this.#socket.send(bytes);
    return true;
  }

  async #connect() {
    if (this.#opening || this.#socket !== null || this.state.phase === 'stopped') return;
    this.#cancelRetry();
    this.#setState('connecting');
    this.#opening = true;
    const refused = await this.#getSession();
    this.#opening = false;
    if (refused === null) this.#socket = this.#open();
    else if (refused.retryMs === null) this.#stop(refused.reason);
    else this.#lost('again', refused.retryMs, refused.reason);
  }

  /** @returns {Promise<Refusal | null>} */
  async #getSession() {
    if (this.env.now() - this.#sessionAt < SESSION_MS) return null;
    try {
      await this.env.session();
      this.#sessionAt = this.env.now();
      return null;
    } catch (error) {
      return error instanceof Refusal ? error : new Refusal('unreachable', 0);
    }
  }

  #open() {
    const socket = this.env.socket(this.url, SUBPROTOCOL);
    socket.binaryType = 'arraybuffer';
    const late = this.env.after(() => this.#closed(socket, 1006), CONNECT_MS);
    let welcomed = false;
    let askedAt = -Infinity;
    socket.onopen = () => {
      askedAt = this.env.now();
      socket.send(encodeHello(this.id, this.handlers.entries()));
    };
    socket.onclose = (event) => {
      this.env.cancel(late);
      // A gateway that does not let us in says so only by closing: the session may be the reason.
      if (!welcomed) this.#sessionAt = -Infinity;
      this.#closed(socket, event.code);
    };
    socket.onmessage = (event) => {
      const message = this.#decode(socket, event.data);
      if (message === null) return;
      if (!welcomed) {
        if (message.type !== 'welcome') return;
        welcomed = true;
        this.env.cancel(late);
        this.#welcomed(socket);
      }
      if (socket !== this.#socket) return;
      this.heard = this.env.now();
      if (message.type === 'move') this.env.after(() => this.#move(), message.delayMs);
      else this.handlers.message(message.type === 'welcome' ? { ...message, askedAt } : message);
    };
    return socket;
  }

  /** @param {WebSocket} socket @param {ArrayBuffer} data @returns {Message | null} */
  #decode(socket, data) {
    try {
      return decode(data);
    } catch {
      socket.close(CLOSE.MALFORMED);
      this.#closed(socket, CLOSE.PROTOCOL);
      return null;
    }
  }

  /** @param {WebSocket} socket */
  #welcomed(socket) {
    if (socket === this.#next) {
      const old = this.#socket;
      this.#socket = socket;
      this.#next = null;
      if (old) release(old);
    }
    this.#liveSince = this.heard = this.env.now();
    this.#setState('live');
    this.#watch();
  }

  /** The gateway drains: the new connection is there before the old one goes. */
  #move() {
    if (this.state.phase !== 'live' || this.#next !== null) return;
    this.#next = this.#open();
  }

  /** @param {WebSocket} socket @param {number} code */
  #closed(socket, code) {
    release(socket);
    if (socket === this.#next) {
      this.#next = null;
      this.env.after(() => this.#move(), backoff(2, this.env.random()));
      return;
    }
    if (socket !== this.#socket) return;
    this.#socket = null;
    const then = closing(code);
    if (this.#next !== null && then !== 'stop') {
      this.#socket = this.#next;
      this.#next = null;
      this.#setState('connecting');
      return;
    }
    if (then === 'reload') this.handlers.reload();
    if (then === 'stop') this.#stop(`closed${code}`);
    else this.#lost(then, 0, REASONS.get(code));
  }

  /**
   * @param {'again' | 'slower' | 'reload'} how
   * @param {number} [least] time to wait at least
   * @param {string} [reason] as far as the server gave one; that of before stays as long as nothing is heard
   */
  #lost(how, least = 0, reason = this.state.phase === 'live' ? '' : this.state.reason) {
    const steady = this.state.phase === 'live' && this.env.now() - this.#liveSince > STEADY_MS;
    const attempt = Math.max(steady ? 0 : this.state.attempt, how === 'again' ? 0 : SLOWER);
    const wait = Math.max(least, backoff(attempt, this.env.random()));
    this.#cancelRetry();
    this.state = { ...this.state, attempt: attempt + 1, retryAt: this.env.now() + wait, reason };
    this.#setState('waiting');
    this.#retry = this.env.after(() => this.#connect(), wait);
  }

  /** @param {string} reason */
  #stop(reason) {
    this.#dropAll();
    this.#cancelRetry();
    this.state = { ...this.state, reason };
    this.#setState('stopped');
  }

  #dropAll() {
    for (const socket of [this.#socket, this.#next]) if (socket) release(socket);
    this.#socket = this.#next = null;
  }

  #cancelRetry() {
    if (this.#retry !== null) this.env.cancel(this.#retry);
    this.#retry = null;
  }

  /** @param {number} ms */
  #silent(ms) {
    return this.env.now() - this.heard > ms;
  }

  #watch() {
    if (this.#watchdog !== null) this.env.cancel(this.#watchdog);
    this.#watchdog = this.env.after(() => {
      this.#watchdog = null;
      if (this.state.phase !== 'live') return;
      if (this.#silent(SILENCE_MS)) this.renew();
      else this.#watch();
    }, 5000);
  }

  /** @param {State['phase']} phase */
  #setState(phase) {
    const live = phase === 'live';
    this.state = { ...this.state, phase, retryAt: live ? 0 : this.state.retryAt, reason: live ? '' : this.state.reason };
    this.handlers.state(this.state);
  }
}

/** Closes a socket of which nothing more is wanted to be heard. @param {WebSocket} socket */
function release(socket) {
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.close(CLOSE.NORMAL);
}
