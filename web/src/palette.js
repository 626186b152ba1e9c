// Colors: index to RGB and a name.

/**
 * @typedef {object} Color
 * @property {string} name  in the reader's language
 * @property {number} r
 * @property {number} g
 * @property {number} b
 * @property {string} css
 */

/**
 * The palette of GET /api/v1/canvas. Throws when it is none.
 * @param {{ name: string, rgb: string }[]} list
 * @param {(name: string) => string} [nameOf]  the name as the reader knows it
 * @returns {Color[]}
 */
export function parsePalette(list, nameOf = (name) => name) {
  if (!Array.isArray(list) || list.length < 2 || list.length > 256) throw new Error('a palette has 2 to 256 colors');
  return list.map(({ name, rgb }) => {
    const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(rgb);
    if (!match) throw new Error(`not a color: ${rgb}`);
    const [r, g, b] = match.slice(1).map((hex) => parseInt(hex, 16));
    return { name: nameOf(String(name)), r, g, b, css: rgb.toLowerCase() };
  });
}

/** RGBA bytes of 256 entries; unknown indices are the background's. @param {Color[]} palette */
export function paletteBytes(palette) {
  const bytes = new Uint8Array(256 * 4);
  for (let i = 0; i < 256; i++) {
    const { r, g, b } = palette[i] ?? palette[0];
    bytes.set([r, g, b, 255], i * 4);
  }
  return bytes;
}

/** Relative luminance, 0 to 1. @param {Color} color */
export function luminance({ r, g, b }) {
  const [lr, lg, lb] = [r, g, b].map((v) => (v <= 10 ? v / 3294 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * lr + 0.7152 * lg + 0.0722 * lb;
}

/** Whether dark ink reads better than light ink on this color. @param {Color} color */
export const wantsDarkInk = (color) => luminance(color) > 0.18;

/**
 * How many columns the swatches take: rows as even as possible, at most `most` columns.
 * @param {number} count @param {number} most
 */
export function columns(count, most) {
  return Math.ceil(count / Math.ceil(count / most));
}
