// A small world for the page's modules: time that is made up, sockets that are not there, a server that keeps one canvas and the
// rules of PROTOCOL.md. One seed decides everything.

import { deflateSync, inflateSync } from 'node:zlib';
import { Checksum } from '../../../web/src/checksum.js';

/** Time that passes only in `run`; promises are given their turn after each timer. */
export class Clock {
  now = 1000;
  #timers = [];
  #next = 1;

  after = (run, ms) => {
    const timer = { id: this.#next++, at: this.now + Math.max(0, ms), run };
    this.#timers.push(timer);
    return timer.id;
  };

  cancel = (id) => {
    this.#timers = this.#timers.filter((timer) => timer.id !== id);
  };

  async run(ms) {
    const end = this.now + ms;
    for (;;) {
      await settled();
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at || a.id - b.id)[0];
      if (!due) break;
      this.cancel(due.id);
      this.now = Math.max(this.now, due.at);
      due.run();
    }
    this.now = end;
  }
}

const settled = async () => {
  for (let i = 0; i < 12; i++) await null;
};

export class FakeSocket {
  sent = [];
  closed = false;
  onopen = null;
  onclose = null;
  onmessage = null;

  constructor(url, protocol) {
    this.url = url;
    this.protocol = protocol;
  }

  send(bytes) {
    if (this.closed) return;
    this.sent.push(bytes);
    this.server?.(bytes);
  }

  close() {
    this.closed = true;
  }

  deliver(bytes) {
    if (!this.closed) this.onmessage?.({ data: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) });
  }

  drop(code) {
    if (this.closed) return;
    this.closed = true;
    this.onclose?.({ code });
  }
}

// ---- Messages of a gateway -------------------------------------------------------------------------------------------

const bytesOf = (...fields) => {
  const out = [];
  for (const [size, value] of fields) for (let i = 0; i < size; i++) out.push(Number((BigInt(value) >> BigInt(8 * i)) & 255n));
  return Uint8Array.from(out);
};
const joined = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));

export const welcome = ({ width = 128, height = 128, edge = 64, cooldownMs = 1000, nextNonce = 1, waitMs = 0, readOnly = false, version = 1 } = {}) =>
  bytesOf([1, 0x81], [1, readOnly ? 1 : 0], [2, edge], [4, version], [4, width], [4, height], [4, cooldownMs], [4, nextNonce], [4, waitMs], [4, 1], [8, 99]);
export const verdict = ({ code, x, y, nonce, nextNonce, waitMs = 0, seq = 0 }) =>
  bytesOf([1, 0x82], [1, code], [2, x], [2, y], [2, 0], [4, nonce], [4, nextNonce], [4, waitMs], [4, seq]);
export const tileFrame = ({ tx, ty, first, epoch, previousEpoch, updates }) =>
  joined(
    bytesOf([1, 0x83], [1, previousEpoch === epoch ? 0 : 1], [2, tx], [2, ty], [2, updates.length], [4, first], [8, epoch]),
    previousEpoch === epoch ? [] : bytesOf([8, previousEpoch]),
    ...updates.map(({ offset, color }) => bytesOf([2, offset], [1, color])),
  );
export const snapshot = ({ tx, ty, seq, epoch, px, zlib = false, checksum = Checksum.of(px).value }) =>
  joined(bytesOf([1, 0x84], [1, zlib ? 1 : 0], [2, tx], [2, ty], [2, 0], [4, seq], [8, epoch], [8, checksum]), zlib ? deflateSync(px) : px);
export const status = (readOnly = false, online = 3) => bytesOf([1, 0x85], [1, readOnly ? 1 : 0], [2, 0], [4, online]);
export const config = ({ version, width, height, edge = 64, cooldownMs }) =>
  bytesOf([1, 0x86], [1, 0], [2, edge], [4, version], [4, width], [4, height], [4, cooldownMs]);
export const move = (delayMs) => bytesOf([1, 0x87], [1, 0], [2, 0], [4, delayMs]);
export const error = (code) => bytesOf([1, 0x88], [1, code]);

/** zlib that takes its time. */
export const slowInflate = (clock, random) => (data, most) =>
  new Promise((resolve, reject) => {
    clock.after(() => {
      const out = inflateSync(data);
      if (out.length > most) reject(new RangeError());
      else resolve(new Uint8Array(out));
    }, random() * 30);
  });

