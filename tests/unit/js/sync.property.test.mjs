// Whatever comes, in whatever order - updates of any part of a tile's history, snapshots of any moment, damaged ones, HTTP loads that are
// late, histories that were rewound, things said twice: a copy is always the canvas at the position it names, what the screen was told
// is the copy, and once the server has answered what was asked, both are the canvas of now.
import assert from 'node:assert/strict';
import { tileKey } from '../../../web/src/geom.js';
import { decode } from '../../../web/src/protocol.js';
import { Sync } from '../../../web/src/sync.js';
import { pick, property, whole } from './property.mjs';
import { Clock, generator, slowInflate, snapshot, tileFrame } from './world.mjs';

const EDGE = 64;
const TILES = 3;

/** A tile of the server: the placements of its present history, and the pixels of every position there ever was. */
class ServerTile {
  log = [];
  states = new Map([['0/0', new Uint8Array(EDGE * EDGE)]]);
  constructor(tx) {
    this.tx = tx;
  }
  position(seq = this.log.length) {
    return { epoch: this.log[seq - 1]?.epoch ?? 0, seq };
  }
  px(seq = this.log.length) {
    const { epoch } = this.position(seq);
    return this.states.get(`${epoch}/${seq}`);
  }
  place(offset, color, epoch) {
    const px = this.px().slice();
    px[offset] = color;
    this.log.push({ offset, color, epoch });
    this.states.set(`${epoch}/${this.log.length}`, px);
  }
  /** Updates from `first` on, as far as the epoch goes. */
  frame(first, most) {
    const { epoch } = this.log[first - 1];
    const updates = this.log.slice(first - 1, first - 1 + most).filter((it) => it.epoch === epoch);
    return decode(tileFrame({ tx: this.tx, ty: 0, first, epoch, previousEpoch: this.log[first - 2]?.epoch ?? 0, updates }));
  }
  snapshot(seq, zlib, damaged) {
    return decode(snapshot({ tx: this.tx, ty: 0, ...this.position(seq), px: this.px(seq), zlib, ...(damaged ? { checksum: 1n } : {}) }));
  }
}

function command(random) {
  const tile = whole(random, TILES);
  const share = random();
  return pick(random, [
    () => ({ do: 'place', tile, offsets: Array.from({ length: 1 + whole(random, 4) }, () => whole(random, EDGE * EDGE)), color: 1 + whole(random, 31) }),
    () => ({ do: 'place', tile, offsets: [whole(random, 4)], color: 1 + whole(random, 31) }),
    () => ({ do: 'take' }),
    () => ({ do: 'rewind', tile, by: 1 + whole(random, 5) }),
    () => ({ do: 'news', tile }),
    () => ({ do: 'news', tile }),
    () => ({ do: 'frame', tile, share, most: 1 + whole(random, 6) }),
    () => ({ do: 'snapshot', tile, share: random() < 0.5 ? 1 : share, zlib: random() < 0.6, damaged: random() < 0.2 }),
    () => ({ do: 'load', tile, share }),
    () => ({ do: 'again', share }),
    () => ({ do: 'answer' }),
    () => ({ do: 'watch', tiles: [0, 1, 2].filter(() => random() < 0.7) }),
    () => ({ do: 'blank', tile }),
    () => ({ do: 'disconnect' }),
    () => ({ do: 'wait', ms: whole(random, 60) }),
  ])();
}

class Case {
  clock = new Clock();
  screen = new Map();
  asked = new Set();
  said = [];
  epoch = 1000;
  server = Array.from({ length: TILES }, (_, tx) => new ServerTile(tx));

