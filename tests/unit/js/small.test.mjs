// The small pure modules: geometry, palette, cooldown, address.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as cooldown from '../../../web/src/cooldown.js';
import * as geom from '../../../web/src/geom.js';
import * as palette from '../../../web/src/palette.js';
import { placeOn, readLink, shareLink, writePlace } from '../../../web/src/url.js';
import { titleOf } from '../../../web/src/alarm.js';
import { DEFAULTS, parseChoices, Settings } from '../../../web/src/settings.js';
import { describe } from '../../../web/src/status.js';
import { turnOf } from '../../../web/src/turn.js';
import { Placing } from '../../../web/src/placing.js';
import { about, loadLanguage } from '../../../web/src/words.js';

await loadLanguage({ code: 'en', tag: 'en' });

test('tiles and offsets', () => {
  const it = { width: 1000, height: 600, edge: 256 };
  assert.equal(geom.across(it), 4);
  assert.equal(geom.down(it), 3);
  assert.equal(geom.keyOfPixel(it, 999, 599), geom.tileKey(3, 2));
  assert.equal(geom.offsetOfPixel(it, 257, 2), 2 * 256 + 1);
  assert.deepEqual([geom.keyTx(geom.tileKey(1023, 7)), geom.keyTy(geom.tileKey(1023, 7))], [1023, 7]);
  assert.ok(geom.hasPixel(it, 999, 599) && !geom.hasPixel(it, 1000, 0) && !geom.hasPixel(it, 0, -1));
});

test('a small canvas is watched whole, a large one in view and around, nearest first, never above the limit', () => {
  const view = { left: 10000, top: 10000, right: 11000, bottom: 10500 };
  assert.equal(geom.watchSet({ width: 1000, height: 1000, edge: 256 }, view, 256).length, 16);
  const large = { width: 65536, height: 65536, edge: 256 };
  const keys = geom.watchSet(large, view, 256);
  const tiles = keys.map((key) => [geom.keyTx(key), geom.keyTy(key)]);
  assert.deepEqual([Math.min(...tiles.map((t) => t[0])), Math.max(...tiles.map((t) => t[0]))], [38, 43]);
  assert.deepEqual([Math.min(...tiles.map((t) => t[1])), Math.max(...tiles.map((t) => t[1]))], [38, 42]);
  assert.deepEqual(tiles[0], [40, 39].map((v, i) => tiles[0][i]));
  const far = geom.watchSet(large, { left: 0, top: 0, right: 30000, bottom: 30000 }, 256);
  assert.equal(far.length, 256);
  assert.equal(new Set(far).size, 256);
  assert.deepEqual(geom.watchSet(large, { left: -900, top: -900, right: -500, bottom: -500 }, 256), []);
});

test('palettes', () => {
  const colors = palette.parsePalette([{ name: 'white', rgb: '#FFFFFF' }, { name: 'dark red', rgb: '#be0039' }]);
  assert.deepEqual(colors[1], { name: 'dark red', r: 0xbe, g: 0, b: 0x39, css: '#be0039' });
  const bytes = palette.paletteBytes(colors);
  assert.deepEqual([...bytes.slice(4, 8)], [0xbe, 0, 0x39, 255]);
  assert.deepEqual([...bytes.slice(40, 44)], [255, 255, 255, 255], 'a color not known yet is background');
  assert.throws(() => palette.parsePalette([{ name: 'one', rgb: '#000000' }]));
  assert.throws(() => palette.parsePalette([{ name: 'a', rgb: '#000000' }, { name: 'b', rgb: 'red' }]));
  assert.equal(palette.columns(32, 16), 16);
  assert.equal(palette.columns(18, 16), 9);
  assert.equal(palette.columns(5, 16), 5);
});

test('the clock runs on the server\'s durations', () => {
  const it = cooldown.started(1000, 4000, 5000);
  assert.equal(cooldown.remaining(it, 2000), 3000);
  assert.equal(cooldown.share(it, 1000), 0.8);
  assert.equal(cooldown.remaining(it, 9000), 0);
  assert.equal(cooldown.remaining(cooldown.started(1000, 0, 5000), 1000), 0);
  assert.equal(cooldown.clockText(299001), '5:00');
  assert.equal(cooldown.clockText(1), '0:01');
  assert.equal(cooldown.clockText(3729000), '1:02:09');
  assert.ok(cooldown.hasSlept({ mono: 0, wall: 0 }, { mono: 1000, wall: 61000 }));
  assert.ok(!cooldown.hasSlept({ mono: 0, wall: 0 }, { mono: 60000, wall: 60010 }), 'a throttled timer is no sleep');
});

