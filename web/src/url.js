// The place in the address bar: ?x=…&y=…&zoom=…, so that a link shows the same thing.

/**
 * @typedef {{ x: number, y: number, zoom: number | null }} Place  the pixel in the middle, and CSS pixels per pixel
 */

/** @param {string | null} text */
function number(text) {
  if (text === null || !/^-?\d{1,7}(\.\d{1,4})?$/.test(text)) return null;
  return Number(text);
}

/** Reads the query, or the fragment in the same form. null: the link names no place. @param {string} href @returns {Place | null} */
export function readPlace(href) {
  const url = new URL(href);
  for (const params of [url.searchParams, new URLSearchParams(url.hash.slice(1))]) {
    const x = number(params.get('x'));
    const y = number(params.get('y'));
    const zoom = number(params.get('zoom'));
    if (x !== null && y !== null) return { x, y, zoom: zoom !== null && zoom > 0 ? zoom : null };
  }
  return null;
}

/** The same address with another place; everything else in it stays. @param {string} href @param {Place} place */
export function writePlace(href, { x, y, zoom }) {
  const url = new URL(href);
  url.searchParams.set('x', String(Math.floor(x)));
  url.searchParams.set('y', String(Math.floor(y)));
  if (zoom !== null) url.searchParams.set('zoom', String(Number(zoom.toPrecision(3))));
  const hash = new URLSearchParams(url.hash.slice(1));
  if (hash.has('x') && hash.has('y')) url.hash = '';
  return url.href;
}
