// Binds gestures, wheel and keys of the page to a few commands. Knows neither canvas nor protocol.

import { Gestures, HOLD_MS, wheelFactor } from './gesture.js';

/**
 * @typedef {{ x: number, y: number }} Point
 *
 * @typedef {object} Commands
 * @property {(dx: number, dy: number) => void} pan
 * @property {(at: Point | null, factor: number, smooth: boolean) => void} zoom   null: around the middle
 * @property {(vx: number, vy: number) => void} fling
 * @property {() => void} grab                            a finger or button is down: whatever moves by itself stops
 * @property {(at: Point, touch: boolean) => void} tap
 * @property {(at: Point, touch: boolean) => void} doubleTap
 * @property {(at: Point, touch: boolean) => void} hold   a press that stays where it is
 * @property {(at: Point | null) => void} pick            takes the color that is there; null: of what is aimed at
 * @property {(at: Point | null) => void} hover           null: the mouse has left
 * @property {(dragging: boolean) => void} drag
 * @property {(dx: number, dy: number) => void} step      arrow keys, in pixels of the canvas
 * @property {(held: Held) => void} held                  which keys that move the view are down
 * @property {(index: number) => void} color              by number key
 * @property {(by: number) => void} otherColor            the next or previous one
 * @property {() => void} place
 * @property {() => void} cancel
 * @property {() => void} fit
 * @property {() => void} inspect                         what is known of the pixel
 * @property {() => void} heat
 * @property {() => void} map
 * @property {() => void} help
 *
 * @typedef {{ x: number, y: number, zoom: number }} Held  directions, each -1, 0 or 1
 */

/** @type {Record<string, [keyof Held, number]>} */
const HELD = {
  KeyA: ['x', -1],
  KeyD: ['x', 1],
  KeyW: ['y', -1],
  KeyS: ['y', 1],
  KeyQ: ['zoom', -1],
  KeyE: ['zoom', 1],
};

/**
 * Safari on a Mac tells of a pinch on the trackpad by events of its own, all others by a wheel with Control. On an iPhone the fingers
 * themselves are known, and count.
 * @param {HTMLElement} element @param {Commands} commands @param {() => boolean} fingers
 */
function bindTrackpad(element, commands, fingers) {
  let last = 1;
  for (const type of ['gesturestart', 'gesturechange']) {
    element.addEventListener(type, (event) => {
      event.preventDefault();
      const { scale, clientX, clientY } = /** @type {MouseEvent & { scale: number }} */ (event);
      if (type === 'gesturechange' && !fingers() && scale > 0) commands.zoom({ x: clientX, y: clientY }, scale / last, false);
      last = type === 'gesturestart' ? 1 : scale;
    });
  }
}

/** Keys that go on as long as they are held. */
const REPEATED = /^(Arrow|[-+=_[\],.]$)/;

/** @type {Record<string, [number, number]>} */
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @param {HTMLElement} element @param {Commands} commands */
export function bindPointer(element, commands) {
  const gestures = new Gestures();
  let waiting = 0;
  /** What was pressed last: a mouse, a finger, a pen. */
  let pressed = '';
  /** @param {MouseEvent} event @returns {Point} */
  const at = (event) => ({ x: event.clientX, y: event.clientY });

  /** @param {import('./gesture.js').Intent[]} intents */
  const run = (intents) => {
    for (const it of intents) {
      if (it.kind === 'pan' || it.kind === 'pinch') commands.pan(it.dx, it.dy);
      if (it.kind === 'pinch') commands.zoom(it.at, it.factor, false);
      if (it.kind === 'fling') commands.fling(it.vx, it.vy);
      if (it.kind === 'tap') commands.tap(it.at, it.touch);
      if (it.kind === 'doubleTap') commands.doubleTap(it.at, it.touch);
      if (it.kind === 'hold') commands.hold(it.at, it.touch);
    }
    commands.drag(gestures.dragging);
  };

  element.addEventListener('pointerdown', (event) => {
    pressed = event.pointerType;
    if (event.button === 1) commands.pick(at(event));
    if (event.button > 0) return;
    element.setPointerCapture(event.pointerId);
    commands.grab();
    gestures.down(event.pointerId, at(event), event.timeStamp, event.pointerType !== 'mouse');
    clearTimeout(waiting);
    waiting = window.setTimeout(() => run(gestures.wait(event.timeStamp + HOLD_MS)), HOLD_MS);
  });
  element.addEventListener('pointermove', (event) => {
    run(gestures.move(event.pointerId, at(event), event.timeStamp));
    if (event.pointerType === 'mouse') commands.hover(gestures.dragging ? null : at(event));
  });
  element.addEventListener('pointerup', (event) => run(gestures.up(event.pointerId, at(event), event.timeStamp)));
  element.addEventListener('pointercancel', (event) => {
    gestures.cancel(event.pointerId);
    commands.drag(gestures.dragging);
  });
  element.addEventListener('pointerleave', () => commands.hover(null));
  element.addEventListener('contextmenu', (event) => {
    event.preventDefault();
    // Of a finger that stays, or of the menu key, it means nothing here.
    if (pressed !== 'mouse' || (event.button !== 2 && !gestures.active)) return;
    // Control and a click, on a Mac: the press has begun as one of the left button.
    gestures.reset();
    commands.drag(false);
    commands.cancel();
  });
  bindTrackpad(element, commands, () => gestures.active);
  element.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      commands.zoom(at(event), wheelFactor(event), !event.ctrlKey);
    },
    { passive: false },
  );
}

