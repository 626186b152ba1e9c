// The whole page without its screen, against a made-up server on made-up time. Whatever happens - updates, verdicts, refusals,
// lost frames, cut and moved connections, tiles that were rewound - the view ends as the server's canvas, and every draw had one end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '../../../web/src/client.js';
import { Clock, config, generator, move, slowInflate, status, World } from './world.mjs';

const SEEDS = Number(process.env.SEEDS ?? 60);

function setup(seed, cooldownMs) {
  const random = generator(seed);
  const clock = new Clock();
  const world = new World(clock, random, cooldownMs);
  const ends = new Map();
  const notices = [];
  const view = { left: 0, top: 0, right: world.width, bottom: world.height };
  const client = new Client(
    {
      url: 'ws://x/ws', id: BigInt(seed), socket: world.socket, now: () => clock.now, wall: () => clock.now, after: clock.after,
      cancel: clock.cancel, random,
      api: {
        getCanvas: async () => world.canvas(),
        getTiles: async (edge, onTile) => {
          for (const tile of world.tiles.values()) if (random() < 0.8) onTile(tile.tx, tile.ty, tile, tile.px.slice());
        },
        getTile: async () => {},
        getSession: async () => {},
        inflate: slowInflate(clock, random),
      },
    },
    {
      canvas: () => {}, view: () => view, changed: () => {}, dropped: () => {}, status: () => {}, reload: () => {},
      notice: (key) => notices.push(key),
      effect: ({ type, draw, reason }) => ends.set(draw, [...(ends.get(draw) ?? []), reason ?? type]),
    },
  );
  return { random, clock, world, client, ends, notices, view };
}

/** Everything is quiet: the view is the canvas, and what became of each draw is true. */
function check({ world, client, ends }, seed) {
  const { watch } = [...world.links].at(-1);
  assert.equal(client.placing.pending.length, 0, `seed ${seed}: something is pending for ever`);
  for (const tile of world.tiles.values()) {
    if (!watch.has(`${tile.tx}:${tile.ty}`)) continue;
    for (let i = 0; i < tile.px.length; i++) {
      const x = tile.tx * world.edge + (i % world.edge);
      const y = tile.ty * world.edge + Math.floor(i / world.edge);
      if (client.colorAt(x, y) !== tile.px[i]) assert.fail(`seed ${seed}: ${x}, ${y} is ${client.colorAt(x, y)}, not ${tile.px[i]}`);
    }
  }
  for (const [draw, what] of ends) {
    const found = world.log.filter((it) => it.x === draw.x && it.y === draw.y && it.color === draw.color);
    const last = what.filter((it) => it !== 'send').at(-1);
    assert.ok(last === 'settled' || what.at(-1) === last, `seed ${seed}: ${what}`);
    if (last === 'settled') assert.equal(found.length, 1, `seed ${seed}: placed ${found.length} times`);
    else if (last === 'unknown') assert.ok(found.length <= 1, `seed ${seed}: unknown, and placed twice`);
    else assert.equal(found.length, 0, `seed ${seed}: rolled back (${last}), and placed all the same`);
  }
}

