/**
 * Draws the sample photo: a lake below mountains at dusk, always the same pixels. Pure.
 *
 * It has what makes enlarging worth watching: smooth gradients, hard edges, fine texture and film grain.
 */

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** RGB, row by row. */
  readonly data: Uint8Array;
}

type Color = readonly [number, number, number];

const SKY_TOP: Color = [38, 62, 112];
const SKY_LOW: Color = [246, 178, 122];
const CLOUD: Color = [255, 214, 190];
const SUN: Color = [255, 240, 205];
const RIDGES: readonly {
  readonly base: number;
  readonly rise: number;
  readonly scale: number;
  readonly color: Color;
}[] = [
  { base: 0.5, rise: 0.2, scale: 2.2, color: [126, 122, 158] },
  { base: 0.56, rise: 0.17, scale: 3.6, color: [82, 84, 120] },
  { base: 0.62, rise: 0.13, scale: 6.1, color: [44, 54, 78] },
];
const SHORE = 0.66;

export function drawLandscape(width: number, height: number): Picture {
  const data = new Uint8Array(width * height * 3);
  const tops = RIDGES.map((ridge, layer) =>
    Float32Array.from(
      { length: width },
      (_, x) => ridge.base - ridge.rise * fbm((x / width) * ridge.scale + 17 * layer, layer * 9.7, 5),
    ),
  );
  for (let y = 0; y < height; y++) {
    const v = y / height;
    for (let x = 0; x < width; x++) {
      const color = v < SHORE ? land(x, v, width, tops) : water(x, v, width, tops);
      const grain = (hash(x, y) - 0.5) * 9;
      const at = (y * width + x) * 3;
      for (let channel = 0; channel < 3; channel++)
        data[at + channel] = clampByte((color[channel] ?? 0) + grain);
    }
  }
  return { width, height, data };
}

/** Sky with a sun, or the nearest ridge that reaches up to here. */
function land(x: number, v: number, width: number, tops: readonly Float32Array[]): Color {
  for (let layer = RIDGES.length - 1; layer >= 0; layer--) {
    const top = tops[layer]?.[x] ?? 1;
    if (v < top) continue;
    const { color } = RIDGES[layer] as (typeof RIDGES)[number];
    const depth = Math.min(1, (v - top) * 9);
    const rock = (fbm((x / width) * 60, v * 90 + layer * 31, 3) - 0.5) * 46 * (0.4 + layer * 0.3);
    return mix(shade(color, rock), SKY_LOW, 0.2 * (1 - depth) * (RIDGES.length - layer) * 0.5);
  }
  const u = x / width;
  const sky = mix(SKY_TOP, SKY_LOW, Math.min(1, v / 0.55) ** 1.4);
  const distance = Math.hypot((u - 0.68) * 1.5, v - 0.36);
  const glow = Math.exp(-distance * 6) * 0.75;
  const cloud = Math.max(0, fbm(u * 5 + 3, v * 16, 5) - 0.52) * 1.9;
  const lit = mix(mix(sky, CLOUD, Math.min(0.75, cloud)), SUN, glow);
  return distance < 0.035 ? SUN : lit;
}

/** The land upside down, darker and rippled. */
function water(x: number, v: number, width: number, tops: readonly Float32Array[]): Color {
  const depth = (v - SHORE) / (1 - SHORE);
  const wave = fbm((x / width) * 24, depth * 70, 3) - 0.5;
  const mirrored = Math.max(0, SHORE - (v - SHORE) * 1.5 + wave * 0.05 * (0.3 + depth));
  const shifted = Math.min(width - 1, Math.max(0, Math.round(x + wave * width * 0.012 * (0.5 + depth))));
  const reflection = shade(land(shifted, mirrored, width, tops), -16);
  const deep = mix(reflection, [16, 28, 46], 0.25 + depth * 0.4);
  return v < SHORE + 0.004 ? [210, 190, 176] : shade(deep, wave * 26);
}

/** Sum of octaves of value noise, 0 to 1. */
function fbm(x: number, y: number, octaves: number): number {
  let sum = 0;
  let weight = 0.5;
  let total = 0;
  for (let octave = 0; octave < octaves; octave++) {
    sum += weight * noise(x * 2 ** octave, y * 2 ** octave);
    total += weight;
    weight /= 2;
  }
  return sum / total;
}

function noise(x: number, y: number): number {
  const x0 = Math.floor(x);
  const y0 = Math.floor(y);
  const u = smooth(x - x0);
  const v = smooth(y - y0);
  const above = hash(x0, y0) * (1 - u) + hash(x0 + 1, y0) * u;
  const below = hash(x0, y0 + 1) * (1 - u) + hash(x0 + 1, y0 + 1) * u;
  return above * (1 - v) + below * v;
}

/** The same number for the same place, 0 to 1. */
function hash(x: number, y: number): number {
  let bits = Math.imul(x, 374_761_393) + Math.imul(y, 668_265_263);
  bits = Math.imul(bits ^ (bits >>> 13), 1_274_126_177);
  return ((bits ^ (bits >>> 16)) >>> 0) / 4_294_967_295;
}

function smooth(t: number): number {
  return t * t * (3 - 2 * t);
}

function mix(a: Color, b: Color, share: number): Color {
  const t = Math.min(1, Math.max(0, share));
  return [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t];
}

function shade([r, g, b]: Color, by: number): Color {
  return [r + by, g + by, b + by];
}

function clampByte(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : Math.round(value);
}
