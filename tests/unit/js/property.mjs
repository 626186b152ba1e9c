// Properties: a seed makes a list of commands, a run carries them out and checks what must always hold. A list that breaks it is made
// as short as it still breaks, and printed with what replays it:
//
//     SEED=17 node --test tests/unit/js/sync.property.test.mjs     that one
//     RUNS=5000 node --test tests/unit/js/*.property.test.mjs      many, from SEED (or 1) on

import { test } from 'node:test';
import { generator } from './world.mjs';

const { SEED, RUNS } = process.env;
const SHORTEN_TRIES = 400;

/**
 * @param {string} name
 * @param {object} how
 * @param {(random: () => number, index: number) => object} how.command  makes one; knows nothing of what came before
 * @param {(commands: object[], seed: number) => unknown} how.run        throws, or rejects, when something does not hold
 * @param {number} how.runs @param {number} how.length  commands of a run, at most
 */
export function property(name, { command, run, runs, length }) {
  const first = Number(SEED ?? 1);
  const count = RUNS ? Number(RUNS) : SEED ? 1 : runs;
  test(`${name} (seeds ${first} to ${first + count - 1})`, async () => {
    for (let seed = first; seed < first + count; seed++) {
      const random = generator(seed);
      const commands = Array.from({ length: 1 + Math.floor(random() * length) }, (_, index) => command(random, index));
      const error = await broken(run, commands, seed);
      if (error) await report(run, commands, seed, error);
    }
  });
}

/** @returns {Promise<Error | null>} */
async function broken(run, commands, seed) {
  try {
    await run(commands, seed);
    return null;
  } catch (error) {
    return /** @type {Error} */ (error);
  }
}

/** Leaves out halves, quarters, … as long as it stays broken. */
async function report(run, commands, seed, error) {
  let [shortest, last, tries] = [commands, error, 0];
  for (let size = Math.ceil(commands.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < shortest.length && tries++ < SHORTEN_TRIES; ) {
      const fewer = [...shortest.slice(0, at), ...shortest.slice(at + size)];
      const found = await broken(run, fewer, seed);
      if (found) [shortest, last] = [fewer, found];
      else at += size;
    }
  }
  last.message = `seed ${seed}, ${shortest.length} of ${commands.length} commands:\n${shortest.map((it) => `  ${JSON.stringify(it)}`).join('\n')}\n${last.message}`;
  throw last;
}

/** @template T @param {() => number} random @param {T[]} from @returns {T} */
export const pick = (random, from) => from[Math.floor(random() * from.length)];
/** @param {() => number} random @param {number} below */
export const whole = (random, below) => Math.floor(random() * below);
