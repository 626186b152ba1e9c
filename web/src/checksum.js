// A tile's checksum: the sum of mix64(offset, color) over its pixels, modulo 2^64, as in common/core/mix.h. In halves of
// 32 bits, since a bigint per pixel would take seconds for a canvas.

/**
 * The high 32 bits of a * b. The low ones are Math.imul(a, b).
 * @param {number} a
 * @param {number} b
 */
function mulHigh(a, b) {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const low = aLow * bLow;
  const middle = aHigh * bLow + (low >>> 16); // below 2^32: (2^16 - 1)^2 + 2^16 - 1
  const other = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + (middle >>> 16) + (other >>> 16)) >>> 0;
}

const FIRST_HIGH = 0xbf58476d;
const FIRST_LOW = 0x1ce4e5b9;
const SECOND_HIGH = 0x94d049bb;
const SECOND_LOW = 0x133111eb;

export class Checksum {
  constructor() {
    this.high = 0;
    this.low = 0;
  }

  /**
   * @param {Uint8Array} pixels may be shorter than the tile: the rest is background, which counts nothing
   * @returns {Checksum}
   */
  static of(pixels) {
    const sum = new Checksum();
    for (let i = 0; i < pixels.length; i++) {
      if (pixels[i] !== 0) sum.add(i, pixels[i], 1);
    }
    return sum;
  }

  /**
   * A pixel of the tile changed.
   * @param {number} offset
   * @param {number} before
   * @param {number} after
   */
  replace(offset, before, after) {
    this.add(offset, after, 1);
    this.add(offset, before, -1);
  }

  /**
   * Adds (or, with sign -1, takes away) the share of one pixel: the finaliser of SplitMix64 over offset * 256 + color.
   * @param {number} offset below 65536
   * @param {number} color
   * @param {1 | -1} sign
   */
  add(offset, color, sign) {
    if (color === 0) return;
    // x ^= x >> 30 changes nothing: x is below 2^24. Then x *= FIRST.
    const x = offset << 8 | color;
    let low = Math.imul(x, FIRST_LOW) >>> 0;
    let high = (Math.imul(x, FIRST_HIGH) + mulHigh(x, FIRST_LOW)) >>> 0;
    // x ^= x >> 27
    low = (low ^ (low >>> 27 | high << 5)) >>> 0;
    high = (high ^ high >>> 27) >>> 0;
    // x *= SECOND
    high = (Math.imul(low, SECOND_HIGH) + Math.imul(high, SECOND_LOW) + mulHigh(low, SECOND_LOW)) >>> 0;
    low = Math.imul(low, SECOND_LOW) >>> 0;
    // x ^= x >> 31
    low = (low ^ (low >>> 31 | high << 1)) >>> 0;
    high = (high ^ high >>> 31) >>> 0;

    const sum = this.low + sign * low;
    this.low = sum >>> 0;
    this.high = (this.high + sign * high + Math.floor(sum / 2 ** 32)) >>> 0;
  }

  /** @returns {bigint} */
  get value() {
    return BigInt(this.high) << 32n | BigInt(this.low);
  }

  /**
   * @param {bigint} checksum as a SNAPSHOT has it
   * @returns {boolean}
   */
  equals(checksum) {
    return this.value === checksum;
  }
}

/**
 * @param {Uint8Array} pixels
 * @returns {bigint}
 */
export function tileChecksum(pixels) {
  return Checksum.of(pixels).value;
}
