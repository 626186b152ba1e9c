// The page: the client below, the screen above, the player's hand between them, and what is known and told around.

import { Address } from './address.js';
import { Alarm } from './alarm.js';
import { getSession, reachable } from './api.js';
import { SCALE_HIT, viewRect } from './camera.js';
import { Card } from './card.js';
import { Client } from './client.js';
import { remaining } from './cooldown.js';
import { Dock } from './dock.js';
import { keyTx, keyTy } from './geom.js';
import { Hand } from './hand.js';
import { HeatLayer } from './heat_layer.js';
import { bindKeys, bindPointer } from './input.js';
import { Minimap } from './minimap.js';
import { paletteBytes } from './palette.js';
import { pulse, showReticle } from './reticle.js';
import { Screen } from './screen.js';
import { Settings } from './settings.js';
import { Sheets } from './sheets.js';
import { Siblings } from './siblings.js';
import { showAnnouncement, showPlace, showStatus, stop, toast } from './status.js';
import { turnOf } from './turn.js';
import { onWake } from './wake.js';
import { about, coords, say, size } from './words.js';

/** @typedef {{ x: number, y: number }} Point */

const REFRESH_MS = 250;
const NARROW = matchMedia('(max-width: 767px)');

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

export class App {
  #settings = new Settings(
    () => localStorage,
    () => this.#refresh(),
  );
  /** @type {Client} */
  #client;
  /** @type {Dock} */
  #dock;
  /** @type {Screen} */
  #screen;
  /** @type {Card} */
  #card;
  /** @type {Hand} */
  #hand;
  #map;
  #heat;
  #alarm;
  #sheets;
  #address;
  #siblings;
  #started = false;
  #toldCookies = false;

  /** @param {import('./client.js').ClientEnv} env */
  constructor(env) {
    this.#client = new Client(env, {
      canvas: (canvas) => this.#adopt(canvas),
      view: () => viewRect(this.#screen.motion.goal, this.#screen.size),
      changed: (tile, offsets) => this.#changed(tile, offsets),
      dropped: (tile) => this.#screen.renderer.drop(tile.key),
      status: () => {
        this.#refresh();
        this.#tellCookies();
      },
      effect: (effect) => this.#effect(effect),
      notice: (key) => toast(say(/** @type {import('./words.js').Key} */ (key))),
      reload,
    });
    this.#dock = new Dock({
      color: (index, byKey) => this.#hand.choose(index, byKey),
      turn: () => this.#hand.turn(),
      place: () => this.#hand.placeOrAim(),
      cancel: () => this.#hand.cancel(),
    });
    this.#screen = new Screen(/** @type {HTMLCanvasElement} */ (byId('canvas')), {
      covered: () => this.#covered(),
      marks: (now, calm) => this.#marks(now, calm),
      frame: () => this.#refresh(),
      moved: () => {
        this.#client.look();
        this.#address.moved();
      },
      lost: () => {
        for (const tile of this.#client.tiles()) this.#screen.renderer.update(tile.key, tile.px, null);
      },
    });
    this.#address = new Address(this.#screen);
    this.#map = new Minimap({
      rgbAt: (x, y) => this.#rgbAt(x, y),
      go: (at) => this.#move(() => this.#screen.motion.jump({ ...at, scale: this.#screen.camera.scale })),
    });
    this.#heat = new HeatLayer({ draw: () => this.#screen.draw(), failed: () => toast(say('heatFailed')) });
    this.#alarm = new Alarm(this.#settings, {
      ready: () => toast(say('readyNow'), { quiet: true }),
      refresh: () => this.#refresh(),
    });
    this.#sheets = new Sheets({
      settings: this.#settings,
      heat: () => this.#toggleHeat(),
      heatOn: () => this.#heat.on,
      sound: () => this.#alarm.chime(),
      named: (name) => {
        this.#card.refresh();
        this.#siblings.tellName(name);
      },
      erased: () => this.#erased(),
    });
    this.#siblings = new Siblings({
      wait: (ms) => this.#waitElsewhere(ms),
      name: (name) => this.#sheets.called(name),
      choices: () => this.#settings.read(),
    });
    this.#card = this.#makeCard();
    this.#hand = this.#makeHand();
    this.#bind();
    this.#screen.measure();
    this.#started = true;
  }

  start() {
    this.#refresh();
    setInterval(() => this.#refresh(), REFRESH_MS);
    return this.#client.start();
  }

  #makeCard() {
    return new Card({
      palette: () => this.#client.canvas?.palette ?? [],
      colorAt: (x, y) => this.#client.colorAt(x, y),
      share: (pixel) => this.#share(pixel),
      closed: () => this.#hand.cancel(),
      told: (text) => toast(text, { quiet: true }),
      myName: () => this.#sheets.name,
      wantName: () => this.#sheets.learnName(),
    });
  }

  #makeHand() {
    return new Hand({
      client: this.#client,
      screen: this.#screen,
      dock: this.#dock,
      card: this.#card,
      settings: this.#settings,
      refuse: (reason) => this.#refuse(reason),
      aimed: (pixel) => this.#tellAim(pixel),
      refresh: () => this.#refresh(),
      narrow: NARROW,
    });
  }

  // ---- The canvas is known, or has changed --------------------------------------------------------------------------

  /** @param {import('./client.js').Canvas} canvas */
  #adopt(canvas) {
    const { motion, renderer } = this.#screen;
    const before = motion.geom;
    const first = before.width === 1 && before.height === 1;
    const grown = before.width !== canvas.geom.width || before.height !== canvas.geom.height;
    renderer.setGeometry(canvas.geom);
    renderer.setPalette(paletteBytes(canvas.palette));
    this.#dock.setPalette(canvas.palette);
    this.#dock.choose(this.#hand.color);
    this.#screen.measure();
    motion.setCanvas(canvas.geom, canvas.watch);
    this.#screen.element.classList.add('known');
    if (grown) {
      this.#map.setCanvas(canvas.geom, this.#client.tiles().map((tile) => tile.key));
      this.#heat.setCanvas(canvas.geom);
    }
    if (first) this.#address.open();
    else if (grown) toast(say('grown', { size: size(canvas.geom.width, canvas.geom.height) }));
    this.#screen.draw();
  }

  /** @param {import('./sync.js').Tile} tile @param {Uint16Array | null} offsets */
  #changed(tile, offsets) {
    const edge = this.#client.canvas?.geom.edge ?? 0;
    this.#screen.renderer.update(tile.key, tile.px, offsets);
    this.#map.changed(tile.key, offsets);
    this.#heat.changed(tile.key, offsets);
    this.#card.changed(keyTx(tile.key) * edge, keyTy(tile.key) * edge, edge, offsets);
    this.#screen.draw();
  }

  /** @param {number} x @param {number} y */
  #rgbAt(x, y) {
    const index = this.#client.colorAt(x, y);
    const color = index === null ? null : this.#client.canvas?.palette[index];
    return color ? [color.r, color.g, color.b] : null;
  }

  // ---- What the player does -----------------------------------------------------------------------------------------

  #bind() {
    const { motion, element } = this.#screen;
    const hand = this.#hand;
    /** @type {import('./input.js').Commands} */
    const commands = {
      pan: (dx, dy) => this.#move(() => motion.pan(dx, dy)),
      zoom: (at, factor, smooth) => this.#move(() => motion.zoom(at, factor, smooth)),
      fling: (vx, vy) => this.#move(() => motion.fling(vx, vy)),
      grab: () => motion.stop(),
      tap: (at, touch) => hand.tap(at, touch),
      doubleTap: (at, touch) => hand.doubleTap(at, touch),
      hold: (at, touch) => hand.hold(at, touch),
      hover: (at) => hand.hover(at),
      drag: (dragging) => element.classList.toggle('drag', dragging),
      step: (dx, dy) => hand.step(dx, dy),
      held: (held) => this.#move(() => motion.hold(held)),
      color: (index) => hand.choose(index, false),
      otherColor: (by) => hand.otherColor(by),
      pick: (at) => hand.pick(at),
      place: () => hand.placeOrAim(),
      cancel: () => hand.cancel(),
      fit: () => this.#move(() => motion.fit(false)),
      inspect: () => hand.inspect(),
      heat: () => this.#toggleHeat(),
      map: () => this.#settings.set('map', !this.#settings.now.map),
      help: () => this.#sheets.help(),
    };
    bindPointer(element, commands);
    bindKeys(window, commands);
    byId('zoom-in').onclick = () => commands.zoom(null, 2, true);
    byId('zoom-out').onclick = () => commands.zoom(null, 0.5, true);
    byId('zoom-fit').onclick = () => commands.fit();
    byId('heat-toggle').onclick = () => commands.heat();
    byId('menu').onclick = () => this.#sheets.menu();
    byId('place').onclick = () => this.#share(this.#screen.central());
    for (const it of [this.#dock, this.#card]) new ResizeObserver(() => this.#screen.measure()).observe(it.element);
    NARROW.addEventListener('change', () => this.#screen.measure());
    window.addEventListener('offline', () => this.#doubt());
    onWake((renewed) => this.#client.wake(renewed));
  }

  /** @param {() => void} motion */
  #move(motion) {
    motion();
    this.#screen.draw();
  }

  #toggleHeat() {
    this.#heat.toggle();
    byId('heat-toggle').setAttribute('aria-pressed', String(this.#heat.on));
    toast(say(this.#heat.on ? 'heatOn' : 'heatOff'), { quiet: !this.#heat.on });
  }

  /** @param {Point} at */
  #tellAim(at) {
    const index = this.#client.colorAt(at.x, at.y);
    const name = index === null ? '' : (this.#client.canvas?.palette[index]?.name ?? '');
    toast(name ? say('aimed', { at: coords(at.x, at.y), color: name }) : coords(at.x, at.y), { quiet: true });
  }

  /** @param {import('./placing.js').Reason} reason */
  #refuse(reason) {
    const wait = about(remaining(this.#client.placing.cooldown, performance.now()));
    toast(say(`reason.${reason}`, { wait }));
    this.#dock.shake();
  }

  /** What can be done about it, in more words than there is room for above. Once. */
  #tellCookies() {
    if (this.#toldCookies || this.#client.connection.reason !== 'noCookies') return;
    this.#toldCookies = true;
    toast(say('noCookiesWhy'));
  }

  /** @param {Point} pixel */
  #share(pixel) {
    void this.#address.share({ ...pixel, zoom: this.#screen.motion.goal.scale }, this.#hand.kind === 'touch');
  }

  /** The device says that it has no network: then nobody waits until the silence has become too long. */
  async #doubt() {
    this.#refresh();
    if (!(await reachable())) this.#client.wake(true);
  }

  /** Another window of the same player has placed. @param {number} ms */
  #waitElsewhere(ms) {
    this.#client.placing.waits(performance.now(), ms);
    this.#refresh();
  }

  #erased() {
    stop('closed4007', { label: 'startAnew', run: () => getSession(true).then(() => location.reload()) });
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
      this.#sheets.learnName();
      this.#siblings.tellWait(remaining(this.#client.placing.cooldown, performance.now()));
    }
    if (effect.type === 'rolledBack') {
      pulse(camera, size, draw, true);
      this.#refuse(effect.reason);
    }
    this.#screen.draw();
  }

  // ---- The screen ---------------------------------------------------------------------------------------------------

  #covered() {
    const { element } = this.#screen;
    const lowest = NARROW.matches && this.#started && this.#card.pixel ? this.#card.element : this.#dock.element;
    const bottom = Math.round(element.clientHeight - lowest.getBoundingClientRect().top) + 8;
    return { top: NARROW.matches ? 56 : 64, bottom };
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

  /** Everything but the canvas itself. */
  #refresh() {
    if (!this.#started) return;
    const { canvas, connection, placing, heard, online } = this.#client;
    const now = performance.now();
    const color = canvas && this.#hand.color !== null ? canvas.palette[this.#hand.color] : null;
    const ready = this.#client.obstacle() === null;
    this.#showMarks(color, ready);
    showStatus({ connection, offline: !navigator.onLine, readOnly: placing.readOnly, online, now, heard });
    showAnnouncement(canvas?.announcement ?? '');
    this.#showDock(color, ready, now);
    this.#alarm.update({ left: remaining(placing.cooldown, now), until: placing.cooldown.until, live: placing.live });
    if (connection.phase !== 'stopped') return;
    if (connection.reason === 'closed4007') this.#erased();
    else stop(connection.reason);
  }

  /** What follows the view. @param {import('./palette.js').Color | null} color @param {boolean} ready */
  #showMarks(color, ready) {
    const { canvas } = this.#client;
    const { camera, size } = this.#screen;
    const { aim } = this.#hand;
    this.#hand.settle();
    const hovered = this.#hand.hovered();
    const looked = this.#card.pinned ? this.#card.pixel : null;
    const target = aim ?? looked ?? (hovered && (color || camera.scale >= SCALE_HIT) ? hovered : null);
    showReticle(camera, size, target, { color: aim || !looked ? color : null, fixed: aim !== null || looked !== null, ready });
    const read = aim ?? hovered;
    const index = read && this.#client.colorAt(read.x, read.y);
    const place = canvas && { ...(read ?? this.#screen.central()), scale: camera.scale };
    showPlace(place, (index !== null && canvas?.palette[index]) || null);
    this.#card.refresh();
    this.#card.follow(camera, size, NARROW.matches);
    this.#map.show(camera, size, { wanted: this.#settings.now.map && canvas !== null, narrow: NARROW.matches, now: performance.now() });
    this.#heat.draw(camera, size);
  }

  /** @param {import('./palette.js').Color | null} color @param {boolean} ready @param {number} now */
  #showDock(color, ready, now) {
    const { placing, heard } = this.#client;
    const { aim, kind, open } = this.#hand;
    const narrow = NARROW.matches;
    const folded = narrow && !open;
    const turn = turnOf({ now, placing, color, aim, touch: kind === 'touch', folded, first: heard === 0 });
    const confirm = color !== null && aim !== null && (this.#hand.confirms() || kind !== 'mouse' || narrow || !this.#hand.hovers);
    this.#dock.show({ ...turn, color, open, confirm, canPlace: color !== null && ready });
  }
}

/** Gets the page anew; when that was a moment ago and has not helped, or nobody could know that, says so instead. */
function reload() {
  try {
    const age = Date.now() - Number(sessionStorage.getItem('reloaded') ?? 0);
    if (age >= 60000 || age < 0) {
      sessionStorage.setItem('reloaded', String(Date.now()));
      location.reload();
      return;
    }
  } catch {
    // A browser that keeps nothing: the player reloads.
  }
  stop('newPage');
}
