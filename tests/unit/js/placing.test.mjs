import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Placing } from '../../../web/src/placing.js';
import { remaining } from '../../../web/src/cooldown.js';

const COUNTED = 2 ** 31;
const PLACED = 0, COOLDOWN = 1, STALE = 2, READ_ONLY = 5, UNAVAILABLE = 7, BANNED = 10;
const at = (seq) => () => seq;

function live(cooldownMs = 5000, nextNonce = 8) {
  const placing = new Placing();
  placing.welcomed(0, { cooldownMs, nextNonce, waitMs: 0, readOnly: false });
  return placing;
}
const types = (effects) => effects.map((it) => (it.reason ? `${it.type} ${it.reason}` : it.type));
const verdict = (draw, code, more = {}) => ({ code, x: draw.x, y: draw.y, nonce: draw.nonce, nextNonce: draw.nonce + 1, waitMs: 0, seq: 0, ...more });

test('pending, placed, settled when the tile has it', () => {
  const placing = live();
  const [{ type, draw }] = placing.draw(10, 3, 4, 5);
  assert.deepEqual([type, draw.nonce], ['send', 8]);
  assert.equal(placing.obstacle(11), 'busy');
  assert.deepEqual(types(placing.verdict(20, verdict(draw, PLACED, { waitMs: 5000, seq: 30 }), at(29))), ['placed']);
  assert.equal(placing.pending.length, 1);
  assert.equal(placing.obstacle(21), 'cooldown');
  assert.deepEqual(types(placing.advanced(at(29))), []);
  assert.deepEqual(types(placing.advanced(at(30))), ['settled']);
  assert.equal(placing.pending.length, 0);
  assert.equal(remaining(placing.cooldown, 20), 5000);
  assert.equal(placing.obstacle(5021), null);
  assert.equal(placing.draw(5021, 1, 1, 1)[0].draw.nonce, 9);
});

test('a tile that already has it, or that is not held, settles at once; one that never gets it, after ten seconds', () => {
  for (const seq of [31, null]) {
    const placing = live();
    const [{ draw }] = placing.draw(0, 3, 4, 5);
    assert.deepEqual(types(placing.verdict(0, verdict(draw, PLACED, { seq: 30 }), at(seq))), ['placed', 'settled']);
  }
  const placing = live();
  const [{ draw }] = placing.draw(0, 3, 4, 5);
  placing.verdict(0, verdict(draw, PLACED, { seq: 30 }), at(1));
  assert.deepEqual(types(placing.tick(9000)), []);
  assert.deepEqual(types(placing.tick(10001)), ['settled']);
});

test('refusals roll back with their reason and the server\'s wait', () => {
  const placing = live();
  const [{ draw }] = placing.draw(0, 3, 4, 5);
  assert.deepEqual(types(placing.verdict(0, verdict(draw, COOLDOWN, { waitMs: 1234, nextNonce: 8 }), at(0))), ['rolledBack cooldown']);
  assert.equal(remaining(placing.cooldown, 0), 1234);
  const [second] = placing.draw(2000, 3, 4, 5);
  assert.equal(second.draw.nonce, 8, 'a refused draw does not use its nonce up');
  assert.deepEqual(types(placing.verdict(2000, verdict(second.draw, BANNED, { nextNonce: 8 }), at(0))), ['rolledBack banned']);
  const [third] = placing.draw(2000, 3, 4, 5);
  assert.deepEqual(types(placing.verdict(2000, verdict(third.draw, 77), at(0))), ['rolledBack unknown']);
  const [fourth] = placing.draw(2000, 3, 4, 5);
  assert.deepEqual(types(placing.verdict(2000, verdict(fourth.draw, READ_ONLY), at(0))), ['rolledBack readOnly']);
});

test('STALE: a fresh draw goes again once, with the right nonce', () => {
  const placing = live();
  const [{ draw }] = placing.draw(0, 3, 4, 5);
  assert.deepEqual(types(placing.verdict(0, verdict(draw, STALE, { nextNonce: 20 }), at(0))), ['send']);
  assert.equal(draw.nonce, 20);
  assert.deepEqual(types(placing.verdict(0, verdict(draw, STALE, { nextNonce: 30 }), at(0))), ['rolledBack stale']);
});

