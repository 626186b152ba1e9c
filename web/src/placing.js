// The player's own pixels between the click and the server's word. A pixel shows at once as pending; it settles when it is
// placed *and* the page's copy of the tile contains it, or it is rolled back with a reason. Pure: `now` comes in, what is to be
// done goes out as a list of effects.
//
//     draw ──► sent ──PLACED──► placed ──replica reached seq──► settled
//               │ └─UNAVAILABLE──► waiting ──► sent …
//               └──refusal, or unknown after 60 s──► rolled back

import { idle, remaining, started } from './cooldown.js';
import { VERDICT } from './protocol.js';

/** So long a draw without an answer is repeated; then its fate is unknown and the canvas shows it. */
export const GIVE_UP_MS = 60000;
/** A placed pixel whose tile does not catch up (it was rewound, or cannot be read) is left to the canvas after this time. */
const SETTLE_MS = 10000;
/** Unanswered draws without a cooldown; also keeps their nonces well within the 256 that the server remembers. */
const IN_FLIGHT_MAX = 64;
const NONCE_WINDOW = 200;
/** Nonces above this one are counted by the page itself, without a cooldown. */
const COUNTED = 2 ** 31;

/**
 * @typedef {'cooldown' | 'stale' | 'badColor' | 'outOfBounds' | 'readOnly' | 'overloaded' | 'allowance' | 'locked' | 'banned'
 *   | 'unknown' | 'notConnected' | 'busy'} Reason
 *
 * @typedef {object} Pending
 * @property {number} x
 * @property {number} y
 * @property {number} color
 * @property {number} nonce
 * @property {number} since     when it was drawn
 * @property {'sent' | 'waiting' | 'placed'} state
 * @property {number} again     waiting: when to send it again; placed: when it was
 * @property {number} tries     how often UNAVAILABLE came
 * @property {boolean} repeated sent more than once with the same nonce: it may have been placed already
 * @property {boolean} renewed  sent again with another nonce
 * @property {number} seq       placed: where its tile contains it
 *
 * @typedef {{ type: 'send', draw: Pending } | { type: 'settled', draw: Pending } | { type: 'placed', draw: Pending }
 *   | { type: 'rolledBack', draw: Pending, reason: Reason }} Effect
 *
 * @typedef {(x: number, y: number) => number | null} SeqOf  seq of the page's copy of a pixel's tile, null: there is none
 */

/** @type {Map<number, Reason>} */
const REASONS = new Map([
  [VERDICT.COOLDOWN, 'cooldown'],
  [VERDICT.BAD_COLOR, 'badColor'],
  [VERDICT.OUT_OF_BOUNDS, 'outOfBounds'],
  [VERDICT.READ_ONLY, 'readOnly'],
  [VERDICT.OVERLOADED, 'overloaded'],
  [VERDICT.ALLOWANCE, 'allowance'],
  [VERDICT.LOCKED, 'locked'],
  [VERDICT.BANNED, 'banned'],
]);

/** Refusals that are given without a look at what became of the same draw before: said of a repetition, they leave it unknown.
 * @type {Set<number>} */
const BLIND = new Set([VERDICT.READ_ONLY, VERDICT.OVERLOADED, VERDICT.LOCKED, VERDICT.BANNED]);
/** Those of them that pass: worth asking again. @type {Set<number>} */
const PASSING = new Set([VERDICT.READ_ONLY, VERDICT.OVERLOADED]);

export class Placing {
  /** @type {Pending[]} in the order in which they were drawn */
  pending = [];
  cooldown = idle();
  cooldownMs = 0;
  readOnly = false;
  live = false;
  #nextNonce = 1; // as the server said last; above COUNTED: the page counts by itself
  #verdictAt = -Infinity;
  #counter = COUNTED;

