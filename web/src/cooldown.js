// When the next pixel may be placed. The server says how long it still takes (a duration, never a time of day); `now` is
// performance.now(), so that a changed wall clock changes nothing.

/**
 * @typedef {object} Cooldown
 * @property {number} until  in the time of `now`
 * @property {number} total  what the ring counts as full, ms
 */

/** @returns {Cooldown} */
export const idle = () => ({ until: 0, total: 0 });

/**
 * What the server said last replaces what was known.
 * @param {number} now @param {number} waitMs @param {number} cooldownMs @returns {Cooldown}
 */
export const started = (now, waitMs, cooldownMs) => ({
  until: waitMs > 0 ? now + waitMs : 0,
  total: Math.max(waitMs, cooldownMs),
});

/** @param {Cooldown} cooldown @param {number} now */
export const remaining = (cooldown, now) => Math.max(0, cooldown.until - now);

/** Share that is still to wait, 0 to 1. @param {Cooldown} cooldown @param {number} now */
export const share = (cooldown, now) => (cooldown.total > 0 ? Math.min(1, remaining(cooldown, now) / cooldown.total) : 0);

/** `4:32`, `0:07`, `1:02:09`. Rounded up, so that it never says 0:00 while there is something to wait for. @param {number} ms */
export function clockText(ms) {
  const seconds = Math.ceil(ms / 1000);
  const pair = (/** @type {number} */ value) => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${pair(minutes)}:${pair(seconds % 60)}` : `${minutes}:${pair(seconds % 60)}`;
}

/** How long until the text of the clock changes. @param {number} ms that are left */
export const untilNextText = (ms) => ms - (Math.ceil(ms / 1000) - 1) * 1000;

/**
 * Tells whether the machine has slept between two looks: performance.now() may stand still meanwhile, the wall clock
 * does not. Then what is known of the cooldown and of the connection is stale.
 * @param {{ mono: number, wall: number }} before @param {{ mono: number, wall: number }} after
 */
export function hasSlept(before, after) {
  return after.wall - before.wall - (after.mono - before.mono) > 5000;
}