test('a WELCOME that was asked for before the last verdict does not undo it', () => {
  const placing = live();
  const [{ draw }] = placing.draw(100, 3, 4, 5);
  placing.verdict(200, verdict(draw, PLACED, { nextNonce: 9, waitMs: 5000 }), at(0));
  placing.welcomed(210, { cooldownMs: 5000, nextNonce: 8, waitMs: 0, readOnly: false, askedAt: 150 });
  assert.equal(placing.obstacle(300), 'cooldown');
  assert.equal(placing.draw(5300, 1, 1, 1)[0].draw.nonce, 9);
  placing.welcomed(5400, { cooldownMs: 5000, nextNonce: 9, waitMs: 700, readOnly: false, askedAt: 5350 });
  assert.equal(remaining(placing.cooldown, 5400), 700, 'this one is newer');
});

test('STALE: a draw that may have been placed is not sent under another nonce', () => {
  const placing = live();
  const [{ draw }] = placing.draw(0, 3, 4, 5);
  placing.disconnected();
  assert.equal(placing.obstacle(1), 'notConnected');
  assert.deepEqual(types(placing.welcomed(100, { cooldownMs: 5000, nextNonce: 10, waitMs: 0, readOnly: false })), ['send']);
  assert.equal(draw.nonce, 8, 'with its old nonce');
  assert.deepEqual(types(placing.verdict(200, verdict(draw, STALE, { nextNonce: 10 }), at(0))), ['rolledBack unknown']);
});

test('UNAVAILABLE stays pending and is repeated, slower each time, with the same nonce, for a minute', () => {
  const placing = live();
  const [{ draw }] = placing.draw(0, 3, 4, 5);
  let now = 0;
  let sent = 0;
  for (; now <= 62000; now += 100) {
    for (const effect of placing.tick(now)) {
      if (effect.type !== 'send') {
        assert.deepEqual(types([effect]), ['rolledBack unknown']);
        assert.ok(now > 60000 && sent > 5 && sent < 20, `${sent} times`);
        return;
      }
      sent++;
    }
    if (draw.state === 'sent') assert.deepEqual(types(placing.verdict(now, verdict(draw, UNAVAILABLE, { nextNonce: 8 }), at(0))), []);
    assert.equal(draw.nonce, 8);
  }
  assert.fail('never gave up');
});

test('a refusal by rule says nothing of a draw that may have been placed before: it is asked for again, or left open', () => {
  for (const [code, end] of [[READ_ONLY, []], [BANNED, ['rolledBack unknown']], [COOLDOWN, ['rolledBack cooldown']]]) {
    const placing = live();
    const [{ draw }] = placing.draw(0, 3, 4, 5);
    placing.disconnected();
    placing.welcomed(100, { cooldownMs: 5000, nextNonce: 9, waitMs: 0, readOnly: false });
    assert.deepEqual(types(placing.verdict(200, verdict(draw, code, { nextNonce: 8, waitMs: 3000 }), at(0))), end);
    if (end.length > 0) continue;
    assert.deepEqual(types(placing.tick(3100)), []);
    assert.deepEqual(types(placing.tick(3201)), ['send']);
  }
});

test('unanswered draws are sent again in their order after a reconnection; too old ones are given up', () => {
  const placing = live(0, COUNTED + 1);
  const nonces = [1, 2, 3].map((x) => placing.draw(x * 100, x, 0, 1)[0].draw.nonce);
  assert.deepEqual(nonces, [1, 2, 3].map((n) => COUNTED + n), 'without a cooldown the page counts itself');
  placing.disconnected();
  const again = placing.welcomed(500, { cooldownMs: 0, nextNonce: COUNTED + 1, waitMs: 0, readOnly: false });
  assert.deepEqual(again.map((it) => [it.type, it.draw.nonce]), [1, 2, 3].map((n) => ['send', COUNTED + n]));
  placing.disconnected();
  const late = placing.welcomed(60250, { cooldownMs: 0, nextNonce: COUNTED + 1, waitMs: 0, readOnly: false });
  assert.deepEqual(types(late), ['rolledBack unknown', 'rolledBack unknown', 'send']);
});