async function live(seed, cooldownMs, chaos, watchMost = 256) {
  const it = setup(seed, cooldownMs);
  const { random, clock, world, client, view } = it;
  world.watchMost = watchMost;
  for (let i = 0; i < 30; i++) world.place(Math.floor(random() * 128), Math.floor(random() * 128), Math.floor(random() * 32));
  client.start();
  await clock.run(200);
  world.faults = chaos;
  // Each draw has its own pixel, so that it can be told apart in the server's log.
  for (let step = 0; step < 120; step++) {
    if (random() < 0.5) client.draw(step, 100 + Math.floor(random() * 8), Math.floor(random() * 31) + 1);
    for (let i = Math.floor(random() * 3); i > 0; i--) world.place(Math.floor(random() * 128), Math.floor(random() * 100), Math.floor(random() * 32));
    const links = [...world.links];
    const link = links[Math.floor(random() * links.length)];
    if (link && random() < chaos.cut) world.cut(link, [1001, 1006, 4004, 4000][Math.floor(random() * 4)]);
    if (link && random() < chaos.cut) link.say(move(Math.floor(random() * 200)));
    if (random() < chaos.rewind) {
      const tile = world.tile(Math.floor(random() * 2), 0);
      if (tile.ty * 64 < 64) world.rewind(tile, Math.floor(random() * 4));
    }
    if (watchMost < 4 && random() < 0.3) {
      const [left, top] = [Math.floor(random() * 120), Math.floor(random() * 120)];
      Object.assign(view, { left, top, right: left + 8, bottom: top + 8 });
      client.look();
    }
    if (random() < 0.02) {
      world.unreachable = true;
      clock.after(() => (world.unreachable = false), random() * 4000);
    }
    await clock.run(random() * (cooldownMs > 0 ? 400 : 60));
  }
  // Quiet: nothing is lost any more, and something happens on each tile, so that gaps show.
  world.faults = { lost: 0, unavailable: 0, refuse: 0, damage: 0 };
  await clock.run(45000);
  for (const [x, y] of [[0, 0], [127, 0], [0, 127], [127, 127]]) world.place(x, y, 31);
  for (const link of world.links) link.say(status());
  await clock.run(30000);
  check(it, seed);
  return it;
}

test('a calm life', async () => {
  const { ends } = await live(1, 500, { lost: 0, unavailable: 0, refuse: 0, cut: 0, rewind: 0, damage: 0 });
  assert.ok(ends.size > 20);
});

test(`storms with a cooldown, ${SEEDS} seeds`, async () => {
  let draws = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    draws += (await live(seed, 300, { lost: 0.1, unavailable: 0.15, refuse: 0.1, cut: 0.06, rewind: 0.03, damage: 0.1 })).ends.size;
  }
  assert.ok(draws > SEEDS * 10, `${draws} draws`);
});

test(`storms without a cooldown, ${SEEDS} seeds`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) await live(seed, 0, { lost: 0.1, unavailable: 0.15, refuse: 0.1, cut: 0.06, rewind: 0.03, damage: 0.1 });
});

test(`storms while looking around, ${SEEDS} seeds`, async () => {
  const chaos = { lost: 0.1, unavailable: 0.15, refuse: 0.1, cut: 0.06, rewind: 0.03, damage: 0.1 };
  for (let seed = 1; seed <= SEEDS; seed++) await live(seed, 300, chaos, 2);
});

test('a view that moves before WELCOME is told after it', async () => {
  const { world, clock, client, view } = setup(2, 1000);
  world.watchMost = 1;
  Object.assign(view, { right: 8, bottom: 8 });
  client.start();
  await clock.run(1);
  while (!client.connection.phase.startsWith('connecting') || world.links.size === 0) await clock.run(1);
  Object.assign(view, { left: 100, top: 100, right: 108, bottom: 108 });
  client.look();
  assert.equal(client.connection.phase, 'connecting');
  await clock.run(1000);
  world.place(101, 101, 7);
  await clock.run(1000);
  assert.equal(client.colorAt(101, 101), 7);
});

test('a canvas that grows is taken up without a reload', async () => {
  const { world, clock, client, view } = setup(3, 1000);
  client.start();
  await clock.run(200);
  Object.assign(world, { width: 256, version: 2, cooldownMs: 2000 });
  Object.assign(view, { right: 256 });
  for (const link of world.links) link.say(config(world));
  await clock.run(500);
  assert.equal(client.canvas.geom.width, 256);
  world.place(200, 5, 9);
  await clock.run(500);
  assert.equal(client.colorAt(200, 5), 9);
  client.draw(255, 5, 3);
  await clock.run(500);
  assert.equal(client.colorAt(255, 5), 3);
});

/** ANNOUNCEMENT and PALETTE, as a gateway says them. @param {number} type @param {number} count @param {number[]} rest */
const frame = (type, count, rest) => Uint8Array.from([type, 0, count & 255, count >> 8, ...rest]);
const text = (/** @type {string} */ it) => [...new TextEncoder().encode(it)];

