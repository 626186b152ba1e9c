// A gateway for tests of the page alone: one process, one canvas in memory, no Redis, no shard. It speaks the protocol well enough
// for the page, and does on command what a real one does only in bad hours.

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { deflateSync, gzipSync } from 'node:zlib';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { tileChecksum } from '../../web/src/checksum.js';
import { PALETTE } from './scene.mjs';

const WEB = fileURLToPath(new URL('../../web/', import.meta.url));
const TYPES = {
  '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json', '.png': 'image/png',
};
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; manifest-src 'self'; worker-src 'self'";
const USER = 0x1234n;

/** @typedef {{ px: Uint8Array, epoch: number, seq: number, previous: number }} FakeTile */

export class FakeGateway {
  /** @param {{ width?: number, height?: number, edge?: number, cooldownMs?: number, palette?: { name: string, rgb: string }[],
   *   px?: Uint8Array }} [options] */
  constructor(options = {}) {
    this.width = options.width ?? 1000;
    this.height = options.height ?? 1000;
    this.edge = options.edge ?? 256;
    this.cooldownMs = options.cooldownMs ?? 300000;
    this.palette = options.palette ?? PALETTE;
    /** Draws are answered when this is done. @type {Promise<unknown>} */
    this.hold = Promise.resolve();
    this.version = 1;
    this.readOnly = false;
    this.online = 1;
    this.nonce = 0;
    this.landed = -Infinity;
    this.epoch = Date.now();
    this.sessionStatus = 200;
    this.canvasStatus = 200;
    this.tilesStatus = 200;
    this.acceptSockets = true;
    this.announcement = '';
    /** Every placement, the oldest first. @type {{ x: number, y: number, color: number, by: string, time: number }[]} */
    this.history = [];
    this.historyStatus = 200;
    this.me = { user: '0000000000001234', kind: 'guest', name: 'Brave Otter 4711', chosen: false, change_in_s: 0 };
    /** Answers to a wanted name, other than that it is given. @type {Record<string, [number, any]>} */
    this.names = {};
    this.meStatus = 200;
    /** Who asks for their name is answered when this is done, with what it was when they asked. @type {Promise<unknown>} */
    this.holdMe = Promise.resolve();
    /** Whoever wants a name has it when this is done. @type {Promise<unknown>} */
    this.holdName = Promise.resolve();
    /** For how long a name that was given stays. */
    this.nameStays = 0;
    /** @type {[number, number, number][]} */
    this.heat = [];
    /** The session was asked for with ?fresh. */
    this.fresh = 0;
    /** The palette that connections were told last. */
    this.toldPalette = this.palette;
    /** Answers a draw in another way: returns verdict fields, or null for the usual one, or 'none'. @type {((draw: any) => any) | null} */
    this.answer = null;
    /** @type {Map<string, FakeTile>} */
    this.tiles = new Map();
    /** @type {Set<{ socket: import('ws').WebSocket, watch: Set<string> }>} */
    this.clients = new Set();
    /** @type {any[]} everything that clients said, decoded a little */
    this.said = [];
    if (options.px) this.paint(options.px);
  }

  /** @param {number} [port] */
  async listen(port = 0) {
    this.http = createServer((request, response) => this.#serve(request, response));
    this.sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'tessera.v1', perMessageDeflate: false });
    this.http.on('upgrade', (request, socket, head) => {
      if (!this.acceptSockets) socket.destroy();
      else this.sockets?.handleUpgrade(request, socket, head, (ws) => this.#connected(ws));
    });
    await new Promise((resolve) => this.http?.listen(port, '127.0.0.1', () => resolve(null)));
    this.port = /** @type {import('node:net').AddressInfo} */ (this.http.address()).port;
    this.url = `http://127.0.0.1:${this.port}/`;
    return this.url;
  }

  async close() {
    for (const { socket } of this.clients) socket.terminate();
    this.http?.closeAllConnections();
    await new Promise((resolve) => this.http?.close(resolve));
  }

  /** Cuts every connection without a word. */
  cut() {
    for (const { socket } of this.clients) socket.terminate();
  }

  /** @param {number} code */
  closeAll(code) {
    for (const { socket } of this.clients) socket.close(code);
  }

  /** @param {Buffer} bytes */
  say(bytes) {
    for (const { socket } of this.clients) socket.send(bytes);
  }

