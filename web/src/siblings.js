// The other pages of the same browser: they belong to the same player, so a wait, a name and a choice are told to them at once. Who is not
// told, in another browser or without this, is told by the server.

/**
 * @typedef {object} SiblingEvents
 * @property {(ms: number) => void} wait      the player has placed elsewhere: so long until the next pixel
 * @property {(name: string) => void} name    the player is called so from now on
 * @property {() => void} choices             other settings were chosen
 *
 * @typedef {{ wait: number, at: number } | { name: string }} Told   at: when that was, in the time of all pages of this machine
 */

const CHANNEL = 'tessera';
const moment = () => performance.timeOrigin + performance.now();

/** What is left of a wait that was told: a page that slept hears of it late. @param {number} wait @param {number} at @param {number} now */
export const leftOf = (wait, at, now) => Math.max(0, wait - Math.max(0, now - at));

export class Siblings {
  /** @type {BroadcastChannel | null} */
  #channel = null;

  /** @param {SiblingEvents} events */
  constructor(events) {
    this.events = events;
    window.addEventListener('storage', () => events.choices());
    try {
      this.#channel = new BroadcastChannel(CHANNEL);
    } catch {
      return; // a browser that has none, or keeps pages apart
    }
    this.#channel.onmessage = ({ data }) => this.#heard(data);
  }

  /** @param {number} ms */
  tellWait(ms) {
    this.#tell({ wait: ms, at: moment() });
  }

  /** @param {string} name */
  tellName(name) {
    this.#tell({ name });
  }

  /** @param {Told} told */
  #tell(told) {
    this.#channel?.postMessage(told);
  }

  /** Another page may be an older or a newer one. @param {any} data */
  #heard(data) {
    const left = Number.isFinite(data?.wait) && Number.isFinite(data.at) ? leftOf(data.wait, data.at, moment()) : 0;
    if (left > 0) this.events.wait(left);
    if (typeof data?.name === 'string') this.events.name(data.name);
  }
}