  constructor(seed) {
    this.sync = new Sync(EDGE, {
      changed: (tile, offsets) => {
        const shown = this.screen.get(tile.key) ?? new Uint8Array(EDGE * EDGE).fill(255);
        this.screen.set(tile.key, shown);
        if (offsets === null) shown.set(tile.px);
        else for (const offset of offsets) shown[offset] = tile.px[offset];
      },
      advanced: () => {},
      resume: (tile) => this.asked.add(tile.key),
      damaged: () => {},
      dropped: (tile) => this.screen.delete(tile.key),
    }, slowInflate(this.clock, generator(seed)), () => this.clock.now);
    this.sync.watch([0, 1, 2].map((tx) => tileKey(tx, 0)));
  }

  hear(message) {
    this.said.push(message);
    this.sync.receive(message);
  }

  async carryOut(it) {
    const tile = this.server[it.tile ?? 0];
    const first = 1 + Math.floor((it.share ?? 0) * tile.log.length);
    switch (it.do) {
      case 'place': return it.offsets.forEach((offset) => tile.place(offset, it.color, this.epoch));
      case 'take': return void (this.epoch += 10);
      case 'rewind':
        this.epoch += 10;
        return void (tile.log.length = Math.max(0, tile.log.length - it.by));
      case 'news': {
        const { seq } = this.sync.tiles.get(tileKey(tile.tx, 0)) ?? { seq: 0 };
        return seq < tile.log.length && this.hear(tile.frame(seq + 1, 8));
      }
      case 'frame': return first <= tile.log.length && this.hear(tile.frame(first, it.most));
      case 'snapshot': return this.hear(tile.snapshot(Math.round(it.share * tile.log.length), it.zlib, it.damaged));
      case 'load': {
        const seq = Math.round(it.share * tile.log.length);
        return this.sync.load(tile.tx, 0, tile.position(seq), tile.px(seq));
      }
      case 'again': return this.said.length > 0 && this.hear(this.said[Math.floor(it.share * this.said.length)]);
      case 'answer': return this.answer();
      case 'watch': return this.sync.watch(it.tiles.map((tx) => tileKey(tx, 0)));
      case 'blank': return tile.log.length === 0 && this.sync.assumeBlank([tileKey(tile.tx, 0)]);
      case 'disconnect':
        this.asked.clear();
        return this.sync.disconnected();
      case 'wait': return this.clock.run(it.ms);
    }
  }

  answer() {
    for (const key of this.asked) this.hear(this.server[key / 65536].snapshot(undefined, false, false));
    this.asked.clear();
  }

  check() {
    for (const tile of this.sync.tiles.values()) {
      const truth = this.server[tile.key / 65536].states.get(`${tile.epoch}/${tile.seq}`);
      assert.ok(truth, `tile ${tile.key} is at a position that never was: ${tile.epoch}/${tile.seq}`);
      assert.ok(Buffer.compare(tile.px, truth) === 0, `tile ${tile.key} is not the canvas at ${tile.epoch}/${tile.seq}`);
      const shown = this.screen.get(tile.key);
      if (tile.known) assert.ok(shown && Buffer.compare(shown, tile.px) === 0, `tile ${tile.key}: the screen shows something else than the copy`);
    }
  }

  /** The storm is over: one more placement on each tile, so that gaps show, and all that is asked is answered. */
  async end() {
    await this.clock.run(1000);
    this.sync.disconnected();
    this.asked.clear();
    this.sync.watch([0, 1, 2].map((tx) => tileKey(tx, 0)));
    for (const tile of this.server) {
      tile.place(0, 31, this.epoch);
      this.hear(tile.frame(tile.log.length, 1));
      this.answer();
    }
    await this.clock.run(1000);
    this.answer();
    this.check();
    for (const tile of this.server) {
      const shown = this.screen.get(tileKey(tile.tx, 0));
      assert.ok(shown && Buffer.compare(shown, tile.px()) === 0, `tile ${tile.tx} does not end as the canvas`);
    }
  }
}

async function run(commands, seed) {
  const it = new Case(seed);
  for (const command of commands) {
    await it.carryOut(command);
    it.check();
  }
  await it.end();
}

property('sync: a copy is the canvas at its position, the screen is the copy', { command, run, runs: 300, length: 80 });