test('without a cooldown many may be under way; not without end', () => {
  const placing = live(0, COUNTED + 1);
  for (let i = 0; i < 64; i++) assert.equal(placing.draw(0, i, 0, 1).length, 1);
  assert.equal(placing.obstacle(0), 'busy');
  assert.deepEqual(placing.draw(0, 0, 0, 1), []);
});

test('without a cooldown nonces stay within the window that the server remembers', () => {
  const placing = live(0, COUNTED + 1);
  const [{ draw: stuck }] = placing.draw(0, 0, 0, 1);
  let most = 0;
  for (let i = 0; i < 400 && placing.obstacle(0) === null; i++) {
    const [{ draw }] = placing.draw(0, 1, 1, 1);
    most = draw.nonce;
    placing.verdict(0, verdict(draw, PLACED, { seq: 0 }), at(1));
  }
  assert.ok(most - stuck.nonce < 256 && most > 150);
});

test('the cooldown becomes 0, and more again: the next draw is numbered by the rule of the server', () => {
  const placing = live(5000, 8);
  placing.cooldownMs = 0; // CONFIG says
  const [{ draw }] = placing.draw(0, 1, 1, 1);
  assert.equal(draw.nonce, 8, 'the server has not yet named a nonce of the other kind');
  assert.deepEqual(types(placing.verdict(1, verdict(draw, STALE, { nextNonce: COUNTED + 1 }), at(0))), ['send']);
  assert.equal(draw.nonce, COUNTED + 1);
  placing.verdict(2, verdict(draw, PLACED, { seq: 1 }), at(1));
  assert.equal(placing.draw(3, 1, 2, 1)[0].draw.nonce, COUNTED + 2, 'no nonce of its own twice');
  placing.cooldownMs = 5000;
  const [pending] = placing.unanswered();
  assert.deepEqual(types(placing.verdict(4, verdict(pending, STALE, { nextNonce: 9 }), at(1))), ['send']);
  assert.equal(pending.nonce, 9);
  placing.verdict(5, verdict(pending, PLACED, { nextNonce: 10, waitMs: 0, seq: 2 }), at(2));
  placing.cooldownMs = 0;
  const [{ draw: last }] = placing.draw(6, 1, 3, 1);
  placing.verdict(7, verdict(last, STALE, { nextNonce: COUNTED + 1 }), at(2));
  assert.equal(last.nonce, COUNTED + 3, 'it goes on counting where it was');
});

test('answers that nobody waits for change nothing but what is known', () => {
  const placing = live();
  assert.deepEqual(placing.verdict(0, { code: PLACED, x: 1, y: 1, nonce: 8, nextNonce: 9, waitMs: 4000, seq: 5 }, at(0)), []);
  assert.equal(remaining(placing.cooldown, 0), 4000);
  assert.equal(placing.draw(4001, 1, 1, 1)[0].draw.nonce, 9);
});

test('read-only and no connection are obstacles of their own', () => {
  const placing = live();
  placing.readOnly = true;
  assert.equal(placing.obstacle(0), 'readOnly');
  assert.deepEqual(placing.draw(0, 1, 1, 1), []);
  placing.disconnected();
  assert.equal(placing.obstacle(0), 'notConnected');
});

test('another window of the player has placed: the longer wait counts, and a draw that is on its way stays', () => {
  const placing = live();
  const [{ draw }] = placing.draw(0, 1, 1, 1);
  placing.waits(10, 4000);
  assert.equal(remaining(placing.cooldown, 10), 4000);
  placing.waits(20, 1000);
  assert.equal(remaining(placing.cooldown, 20), 3990);
  assert.equal(placing.obstacle(20), 'cooldown');
  assert.deepEqual(types(placing.verdict(30, verdict(draw, COOLDOWN, { nextNonce: 9, waitMs: 3900 }), at(0))), ['rolledBack cooldown']);
  assert.equal(remaining(placing.cooldown, 30), 3900, 'the server knows better');
});
