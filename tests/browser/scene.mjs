// A made-up canvas, such as a crowd might have drawn it: a landscape in the middle, a patchwork of small pictures around it.
// The same for the same seed. Colors are indices of the default palette.

/** Names and colors of the default palette, white first. */
export const PALETTE = [
  ['white', '#ffffff'], ['burgundy', '#6d001a'], ['dark red', '#be0039'], ['red', '#ff4500'], ['orange', '#ffa800'],
  ['yellow', '#ffd635'], ['pale yellow', '#fff8b8'], ['dark green', '#00a368'], ['green', '#00cc78'], ['light green', '#7eed56'],
  ['dark teal', '#00756f'], ['teal', '#009eaa'], ['light teal', '#00ccc0'], ['dark blue', '#2450a4'], ['blue', '#3690ea'],
  ['light blue', '#51e9f4'], ['indigo', '#493ac1'], ['periwinkle', '#6a5cff'], ['lavender', '#94b3ff'], ['dark purple', '#811e9f'],
  ['purple', '#b44ac0'], ['pale purple', '#e4abff'], ['magenta', '#de107f'], ['pink', '#ff3881'], ['light pink', '#ff99aa'],
  ['dark brown', '#6d482f'], ['brown', '#9c6926'], ['beige', '#ffb470'], ['black', '#000000'], ['dark gray', '#515252'],
  ['gray', '#898d90'], ['light gray', '#d4d7d9'],
].map(([name, rgb]) => ({ name, rgb }));

const index = new Map(PALETTE.map(({ name }, i) => [name, i]));
const c = (/** @type {string} */ name) => /** @type {number} */ (index.get(name));

/** @param {number} seed */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const SPRITES = {
  heart: ['.##..##.', '########', '########', '########', '.######.', '..####..', '...##...'],
  cat: ['#.....#', '##...##', '#######', '#.###.#', '#######', '##.#.##', '.#####.'],
  mushroom: ['..####..', '.######.', '##.##.##', '########', '########', '..####..', '..####..', '..####..'],
  ghost: ['..####..', '.######.', '########', '#..##..#', '#..##..#', '########', '########', '#.##.##.'],
  tree: ['...#...', '..###..', '..###..', '.#####.', '.#####.', '#######', '...#...', '...#...'],
  duck: ['..###...', '.#.###..', '#####...', '..###..#', '..######', '..######', '...####.'],
  star: ['....#....', '....#....', '...###...', '#########', '.#######.', '..#####..', '..##.##..', '.##...##.', '.#.....#.'],
  key: ['.###........', '#...#.......', '#...########', '#...#..#.#..', '.###........'],
};