  /** Fills the canvas with pixels that were there before anybody came. @param {Uint8Array} px width * height */
  paint(px) {
    for (let y = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++) {
        const color = px[y * this.width + x];
        if (color !== 0) this.tile(Math.floor(x / this.edge), Math.floor(y / this.edge)).px[(y % this.edge) * this.edge + (x % this.edge)] = color;
      }
    }
    for (const tile of this.tiles.values()) Object.assign(tile, { epoch: this.epoch, previous: this.epoch, seq: 1000 });
  }

  /** @param {number} tx @param {number} ty @returns {FakeTile} */
  tile(tx, ty) {
    const key = `${tx}:${ty}`;
    let tile = this.tiles.get(key);
    if (!tile) this.tiles.set(key, (tile = { px: new Uint8Array(this.edge * this.edge), epoch: 0, seq: 0, previous: 0 }));
    return tile;
  }

  /**
   * A placement, as another player's.
   * @param {number} x @param {number} y @param {number} color @param {string} [by] @param {number} [ago] ms
   * @returns {number} its seq
   */
  place(x, y, color, by = 'Quiet Heron 12', ago = 0) {
    this.history.push({ x, y, color, by, time: Date.now() - ago });
    return this.placeAll([{ x, y, color }]);
  }

  /** Placements on one tile, told in one frame. @param {{ x: number, y: number, color: number }[]} pixels @returns {number} the last seq */
  placeAll(pixels) {
    const [tx, ty] = [Math.floor(pixels[0].x / this.edge), Math.floor(pixels[0].y / this.edge)];
    const tile = this.tile(tx, ty);
    const previous = tile.epoch;
    const frame = Buffer.alloc(28 + 3 * pixels.length);
    frame.writeUInt8(0x83, 0);
    frame.writeUInt8(1, 1);
    frame.writeUInt16LE(tx, 2);
    frame.writeUInt16LE(ty, 4);
    frame.writeUInt16LE(pixels.length, 6);
    frame.writeUInt32LE(tile.seq + 1, 8);
    frame.writeBigUInt64LE(BigInt(this.epoch), 12);
    frame.writeBigUInt64LE(BigInt(previous), 20);
    pixels.forEach(({ x, y, color }, i) => {
      const offset = (y % this.edge) * this.edge + (x % this.edge);
      tile.px[offset] = color;
      frame.writeUInt16LE(offset, 28 + 3 * i);
      frame.writeUInt8(color, 30 + 3 * i);
    });
    Object.assign(tile, { epoch: this.epoch, seq: tile.seq + pixels.length });
    for (const { socket, watch } of this.clients) if (watch.has(`${tx}:${ty}`)) socket.send(frame);
    return tile.seq;
  }

  status() {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt8(0x85, 0);
    bytes.writeUInt8(this.readOnly ? 1 : 0, 1);
    bytes.writeUInt32LE(this.online, 4);
    this.say(bytes);
  }

  /** @param {string} text */
  announce(text) {
    this.announcement = text;
    const words = Buffer.from(text);
    const head = Buffer.alloc(4);
    head.writeUInt8(0x89, 0);
    head.writeUInt16LE(words.length, 2);
    this.say(Buffer.concat([head, words]));
  }

  config() {
    this.version++;
    if (this.palette !== this.toldPalette) this.#sayPalette();
    const bytes = Buffer.alloc(20);
    this.#canvasHead(bytes, 0x86);
    this.say(bytes);
  }

  #sayPalette() {
    this.toldPalette = this.palette;
    const head = Buffer.alloc(4);
    head.writeUInt8(0x8a, 0);
    head.writeUInt16LE(this.palette.length, 2);
    const colors = this.palette.map(({ name, rgb }) =>
      Buffer.concat([Buffer.from(rgb.slice(1), 'hex'), Buffer.from([Buffer.byteLength(name)]), Buffer.from(name)]));
    this.say(Buffer.concat([head, ...colors]));
  }

  /** @param {number} delayMs */
  move(delayMs) {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt8(0x87, 0);
    bytes.writeUInt32LE(delayMs, 4);
    this.say(bytes);
  }

  /** @param {Buffer} bytes @param {number} type */
  #canvasHead(bytes, type) {
    bytes.writeUInt8(type, 0);
    bytes.writeUInt8(this.readOnly ? 1 : 0, 1);
    bytes.writeUInt16LE(this.edge, 2);
    bytes.writeUInt32LE(this.version, 4);
    bytes.writeUInt32LE(this.width, 8);
    bytes.writeUInt32LE(this.height, 12);
    bytes.writeUInt32LE(this.cooldownMs, 16);
  }

  /** Of the cooldown, ms. */
  left() {
    return Math.max(0, this.landed + this.cooldownMs - performance.now());
  }

  #wait() {
    return Math.ceil(this.left());
  }

  /** @param {import('ws').WebSocket} socket */
  #connected(socket) {
    const client = { socket, watch: new Set() };
    this.clients.add(client);
    socket.on('close', () => this.clients.delete(client));
    socket.on('message', (/** @type {Buffer} */ data) => {
      const type = data.readUInt8(0);
      this.said.push({ type, data });
      if (type === 0x01) this.#welcome(client, data);
      else if (type === 0x02) this.hold.then(() => this.#draw(client, data));
      else this.#watch(client, data, 4, type === 0x04);
    });
  }

  /** @param {any} client @param {Buffer} data */
  #welcome(client, data) {
    const bytes = Buffer.alloc(40);
    this.#canvasHead(bytes, 0x81);
    bytes.writeUInt32LE(this.cooldownMs > 0 ? this.nonce + 1 : 2 ** 31 + 1, 20);
    bytes.writeUInt32LE(this.#wait(), 24);
    bytes.writeUInt32LE(this.online, 28);
    bytes.writeBigUInt64LE(USER, 32);
    client.socket.send(bytes);
    this.#watch(client, data, 12, false);
  }

  /** @param {any} client @param {Buffer} data @param {number} at @param {boolean} resume */
  #watch(client, data, at, resume) {
    const before = client.watch;
    if (!resume) client.watch = new Set();
    for (; at < data.length; at += 16) {
      const [tx, ty, seq, epoch] = [data.readUInt16LE(at), data.readUInt16LE(at + 2), data.readUInt32LE(at + 4), Number(data.readBigUInt64LE(at + 8))];
      const key = `${tx}:${ty}`;
      const tile = this.tiles.get(key);
      if (!resume) client.watch.add(key);
      if (tile && (resume || !before.has(key)) && (tile.seq !== seq || tile.epoch !== epoch)) this.#snapshot(client, tx, ty, tile);
    }
  }

  /** @param {any} client @param {number} tx @param {number} ty @param {FakeTile} tile */
  #snapshot({ socket }, tx, ty, tile) {
    const head = Buffer.alloc(28);
    head.writeUInt8(0x84, 0);
    head.writeUInt8(1, 1);
    head.writeUInt16LE(tx, 2);
    head.writeUInt16LE(ty, 4);
    head.writeUInt32LE(tile.seq, 8);
    head.writeBigUInt64LE(BigInt(tile.epoch), 12);
    head.writeBigUInt64LE(tileChecksum(tile.px), 20);
    socket.send(Buffer.concat([head, deflateSync(tile.px, { level: 1 })]));
  }

  /** @param {any} client @param {Buffer} data */
  #draw(client, data) {
    const draw = { color: data.readUInt8(1), x: data.readUInt16LE(2), y: data.readUInt16LE(4), nonce: data.readUInt32LE(6) };
    const other = this.answer?.(draw);
    if (other === 'none') return;
    const verdict = { code: 0, seq: 0, ...(other ?? this.#judge(draw)) };
    const bytes = Buffer.alloc(24);
    bytes.writeUInt8(0x82, 0);
    bytes.writeUInt8(verdict.code, 1);
    bytes.writeUInt16LE(draw.x, 2);
    bytes.writeUInt16LE(draw.y, 4);
    bytes.writeUInt32LE(draw.nonce, 8);
    bytes.writeUInt32LE(this.cooldownMs > 0 ? this.nonce + 1 : draw.nonce + 1, 12);
    bytes.writeUInt32LE(verdict.waitMs ?? this.#wait(), 16);
    bytes.writeUInt32LE(verdict.seq, 20);
    client.socket.send(bytes);
  }

  /** @param {{ color: number, x: number, y: number, nonce: number }} draw */
  #judge({ color, x, y, nonce }) {
    if (this.readOnly) return { code: 5, waitMs: 1000 };
    if (this.cooldownMs > 0 ? nonce !== this.nonce + 1 : nonce < 2 ** 31) return { code: 2 };
    if (this.#wait() > 0) return { code: 1 };
    if (this.cooldownMs > 0) this.nonce = nonce;
    this.landed = performance.now();
    return { code: 0, seq: this.place(x, y, color, this.me.name) };
  }

  /** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
  async #serve(request, response) {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://x');
    const send = (/** @type {number} */ status, /** @type {string} */ type, /** @type {any} */ body, /** @type {any} */ headers = {}) =>
      response.writeHead(status, { 'Content-Type': type, 'Content-Security-Policy': CSP, ...headers }).end(body);
    const json = (/** @type {number} */ status, /** @type {any} */ body) => send(status, 'application/json', body === undefined ? undefined : JSON.stringify(body));
    const position = /^\/api\/v1\/tiles\/(\d+)\/(\d+)$/.exec(pathname);
    const pixel = /^\/api\/v1\/pixel\/(\d+)\/(\d+)$/.exec(pathname);
    if (pixel) return json(this.historyStatus, this.#pixelJson(Number(pixel[1]), Number(pixel[2]), Number(searchParams.get('history') ?? 1)));
    if (pathname === '/api/v1/heat') return json(200, { half_life_ms: 300000, tiles: this.heat });
    if (pathname === '/api/v1/me') return json(...(await this.#answerMe(request)));
    if (pathname === '/api/v1/session' && searchParams.has('fresh')) this.fresh++;
    if (pathname === '/api/v1/session') return json(this.sessionStatus, { user: '0000000000001234', kind: 'guest', token: 'x', expires_in_s: 86400 });
    if (pathname === '/api/v1/canvas') return json(this.canvasStatus, this.#canvasJson());
    if (pathname === '/api/v1/tiles') {
      if (this.tilesStatus !== 200) return json(this.tilesStatus, { error: 'no' });
      return send(200, 'application/octet-stream', gzipSync(this.#allTiles(), { level: 1 }), { 'Content-Encoding': 'gzip' });
    }
    if (position) {
      const tile = this.tile(Number(position[1]), Number(position[2]));
      return send(200, 'application/octet-stream', Buffer.from(tile.px), { 'Tessera-Position': `${tile.epoch}-${tile.seq}` });
    }
    const path = normalize(pathname === '/' ? '/index.html' : pathname);
    const file = await readFile(join(WEB, path)).catch(() => null);
    if (!file) return json(404, { error: 'not_found' });
    return send(200, /** @type {any} */ (TYPES)[extname(path)] ?? 'application/octet-stream', file);
  }

  /** @param {number} x @param {number} y @param {number} most */
  #pixelJson(x, y, most) {
    const all = this.history.filter((it) => it.x === x && it.y === y).reverse();
    const color = this.tile(Math.floor(x / this.edge), Math.floor(y / this.edge)).px[(y % this.edge) * this.edge + (x % this.edge)];
    const placements = all.slice(0, most).map(({ color: it, by, time }, i) => ({ seq: all.length - i, color: it, time_ms: time, by, erased: false }));
    return { x, y, color, name: this.palette[color].name, now_ms: Date.now(), placements, next: Math.max(0, all.length - most) };
  }

  /** @param {import('node:http').IncomingMessage} request @returns {Promise<[number, any]>} */
  async #answerMe(request) {
    if (this.meStatus !== 200) return [this.meStatus, { error: 'no_session' }];
    if (request.method === 'DELETE') return [204, undefined];
    if (request.method === 'GET') {
      const before = { ...this.me };
      await this.holdMe;
      return [200, before];
    }
    if (request.method === 'PUT') {
      let body = '';
      for await (const part of request) body += part;
      const { name } = JSON.parse(body);
      await this.holdName;
      if (Object.hasOwn(this.names, String(name))) return this.names[name];
      Object.assign(this.me, name === null ? { name: 'Brave Otter 4711', chosen: false } : { name, chosen: true });
      this.me.change_in_s = this.nameStays;
    }
    return [200, this.me];
  }

  #canvasJson() {
    const { version, width, height, edge, cooldownMs, readOnly, online, palette, announcement } = this;
    return {
      version, width, height, tile_edge: edge, cooldown_ms: cooldownMs, read_only: readOnly, announcement, online, palette,
      limits: { watch: 256, in_flight: 4 },
    };
  }

  #allTiles() {
    const parts = [];
    for (let ty = 0; ty < Math.ceil(this.height / this.edge); ty++) {
      for (let tx = 0; tx < Math.ceil(this.width / this.edge); tx++) {
        const tile = this.tile(tx, ty);
        const head = Buffer.alloc(16);
        head.writeUInt16LE(tx, 0);
        head.writeUInt16LE(ty, 2);
        head.writeUInt32LE(tile.seq, 4);
        head.writeBigUInt64LE(BigInt(tile.epoch), 8);
        parts.push(head, Buffer.from(tile.px));
      }
    }
    return Buffer.concat(parts);
  }
}