/** @param {number} seed */
export function generator(seed) {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// ---- A server --------------------------------------------------------------------------------------------------------

/** One canvas with the rules of placing, and connections of which each has its own view of what it has sent. */
export class World {
  width = 128;
  height = 128;
  edge = 64;
  version = 1;
  epoch = 1000;
  readOnly = false;
  log = [];
  tiles = new Map();
  links = new Set();
  nonce = 0;
  last = null;
  landed = -Infinity;
  unreachable = false;
  /** Faults, as probabilities. */
  faults = { lost: 0, unavailable: 0, refuse: 0, damage: 0 };
  watchMost = 256;

  constructor(clock, random, cooldownMs) {
    this.clock = clock;
    this.random = random;
    this.cooldownMs = cooldownMs;
    this.windows = new Map();
  }

  tile(tx, ty) {
    const key = `${tx}:${ty}`;
    if (!this.tiles.has(key)) this.tiles.set(key, { tx, ty, px: new Uint8Array(this.edge ** 2), epoch: 0, seq: 0, log: [] });
    return this.tiles.get(key);
  }

  /** A socket to this world, for `Connection`. */
  socket = (url, protocol) => {
    const socket = new FakeSocket(url, protocol);
    const link = { socket, watch: new Map(), id: 0n, queue: [] };
    const lag = 1 + this.random() * 20;
    let busyUntil = 0;
    link.say = (bytes) => {
      busyUntil = Math.max(busyUntil, this.clock.now + lag + this.random() * 10);
      this.clock.after(() => socket.deliver(bytes), busyUntil - this.clock.now);
    };
    let heardUntil = 0;
    socket.server = (bytes) => {
      heardUntil = Math.max(heardUntil, this.clock.now + lag);
      this.clock.after(() => !link.dead && this.hear(link, new DataView(bytes.buffer, bytes.byteOffset, bytes.length)), heardUntil - this.clock.now);
    };
    this.clock.after(() => {
      if (this.unreachable) return socket.drop(1006);
      this.links.add(link);
      if (!socket.closed) socket.onopen?.();
    }, lag);
    return socket;
  };

  /** Ends a connection; what was under way on it is lost. */
  cut(link, code = 1006) {
    link.dead = true;
    this.links.delete(link);
    link.socket.drop(code);
  }

  hear(link, view) {
    const type = view.getUint8(0);
    if (type === 0x02) return this.draw(link, view);
    if (type === 0x01) {
      link.id = view.getBigUint64(4, true);
      link.say(this.welcome());
    }
    return this.watch(link, view, type === 0x01 ? 12 : 4, type === 0x04);
  }

  // By the rule of now; without a cooldown, after a draw of that rule.
  nextNonce(nonce = 2 ** 31) {
    if (this.cooldownMs > 0) return this.nonce + 1;
    return nonce >= 2 ** 31 ? nonce + 1 : 2 ** 31 + 1;
  }

  welcome() {
    const { width, height, edge, cooldownMs, version, readOnly } = this;
    return welcome({ width, height, edge, cooldownMs, version, readOnly, nextNonce: this.nextNonce(), waitMs: this.wait() });
  }

  wait() {
    return Math.max(0, Math.ceil(this.landed + this.cooldownMs - this.clock.now));
  }

  watch(link, view, from, resume) {
    const before = link.watch;
    if (!resume) link.watch = new Map();
    for (let at = from; at < view.byteLength; at += 16) {
      const [tx, ty] = [view.getUint16(at, true), view.getUint16(at + 2, true)];
      const key = `${tx}:${ty}`;
      if (resume && !link.watch.has(key)) continue;
      if (!resume && before.has(key)) {
        link.watch.set(key, true);
        continue;
      }
      link.watch.set(key, true);
      this.bring(link, this.tile(tx, ty), view.getUint32(at + 4, true), Number(view.getBigUint64(at + 8, true)));
    }
  }

  /** What follows a position: as frames when it is of this history and near, otherwise a snapshot. */
  bring(link, tile, seq, epoch) {
    if (seq === tile.seq && epoch === tile.epoch) return;
    const known = seq === 0 ? epoch === 0 : tile.log[seq - 1]?.epoch === epoch;
    if (known && seq < tile.seq && tile.seq - seq < 12 && this.random() < 0.7) {
      for (const it of tile.log.slice(seq)) link.say(this.frame(tile, it));
      return;
    }
    const { tx, ty } = tile;
    let used = tile.px.length;
    while (used > 0 && tile.px[used - 1] === 0) used--;
    link.say(snapshot({ tx, ty, seq: tile.seq, epoch: tile.epoch, px: tile.px.slice(0, used), zlib: this.random() < 0.6,
      ...(this.random() < this.faults.damage ? { checksum: 1n } : {}) }));
  }

  frame({ tx, ty, log }, it) {
    const previousEpoch = log[it.seq - 2]?.epoch ?? 0;
    return tileFrame({ tx, ty, first: it.seq, epoch: it.epoch, previousEpoch, updates: [it] });
  }

  place(x, y, color, draw = null) {
    const tile = this.tile(Math.floor(x / this.edge), Math.floor(y / this.edge));
    const it = { offset: (y % this.edge) * this.edge + (x % this.edge), color, epoch: this.epoch, seq: tile.seq + 1 };
    tile.log.push(it);
    Object.assign(tile, { epoch: it.epoch, seq: it.seq });
    tile.px[it.offset] = color;
    if (draw) this.log.push({ x, y, color, ...draw });
    for (const link of this.links) {
      if (link.watch.has(`${tile.tx}:${tile.ty}`) && this.random() >= this.faults.lost) link.say(this.frame(tile, it));
    }
    return it.seq;
  }

  draw(link, view) {
    const it = { color: view.getUint8(1), x: view.getUint16(2, true), y: view.getUint16(4, true), nonce: view.getUint32(6, true) };
    const refused = this.random() < this.faults.refuse;
    const unavailable = !refused && this.random() < this.faults.unavailable;
    let answer = { code: 7 };
    if (refused) answer = this.random() < 0.7 ? { code: 6, waitMs: 50 } : { code: 10 };
    else if (!unavailable || this.random() < 0.5) answer = this.judge(link, it);
    if (unavailable) answer = { code: 7 };
    link.say(verdict({ ...it, nextNonce: this.nextNonce(it.nonce), waitMs: this.wait(), ...answer }));
  }

  judge(link, { x, y, color, nonce }) {
    if (this.cooldownMs > 0) {
      if (nonce === this.nonce && this.last && this.last.x === x && this.last.y === y && this.last.color === color) return { code: 0, seq: this.last.seq };
      if (nonce !== this.nonce + 1) return { code: 2 };
      if (this.wait() > 0) return { code: 1 };
      this.landed = this.clock.now;
      const seq = this.place(x, y, color, { nonce });
      this.nonce = nonce;
      this.last = { x, y, color, seq };
      return { code: 0, seq };
    }
    if (nonce < 2 ** 31) return { code: 2 };
    const window = this.windows.get(link.id) ?? new Map();
    this.windows.set(link.id, window);
    if (window.has(nonce)) return { code: 0, seq: window.get(nonce) };
    const seq = this.place(x, y, color, { nonce });
    window.set(nonce, seq);
    return { code: 0, seq };
  }

  /** The same player in another window. */
  otherWindow(x, y, color) {
    if (this.cooldownMs > 0) this.judge(null, { x, y, color, nonce: this.nonce + 1 });
  }

  /** Tiles are taken anew: what was seen and not kept is gone, the next placements carry a newer epoch. */
  rewind(tile, by) {
    this.epoch += 10;
    const keep = Math.max(0, tile.seq - by);
    tile.log.length = keep;
    tile.seq = keep;
    tile.epoch = tile.log[keep - 1]?.epoch ?? 0;
    tile.px.fill(0);
    for (const { offset, color } of tile.log) tile.px[offset] = color;
  }

  canvas() {
    const { width, height, edge, version, cooldownMs, readOnly } = this;
    const palette = [{ name: 'white', css: '#ffffff', r: 255, g: 255, b: 255 }];
    return { geom: { width, height, edge }, palette, version, cooldownMs, readOnly, online: 1, watch: this.watchMost };
  }
}
