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

/** @type {Record<string, [number, number]>} */
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @param {HTMLElement} element @param {Commands} commands */
export function bindPointer(element, commands) {
  const gestures = new Gestures();
  let waiting = 0;
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
  element.addEventListener('pointercancel', (event) => gestures.cancel(event.pointerId));
  element.addEventListener('pointerleave', () => commands.hover(null));
  element.addEventListener('contextmenu', (event) => {
    event.preventDefault();
    if (!gestures.active) commands.cancel();
  });
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

  window.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof Element && event.target.closest('dialog')) return;
    if (event.code in HELD) {
      down.add(event.code);
      tell();
    } else if (press(event, commands)) {
      event.preventDefault();
    }
  });
  window.addEventListener('keyup', (event) => {
    if (down.delete(event.code)) tell();
  });
  window.addEventListener('blur', () => {
    down.clear();
    tell();
  });
}

/** @param {KeyboardEvent} event @param {Commands} commands @returns {boolean} whether it meant something here */
function press(event, commands) {
  const element = event.target instanceof Element ? event.target : null;
  const onSwatch = element instanceof HTMLInputElement;
  const onButton = element instanceof HTMLButtonElement || element instanceof HTMLAnchorElement;
  if (event.code in STEPS && !onSwatch) {
    const [dx, dy] = STEPS[event.code];
    commands.step(dx * (event.shiftKey ? 10 : 1), dy * (event.shiftKey ? 10 : 1));
    return true;
  }
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  if (digit) {
    commands.color(((Number(digit[1]) + 9) % 10) + (event.shiftKey ? 10 : 0));
    return true;
  }
  if (event.key === '[' || event.key === ']') commands.otherColor(event.key === '[' ? -1 : 1);
  else if (event.key === '+' || event.key === '=') commands.zoom(null, 1.5, true);
  else if (event.key === '-' || event.key === '_') commands.zoom(null, 1 / 1.5, true);
  else if (event.key === 'Home') commands.fit();
  else if (event.key === '?') commands.help();
  else if (event.code === 'KeyI') commands.inspect();
  else if (event.code === 'KeyC') commands.pick(null);
  else if (event.code === 'KeyH') commands.heat();
  else if (event.code === 'KeyM') commands.map();
  else if (event.key === 'Escape') commands.cancel();
  else if (event.key === 'Enter' && !onButton) commands.place();
  else return false;
  return true;
}
