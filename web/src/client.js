// The page without its screen: canvas, copies of tiles, the player's draws and the connection, put together. Bots and tests
// can run it as it is; what a screen wants to know goes out through `events`.
//
//     start: canvas ──► first paint over HTTP ──► connect with positions ──► live

import { Connection } from './connection.js';
import { hasSlept } from './cooldown.js';
import { hasPixel, keyOfPixel, keyTx, keyTy, tileCount, watchSet } from './geom.js';
import { parsePalette } from './palette.js';
import { Placing } from './placing.js';
import { encodeDraw, encodeResume, encodeWatch, ERROR } from './protocol.js';
import { Sync } from './sync.js';
import { colorName } from './words.js';

/** Tiles asked for over HTTP where the canvas is too large to come as one. */
const PAINT_TILES = 24;
/** Whole-canvas forms end here. */
const WHOLE_SIDE = 4096;
/** The first paint may hold up the connection for so long. */
const PAINT_MS = 3000;
const TICK_MS = 1000;
/** A tick so late was held up by a sleep through which the clock went on, or by a browser that saves power. */
const LATE_MS = 5000;
const WATCH_EVERY_MS = 150;
/** A tile of which nothing came so long after it was asked for has never been placed on. */
const BLANK_MS = 1500;

/**
 * @typedef {import('./api.js').Canvas} Canvas
 * @typedef {import('./geom.js').Rect} Rect
 * @typedef {import('./placing.js').Effect} Effect
 * @typedef {import('./placing.js').Reason} Reason
 * @typedef {import('./sync.js').Tile} Tile
 *
 * @typedef {object} Api
 * @property {() => Promise<Canvas>} getCanvas
 * @property {(edge: number, onTile: import('./api.js').OnTile) => Promise<void>} getTiles
 * @property {(tx: number, ty: number, onTile: import('./api.js').OnTile) => Promise<void>} getTile
 * @property {() => Promise<void>} getSession
 * @property {(data: Uint8Array, most: number) => Promise<Uint8Array>} inflate
 *
 * @typedef {object} ClientEnv
 * @property {string} url       of the WebSocket
 * @property {bigint} id        random, not 0
 * @property {(url: string, protocol: string) => WebSocket} socket
 * @property {() => number} now   monotonic, ms
 * @property {() => number} wall  time of day, ms
 * @property {(run: () => void, ms: number) => number} after
 * @property {(timer: number) => void} cancel
 * @property {() => number} random
 * @property {Api} api
 *
 * @typedef {object} ClientEvents
 * @property {(canvas: Canvas) => void} canvas        it is known, or has changed
 * @property {() => Rect} view                        what of it is in view
 * @property {(tile: Tile, offsets: Uint16Array | null) => void} changed
 * @property {(tile: Tile) => void} dropped
 * @property {() => void} status                      connection, online count or read-only have changed
 * @property {(effect: Effect) => void} effect        of the player's draws; `send` has been done already
 * @property {(key: 'damaged' | 'unavailable' | 'watchLimit') => void} notice   something to be said
 * @property {() => void} reload                      the gateway wants a new page
 */

export class Client {
  /** @type {Canvas | null} */
  canvas = null;
  online = 0;
  placing = new Placing();
  /** @type {Sync | null} */
  #sync = null;
  /** @type {Connection} */
  #connection;
  #watchMost = 256;
  /** @type {number | null} */
  #watchTimer = null;
  #watchSent = -Infinity;
  /** @type {Set<number>} what the gateway was last asked to watch */
  #told = new Set();
  /** @type {Set<number>} tiles to resume */
  #resumes = new Set();
  #refetching = false;
  /** The version that this connection was told last. */
  #toldVersion = 0;
  #clocks = { mono: 0, wall: 0 };

