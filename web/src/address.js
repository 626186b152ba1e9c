// The address bar follows the view, and the view an address that is changed by hand; a link to a place is handed to others.

import { SCALE_CLOSE } from './camera.js';
import { toast } from './status.js';
import { placeOn, readLink, shareLink, writePlace } from './url.js';
import { say } from './words.js';

/** Browsers refuse pages that write too often. */
const WRITE_MS = 400;

export class Address {
  #timer = 0;

  /** @param {import('./screen.js').Screen} screen */
  constructor(screen) {
    this.screen = screen;
    window.addEventListener('hashchange', () => this.#go());
  }

  /** The place that the address names, once the canvas is known. */
  open() {
    const { motion } = this.screen;
    const link = readLink(location.href);
    const place = placeOn(link, motion.geom);
    motion.fit(true);
    if (place) motion.jump({ x: place.x + 0.5, y: place.y + 0.5, scale: place.zoom ?? SCALE_CLOSE });
    if (link.earth) toast(say('earthLink'));
  }

  /** The view has another goal. */
  moved() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.write(), WRITE_MS);
  }

  write() {
    const { motion } = this.screen;
    if (motion.geom.width <= 1) return;
    const { x, y } = this.screen.central();
    history.replaceState(null, '', writePlace(location.href, { x, y, zoom: motion.goal.scale }));
  }

  /** By what the device has for that, or by the clipboard. @param {import('./url.js').Place} place @param {boolean} touch */
  async share(place, touch) {
    this.write();
    const url = shareLink(location.href, place);
    if (touch && navigator.share) {
      await navigator.share({ title: document.title, url }).catch(() => {});
      return;
    }
    const copied = await navigator.clipboard?.writeText(url).then(
      () => true,
      () => false,
    );
    toast(say(copied ? 'linkCopied' : 'linkShown'));
  }

  /** The fragment alone was changed: the page is the same, and goes there. */
  #go() {
    const { motion } = this.screen;
    const place = placeOn(readLink(location.origin + location.pathname + location.hash), motion.geom);
    if (!place) return;
    motion.fly({ x: place.x + 0.5, y: place.y + 0.5, scale: place.zoom ?? motion.goal.scale });
    this.screen.draw();
  }
}