/** @param {Window} window @param {Commands} commands */
export function bindKeys(window, commands) {
  /** @type {Set<string>} */
  const down = new Set();
  const tell = () => {
    const held = { x: 0, y: 0, zoom: 0 };
    for (const code of down) {
      const [axis, way] = HELD[code];
      held[axis] += way;
    }
    commands.held(held);
  };
  const release = () => {
    down.clear();
    tell();
  };

  window.addEventListener('keydown', (event) => {
    // A Mac tells of no key that is let go while Command is down.
    if (event.key === 'Meta') release();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // Over an open sheet nobody aims, wherever the focus is.
    if (window.document.querySelector('dialog:modal')) return;
    if (event.code in HELD) {
      down.add(event.code);
      tell();
    } else if ((!event.repeat || REPEATED.test(event.key)) && press(event, commands)) {
      event.preventDefault();
    }
  });
  window.addEventListener('keyup', (event) => {
    if (down.delete(event.code)) tell();
  });
  window.addEventListener('blur', release);
}

/**
 * The letter of a key: as it is written on it, or, where the script is another one, where it would be on a Latin keyboard.
 * @param {{ key: string, code: string }} event
 */
export function letterOf({ key, code }) {
  if (/^[\x20-\x7e]$/.test(key)) return key.toLowerCase();
  return key.length === 1 && /^Key/.test(code) ? code.slice(3).toLowerCase() : '';
}

/**
 * The color of a digit: keys by their place, for not all keyboards have digits there without Shift; of the second ten with Shift, unless
 * that is how the digit itself is typed.
 * @param {{ key: string, code: string, shiftKey: boolean }} event @returns {number | null} index
 */
export function digitColor({ key, code, shiftKey }) {
  const typed = /^\d$/.test(key) ? key : /^Digit(\d)$/.exec(code)?.[1];
  if (typed === undefined) return null;
  return ((Number(typed) + 9) % 10) + (shiftKey && typed !== key ? 10 : 0);
}

/** @param {KeyboardEvent} event @param {Commands} commands @returns {boolean} whether it meant something here */
function press(event, commands) {
  const element = event.target instanceof Element ? event.target : null;
  const onSwatch = element instanceof HTMLInputElement;
  const onButton = element instanceof HTMLButtonElement || element instanceof HTMLAnchorElement;
  const { key } = event;
  const letter = letterOf(event);
  if (key in STEPS && !onSwatch) {
    const [dx, dy] = STEPS[key];
    commands.step(dx * (event.shiftKey ? 10 : 1), dy * (event.shiftKey ? 10 : 1));
    return true;
  }
  const color = digitColor(event);
  if (color !== null) commands.color(color);
  else if (letter === '[' || letter === ',') commands.otherColor(-1);
  else if (letter === ']' || letter === '.') commands.otherColor(1);
  else if (key === '+' || key === '=') commands.zoom(null, 1.5, true);
  else if (key === '-' || key === '_') commands.zoom(null, 1 / 1.5, true);
  else if (key === 'Home') commands.fit();
  else if (key === '?') commands.help();
  else if (letter === 'i') commands.inspect();
  else if (letter === 'c') commands.pick(null);
  else if (letter === 'h') commands.heat();
  else if (letter === 'm') commands.map();
  else if (key === 'Escape') commands.cancel();
  else if (key === 'Enter' && !onButton) commands.place();
  else return false;
  return true;
}