  /** @param {ClientEnv} env @param {ClientEvents} events */
  constructor(env, events) {
    this.env = env;
    this.events = events;
    this.#connection = new Connection(
      env.url,
      env.id,
      { ...env, session: env.api.getSession },
      {
        entries: () => this.#entries(),
        message: (message) => this.#message(message),
        state: (state) => this.#state(state),
        reload: () => events.reload(),
      },
    );
  }

  get connection() {
    return this.#connection.state;
  }

  /** When the server was last heard. */
  get heard() {
    return this.#connection.heard;
  }

  async start() {
    this.#clocks = { mono: this.env.now(), wall: this.env.wall() };
    this.#tick();
    for (let wait = 500; this.canvas === null; wait = Math.min(wait * 2, 8000)) {
      const canvas = await this.env.api.getCanvas().catch(() => null);
      if (canvas) this.#adopt(canvas);
      else await this.#sleep(wait);
    }
    await Promise.race([this.#paint(this.canvas), this.#sleep(PAINT_MS)]);
    this.#connection.start();
  }

  /**
   * The page is looked at again, or the network is back.
   * @param {boolean} renewed  the network is another one: the connection of before is of no use
   */
  wake(renewed) {
    this.#checkSleep();
    if (renewed) this.#connection.renew();
    else this.#connection.kick();
    this.#run(this.placing.tick(this.env.now()));
  }

  /** The view has moved: other tiles may be wanted. */
  look() {
    if (!this.canvas || !this.#sync) return;
    const keys = watchSet(this.canvas.geom, this.events.view(), this.#watchMost);
    this.#sync.watch(keys);
    const told = keys.length === this.#told.size && keys.every((key) => this.#told.has(key));
    if (told || this.#watchTimer !== null || this.connection.phase !== 'live') return;
    const wait = Math.max(0, this.#watchSent + WATCH_EVERY_MS - this.env.now());
    this.#watchTimer = this.env.after(() => this.#sendWatch(), wait);
  }

  /** @param {number} x @param {number} y @returns {number | null} its color, null: not known */
  colorAt(x, y) {
    if (!this.canvas || !hasPixel(this.canvas.geom, x, y)) return null;
    const tile = this.#tileOf(x, y);
    if (!tile?.known) return null;
    const { edge } = this.canvas.geom;
    return tile.px[(y % edge) * edge + (x % edge)];
  }

  /** Every tile that is held, for a renderer that starts over. */
  tiles() {
    return this.#sync ? [...this.#sync.tiles.values()].filter((tile) => tile.known) : [];
  }

  /** Why a pixel cannot be placed now, null: it can. @returns {Reason | null} */
  obstacle() {
    return this.placing.obstacle(this.env.now());
  }

  /** @param {number} x @param {number} y @param {number} color @returns {Reason | null} why nothing was sent */
  draw(x, y, color) {
    const reason = this.obstacle();
    if (reason === null) this.#run(this.placing.draw(this.env.now(), x, y, color));
    return reason;
  }

  #seqOf = (/** @type {number} */ x, /** @type {number} */ y) => {
    const tile = this.#tileOf(x, y);
    return tile && this.#sync?.watched.has(tile.key) ? tile.seq : null;
  };

  /** @param {number} x @param {number} y */
  #tileOf(x, y) {
    return this.canvas ? this.#sync?.tiles.get(keyOfPixel(this.canvas.geom, x, y)) : undefined;
  }

  /** @param {Canvas} canvas */
  #adopt(canvas) {
    if (this.canvas && this.canvas.geom.edge !== canvas.geom.edge) {
      this.events.reload();
      return;
    }
    this.#watchMost = Math.min(canvas.watch, 256);
    this.#sync ??= new Sync(canvas.geom.edge, this.#syncEvents(), this.env.api.inflate, this.env.now);
    if (!this.canvas) this.online = canvas.online;
    this.canvas = canvas;
    this.placing.cooldownMs = canvas.cooldownMs;
    this.placing.readOnly = canvas.readOnly;
    this.events.canvas(canvas);
    this.look();
  }

  /** @returns {import('./sync.js').Events} */
  #syncEvents() {
    return {
      changed: this.events.changed,
      dropped: this.events.dropped,
      advanced: () => this.#run(this.placing.advanced(this.#seqOf)),
      damaged: () => this.events.notice('damaged'),
      resume: (tile) => {
        if (this.#resumes.size === 0) this.env.after(() => this.#sendResumes(), 0);
        this.#resumes.add(tile.key);
      },
    };
  }

  /** The first paint. What it does not bring, the connection does. @param {Canvas} canvas */
  async #paint({ geom }) {
    const sync = /** @type {Sync} */ (this.#sync);
    /** @type {import('./api.js').OnTile} */
    const load = (tx, ty, position, px) => sync.load(tx, ty, position, px);
    if (tileCount(geom) <= this.#watchMost && geom.width <= WHOLE_SIDE && geom.height <= WHOLE_SIDE) {
      await this.env.api.getTiles(geom.edge, load).catch(() => {});
      return;
    }
    const nearest = watchSet(geom, this.events.view(), PAINT_TILES);
    await Promise.all(nearest.map((key) => this.env.api.getTile(keyTx(key), keyTy(key), load).catch(() => {})));
  }

  #entries() {
    this.#watchSent = this.env.now();
    const keys = [...(this.#sync?.watched ?? [])];
    this.#told = new Set(keys);
    this.env.after(() => this.#sync?.assumeBlank(keys), BLANK_MS);
    return this.#sync?.entries(keys) ?? [];
  }

  #sendWatch() {
    this.#watchTimer = null;
    if (this.connection.phase === 'live') this.#connection.send(encodeWatch(this.#entries()));
  }

  #sendResumes() {
    const keys = [...this.#resumes].filter((key) => this.#told.has(key));
    this.#resumes = new Set();
    if (this.#sync && keys.length > 0) this.#connection.send(encodeResume(this.#sync.entries(keys)));
  }

  /** @param {import('./connection.js').State} state */
  #state(state) {
    if (state.phase !== 'live' && this.placing.live) {
      this.placing.disconnected();
      this.#sync?.disconnected();
    }
    this.events.status();
  }

  /** @param {import('./protocol.js').ServerMessage} message */
  #message(message) {
    const now = this.env.now();
    switch (message.type) {
      case 'welcome':
        this.online = message.online;
        this.#toldVersion = message.version;
        this.#configured(message);
        this.#run(this.placing.welcomed(now, message));
        this.#watchMost = Math.min(this.canvas?.watch ?? 256, 256);
        this.look();
        return this.events.status();
      case 'verdict':
        return this.#run(this.placing.verdict(now, message, this.#seqOf));
      case 'tile':
      case 'snapshot':
        return this.#sync?.receive(message);
      case 'status':
        this.online = message.online;
        this.placing.readOnly = message.readOnly;
        return this.events.status();
      case 'announcement':
        if (this.canvas) this.canvas.announcement = message.text;
        return this.events.status();
      case 'palette':
        // The canvas' version stays the old one until CONFIG says that it is up to date.
        if (this.canvas) this.#adopt({ ...this.canvas, palette: parsePalette(message.colors, colorName) });
        return;
      case 'config':
        this.#config(message);
        return this.events.status();
      case 'error':
        return this.#error(message.code);
    }
  }

  /** @param {number} code */
  #error(code) {
    if (code === ERROR.TILE_UNAVAILABLE) this.events.notice('unavailable');
    if (code !== ERROR.WATCH_LIMIT) return;
    this.events.notice('watchLimit');
    this.#watchMost = Math.max(16, Math.floor((this.#sync?.watched.size ?? 0) / 2));
    this.look();
  }

  /** Whoever was up to date has been told all that is new; the others fetch it. @param {import('./protocol.js').Config} message */
  #config(message) {
    const { edge, version, width, height, cooldownMs, readOnly } = message;
    const upToDate = this.canvas && !this.#refetching && this.canvas.version >= this.#toldVersion;
    this.#toldVersion = version;
    if (this.canvas && upToDate) this.#adopt({ ...this.canvas, geom: { width, height, edge }, version, cooldownMs, readOnly });
    else this.#configured(message);
    this.placing.cooldownMs = cooldownMs;
    this.placing.readOnly = readOnly;
  }

  /** Fetches the canvas again when the server has a newer one. @param {{ version: number }} told */
  async #configured({ version }) {
    if (this.#refetching || !this.canvas || version <= this.canvas.version) return;
    this.#refetching = true;
    for (let tries = 0; tries < 5; tries++) {
      const canvas = await this.env.api.getCanvas().catch(() => null);
      if (canvas && canvas.version >= version) {
        this.#adopt(canvas);
        break;
      }
      await this.#sleep(1000);
    }
    this.#refetching = false;
  }

  /** @param {Effect[]} effects */
  #run(effects) {
    for (const effect of effects) {
      if (effect.type === 'send') this.#connection.send(encodeDraw(effect.draw));
      this.events.effect(effect);
    }
  }

  #tick() {
    this.#checkSleep();
    this.#run(this.placing.tick(this.env.now()));
    this.env.after(() => this.#tick(), TICK_MS);
  }

  #checkSleep() {
    const clocks = { mono: this.env.now(), wall: this.env.wall() };
    if (hasSlept(this.#clocks, clocks)) this.#connection.renew();
    else if (clocks.mono - this.#clocks.mono > LATE_MS) this.#connection.kick();
    this.#clocks = clocks;
  }

  /** @param {number} ms @returns {Promise<void>} */
  #sleep(ms) {
    return new Promise((resolve) => this.env.after(resolve, ms));
  }
}
