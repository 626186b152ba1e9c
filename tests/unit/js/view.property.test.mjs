// The page without its pixels on glass: a player draws and looks around while others place, connections are cut and moved, answers are
// refused, lost or late, tiles are rewound and the machine sleeps. At every moment what is shown is the copies with the player's own
// undecided pixels over them; at the end it is the server's canvas, and each draw had exactly one end, which is true.
import assert from 'node:assert/strict';
import { tileKey } from '../../../web/src/geom.js';
import { Client } from '../../../web/src/client.js';
import { GIVE_UP_MS } from '../../../web/src/placing.js';
import { pick, property, whole } from './property.mjs';
import { Clock, config, generator, move, slowInflate, status, World } from './world.mjs';

const EDGE = 64;
const SIDE = 128;
const CALM = { lost: 0, unavailable: 0, refuse: 0, damage: 0 };

/** @param {() => number} random @param {number} index  each draw has a pixel of its own, so that its end can be held against the log */
function command(random, index) {
  const share = random();
  return pick(random, [
    () => ({ do: 'draw', x: index, y: 120 + whole(random, 8), color: 1 + whole(random, 31) }),
    () => ({ do: 'draw', x: index, y: 120 + whole(random, 8), color: 1 + whole(random, 31) }),
    () => ({ do: 'place', pixels: Array.from({ length: 1 + whole(random, 4) }, () => [whole(random, SIDE), whole(random, 119), whole(random, 32)]) }),
    () => ({ do: 'place', pixels: [[index, 127, whole(random, 32)]] }),
    () => ({ do: 'cut', share, code: pick(random, [1000, 1001, 1006, 4000, 4004]) }),
    () => ({ do: 'move', share, ms: whole(random, 200) }),
    () => ({ do: 'rewind', tile: whole(random, 2), by: 1 + whole(random, 4) }),
    () => ({ do: 'faults', faults: random() < 0.4 ? CALM : { lost: 0.15, unavailable: 0.2, refuse: 0.15, damage: 0.15 } }),
    () => ({ do: 'away', ms: whole(random, 6000) }),
    () => ({ do: 'look', left: whole(random, SIDE - 8), top: whole(random, SIDE - 8) }),
    () => ({ do: 'readOnly', ms: 50 + whole(random, 2000) }),
    () => ({ do: 'sleep', ms: 6000 + whole(random, 60000) }),
    () => ({ do: 'wake', renewed: random() < 0.5 }),
    () => ({ do: 'grow' }),
    () => ({ do: 'otherWindow', x: index, y: 119, color: whole(random, 32) }),
    () => ({ do: 'wait', ms: whole(random, 400) }),
    () => ({ do: 'wait', ms: whole(random, 60) }),
    () => ({ do: 'wait', ms: whole(random, 5000) }),
  ])();
}

class Case {
  clock = new Clock();
  screen = new Map();
  /** What became of each draw. @type {Map<object, string[]>} */
  ends = new Map();
  /** Pixels of every position that a tile ever had. */
  states = new Map();
  slept = 0;

  constructor(seed) {
    const random = generator(seed + 77777);
    const world = (this.world = new World(this.clock, random, seed % 2 ? 300 : 0));
    this.all = seed % 3 !== 0;
    if (!this.all) world.watchMost = 2;
    this.recordStates();
    this.view = { left: 0, top: 0, right: this.all ? SIDE : 8, bottom: this.all ? SIDE : 8 };
    this.client = new Client({
      url: 'ws://x/ws', id: BigInt(seed), socket: world.socket, now: () => this.clock.now, wall: () => this.clock.now + this.slept,
      after: this.clock.after, cancel: this.clock.cancel, random,
      api: {
        getCanvas: async () => world.canvas(),
        getTiles: async (edge, onTile) => {
          for (const tile of world.tiles.values()) if (random() < 0.8) onTile(tile.tx, tile.ty, { epoch: tile.epoch, seq: tile.seq }, tile.px.slice());
        },
        getTile: async () => {},
        getSession: async () => {},
        inflate: slowInflate(this.clock, random),
      },
    }, {
      canvas: () => {}, view: () => this.view, status: () => {}, notice: () => {},
      reload: () => assert.fail('the page was to be loaded anew'),
      changed: (tile, offsets) => {
        const shown = this.screen.get(tile.key) ?? new Uint8Array(EDGE * EDGE).fill(255);
        this.screen.set(tile.key, shown);
        if (offsets === null) shown.set(tile.px);
        else for (const offset of offsets) shown[offset] = tile.px[offset];
      },
      dropped: (tile) => this.screen.delete(tile.key),
      effect: (effect) => this.effect(effect),
    });
  }

  recordStates() {
    const { world } = this;
    const place = world.place.bind(world);
    world.place = (x, y, color, draw) => {
      const seq = place(x, y, color, draw);
      const tile = world.tile(Math.floor(x / EDGE), Math.floor(y / EDGE));
      this.states.set(`${tileKey(tile.tx, tile.ty)} ${tile.epoch}/${tile.seq}`, tile.px.slice());
      return seq;
    };
  }

  effect({ type, draw, reason }) {
    const so = this.ends.get(draw) ?? [];
    this.ends.set(draw, so);
    const over = so.find((it) => it !== 'send' && it !== 'placed');
    assert.ok(!over, `${type} after ${over}`);
    so.push(reason ?? type);
    if (type === 'send') assert.ok(this.client.placing.pending.includes(draw), 'sent, and not shown');
    if (type === 'settled') this.checkSettled(draw);
    if (type === 'settled' || type === 'rolledBack') assert.ok(!this.client.placing.pending.includes(draw), `${type}, and still shown as the player's own`);
  }

