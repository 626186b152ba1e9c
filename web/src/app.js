// The page: the client below, the screen above, and what the player's hands mean between them.

import { SCALE_CLOSE, SCALE_HIT, viewRect } from './camera.js';
import { Client } from './client.js';
import { remaining } from './cooldown.js';
import { Dock } from './dock.js';
import { bindKeys, bindPointer } from './input.js';
import { paletteBytes } from './palette.js';
import { pulse, showReticle } from './reticle.js';
import { Screen } from './screen.js';
import { showPlace, showStatus, stop, toast } from './status.js';
import { turnOf } from './turn.js';
import { readPlace, writePlace } from './url.js';
import { onWake } from './wake.js';
import { about, coords, say, size } from './words.js';

/** @typedef {{ x: number, y: number }} Point */

const REFRESH_MS = 250;
const URL_MS = 400;
const NARROW = matchMedia('(max-width: 767px)');

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

export class App {
  /** @type {Client} */
  #client;
  /** @type {Dock} */
  #dock;
  /** @type {Screen} */
  #screen;

  /** @type {number | null} index of the chosen color */
  #color = null;
  /** @type {Point | null} the chosen pixel */
  #aim = null;
  /** @type {Point | null} where the mouse is, on the screen */
  #mouse = null;
  /** @type {'mouse' | 'touch' | 'keys'} what the player used last */
  #hand = matchMedia('(pointer: coarse)').matches ? 'touch' : 'mouse';
  #open = false;
  #waited = false;
  #urlTimer = 0;

