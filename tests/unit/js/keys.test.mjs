// Keys mean the same on every keyboard, and other pages of the player are believed only what can be.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digitColor, letterOf } from '../../../web/src/input.js';
import { leftOf } from '../../../web/src/siblings.js';

test('a digit chooses its color on every keyboard', () => {
  const of = (/** @type {string} */ key, /** @type {string} */ code, shiftKey = false) => digitColor({ key, code, shiftKey });
  assert.deepEqual([of('1', 'Digit1'), of('0', 'Digit0'), of('!', 'Digit1', true), of(')', 'Digit0', true)], [0, 9, 10, 19]);
  assert.deepEqual([of('&', 'Digit1'), of('à', 'Digit0'), of('1', 'Digit1', true)], [0, 9, 0], 'French: digits need Shift, and are digits with it');
  assert.deepEqual([of('٣', 'Digit3'), of('3', 'Numpad3')], [2, 2]);
  assert.deepEqual([of('PageDown', 'Numpad3'), of('ArrowLeft', 'Numpad4'), of('a', 'KeyA')], [null, null, null], 'without Num Lock they are other keys');
});

test('a letter is the one that is written on the key, or where it would be', () => {
  assert.equal(letterOf({ key: 'm', code: 'Semicolon' }), 'm', 'French');
  assert.equal(letterOf({ key: ',', code: 'KeyM' }), ',', 'French: no second M');
  assert.equal(letterOf({ key: 'I', code: 'KeyG' }), 'i', 'Dvorak, with Shift');
  assert.equal(letterOf({ key: 'ш', code: 'KeyI' }), 'i', 'Russian');
  assert.equal(letterOf({ key: 'ه', code: 'KeyI' }), 'i', 'Arabic');
  for (const key of ['Enter', 'Dead', 'ö']) assert.equal(letterOf({ key, code: 'Semicolon' }), '', key);
});

test('a wait that was told is over when it is over, also for a page that slept', () => {
  assert.equal(leftOf(5000, 1000, 1000), 5000);
  assert.equal(leftOf(5000, 1000, 4000), 2000);
  assert.equal(leftOf(5000, 1000, 9000), 0);
  assert.equal(leftOf(5000, 9000, 1000), 5000, 'a clock that was set back makes it no longer');
});
