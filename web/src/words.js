// Everything the page says, in one place. Other languages become files of this form.

/** @type {Record<string, string>} */
const WORDS = {
  canvas: 'Canvas. Arrow keys move or aim, plus and minus zoom, number keys choose a color, Enter places.',
  ready: 'Place a pixel',
  noColor: 'Pick a color',
  tapHere: 'Tap to begin',
  aim: 'Click a pixel',
  at: 'at {x}, {y}',
  placing: 'Placing…',
  next: 'Next pixel',
  tapPixel: 'Tap a pixel',
  readOnlyShort: 'Read-only',
  justLook: 'Just looking for now',
  firstShort: 'Just a moment',
  firstSub: 'Joining the canvas',
  notConnectedShort: 'Not connected',
  holdOn: 'Hold on a moment',

  connecting: 'Connecting…',
  online: '{n} online',
  onlineOne: 'Just you here',
  reconnecting: 'Reconnecting…',
  reconnectingIn: 'Reconnecting in {s} s',
  behind: 'canvas as of {s} s ago',
  offline: 'You are offline',
  readOnly: 'Read-only for now',

  'reason.cooldown': 'Too soon: your next pixel comes in {wait}.',
  'reason.stale': 'Not placed: you drew from another window at the same time.',
  'reason.badColor': 'Not placed: this color is not in the palette.',
  'reason.outOfBounds': 'Not placed: that is outside the canvas.',
  'reason.readOnly': 'Not placed: the canvas is read-only right now.',
  'reason.overloaded': 'Not placed: too many people are drawing. Try again in {wait}.',
  'reason.allowance': 'Not placed: guests on your network have used their share. Try again in {wait}.',
  'reason.locked': 'Not placed: this part of the canvas is locked.',
  'reason.banned': 'Not placed: you may not draw here.',
  'reason.unknown': 'No answer about your pixel. If it was placed, the canvas shows it.',
  'reason.notConnected': 'Not connected: nothing was sent. Hold on a moment.',
  'reason.busy': 'Your last pixel is still on its way.',

  'about.hours': 'about {n} hours',
  'about.minutes': 'about {n} minutes',
  'about.minute': 'about a minute',
  'about.less': 'less than a minute',
  'about.few': 'a few seconds',

  placed: '{color} placed at {x}, {y}.',
  readyNow: 'You can place a pixel.',
  damaged: 'A part of the canvas cannot be read correctly. Reload to try again.',
  watchLimit: 'The server is full: only a part of the view is kept up to date.',
  unavailable: 'A part of the canvas cannot be read right now.',
  grown: 'The canvas has grown to {w} × {h}.',
  copyLink: 'Copy a link to this place',
  linkCopied: 'Link to this place copied.',
  linkShown: 'The link to this place is in the address bar.',

  'stopped.title': 'This page has stopped',
  'stopped.closed1003': 'The server did not understand this page. It may be newer: reload to get the current one.',
  'stopped.closed1009': 'The server did not understand this page. It may be newer: reload to get the current one.',
  'stopped.closed4002': 'The server did not understand this page. It may be newer: reload to get the current one.',
  'stopped.origin': 'This server does not accept visitors from this address. Open it under its own name.',
  'stopped.tooOld': 'This browser lacks what the canvas needs. An up-to-date one will do.',
  'stopped.newPage': 'The canvas has a new page, and it could not be loaded yet.',
  'stopped.failed': 'Something in this page broke.',
};

/**
 * @param {string} key
 * @param {Record<string, string | number>} [values]  for the {names} in it
 */
export function say(key, values = {}) {
  return (WORDS[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''));
}

/** In words that stay true while the message is read; the clock beside it counts. @param {number} ms */
export function about(ms) {
  if (ms >= 5400000) return say('about.hours', { n: Math.round(ms / 3600000) });
  if (ms >= 90000) return say('about.minutes', { n: Math.round(ms / 60000) });
  if (ms >= 50000) return say('about.minute');
  return say(ms > 10000 ? 'about.less' : 'about.few');
}

/** With the separators of the reader's language. @param {number} value */
export const count = (value) => value.toLocaleString();
