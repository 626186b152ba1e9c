// The place in the address bar: ?x=…&y=…&zoom=…, so that a link shows the same thing. Links of the older sites are understood, for people
// bring them along: r/place (?cx=&cy=&px=), Pxls (#x=&y=&scale=), PixelPlanet (#d,x,y,z, counted from the middle). Pure.

/**
 * @typedef {{ x: number, y: number, zoom: number | null }} Place  the pixel in the middle, and CSS pixels per pixel
 *
 * @typedef {object} Link
 * @property {Place | null} place  null: the link names no place
 * @property {boolean} centered    x and y count from the middle of the canvas
 * @property {boolean} earth       it names a place on a map of the world, of which this canvas knows nothing
 */

/** What links of other forms leave in a query. */
const FOREIGN = ['cx', 'cy', 'px', 'scale', 'lat', 'lng', 'lon'];

/** The names that the forms have for x, y and zoom. */
const FORMS = [
  { x: 'x', y: 'y', zoom: ['zoom', 'scale'] },
  { x: 'cx', y: 'cy', zoom: ['px'] },
];

/** @param {string | null} text */
function number(text) {
  if (text === null || !/^-?\d{1,7}(\.\d{1,20})?$/.test(text)) return null;
  return Number(text);
}

/** @param {URLSearchParams} params @returns {Place | null} */
function placeIn(params) {
  for (const names of FORMS) {
    const x = number(params.get(names.x));
    const y = number(params.get(names.y));
    const zoom = names.zoom.map((name) => number(params.get(name))).find((value) => value !== null && value > 0);
    if (x !== null && y !== null) return { x, y, zoom: zoom ?? null };
  }
  return null;
}

/** @param {string} hash @returns {Place | null} */
function pixelPlanet(hash) {
  const match = /^#[a-z],(-?\d{1,6}),(-?\d{1,6})(?:,(-?\d{1,3}))?$/i.exec(hash);
  if (!match) return null;
  // Its zoom is ten times the logarithm to base 2 of the scale.
  return { x: Number(match[1]), y: Number(match[2]), zoom: match[3] === undefined ? null : 2 ** (Number(match[3]) / 10) };
}

/** Reads the query, and the fragment in the same forms. @param {string} href @returns {Link} */
export function readLink(href) {
  const { searchParams, hash } = new URL(href);
  const place = placeIn(searchParams) ?? placeIn(new URLSearchParams(hash.slice(1)));
  if (place) return { place, centered: false, earth: false };
  const planet = pixelPlanet(hash);
  const earth = searchParams.has('lat') && (searchParams.has('lng') || searchParams.has('lon'));
  return { place: planet, centered: planet !== null, earth: planet === null && earth };
}

/** The place of a link on a canvas. @param {Link} link @param {{ width: number, height: number }} geom @returns {Place | null} */
export function placeOn({ place, centered }, { width, height }) {
  if (!place || !centered) return place;
  return { ...place, x: place.x + Math.floor(width / 2), y: place.y + Math.floor(height / 2) };
}

/** @param {URL} url @param {Place} place */
function setPlace(url, { x, y, zoom }) {
  url.searchParams.set('x', String(Math.floor(x)));
  url.searchParams.set('y', String(Math.floor(y)));
  if (zoom !== null) url.searchParams.set('zoom', String(Number(zoom.toPrecision(3))));
}

/** The same address with another place; everything else in it stays. @param {string} href @param {Place} place */
export function writePlace(href, place) {
  const url = new URL(href);
  for (const name of FOREIGN) url.searchParams.delete(name);
  if (placeIn(new URLSearchParams(url.hash.slice(1))) || pixelPlanet(url.hash)) url.hash = '';
  setPlace(url, place);
  return url.href;
}

/** What is handed to others: the place, and nothing of how it was looked at here. @param {string} href @param {Place} place */
export function shareLink(href, place) {
  const url = new URL(href);
  url.search = url.hash = '';
  setPlace(url, place);
  return url.href;
}