  /** The player's own pixel gives way to the copy when that has it, never before. */
  checkSettled({ x, y, seq, again }) {
    const key = tileKey(Math.floor(x / EDGE), Math.floor(y / EDGE));
    const copy = this.client.tiles().find((tile) => tile.key === key);
    const watched = this.all; // otherwise it may settle because the player has looked away
    if (copy && watched && this.clock.now - again < 10000) assert.ok(copy.seq >= seq, `settled at ${seq}, and the copy is at ${copy.seq}`);
  }

  /** What a player sees of a pixel. */
  shown(x, y) {
    const mine = this.client.placing.pending.filter((draw) => draw.x === x && draw.y === y).at(-1);
    return mine?.color ?? this.screen.get(tileKey(Math.floor(x / EDGE), Math.floor(y / EDGE)))?.[(y % EDGE) * EDGE + (x % EDGE)] ?? null;
  }

  async carryOut(it) {
    const { world, client, clock } = this;
    const link = [...world.links][Math.floor((it.share ?? 0) * world.links.size)];
    switch (it.do) {
      case 'draw': {
        const obstacle = client.draw(it.x, it.y, it.color);
        return obstacle === null && assert.equal(this.shown(it.x, it.y), it.color, 'a draw shows at once');
      }
      case 'place': return it.pixels.forEach(([x, y, color]) => world.place(x, y, color));
      case 'cut': return link && world.cut(link, it.code);
      case 'move': return link?.say(move(it.ms));
      case 'rewind': return world.rewind(world.tile(it.tile, 0), it.by);
      case 'faults': return void (world.faults = it.faults);
      case 'away':
        world.unreachable = true;
        return clock.after(() => (world.unreachable = false), it.ms);
      case 'look':
        Object.assign(this.view, { left: it.left, top: it.top, right: it.left + 8, bottom: it.top + 8 });
        return client.look();
      case 'readOnly':
        for (const each of world.links) each.say(status(true));
        return clock.after(() => { for (const each of world.links) each.say(status(false)); }, it.ms);
      case 'sleep':
        this.slept += it.ms;
        world.landed -= it.ms;
        return client.wake(false);
      case 'wake': return client.wake(it.renewed);
      case 'otherWindow': return world.otherWindow(it.x, it.y, it.color);
      case 'grow':
        world.version++;
        world.width += world.width < 256 ? EDGE : 0;
        for (const each of world.links) each.say(config(world));
        return undefined;
      case 'wait': return clock.run(it.ms);
    }
  }

  check() {
    for (const tile of this.client.tiles()) {
      const { key, epoch, seq, px } = tile;
      const truth = this.states.get(`${key} ${epoch}/${seq}`) ?? (seq === 0 ? new Uint8Array(EDGE * EDGE) : null);
      assert.ok(truth, `tile ${key} is at a position that never was: ${epoch}/${seq}`);
      assert.ok(Buffer.compare(px, truth) === 0, `tile ${key} is not the canvas at ${epoch}/${seq}`);
      assert.ok(Buffer.compare(this.screen.get(key) ?? Buffer.alloc(0), px) === 0, `tile ${key}: the screen shows something else than the copy`);
    }
    for (const draw of this.client.placing.pending) {
      assert.equal(this.shown(draw.x, draw.y), draw.color, 'an undecided pixel is not shown');
      assert.ok(this.clock.now - draw.since < GIVE_UP_MS + 15000, 'undecided for ever');
    }
  }

  /** Quiet: nothing is lost any more, the player looks at all there is, and something happens on each tile, so that gaps show. */
  async end() {
    const { world, client, clock } = this;
    world.faults = CALM;
    world.unreachable = false;
    world.watchMost = 256;
    world.version++;
    await clock.run(75000);
    Object.assign(this.view, { left: 0, top: 0, right: SIDE, bottom: SIDE });
    for (const link of world.links) link.say(config(world));
    client.look();
    await clock.run(3000);
    for (const [x, y] of [[0, 0], [127, 0], [0, 119], [127, 119]]) world.place(x, y, 31);
    for (const link of world.links) link.say(status());
    await clock.run(30000);
    this.check();
    assert.equal(client.connection.phase, 'live');
    assert.equal(client.placing.pending.length, 0, 'something is undecided for ever');
    const watched = [...world.links].at(-1).watch;
    for (const tile of world.tiles.values()) {
      if (!watched.has(`${tile.tx}:${tile.ty}`)) continue;
      const shown = this.screen.get(tileKey(tile.tx, tile.ty));
      assert.ok(shown && Buffer.compare(shown, tile.px) === 0, `tile ${tile.tx}, ${tile.ty} does not end as the canvas`);
    }
    for (const [draw, what] of this.ends) this.checkEnd(draw, what.filter((it) => it !== 'send' && it !== 'placed'), what);
  }

  checkEnd(draw, ends, what) {
    const times = this.world.log.filter((it) => it.x === draw.x && it.y === draw.y && it.color === draw.color).length;
    assert.equal(ends.length, 1, `ends of a draw: ${what}`);
    if (ends[0] === 'settled') assert.equal(times, 1, `settled, and placed ${times} times`);
    else if (ends[0] === 'unknown') assert.ok(times <= 1, `unknown, and placed ${times} times`);
    else assert.equal(times, 0, `rolled back (${ends[0]}), and placed all the same`);
  }
}

async function run(commands, seed) {
  const it = new Case(seed);
  it.client.start();
  await it.clock.run(200);
  for (const command of commands) {
    await it.carryOut(command);
    it.check();
  }
  await it.end();
}

property('view: the copies under the player\'s own pixels, the server\'s canvas in the end', { command, run, runs: 120, length: 100 });