const readPlace = (/** @type {string} */ href) => readLink(href).place;

test('places in the address', () => {
  assert.deepEqual(readPlace('http://x/?x=12&y=900&zoom=7.5'), { x: 12, y: 900, zoom: 7.5 });
  assert.deepEqual(readPlace('http://x/#x=1&y=2'), { x: 1, y: 2, zoom: null });
  for (const bad of ['', '?x=1', '?x=a&y=2', '?x=1e9&y=1', '?x=&y=']) assert.equal(readPlace(`http://x/${bad}`), null);
  assert.equal(readPlace('http://x/?x=1&y=1&zoom=-3').zoom, null);
  assert.equal(writePlace('http://x/?a=b#x=1&y=2', { x: 5.7, y: 6, zoom: 3.14159 }), 'http://x/?a=b&x=5&y=6&zoom=3.14');
  assert.deepEqual(readPlace(writePlace('http://x/', { x: 65535, y: 0, zoom: 0.25 })), { x: 65535, y: 0, zoom: 0.25 });
  assert.equal(shareLink('http://x/p/?lang=de&x=1&y=1#a', { x: 5, y: 6.5, zoom: 2 }), 'http://x/p/?x=5&y=6&zoom=2', 'nothing of how it was looked at');
});

test('links of the older sites', () => {
  const geom = { width: 1000, height: 601 };
  const place = (/** @type {string} */ link) => placeOn(readLink(`http://x/${link}`), geom);
  assert.deepEqual(place('?cx=412&cy=87&px=17&fixed=true'), { x: 412, y: 87, zoom: 17 }, 'r/place');
  assert.deepEqual(place('#x=412&y=87&scale=20&template=http%3A%2F%2Fa'), { x: 412, y: 87, zoom: 20 }, 'Pxls');
  assert.deepEqual(place('?x=412.5&y=87&scale=20'), { x: 412.5, y: 87, zoom: 20 });
  assert.deepEqual(place('#d,-120,30,20'), { x: 380, y: 330, zoom: 4 }, 'PixelPlanet counts from the middle');
  assert.deepEqual(place('#d,0,0'), { x: 500, y: 300, zoom: null });
  assert.deepEqual(readLink('http://x/?lat=48.2&lng=16.37&zoom=15'), { place: null, centered: false, earth: true }, 'wplace');
  assert.deepEqual(readLink('http://x/?lat=48.2&lng=16.37&x=3&y=4').earth, false);
  for (const bad of ['#d,1', '#d,1,2,3,4', '#1,2,3', '#d,9999999,1']) assert.equal(place(bad), null, bad);
  assert.equal(writePlace('http://x/?cx=1&cy=2&px=3', { x: 5, y: 6, zoom: 3 }), 'http://x/?x=5&y=6&zoom=3', 'and give way to our own form');
  assert.equal(writePlace('http://x/#d,1,2,3', { x: 5, y: 6, zoom: 3 }), 'http://x/?x=5&y=6&zoom=3');
});

test('every state of the connection has its face and its words', () => {
  const live = { phase: 'live', attempt: 0, retryAt: 0, reason: '' };
  const base = { connection: live, offline: false, readOnly: false, online: 12, now: 50000, heard: 49900 };
  assert.deepEqual(describe(base), { face: 'live', text: '12 online' });
  assert.equal(describe({ ...base, online: 1 }).text, 'Just you here');
  assert.equal(describe({ ...base, readOnly: true }).face, 'read-only');
  const waiting = { ...base, connection: { ...live, phase: 'waiting', attempt: 3, retryAt: 54200 }, heard: 40000 };
  assert.deepEqual(describe(waiting), { face: 'waiting', text: 'Reconnecting in 5 s · canvas as of 10 s ago' });
  assert.equal(describe({ ...waiting, offline: true }).face, 'offline');
  assert.equal(describe({ ...base, connection: { ...live, phase: 'connecting' }, heard: 0 }).text, 'Connecting…');
  assert.equal(describe({ ...base, connection: { ...live, phase: 'stopped', reason: 'origin' } }).face, 'stopped');
  const because = (/** @type {string} */ reason) => describe({ ...waiting, connection: { ...waiting.connection, reason } });
  assert.deepEqual(because('restarting'), { face: 'restarting', text: 'The server is restarting · canvas as of 10 s ago' });
  assert.deepEqual(because('full'), { face: 'refused', text: 'The server is full · next try in 5 s' });
  assert.equal(because('tooManySessions').face, 'refused');
  assert.deepEqual(because('noCookies'), { face: 'refused', text: 'This browser blocks cookies' });
  assert.equal(because('unreachable').face, 'waiting');
});

