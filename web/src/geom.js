// Where a pixel lies: canvas, tiles and offsets. Pure arithmetic.

/**
 * @typedef {object} Geom
 * @property {number} width   pixels
 * @property {number} height  pixels
 * @property {number} edge    pixels on a side of a tile: 64, 128 or 256
 *
 * @typedef {object} Rect  canvas pixels; fractions allowed
 * @property {number} left
 * @property {number} top
 * @property {number} right
 * @property {number} bottom
 */

/** @param {Geom} geom */
export const across = (geom) => Math.ceil(geom.width / geom.edge);

/** @param {Geom} geom */
export const down = (geom) => Math.ceil(geom.height / geom.edge);

/** @param {Geom} geom */
export const tileCount = (geom) => across(geom) * down(geom);

/** One number for a tile; does not depend on the canvas, so it survives growth.
 * @param {number} tx @param {number} ty */
export const tileKey = (tx, ty) => tx * 65536 + ty;

/** @param {number} key */
export const keyTx = (key) => Math.floor(key / 65536);

/** @param {number} key */
export const keyTy = (key) => key % 65536;

/** @param {Geom} geom @param {number} x @param {number} y */
export const keyOfPixel = (geom, x, y) => tileKey(Math.floor(x / geom.edge), Math.floor(y / geom.edge));

/** @param {Geom} geom @param {number} x @param {number} y */
export const offsetOfPixel = (geom, x, y) => (y % geom.edge) * geom.edge + (x % geom.edge);

/** @param {Geom} geom @param {number} x @param {number} y */
export const hasPixel = (geom, x, y) => x >= 0 && y >= 0 && x < geom.width && y < geom.height;

/** @param {Geom} geom @param {number} tx @param {number} ty */
export const hasTile = (geom, tx, ty) => tx >= 0 && ty >= 0 && tx < across(geom) && ty < down(geom);

/**
 * The tiles to watch for a view: all of them when the canvas has no more than `limit`, otherwise those in view, then
 * those around it, the nearest to the middle first, at most `limit`.
 * @param {Geom} geom @param {Rect} view @param {number} limit
 * @returns {number[]} tile keys
 */
export function watchSet(geom, view, limit) {
  const whole = tileCount(geom) <= limit;
  const margin = whole ? Infinity : 1;
  const left = Math.max(0, Math.floor(view.left / geom.edge) - margin);
  const top = Math.max(0, Math.floor(view.top / geom.edge) - margin);
  const right = Math.min(across(geom) - 1, Math.floor(view.right / geom.edge) + margin);
  const bottom = Math.min(down(geom) - 1, Math.floor(view.bottom / geom.edge) + margin);
  const midX = (view.left + view.right) / 2 / geom.edge - 0.5;
  const midY = (view.top + view.bottom) / 2 / geom.edge - 0.5;
  const seen = (/** @type {number} */ t, /** @type {number} */ from, /** @type {number} */ to) => (t + 1) * geom.edge > from && t * geom.edge < to;
  /** @type {{ key: number, around: number, far: number }[]} */
  const found = [];
  for (let ty = top; ty <= bottom; ty++) {
    for (let tx = left; tx <= right; tx++) {
      const around = seen(tx, view.left, view.right) && seen(ty, view.top, view.bottom) ? 0 : 1;
      found.push({ key: tileKey(tx, ty), around, far: (tx - midX) ** 2 + (ty - midY) ** 2 });
    }
  }
  found.sort((a, b) => a.around - b.around || a.far - b.far || a.key - b.key);
  return found.slice(0, limit).map((tile) => tile.key);
}
