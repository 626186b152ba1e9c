// The golden vectors of proto/vectors, which the C tests read as well.

import { readFileSync } from 'node:fs';

/** @param {string} name */
export function vectors(name) {
  return JSON.parse(readFileSync(new URL(`../../../proto/vectors/${name}`, import.meta.url), 'utf8'));
}

/** @param {string} text */
export function fromHex(text) {
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/** @param {Uint8Array} bytes */
export function toHex(bytes) {
  return Buffer.from(bytes).toString('hex');
}
