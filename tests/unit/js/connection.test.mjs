import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoff, closing, Connection, Refusal } from '../../../web/src/connection.js';
import { Clock, FakeSocket, move, status, welcome } from './world.mjs';

function setup(session = async () => {}) {
  const clock = new Clock();
  const sockets = [];
  const log = [];
  const connection = new Connection('ws://x/ws', 7n, {
    socket: (url, protocol) => {
      const socket = new FakeSocket(url, protocol);
      sockets.push(socket);
      return socket;
    },
    now: () => clock.now, after: clock.after, cancel: clock.cancel, random: () => 1, session,
  }, {
    entries: () => [{ tx: 1, ty: 2, seq: 3, epoch: 4 }],
    message: (message) => log.push(message.type),
    state: ({ phase }) => log.push(phase),
    reload: () => log.push('reload'),
  });
  return { clock, sockets, log, connection };
}

const accept = (socket) => {
  socket.onopen();
  socket.deliver(welcome());
};

test('backoff doubles from half a second to fifteen, with a random half', () => {
  assert.deepEqual([0, 1, 2, 5, 50].map((n) => backoff(n, 1)), [500, 1000, 2000, 15000, 15000]);
  assert.equal(backoff(1, 0), 500);
});

test('close codes', () => {
  assert.deepEqual([1001, 1006, 4000, 4004].map(closing), ['again', 'again', 'again', 'again']);
  assert.deepEqual([1002, 4005].map(closing), ['slower', 'slower']);
  assert.deepEqual([1003, 1009, 4002].map(closing), ['stop', 'stop', 'stop']);
  assert.equal(closing(4006), 'reload');
});

test('HELLO says id and positions; WELCOME makes it live', async () => {
  const { clock, sockets, log, connection } = setup();
  connection.start();
  await clock.run(1);
  assert.equal(sockets[0].protocol, 'tessera.v1');
  assert.equal(connection.send(new Uint8Array(1)), false, 'not before WELCOME');
  accept(sockets[0]);
  assert.deepEqual(log, ['connecting', 'live', 'welcome']);
  const hello = sockets[0].sent[0];
  assert.deepEqual([...hello.slice(0, 20)], [1, 0, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 3, 0, 0, 0]);
  assert.equal(connection.send(new Uint8Array(1)), true);
});

test('a connection that goes comes back, later each time; one that held begins at the start', async () => {
  const { clock, sockets, connection } = setup();
  connection.start();
  await clock.run(1);
  accept(sockets[0]);
  for (let n = 0; n < 4; n++) {
    sockets[n].drop(1006);
    const wait = backoff(n, 1);
    assert.equal(connection.state.retryAt, clock.now + wait);
    await clock.run(wait - 1);
    assert.equal(sockets.length, n + 1);
    await clock.run(2);
    assert.equal(sockets.length, n + 2);
  }
  accept(sockets[4]);
  await clock.run(6000);
  sockets[4].drop(1001);
  assert.equal(connection.state.retryAt, clock.now + 500);
});

test('codes that end it, end it; 4006 asks for a new page', async () => {
  const { clock, sockets, log, connection } = setup();
  connection.start();
  await clock.run(1);
  accept(sockets[0]);
  sockets[0].drop(4006);
  assert.ok(log.includes('reload'));
  await clock.run(9000);
  sockets.at(-1).drop(4002);
  assert.deepEqual([connection.state.phase, connection.state.reason], ['stopped', 'closed4002']);
  const count = sockets.length;
  connection.kick();
  await clock.run(60000);
  assert.equal(sockets.length, count);
});

test('silence of 35 s is death', async () => {
  const { clock, sockets, connection } = setup();
  connection.start();
  await clock.run(1);
  accept(sockets[0]);
  await clock.run(30000);
  sockets[0].deliver(status());
  await clock.run(30000);
  assert.equal(connection.state.phase, 'live');
  await clock.run(12000);
  assert.ok(sockets.length > 1 && sockets[0].closed);
});

test('a gateway that does not let us in is asked for a session again', async () => {
  let asked = 0;
  const { clock, sockets, connection } = setup(async () => { asked++; });
  connection.start();
  await clock.run(1);
  sockets[0].drop(1006);
  await clock.run(1000);
  assert.equal(asked, 2);
  accept(sockets[1]);
  sockets[1].drop(1006);
  await clock.run(3000);
  assert.equal(asked, 2, 'one that was let in has a good session');
});

test('a refused session stops, or waits as long as it was told', async () => {
  const never = setup(async () => { throw new Refusal('origin', null); });
  never.connection.start();
  await never.clock.run(1);
  assert.deepEqual([never.connection.state.phase, never.connection.state.reason], ['stopped', 'origin']);
  let tries = 0;
  const later = setup(async () => { if (tries++ === 0) throw new Refusal('tooManySessions', 8000); });
  later.connection.start();
  await later.clock.run(7990);
  assert.equal(later.sockets.length, 0);
  await later.clock.run(20);
  assert.equal(later.sockets.length, 1);
});

test('MOVE opens the new connection before it closes the old one', async () => {
  const { clock, sockets, log, connection } = setup();
  connection.start();
  await clock.run(1);
  accept(sockets[0]);
  sockets[0].deliver(move(500));
  await clock.run(499);
  assert.equal(sockets.length, 1);
  await clock.run(2);
  assert.equal(sockets.length, 2);
  sockets[0].deliver(status());
  assert.ok(!sockets[0].closed && connection.state.phase === 'live');
  accept(sockets[1]);
  assert.ok(sockets[0].closed);
  assert.deepEqual(log, ['connecting', 'live', 'welcome', 'status', 'live', 'welcome']);
  connection.send(new Uint8Array([9]));
  assert.deepEqual([...sockets[1].sent.at(-1)], [9]);
});

test('MOVE to a gateway that is not there tries again, and the old end does not hurt', async () => {
  const { clock, sockets, connection } = setup();
  connection.start();
  await clock.run(1);
  accept(sockets[0]);
  sockets[0].deliver(move(0));
  await clock.run(1);
  sockets[1].drop(1006);
  await clock.run(2100);
  assert.equal(sockets.length, 3);
  sockets[0].drop(1001);
  assert.equal(connection.state.phase, 'connecting', 'the third one takes over');
  accept(sockets[2]);
  assert.equal(connection.state.phase, 'live');
});

test('bytes that are no message: reconnects, slower', async () => {
  const { clock, sockets, connection } = setup();
  connection.start();
  await clock.run(1);
  accept(sockets[0]);
  sockets[0].deliver(new Uint8Array([0x99, 1, 2]));
  assert.ok(sockets[0].closed);
  assert.equal(connection.state.phase, 'waiting');
  assert.ok(connection.state.retryAt - clock.now >= 8000);
});

test('a socket that never gets anywhere is given up', async () => {
  const it = setup();
  it.connection.start();
  await it.clock.run(1);
  await it.clock.run(15600);
  assert.ok(it.sockets.length === 2 && it.sockets[0].closed);
});

test('after a sleep an attempt of before is not waited for', async () => {
  const { clock, sockets, connection } = setup();
  connection.start();
  await clock.run(1);
  assert.equal(connection.state.phase, 'connecting');
  connection.renew();
  await clock.run(1);
  assert.deepEqual([sockets.length, sockets[0].closed], [2, true]);
  accept(sockets[1]);
  assert.equal(connection.state.phase, 'live');
});