/** @param {number} width @param {number} height @param {number} seed */
export function makeScene(width, height, seed = 7) {
  const px = new Uint8Array(width * height);
  const random = generator(seed);
  const pick = (/** @type {any[]} */ list) => list[Math.floor(random() * list.length)];
  const set = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ color) => {
    if (x >= 0 && y >= 0 && x < width && y < height) px[y * width + x] = color;
  };
  const fill = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ w, /** @type {number} */ h, /** @type {(i: number, j: number) => number} */ color) => {
    for (let j = 0; j < h; j++) for (let i = 0; i < w; i++) set(x + i, y + j, color(i, j));
  };
  const dither = (/** @type {number} */ share, /** @type {number} */ x, /** @type {number} */ y) =>
    share * 16 > [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5][(y % 4) * 4 + (x % 4)];

  const ramps = [
    ['burgundy', 'dark red', 'red', 'orange', 'yellow', 'pale yellow'],
    ['dark blue', 'blue', 'light blue', 'white'],
    ['indigo', 'periwinkle', 'lavender', 'white'],
    ['dark purple', 'purple', 'pale purple', 'light pink'],
    ['dark teal', 'dark green', 'green', 'light green', 'pale yellow'],
    ['dark brown', 'brown', 'beige', 'pale yellow'],
    ['black', 'dark gray', 'gray', 'light gray'],
    ['magenta', 'pink', 'light pink', 'white'],
  ].map((names) => names.map(c));

  /** @typedef {(x: number, y: number, w: number, h: number) => void} Painter */
  /** @type {Painter} */
  const gradient = (x, y, w, h) => {
    const ramp = pick(ramps);
    const tilt = random() < 0.5;
    fill(x, y, w, h, (i, j) => {
      const at = ((tilt ? j / h : (i + j) / (w + h)) * (ramp.length - 1)) % ramp.length;
      return dither(at % 1, x + i, y + j) ? ramp[Math.floor(at) + 1] : ramp[Math.floor(at)];
    });
  };
  /** @type {Painter} */
  const flag = (x, y, w, h) => {
    const stripes = Array.from({ length: 2 + Math.floor(random() * 4) }, () => Math.floor(random() * 31));
    const upright = random() < 0.4;
    const hoist = random() < 0.35 ? Math.floor(random() * 31) : -1;
    fill(x, y, w, h, (i, j) => {
      if (hoist >= 0 && i < Math.min(j, h - j) * 0.9) return hoist;
      return stripes[Math.floor(((upright ? i / w : j / h) * stripes.length) % stripes.length)];
    });
  };
  /** @type {Painter} */
  const checks = (x, y, w, h) => {
    const [a, b] = [pick(pick(ramps)), pick(pick(ramps))];
    const size = 2 + Math.floor(random() * 5);
    fill(x, y, w, h, (i, j) => ((Math.floor(i / size) + Math.floor(j / size)) % 2 ? a : b));
  };
  /** @type {Painter} */
  const rings = (x, y, w, h) => {
    const ramp = pick(ramps);
    fill(x, y, w, h, (i, j) => ramp[Math.floor(Math.hypot(i - w / 2, j - h / 2) / 4) % ramp.length]);
  };
  /** @type {Painter} */
  const sprites = (x, y, w, h) => {
    const ground = pick([0, 28, 15, 6, 18, 31, 24, 12]);
    const rows = pick(Object.values(SPRITES));
    const ink = pick([2, 3, 5, 7, 13, 17, 19, 22, 23, 28].filter((it) => it !== ground));
    const size = Math.max(1, Math.floor(Math.min(w, h) / pick([10, 12, 22, 24])));
    fill(x, y, w, h, () => ground);
    const [sw, sh] = [(rows[0].length + 2) * size, (rows.length + 2) * size];
    const [cols, lines] = [Math.max(1, Math.floor(w / sw)), Math.max(1, Math.floor(h / sh))];
    for (let row = 0; row < lines; row++) {
      for (let col = 0; col < cols; col++) {
        const left = x + Math.floor((w - cols * sw) / 2) + col * sw + size;
        const top = y + Math.floor((h - lines * sh) / 2) + row * sh + size;
        rows.forEach((/** @type {string} */ line, /** @type {number} */ j) =>
          [...line].forEach((dot, i) => dot === '#' && fill(left + i * size, top + j * size, size, size, () => ink)));
      }
    }
  };
  /** @type {Painter} */
  const invaders = (x, y, w, h) => {
    fill(x, y, w, h, () => 28);
    for (let top = y + 3; top + 8 < y + h; top += 11) {
      for (let left = x + 3; left + 8 < x + w; left += 11) {
        const ink = pick([5, 9, 15, 23, 17, 4]);
        for (let j = 0; j < 8; j++) {
          for (let i = 0; i < 4; i++) {
            if (random() < 0.52) for (const at of [i, 7 - i]) set(left + at, top + j, ink);
          }
        }
      }
    }
  };
  /** @type {Painter} */
  const waves = (x, y, w, h) => {
    const ramp = pick(ramps);
    const f = 0.1 + random() * 0.25;
    fill(x, y, w, h, (i, j) => ramp[Math.abs(Math.floor((j + Math.sin(i * f) * 4) / 5)) % ramp.length]);
  };
  const painters = [gradient, flag, flag, checks, rings, sprites, sprites, sprites, invaders, waves];

  /** @param {number} x @param {number} y @param {number} w @param {number} h @param {number} depth */
  const patch = (x, y, w, h, depth) => {
    if (depth > 0 && (Math.max(w, h) > 150 || (Math.max(w, h) > 44 && random() < 0.82))) {
      const cut = 0.3 + random() * 0.4;
      if (w > h) {
        patch(x, y, Math.round(w * cut), h, depth - 1);
        patch(x + Math.round(w * cut), y, w - Math.round(w * cut), h, depth - 1);
      } else {
        patch(x, y, w, Math.round(h * cut), depth - 1);
        patch(x, y + Math.round(h * cut), w, h - Math.round(h * cut), depth - 1);
      }
      return;
    }
    pick(painters)(x, y, w, h);
  };
  patch(0, 0, width, height, 9);
  landscape(Math.round(width * 0.27), Math.round(height * 0.3), Math.round(width * 0.46), Math.round(height * 0.36));
  for (let i = 0; i < (width * height) / 900; i++) set(Math.floor(random() * width), Math.floor(random() * height), Math.floor(random() * 32));
  return px;

  /** Sky, sun, hills and a lake. @type {Painter} */
  function landscape(x, y, w, h) {
    const sky = ['indigo', 'dark purple', 'purple', 'magenta', 'pink', 'light pink', 'beige', 'pale yellow'].map(c);
    const shore = Math.round(h * 0.68);
    fill(x - 3, y - 3, w + 6, h + 6, () => 28);
    fill(x, y, w, shore, (i, j) => {
      const at = (j / shore) * (sky.length - 1.001);
      return dither(at % 1, i, j) ? sky[Math.floor(at) + 1] : sky[Math.floor(at)];
    });
    for (let i = 0; i < 70; i++) set(x + Math.floor(random() * w), y + Math.floor(random() * random() * shore * 0.5), 0);
    const sun = { i: Math.round(w * 0.62), j: Math.round(shore * 0.72), r: Math.round(h * 0.15) };
    fill(x + sun.i - sun.r, y + sun.j - sun.r, 2 * sun.r, 2 * sun.r, (i, j) => {
      const far = Math.hypot(i - sun.r + 0.5, j - sun.r + 0.5);
      return far < sun.r - 5 ? 6 : far < sun.r ? 5 : px[(y + sun.j - sun.r + j) * width + x + sun.i - sun.r + i];
    });
    const ridge = (/** @type {number} */ base, /** @type {number} */ high, /** @type {number} */ seedAt, /** @type {number[]} */ inks) => {
      for (let i = 0; i < w; i++) {
        const t = i / w;
        const rise = Math.abs(Math.sin(t * 7 + seedAt)) * 0.6 + Math.abs(Math.sin(t * 17 + seedAt * 2)) * 0.28 + Math.sin(t * 53 + seedAt) * 0.06;
        const top = Math.round(base - rise * high);
        for (let j = top; j < shore; j++) set(x + i, y + j, dither(Math.min(1, (j - top) / high), i, j) ? inks[1] : inks[0]);
        if (inks[2] !== undefined && rise > 0.62) for (let j = top; j < top + (rise - 0.62) * high; j++) set(x + i, y + j, inks[2]);
      }
    };
    ridge(shore, h * 0.34, 0.4, [c('periwinkle'), c('indigo'), 0]);
    ridge(shore, h * 0.2, 2.1, [c('dark blue'), c('dark teal')]);
    ridge(shore, h * 0.09, 4.2, [c('dark green'), c('dark teal')]);
    fill(x, y + shore, w, h - shore, (i, j) => {
      const mirror = px[(y + shore - 1 - Math.floor(j * 1.6)) * width + Math.min(x + w - 1, Math.max(x, x + i + Math.round(Math.sin(j * 1.1) * (1 + j / 14))))];
      return (j + Math.floor(Math.sin(i * 0.13 + j) * 1.5)) % 5 === 0 ? c('light blue') : dither(0.32 + j / h, i, j) ? c('blue') : mirror;
    });
    for (let n = 0; n < 26; n++) {
      const i = Math.floor(random() * w);
      const size = 5 + Math.floor(random() * 9);
      for (let j = 0; j < size * 2; j++) for (let k = -Math.floor(j / 3.2); k <= j / 3.2; k++) {
        if (i + k >= 0 && i + k < w) set(x + i + k, y + shore + 2 - size * 2 + j, k < 0 ? c('dark teal') : 28);
      }
    }
  }
}