test('what the operators say, and a palette that grows, come without being asked for', async () => {
  const { world, clock, client } = setup(3, 1000);
  client.start();
  await clock.run(200);
  const colors = client.canvas.palette.length;
  const say = (/** @type {Uint8Array} */ bytes) => world.links.forEach((link) => link.say(bytes));
  say(frame(0x89, 6, text('Grüß')));
  await clock.run(50);
  assert.equal(client.canvas.announcement, 'Grüß');
  say(frame(0x89, 0, []));
  await clock.run(50);
  assert.equal(client.canvas.announcement, '');
  const all = Array.from({ length: colors + 1 }, (_, i) => [i, 2, 255, 4, ...text('odd!')]).flat();
  say(frame(0x8a, colors + 1, all));
  world.version = 2;
  let asked = 0;
  const { getCanvas } = client.env.api;
  client.env.api.getCanvas = () => (asked++, getCanvas());
  say(config(world));
  await clock.run(500);
  assert.equal(client.canvas.palette.length, colors + 1);
  assert.deepEqual(client.canvas.palette[1], { name: 'odd!', r: 1, g: 2, b: 255, css: '#0102ff' });
  assert.equal(client.canvas.version, 2);
  assert.equal(asked, 0, 'whoever is up to date need not ask');
});

test('read-only shows, and what cannot be placed says why', async () => {
  const { world, clock, client } = setup(4, 1000);
  assert.equal(client.draw(1, 1, 1), 'notConnected');
  client.start();
  await clock.run(200);
  for (const link of world.links) link.say(status(true));
  await clock.run(100);
  assert.equal(client.draw(1, 1, 1), 'readOnly');
  for (const link of world.links) link.say(status(false));
  await clock.run(100);
  assert.equal(client.draw(1, 1, 1), null);
  await clock.run(100);
  assert.equal(client.draw(1, 1, 1), 'cooldown');
});

test('after a sleep the connection is made anew, and the clock is the server\'s', async () => {
  const { world, clock, client } = setup(5, 60000);
  let wall = 0;
  client.env.wall = () => clock.now + wall;
  client.start();
  await clock.run(200);
  client.draw(1, 1, 1);
  await clock.run(2000);
  const [before] = world.links;
  wall = 3600000;
  world.landed = -Infinity;
  client.wake(false);
  await clock.run(2000);
  assert.ok(before.socket.closed);
  assert.equal(client.obstacle(), null);
});

for (const [what, wake] of /** @type {[string, (client: any) => void][]} */ ([
  ['looked at again', (client) => client.wake(false)],
  ['on another network', (client) => client.wake(true)],
])) {
  test(`a page that waits to reconnect does so at once when it is ${what}`, async () => {
    const { world, clock, client } = setup(6, 1000);
    client.start();
    await clock.run(200);
    world.unreachable = true;
    for (const link of [...world.links]) world.cut(link);
    while (client.connection.phase !== 'waiting' || client.connection.retryAt - clock.now < 5000) await clock.run(200);
    world.unreachable = false;
    wake(client);
    await clock.run(200);
    assert.equal(client.connection.phase, 'live');
  });
}

test('a connection that should have been heard since is given up when somebody comes back, and no other', async () => {
  const { world, clock, client } = setup(7, 1000);
  client.start();
  await clock.run(200);
  const [first] = world.links;
  await clock.run(10000);
  client.wake(false);
  assert.ok(!first.socket.closed, 'quiet for ten seconds is nothing');
  await clock.run(8000);
  client.wake(false);
  await clock.run(200);
  assert.ok(first.socket.closed, 'the server says something every 15 s');
  assert.equal(client.connection.phase, 'live');
  const second = [...world.links].at(-1);
  client.wake(true);
  await clock.run(200);
  assert.ok(second.socket.closed, 'another network');
  assert.equal(client.connection.phase, 'live');
});

test('a sleep through which the clock went on shows as a tick that is late', async () => {
  const { world, clock, client } = setup(8, 60000);
  client.start();
  await clock.run(200);
  const [first] = world.links;
  clock.now += 20000; // no timer ran meanwhile
  await clock.run(1200);
  assert.ok(first.socket.closed);
  assert.equal(client.connection.phase, 'live');
});