  /** Why a draw would be refused without asking, or null. @param {number} now @returns {Reason | null} */
  obstacle(now) {
    if (!this.live) return 'notConnected';
    if (this.readOnly) return 'readOnly';
    if (remaining(this.cooldown, now) > 0) return 'cooldown';
    const open = this.unanswered();
    if (this.cooldownMs > 0) return open.length > 0 ? 'busy' : null;
    if (open.length >= IN_FLIGHT_MAX || this.#counter - (open[0]?.nonce ?? this.#counter) >= NONCE_WINDOW) return 'busy';
    return null;
  }

  /** Draws the server has not yet decided on. */
  unanswered() {
    return this.pending.filter((draw) => draw.state !== 'placed');
  }

  /**
   * @param {number} now @param {number} x @param {number} y @param {number} color
   * @returns {Effect[]} empty when there is an obstacle
   */
  draw(now, x, y, color) {
    if (this.obstacle(now) !== null) return [];
    const nonce = this.#newNonce();
    /** @type {Pending} */
    const draw = { x, y, color, nonce, since: now, state: 'sent', again: 0, tries: 0, repeated: false, renewed: false, seq: 0 };
    this.pending.push(draw);
    return [{ type: 'send', draw }];
  }

  /**
   * A new connection has said WELCOME: what has no answer yet is sent again, in its order, with its old nonce. While moving, a
   * verdict may have come over the old connection after the new one had asked: then that knows the next nonce and the wait.
   * @param {number} now
   * @param {{ cooldownMs: number, nextNonce: number, waitMs: number, readOnly: boolean, askedAt?: number }} welcome
   * @returns {Effect[]}
   */
  welcomed(now, welcome) {
    this.live = true;
    this.readOnly = welcome.readOnly;
    this.cooldownMs = welcome.cooldownMs;
    if (this.#verdictAt < (welcome.askedAt ?? Infinity)) {
      this.#nextNonce = welcome.nextNonce;
      this.cooldown = started(now, welcome.waitMs, welcome.cooldownMs);
    }
    const effects = this.#giveUp(now);
    for (const draw of this.unanswered()) {
      draw.state = 'sent';
      draw.repeated = true;
      effects.push({ type: 'send', draw });
    }
    return effects;
  }

  disconnected() {
    this.live = false;
  }

  /** The player has placed in another window; whatever this one has sent is decided by the server. @param {number} now @param {number} waitMs */
  waits(now, waitMs) {
    if (waitMs > remaining(this.cooldown, now)) this.cooldown = started(now, waitMs, this.cooldownMs);
  }

  /**
   * @param {number} now
   * @param {{ code: number, x: number, y: number, nonce: number, nextNonce: number, waitMs: number, seq: number }} verdict
   * @param {SeqOf} seqOf
   * @returns {Effect[]}
   */
  verdict(now, verdict, seqOf) {
    const { code, nonce, x, y } = verdict;
    this.#nextNonce = verdict.nextNonce;
    this.#verdictAt = now;
    if (code !== VERDICT.STALE && code !== VERDICT.UNAVAILABLE) {
      this.cooldown = started(now, verdict.waitMs, code === VERDICT.PLACED || code === VERDICT.COOLDOWN ? this.cooldownMs : 0);
    }
    // Draws that were repeated on a second connection may be answered twice; the first answer counts.
    const draw = this.unanswered().find((it) => it.nonce === nonce && it.x === x && it.y === y);
    if (!draw) return [];
    if (code === VERDICT.PLACED) return this.#placed(now, draw, verdict.seq, seqOf);
    if (code === VERDICT.UNAVAILABLE || (draw.repeated && PASSING.has(code))) {
      draw.state = 'waiting';
      draw.repeated = true;
      draw.again = now + Math.max(code === VERDICT.UNAVAILABLE ? 0 : verdict.waitMs, Math.min(8000, 500 * 2 ** draw.tries++));
      return [];
    }
    if (code === VERDICT.STALE) return this.#stale(draw);
    const certain = !draw.repeated || !BLIND.has(code);
    return [this.#rollBack(draw, (certain && REASONS.get(code)) || 'unknown')];
  }

  /** The page's copy of a pixel's tile has moved on. @param {SeqOf} seqOf @returns {Effect[]} */
  advanced(seqOf) {
    return this.pending.filter((draw) => draw.state === 'placed' && contains(draw, seqOf)).map((draw) => this.#settle(draw));
  }

  /** What time brings: repetitions, and giving up. @param {number} now @returns {Effect[]} */
  tick(now) {
    const effects = this.#giveUp(now);
    for (const draw of [...this.pending]) {
      if (draw.state === 'placed' && now - draw.again > SETTLE_MS) effects.push(this.#settle(draw));
      if (draw.state !== 'waiting' || draw.again > now || !this.live) continue;
      draw.state = 'sent';
      effects.push({ type: 'send', draw });
    }
    return effects;
  }

  // The server's last word tells by which rule it numbers, not the cooldown that the page knows: a change of it may have overtaken
  // a verdict. A draw by the wrong rule is STALE, and goes again by the right one.
  #newNonce() {
    return this.#nextNonce > COUNTED ? ++this.#counter : this.#nextNonce;
  }

  /** @param {number} now @param {Pending} draw @param {number} seq @param {SeqOf} seqOf @returns {Effect[]} */
  #placed(now, draw, seq, seqOf) {
    draw.state = 'placed';
    draw.seq = seq;
    draw.again = now;
    /** @type {Effect[]} */
    const effects = [{ type: 'placed', draw }];
    if (contains(draw, seqOf)) effects.push(this.#settle(draw));
    return effects;
  }

  /**
   * Somebody else (another tab) has used the nonce. A draw that was sent once has certainly not been placed and may go again
   * under the right nonce, once. One that was repeated may have been: sending it again could place it twice.
   * @param {Pending} draw @returns {Effect[]}
   */
  #stale(draw) {
    if (draw.repeated) return [this.#rollBack(draw, 'unknown')];
    if (draw.renewed) return [this.#rollBack(draw, 'stale')];
    draw.renewed = true;
    draw.nonce = this.#newNonce();
    return [{ type: 'send', draw }];
  }

  /** @param {number} now @returns {Effect[]} */
  #giveUp(now) {
    return this.unanswered()
      .filter((draw) => now - draw.since > GIVE_UP_MS)
      .map((draw) => this.#rollBack(draw, 'unknown'));
  }

  /** @param {Pending} draw @returns {Effect} */
  #settle(draw) {
    this.pending = this.pending.filter((it) => it !== draw);
    return { type: 'settled', draw };
  }

  /** @param {Pending} draw @param {Reason} reason @returns {Effect} */
  #rollBack(draw, reason) {
    this.pending = this.pending.filter((it) => it !== draw);
    return { type: 'rolledBack', draw, reason };
  }
}

/** @param {Pending} draw @param {SeqOf} seqOf */
function contains(draw, seqOf) {
  const seq = seqOf(draw.x, draw.y);
  return seq === null || seq >= draw.seq;
}
