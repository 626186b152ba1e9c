// WebGL2: tiles are layers of one texture of color indices, a table says which layer a tile has, and rectangles of the screen are
// drawn from it: all of it when the view has moved, else those of the pixels that changed. A pixel that changed is one texel
// written. Far out, each screen pixel averages the canvas pixels under it, in linear light.

import { across, down, hasTile, keyTx, keyTy } from './geom.js';
import { toCanvas, toScreen } from './camera.js';
import { boxOf, Changes, damage, gridStrength, SINGLES_MAX } from './renderer.js';

/** @typedef {import('./renderer.js').Renderer} Renderer */
/** @typedef {import('./renderer.js').Frame} Frame */

const LAYERS_FIRST = 16;
const TAPS_MAX = 12;

const VERTEX = `#version 300 es
layout(location = 0) in vec4 a_rect;
uniform vec2 u_screen;
void main() {
  vec2 at = vec2((gl_VertexID & 1) == 0 ? a_rect.x : a_rect.z, (gl_VertexID & 2) == 0 ? a_rect.y : a_rect.w) / u_screen;
  gl_Position = vec4(2.0 * at.x - 1.0, 1.0 - 2.0 * at.y, 0.0, 1.0);
}`;

// Positions are an integer pixel plus a small fraction: on a canvas of 65,536 pixels a float alone would be too coarse.
const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
precision highp usampler2DArray;
uniform usampler2DArray u_tiles;
uniform usampler2D u_table;
uniform sampler2D u_palette;
uniform ivec2 u_base;
uniform vec2 u_rest;
uniform ivec2 u_size;
uniform float u_height;
uniform float u_step;
uniform int u_edge;
uniform int u_taps;
uniform float u_grid;
uniform vec4 u_vacant;
uniform float u_shadow;
uniform float u_shadow_size;
out vec4 o_color;

vec4 pixel(ivec2 at) {
  if (at.x < 0 || at.y < 0 || at.x >= u_size.x || at.y >= u_size.y) return vec4(0.0);
  int layer = int(texelFetch(u_table, at / u_edge, 0).r) - 1;
  if (layer < 0) return u_vacant;
  uint color = texelFetch(u_tiles, ivec3(at % u_edge, layer), 0).r;
  return texelFetch(u_palette, ivec2(int(color), 0), 0);
}

vec3 encode(vec3 light) {
  return mix(12.92 * light, 1.055 * pow(light, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, light));
}