test('the title counts, and calls when it is time', () => {
  assert.equal(titleOf('Tessera', { left: 61000, ready: false }), '1:01 · Tessera');
  assert.equal(titleOf('Tessera', { left: 0, ready: true }), '● Your turn · Tessera');
  assert.equal(titleOf('Tessera', { left: 0, ready: false }), 'Tessera');
});

test('choices are kept, and what was stored is checked', () => {
  const stored = new Map();
  const store = { getItem: (/** @type {string} */ key) => stored.get(key) ?? null, setItem: (/** @type {string} */ key, /** @type {string} */ it) => void stored.set(key, it) };
  let told = 0;
  const settings = new Settings(() => store, () => told++);
  assert.deepEqual(settings.now, DEFAULTS);
  settings.set('confirm', 'always');
  settings.set('sound', true);
  assert.equal(told, 2);
  assert.deepEqual(new Settings(() => store, () => {}).now, { ...DEFAULTS, confirm: 'always', sound: true });
  for (const bad of ['', '{', '3', '[]', 'null', '{"confirm":"maybe","sound":1,"else":true}']) assert.deepEqual(parseChoices(bad), DEFAULTS, bad);
  const nowhere = new Settings(() => { throw new Error('no storage'); }, () => {});
  nowhere.set('map', false);
  assert.equal(nowhere.now.map, false);
});

test('the dock says whose turn it is', () => {
  const placing = new Placing();
  const red = { name: 'red', r: 255, g: 0, b: 0, css: '#ff0000' };
  const base = { now: 0, placing, color: null, aim: null, touch: false, folded: false, first: false };
  const face = (more) => turnOf({ ...base, ...more }).face;
  assert.deepEqual(turnOf(base), { face: 'blocked', title: 'Not connected', sub: 'Hold on a moment', share: 0 });
  assert.deepEqual(turnOf({ ...base, first: true }), { face: 'blocked', title: 'Just a moment', sub: 'Joining the canvas', share: 0 });
  placing.welcomed(0, { cooldownMs: 5000, nextNonce: 1, waitMs: 0, readOnly: false });
  assert.equal(face({}), 'idle');
  assert.equal(face({ color: red }), 'color');
  assert.equal(turnOf({ ...base, color: red, touch: true }).sub, 'Tap a pixel');
  assert.deepEqual(turnOf({ ...base, color: red, aim: { x: 3, y: 4 } }), { face: 'aim', title: 'red', sub: 'at 3, 4', share: 0 });
  const [{ draw }] = placing.draw(0, 3, 4, 1);
  assert.equal(face({ color: red }), 'placing');
  placing.verdict(0, { ...draw, code: 0, nextNonce: 2, waitMs: 5000, seq: 1 }, () => 1);
  assert.deepEqual(turnOf({ ...base, now: 1000 }), { face: 'cooldown', title: '0:04', sub: 'Next pixel', share: 0.8 });
  assert.equal(face({ now: 5001 }), 'idle');
  placing.readOnly = true;
  assert.equal(face({ color: red }), 'blocked');
});

test('waits in words', () => {
  const texts = [0, 10000, 10001, 49999, 50000, 89999, 90000, 299000, 5399999, 5400000, 86400000].map(about);
  assert.deepEqual(texts, [
    'a few seconds', 'a few seconds', 'less than a minute', 'less than a minute', 'about a minute', 'about a minute',
    'about 2 minutes', 'about 5 minutes', 'about 90 minutes', 'about 2 hours', 'about 24 hours',
  ]);
});