  /** @param {import('./client.js').ClientEnv} env */
  constructor(env) {
    this.#client = new Client(env, {
      canvas: (canvas) => this.#adopt(canvas),
      view: () => viewRect(this.#screen.motion.goal, this.#screen.size),
      changed: (tile, offsets) => {
        this.#screen.renderer.update(tile.key, tile.px, offsets);
        this.#screen.draw();
      },
      dropped: (tile) => this.#screen.renderer.drop(tile.key),
      status: () => this.#refresh(),
      effect: (effect) => this.#effect(effect),
      notice: (key) => toast(say(key)),
      reload,
    });
    this.#dock = new Dock({
      color: (index, byKey) => this.#choose(index, byKey),
      turn: () => this.#turn(),
      place: () => this.#placeOrAim(),
      cancel: () => this.#cancel(),
    });
    this.#screen = new Screen(/** @type {HTMLCanvasElement} */ (byId('canvas')), {
      covered: () => this.#covered(),
      marks: (now, calm) => this.#marks(now, calm),
      frame: () => this.#refresh(),
      moved: () => this.#moved(),
      lost: () => {
        for (const tile of this.#client.tiles()) this.#screen.renderer.update(tile.key, tile.px, null);
      },
    });
    this.#bind();
    this.#screen.measure();
  }

  start() {
    this.#refresh();
    setInterval(() => this.#refresh(), REFRESH_MS);
    return this.#client.start();
  }

  // ---- The canvas is known, or has changed --------------------------------------------------------------------------

  /** @param {import('./client.js').Canvas} canvas */
  #adopt(canvas) {
    const { motion, renderer } = this.#screen;
    const before = motion.geom;
    const first = before.width === 1 && before.height === 1;
    renderer.setGeometry(canvas.geom);
    renderer.setPalette(paletteBytes(canvas.palette));
    this.#dock.setPalette(canvas.palette);
    this.#dock.choose(this.#color);
    this.#screen.measure();
    motion.setCanvas(canvas.geom, canvas.watch);
    this.#screen.element.classList.add('known');
    if (first) this.#openAt(readPlace(location.href));
    else if (before.width !== canvas.geom.width || before.height !== canvas.geom.height) {
      toast(say('grown', { size: size(canvas.geom.width, canvas.geom.height) }));
    }
    this.#screen.draw();
  }

  /** @param {import('./url.js').Place | null} place */
  #openAt(place) {
    this.#screen.motion.fit(true);
    if (!place) return;
    this.#screen.motion.jump({ x: place.x + 0.5, y: place.y + 0.5, scale: place.zoom ?? SCALE_CLOSE });
  }

  // ---- What the player does -----------------------------------------------------------------------------------------

  #bind() {
    const { motion, element } = this.#screen;
    /** @type {import('./input.js').Commands} */
    const commands = {
      pan: (dx, dy) => this.#move(() => motion.pan(dx, dy)),
      zoom: (at, factor, smooth) => this.#move(() => motion.zoom(at, factor, smooth)),
      fling: (vx, vy) => this.#move(() => motion.fling(vx, vy)),
      grab: () => motion.stop(),
      tap: (at, touch) => this.#tap(at, touch),
      doubleTap: (at, touch) => {
        if (this.#color !== null && !touch) this.#tap(at, touch);
        else this.#move(() => motion.zoom(at, 2.5, true));
      },
      hover: (at) => this.#hover(at),
      drag: (dragging) => element.classList.toggle('drag', dragging),
      step: (dx, dy) => this.#step(dx, dy),
      held: (held) => this.#move(() => motion.hold(held)),
      color: (index) => this.#choose(index, false),
      otherColor: (by) => {
        const count = this.#client.canvas?.palette.length ?? 1;
        this.#choose(this.#color === null ? 0 : (this.#color + by + count) % count, false);
      },
      place: () => this.#placeOrAim(),
      cancel: () => this.#cancel(),
      fit: () => this.#move(() => motion.fit(false)),
    };
    bindPointer(element, commands);
    bindKeys(window, commands);
    byId('zoom-in').onclick = () => commands.zoom(null, 2, true);
    byId('zoom-out').onclick = () => commands.zoom(null, 0.5, true);
    byId('zoom-fit').onclick = () => commands.fit();
    byId('place').onclick = () => this.#copyLink();
    new ResizeObserver(() => this.#screen.measure()).observe(this.#dock.element);
    NARROW.addEventListener('change', () => this.#screen.measure());
    window.addEventListener('offline', () => this.#refresh());
    onWake((renewed) => this.#client.wake(renewed));
  }

  /** @param {() => void} motion */
  #move(motion) {
    motion();
    this.#screen.draw();
  }

  /** @param {Point} at @param {boolean} touch */
  #tap(at, touch) {
    this.#hand = touch ? 'touch' : 'mouse';
    const pixel = this.#screen.pixelAt(at);
    if (!pixel) {
      this.#aim = null;
    } else if (this.#color === null || touch) {
      this.#aim = pixel;
      if (this.#color !== null || this.#open) this.#approach(pixel);
    } else if (this.#screen.camera.scale < SCALE_HIT) {
      this.#screen.motion.zoom(at, SCALE_CLOSE / 2 / this.#screen.camera.scale, true);
    } else {
      this.#place(pixel);
    }
    this.#screen.draw();
  }

  /** Flies to a pixel that would be too small to be hit. @param {Point} pixel */
  #approach(pixel) {
    if (this.#screen.motion.goal.scale >= SCALE_HIT) return;
    this.#screen.motion.fly({ x: pixel.x + 0.5, y: pixel.y + 0.5, scale: SCALE_CLOSE });
  }

  /** @param {Point | null} at */
  #hover(at) {
    this.#mouse = at;
    if (at && this.#color !== null && this.#hand !== 'touch') this.#aim = null;
    if (at) this.#hand = 'mouse';
    this.#screen.ask();
  }

  /** An arrow key: aims when there is something to aim with, otherwise moves the view. @param {number} dx @param {number} dy */
  #step(dx, dy) {
    const { width, height } = this.#screen.motion.geom;
    if (this.#color === null && this.#aim === null) {
      const { x, y, scale } = this.#screen.motion.goal;
      this.#screen.motion.fly({ x: x + (dx * 80) / scale, y: y + (dy * 80) / scale, scale }, 180);
    } else {
      const from = this.#aim ?? this.#hovered() ?? this.#screen.central();
      this.#aim = { x: clampTo(from.x + dx, width), y: clampTo(from.y + dy, height) };
      this.#screen.motion.reveal({ x: this.#aim.x + 0.5, y: this.#aim.y + 0.5 });
      this.#approach(this.#aim);
      this.#tellAim();
    }
    this.#hand = 'keys';
    this.#screen.draw();
  }

  #tellAim() {
    if (!this.#aim || !this.#client.canvas) return;
    const index = this.#client.colorAt(this.#aim.x, this.#aim.y);
    const name = index === null ? '' : (this.#client.canvas.palette[index]?.name ?? '');
    toast(name ? say('aimed', { at: coords(this.#aim.x, this.#aim.y), color: name }) : coords(this.#aim.x, this.#aim.y), { quiet: true });
  }

  /** @param {number | null} index @param {boolean} byKey  the keyboard stays in the palette */
  #choose(index, byKey) {
    if (index !== null && index >= (this.#client.canvas?.palette.length ?? 0)) return;
    this.#color = index;
    this.#dock.choose(index);
    if (!byKey) this.#screen.element.focus({ preventScroll: true });
    this.#screen.draw();
  }

  /** The large button of the dock. */
  #turn() {
    if (!NARROW.matches) {
      if (this.#color === null) this.#dock.focus();
      else this.#placeOrAim();
      return;
    }
    this.#open = !this.#open;
    if (this.#open) {
      this.#aim ??= this.#screen.central();
      this.#approach(this.#aim);
    } else {
      this.#aim = null;
    }
    this.#screen.draw();
  }

  #placeOrAim() {
    const at = this.#aim ?? this.#hovered();
    if (this.#color === null) {
      this.#open = true;
      this.#refresh();
      this.#dock.focus();
    } else if (at) {
      this.#place(at);
    } else {
      this.#step(0, 0);
    }
  }

  /** @param {Point} pixel */
  #place(pixel) {
    if (this.#color === null) return;
    const reason = this.#client.draw(pixel.x, pixel.y, this.#color);
    if (reason !== null) {
      this.#refuse(reason);
      return;
    }
    if (this.#hand !== 'keys') this.#aim = null;
    if (this.#client.placing.cooldownMs > 0) this.#open = false;
    this.#screen.draw();
  }

  /** @param {import('./placing.js').Reason} reason */
  #refuse(reason) {
    const wait = about(remaining(this.#client.placing.cooldown, performance.now()));
    toast(say(`reason.${reason}`, { wait }));
    this.#dock.shake();
  }

  #cancel() {
    if (this.#open) {
      this.#open = false;
      this.#aim = null;
    } else if (this.#aim) {
      this.#aim = null;
    } else {
      this.#choose(null, false);
    }
    this.#screen.draw();
  }

  async #copyLink() {
    this.#writeUrl();
    const copied = await navigator.clipboard?.writeText(location.href).then(
      () => true,
      () => false,
    );
    toast(say(copied ? 'linkCopied' : 'linkShown'));
  }

  // ---- What comes back ----------------------------------------------------------------------------------------------

  /** @param {import('./placing.js').Effect} effect */
  #effect(effect) {
    const { draw } = effect;
    const { camera, size } = this.#screen;
    if (effect.type === 'placed') {
      pulse(camera, size, draw, false);
      const color = this.#client.canvas?.palette[draw.color]?.name ?? '';
      toast(say('placed', { color, at: coords(draw.x, draw.y) }), { quiet: true });
    }
    if (effect.type === 'rolledBack') {
      pulse(camera, size, draw, true);
      this.#refuse(effect.reason);
    }
    this.#screen.draw();
  }

  // ---- The screen ---------------------------------------------------------------------------------------------------

  #covered() {
    const dock = this.#dock.element.getBoundingClientRect();
    return { top: NARROW.matches ? 56 : 64, bottom: Math.round(this.#screen.element.clientHeight - dock.top) + 8 };
  }

  /** @param {number} now @param {boolean} calm */
  #marks(now, calm) {
    const { pending } = this.#client.placing;
    const palette = this.#client.canvas?.palette ?? [];
    const breath = calm ? 0.15 : 0.15 + 0.06 * Math.sin(now / 160);
    const marks = pending.map(({ x, y, color, state }) => {
      const { r, g, b } = palette[color];
      return { x, y, rgb: [r, g, b], inset: state === 'placed' ? 0 : breath };
    });
    return { marks, moving: !calm && pending.some((draw) => draw.state !== 'placed') };
  }

  #moved() {
    this.#client.look();
    clearTimeout(this.#urlTimer);
    this.#urlTimer = window.setTimeout(() => this.#writeUrl(), URL_MS);
  }

  #writeUrl() {
    if (!this.#client.canvas) return;
    const { x, y } = this.#screen.central();
    history.replaceState(null, '', writePlace(location.href, { x, y, zoom: this.#screen.motion.goal.scale }));
  }

  /** The pixel under the mouse. */
  #hovered() {
    return this.#mouse && this.#hand === 'mouse' ? this.#screen.pixelAt(this.#mouse) : null;
  }

  /** Everything but the canvas itself. */
  #refresh() {
    const { canvas, connection, placing, heard, online } = this.#client;
    const { camera, size } = this.#screen;
    const now = performance.now();
    const color = canvas && this.#color !== null ? canvas.palette[this.#color] : null;
    const hovered = this.#hovered();
    const target = this.#aim ?? (hovered && (color || camera.scale >= SCALE_HIT) ? hovered : null);
    const ready = this.#client.obstacle() === null;
    showReticle(camera, size, target, { color, fixed: this.#aim !== null, ready });
    const read = this.#aim ?? hovered;
    const index = read && this.#client.colorAt(read.x, read.y);
    const place = canvas && { ...(read ?? this.#screen.central()), scale: camera.scale };
    showPlace(place, (index !== null && canvas?.palette[index]) || null);
    showStatus({ connection, offline: !navigator.onLine, readOnly: placing.readOnly, online, now, heard });
    this.#showDock(color, ready, now);
    if (connection.phase === 'stopped') stop(connection.reason);
  }

  /** @param {import('./palette.js').Color | null} color @param {boolean} ready @param {number} now */
  #showDock(color, ready, now) {
    const { placing, heard } = this.#client;
    const narrow = NARROW.matches;
    const folded = narrow && !this.#open;
    const turn = turnOf({ now, placing, color, aim: this.#aim, touch: this.#hand === 'touch', folded, first: heard === 0 });
    const confirm = color !== null && this.#aim !== null && (this.#hand !== 'mouse' || narrow || this.#mouse === null);
    this.#dock.show({ ...turn, color, open: this.#open, confirm, canPlace: color !== null && ready });
    const waits = remaining(placing.cooldown, now) > 0;
    if (this.#waited && !waits && placing.live) toast(say('readyNow'), { quiet: true });
    this.#waited = waits;
  }
}

/** @param {number} value @param {number} side */
const clampTo = (value, side) => Math.min(Math.max(value, 0), side - 1);

/** Gets the page anew; when that was a moment ago and has not helped, says so instead. */
function reload() {
  const last = Number(sessionStorage.getItem('reloaded') ?? 0);
  if (Date.now() - last < 60000) {
    stop('newPage');
    return;
  }
  sessionStorage.setItem('reloaded', String(Date.now()));
  location.reload();
}
