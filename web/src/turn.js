// What the dock says: whose turn it is. Pure.

import { clockText, remaining, share } from './cooldown.js';
import { coords, say } from './words.js';

/**
 * @typedef {object} TurnInput
 * @property {number} now
 * @property {import('./placing.js').Placing} placing
 * @property {import('./palette.js').Color | null} color     the chosen one
 * @property {{ x: number, y: number } | null} aim           the chosen pixel
 * @property {boolean} touch   the player uses fingers
 * @property {boolean} folded  the palette is put away
 * @property {boolean} first   the server has not been heard yet
 *
 * @typedef {object} Turn
 * @property {'idle' | 'color' | 'aim' | 'placing' | 'cooldown' | 'blocked'} face
 * @property {string} title
 * @property {string} sub
 * @property {number} share   of the ring, 0 to 1
 */

/** @param {TurnInput} input @returns {Turn} */
export function turnOf({ now, placing, color, aim, touch, folded, first }) {
  const left = remaining(placing.cooldown, now);
  /** @param {Turn['face']} face @param {string} title @param {string} sub */
  const turn = (face, title, sub) => ({ face, title, sub, share: face === 'cooldown' ? share(placing.cooldown, now) : 0 });
  if (!placing.live && first) return turn('blocked', say('firstShort'), say('firstSub'));
  if (!placing.live) return turn('blocked', say('notConnectedShort'), say('holdOn'));
  if (placing.readOnly) return turn('blocked', say('readOnlyShort'), say('justLook'));
  if (placing.cooldownMs > 0 && placing.unanswered().length > 0) return turn('placing', say('placing'), color?.name ?? '');
  if (left > 0) return turn('cooldown', clockText(left), say('next'));
  if (color === null) return turn('idle', say('ready'), say(folded ? 'tapHere' : 'noColor'));
  if (aim === null) return turn('color', color.name, say(touch ? 'tapPixel' : 'aim'));
  return turn('aim', color.name, say('at', { at: coords(aim.x, aim.y) }));
}
