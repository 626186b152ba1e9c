// The end of the wait: in the title of the page, and, for those who want that, to be heard, felt, or told by the system.

import { clockText } from './cooldown.js';
import { say } from './words.js';

/** What the page is called where nothing is waited for. */
const NAME = typeof document === 'undefined' ? '' : document.title;

/**
 * The title of the page. Pure.
 * @param {string} name of the page
 * @param {{ left: number, ready: boolean }} state  left: ms until the next pixel; ready: it came while nobody looked
 */
export function titleOf(name, { left, ready }) {
  if (left > 0) return `${clockText(left)} · ${name}`;
  return ready ? `● ${say('readyShort')} · ${name}` : name;
}

/** Felt, where the device can; before the page was touched, browsers only complain. @param {number | number[]} pattern */
export function buzz(pattern) {
  if (touched()) navigator.vibrate?.(pattern);
}

/** Whether the page may be heard and felt; where the browser does not tell, it is tried. */
const touched = () => navigator.userActivation?.hasBeenActive !== false;

/** A tone that comes later than this says nothing any more. */
const LATE_MS = 1500;

export class Alarm {
  #waited = false;
  #ready = false;
  #timer = 0;
  #until = 0;
  /** @type {AudioContext | null} */
  #audio = null;

  /**
   * @param {import('./settings.js').Settings} settings
   * @param {{ ready: () => void, refresh: () => void }} events  ready: the wait is over; refresh: look at the clock again
   */
  constructor(settings, events) {
    this.settings = settings;
    this.events = events;
    document.addEventListener('visibilitychange', () => this.#seen());
    window.addEventListener('focus', () => this.#seen());
    // Browsers let a page be heard only after it was touched.
    window.addEventListener('pointerup', () => this.unlock(), { once: true });
    window.addEventListener('keydown', () => this.unlock(), { once: true });
  }

  /** @param {{ left: number, until: number, live: boolean }} state */
  update({ left, until, live }) {
    if (until !== this.#until) {
      this.#until = until;
      clearTimeout(this.#timer);
      // To the moment, instead of at the next look.
      if (left > 0) this.#timer = window.setTimeout(this.events.refresh, left + 5);
    }
    if (left > 0) this.#ready = false;
    if (this.#waited && left === 0 && live) this.#ring();
    this.#waited = left > 0 || (this.#waited && !live);
    const title = titleOf(NAME, { left, ready: this.#ready });
    if (document.title !== title) document.title = title;
  }

  /** Makes a sound possible, if one is wanted. */
  unlock() {
    if (!this.settings.now.sound || typeof AudioContext === 'undefined' || !touched()) return;
    this.#audio ??= new AudioContext();
    this.#audio.resume().catch(() => {});
  }

  /** Two soft notes. */
  async chime() {
    this.unlock();
    const audio = this.#audio;
    const asked = performance.now();
    await audio?.resume().catch(() => {});
    if (audio?.state !== 'running' || performance.now() - asked > LATE_MS) return;
    for (const [hertz, after] of [[587.3, 0], [880, 0.14]]) {
      const tone = new OscillatorNode(audio, { type: 'sine', frequency: hertz });
      const gain = new GainNode(audio, { gain: 0 });
      const from = audio.currentTime + after;
      gain.gain.linearRampToValueAtTime(0, from);
      gain.gain.linearRampToValueAtTime(0.12, from + 0.015);
      gain.gain.exponentialRampToValueAtTime(0.0001, from + 0.5);
      tone.connect(gain).connect(audio.destination);
      tone.start(from);
      tone.stop(from + 0.55);
    }
  }

  #ring() {
    const { sound, vibrate, notify } = this.settings.now;
    this.#ready = !document.hasFocus();
    if (sound) void this.chime();
    if (vibrate) buzz([40, 70, 40]);
    if (notify && this.#ready) this.#notify();
    this.events.ready();
  }

  async #notify() {
    if (typeof Notification === 'undefined' || Notification.permission !== 'granted') return;
    const options = { body: say('readyNow'), icon: 'icon.svg', tag: 'ready' };
    // Where pages are installed, only the service worker may tell something.
    const worker = await navigator.serviceWorker?.getRegistration().catch(() => null);
    if (worker?.active) {
      await worker.showNotification(NAME, options).catch(() => {});
      return;
    }
    try {
      const note = new Notification(NAME, options);
      note.onclick = () => {
        window.focus();
        note.close();
      };
    } catch {
      // A browser that wants a worker for that, and has none yet.
    }
  }

  #seen() {
    if (document.visibilityState !== 'visible' || !this.#ready) return;
    this.#ready = false;
    this.events.refresh();
  }
}