void main() {
  vec2 device = vec2(gl_FragCoord.x, u_height - gl_FragCoord.y);
  vec4 sum = vec4(0.0);
  for (int j = 0; j < u_taps; j++) {
    for (int i = 0; i < u_taps; i++) {
      vec2 tap = device - 0.5 + (vec2(i, j) + 0.5) / float(u_taps);
      sum += pixel(u_base + ivec2(floor(u_rest + tap * u_step)));
    }
  }
  sum /= float(u_taps * u_taps);
  vec2 at = u_rest + device * u_step;
  vec3 color = sum.a > 0.0 ? encode(sum.rgb / sum.a) : vec3(0.0);
  if (u_grid > 0.0 && sum.a > 0.0) {
    vec2 line = step(fract(at), vec2(u_step));
    float bright = dot(color, vec3(0.299, 0.587, 0.114));
    color = mix(color, vec3(bright > 0.45 ? 0.0 : 1.0), max(line.x, line.y) * u_grid * (bright > 0.45 ? 0.11 : 0.16));
  }
  vec2 from = (vec2(-u_base) - at) / u_step;
  vec2 past = (at - vec2(u_size - u_base)) / u_step;
  vec2 outside = max(max(from, past), 0.0);
  float shadow = u_shadow * exp(-length(outside) / u_shadow_size);
  o_color = vec4(color * sum.a, max(sum.a, shadow));
}`;

/**
 * @param {HTMLCanvasElement} canvas @param {() => void} restored @param {boolean} inSoftware  is good enough
 * @returns {Renderer | null} null: there is no WebGL2, or only one that is slower than the plain renderer
 */
export function createGlRenderer(canvas, restored, inSoftware) {
  if (!inSoftware && isSoftware()) return null;
  const gl = canvas.getContext('webgl2', { antialias: false, depth: false, preserveDrawingBuffer: true, powerPreference: 'low-power' });
  if (!gl) return null;
  const screen = new GlScreen(gl);
  canvas.addEventListener('webglcontextlost', (event) => event.preventDefault());
  canvas.addEventListener('webglcontextrestored', () => {
    screen.build();
    restored();
  });
  return screen;
}

/** Whether there is no graphics device behind it. `failIfMajorPerformanceCaveat` would say so, and does not everywhere. */
function isSoftware() {
  const gl = document.createElement('canvas').getContext('webgl2', { failIfMajorPerformanceCaveat: true });
  if (!gl) return true;
  // Firefox names the device by itself, and has a warning for those who ask in the older way.
  const plain = String(gl.getParameter(gl.RENDERER));
  const info = /^WebKit/.test(plain) ? gl.getExtension('WEBGL_debug_renderer_info') : null;
  const name = info ? String(gl.getParameter(info.UNMASKED_RENDERER_WEBGL)) : plain;
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}

/** @implements {Renderer} */
class GlScreen {
  kind = 'webgl2';
  /** @type {import('./geom.js').Geom} */
  #geom = { width: 1, height: 1, edge: 256 };
  /** @type {Uint8Array | null} */
  #palette = null;
  #changes = new Changes();
  /** @type {Frame | null} what is on the screen, null: it has to be drawn whole */
  #shown = null;
  /** @type {Map<number, { layer: number, px: Uint8Array }>} */
  #tiles = new Map();
  /** @type {number[]} */
  #free = [];
  #layers = 0;
  /** @type {Map<string, WebGLUniformLocation | null>} */
  #uniforms = new Map();
  /** @type {WebGLTexture | null} */
  #tileTexture = null;
  /** @type {WebGLTexture | null} */
  #tableTexture = null;
  /** @type {WebGLTexture | null} */
  #paletteTexture = null;

  /** @param {WebGL2RenderingContext} gl */
  constructor(gl) {
    this.gl = gl;
    this.layersMost = /** @type {number} */ (gl.getParameter(gl.MAX_ARRAY_TEXTURE_LAYERS));
    this.build();
  }

  /** Makes everything that lives on the device; again after it was lost. */
  build() {
    const { gl } = this;
    const program = link(gl, VERTEX, FRAGMENT);
    gl.useProgram(program);
    this.#uniforms.clear();
    const count = gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS);
    for (let i = 0; i < count; i++) {
      const name = /** @type {WebGLActiveInfo} */ (gl.getActiveUniform(program, i)).name;
      this.#uniforms.set(name, gl.getUniformLocation(program, name));
    }
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 4, gl.UNSIGNED_SHORT, false, 0, 0);
    gl.vertexAttribDivisor(0, 1);
    ['u_tiles', 'u_table', 'u_palette'].forEach((name, unit) => gl.uniform1i(this.#uniform(name), unit));
    this.#tiles.clear();
    this.#tileTexture = this.#tableTexture = this.#paletteTexture = null;
    this.#allocate(LAYERS_FIRST);
    this.setGeometry(this.#geom);
    if (this.#palette) this.setPalette(this.#palette);
  }

  /** @param {import('./geom.js').Geom} geom */
  setGeometry(geom) {
    const { gl } = this;
    const otherEdge = geom.edge !== this.#geom.edge;
    this.#geom = geom;
    this.#shown = null;
    if (otherEdge) {
      this.#tiles.clear();
      this.#allocate(LAYERS_FIRST);
    }
    gl.activeTexture(gl.TEXTURE1);
    this.#tableTexture = renewTexture(gl, gl.TEXTURE_2D, this.#tableTexture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.R16UI, across(geom), down(geom));
    for (const [key, { layer }] of this.#tiles) this.#point(key, layer + 1);
  }

  /** @param {Uint8Array} bytes */
  setPalette(bytes) {
    const { gl } = this;
    this.#palette = bytes;
    this.#shown = null;
    gl.activeTexture(gl.TEXTURE2);
    this.#paletteTexture = renewTexture(gl, gl.TEXTURE_2D, this.#paletteTexture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.SRGB8_ALPHA8, 256, 1);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, 256, 1, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
  }

  /** @param {number} key @param {Uint8Array} px @param {Uint16Array | null} offsets */
  update(key, px, offsets) {
    this.#changes.add(key, px, offsets);
  }

  /** @param {number} key */
  drop(key) {
    this.#changes.forget(key);
    const tile = this.#tiles.get(key);
    if (!tile) return;
    this.#tiles.delete(key);
    this.#shown = null;
    this.#free.push(tile.layer);
    this.#point(key, 0);
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    this.gl.canvas.width = width;
    this.gl.canvas.height = height;
    this.gl.viewport(0, 0, width, height);
    this.#shown = null;
  }

  /** @param {Frame} frame */
  draw(frame) {
    const { gl } = this;
    if (gl.isContextLost()) return;
    const changes = this.#changes.take();
    for (const [key, { px, offsets }] of changes) this.#upload(key, px, offsets);
    const rects = damage(this.#geom, this.#shown, frame, changes) ?? [0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight];
    this.#shown = frame;
    if (rects.length === 0) return;
    this.#look(frame);
    gl.bufferData(gl.ARRAY_BUFFER, new Uint16Array(rects), gl.STREAM_DRAW);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, rects.length / 4);
    this.#drawMarks(frame);
  }

  /** What the program has to know of the view. @param {Frame} frame */
  #look(frame) {
    const { gl } = this;
    const { camera, screen, ratio, look } = frame;
    const step = 1 / (camera.scale * ratio);
    const corner = toCanvas(camera, screen, { x: 0, y: 0 });
    const base = { x: Math.floor(corner.x), y: Math.floor(corner.y) };
    gl.uniform2i(this.#uniform('u_base'), base.x, base.y);
    gl.uniform2f(this.#uniform('u_rest'), corner.x - base.x, corner.y - base.y);
    gl.uniform2i(this.#uniform('u_size'), this.#geom.width, this.#geom.height);
    gl.uniform1f(this.#uniform('u_height'), gl.drawingBufferHeight);
    gl.uniform2f(this.#uniform('u_screen'), gl.drawingBufferWidth, gl.drawingBufferHeight);
    gl.uniform1f(this.#uniform('u_step'), step);
    gl.uniform1i(this.#uniform('u_edge'), this.#geom.edge);
    gl.uniform1i(this.#uniform('u_taps'), step > 1 && !frame.coarse ? Math.min(TAPS_MAX, Math.ceil(step) + 1) : 1);
    gl.uniform1f(this.#uniform('u_grid'), gridStrength(camera.scale));
    gl.uniform4fv(this.#uniform('u_vacant'), look.vacant.map((v, i) => (i < 3 ? linear(v) : v)));
    gl.uniform1f(this.#uniform('u_shadow'), look.shadow);
    gl.uniform1f(this.#uniform('u_shadow_size'), 9 * ratio);
  }

  /** Few and rectangular: clearing a scissored box needs no program of its own. @param {Frame} frame */
  #drawMarks({ camera, screen, ratio, marks }) {
    if (marks.length === 0) return;
    const { gl } = this;
    const height = gl.drawingBufferHeight;
    gl.enable(gl.SCISSOR_TEST);
    for (const { x, y, rgb, inset } of marks) {
      const from = toScreen(camera, screen, { x: x + inset, y: y + inset });
      const to = toScreen(camera, screen, { x: x + 1 - inset, y: y + 1 - inset });
      const left = Math.round(from.x * ratio);
      const top = Math.round(from.y * ratio);
      const right = Math.max(left + 1, Math.round(to.x * ratio));
      const bottom = Math.max(top + 1, Math.round(to.y * ratio));
      gl.scissor(left, height - bottom, right - left, bottom - top);
      gl.clearColor(rgb[0] / 255, rgb[1] / 255, rgb[2] / 255, 1);
      gl.clear(gl.COLOR_BUFFER_BIT);
    }
    gl.disable(gl.SCISSOR_TEST);
  }

  /** @param {number} key @param {Uint8Array} px @param {number[] | null} offsets */
  #upload(key, px, offsets) {
    const { gl } = this;
    const { edge } = this.#geom;
    gl.activeTexture(gl.TEXTURE0);
    const known = this.#tiles.get(key);
    if (!known || offsets === null) {
      const layer = known?.layer ?? this.#takeLayer();
      if (layer === null) return;
      this.#tiles.set(key, { layer, px });
      this.#write(layer, 0, 0, edge, edge, px, 0);
      if (!known) this.#point(key, layer + 1);
    } else if (offsets.length <= SINGLES_MAX) {
      for (const offset of offsets) this.#write(known.layer, offset % edge, Math.floor(offset / edge), 1, 1, px, offset);
    } else {
      const { x, y, width, height } = boxOf(offsets, edge);
      gl.pixelStorei(gl.UNPACK_ROW_LENGTH, edge);
      this.#write(known.layer, x, y, width, height, px, y * edge + x);
      gl.pixelStorei(gl.UNPACK_ROW_LENGTH, 0);
    }
  }

  /** @param {number} layer @param {number} x @param {number} y @param {number} width @param {number} height
   * @param {Uint8Array} px @param {number} at */
  #write(layer, x, y, width, height, px, at) {
    const { gl } = this;
    gl.texSubImage3D(
      gl.TEXTURE_2D_ARRAY, 0, x, y, layer, width, height, 1, gl.RED_INTEGER, gl.UNSIGNED_BYTE, px, at,
    );
  }

  /** null: the device holds no more; the tile stays vacant. */
  #takeLayer() {
    const more = Math.min(this.#layers * 2, this.layersMost);
    if (this.#free.length === 0 && more > this.#layers) this.#allocate(more);
    return this.#free.shift() ?? null;
  }

  /** A larger texture, with the tiles that there are. @param {number} layers */
  #allocate(layers) {
    const { gl } = this;
    const { edge } = this.#geom;
    gl.activeTexture(gl.TEXTURE0);
    this.#tileTexture = renewTexture(gl, gl.TEXTURE_2D_ARRAY, this.#tileTexture);
    gl.texStorage3D(gl.TEXTURE_2D_ARRAY, 1, gl.R8UI, edge, edge, layers);
    this.#layers = layers;
    let next = 0;
    for (const [key, tile] of this.#tiles) {
      tile.layer = next++;
      this.#write(tile.layer, 0, 0, edge, edge, tile.px, 0);
      this.#point(key, tile.layer + 1);
    }
    this.#free = Array.from({ length: layers - next }, (_, i) => next + i);
    gl.activeTexture(gl.TEXTURE0);
  }

  /** @param {number} key @param {number} layer 0: none */
  #point(key, layer) {
    const { gl } = this;
    if (!this.#tableTexture || !hasTile(this.#geom, keyTx(key), keyTy(key))) return;
    gl.activeTexture(gl.TEXTURE1);
    gl.texSubImage2D(
      gl.TEXTURE_2D, 0, keyTx(key), keyTy(key), 1, 1, gl.RED_INTEGER, gl.UNSIGNED_SHORT, new Uint16Array([layer]),
    );
    gl.activeTexture(gl.TEXTURE0);
  }

  /** @param {string} name */
  #uniform(name) {
    return this.#uniforms.get(name) ?? null;
  }
}

/** sRGB to linear light. @param {number} v */
const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);

/** A fresh texture, bound, in place of an old one. @param {WebGL2RenderingContext} gl @param {number} target
 * @param {WebGLTexture | null} old */
function renewTexture(gl, target, old) {
  gl.deleteTexture(old);
  const texture = gl.createTexture();
  gl.bindTexture(target, texture);
  gl.texParameteri(target, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
  gl.texParameteri(target, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  gl.texParameteri(target, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(target, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return texture;
}

/** @param {WebGL2RenderingContext} gl @param {string} vertex @param {string} fragment */
function link(gl, vertex, fragment) {
  const program = /** @type {WebGLProgram} */ (gl.createProgram());
  for (const [type, source] of /** @type {[number, string][]} */ ([
    [gl.VERTEX_SHADER, vertex],
    [gl.FRAGMENT_SHADER, fragment],
  ])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(type));
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`shader: ${gl.getProgramInfoLog(program)}`);
  }
  return program;
}
