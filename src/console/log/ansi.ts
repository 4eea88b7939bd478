// Splits a line of a script's output into pieces with their colours, and removes everything else that a terminal would
// act on.

import { harmless } from '../words.ts';

export type Piece = {
  readonly text: string;
  /** Classes of the stylesheet: `fg1`, `bold`, `inverse`, … */
  readonly classes: readonly string[];
  /**
   * The exact colour. It is set only if the colour is not one of the sixteen, or if the piece has a background colour.
   * Otherwise a class sets the colour.
   */
  readonly colour: string | null;
  readonly background: string | null;
};

type Rgb = readonly [red: number, green: number, blue: number];
/** The number of one of the sixteen colours, which the theme defines, or an exact colour. */
type Colour = number | Rgb;

type Style = {
  fg: Colour | null;
  bg: Colour | null;
  isBold: boolean;
  isDim: boolean;
  isItalic: boolean;
  isUnderlined: boolean;
  isInverse: boolean;
};

const plain: Style = {
  fg: null,
  bg: null,
  isBold: false,
  isDim: false,
  isItalic: false,
  isUnderlined: false,
  isInverse: false,
};

/**
 * The sixteen colours of a terminal. Where a script sets a background, they replace the theme's colours, because the
 * script chose text and background to be read together.
 */
const sixteen: readonly Rgb[] = [
  [0, 0, 0],
  [205, 0, 0],
  [0, 205, 0],
  [205, 205, 0],
  [0, 0, 238],
  [205, 0, 205],
  [0, 205, 205],
  [229, 229, 229],
  [127, 127, 127],
  [255, 0, 0],
  [0, 255, 0],
  [255, 255, 0],
  [92, 92, 255],
  [255, 0, 255],
  [0, 255, 255],
  [255, 255, 255],
];

const escapeCharacter = String.fromCharCode(0x1b);
const bell = String.fromCharCode(0x07);
/**
 * Matches SGR sequences (the group is their parameters), other CSI sequences, OSC strings, and two-character sequences.
 */
const sequences = new RegExp(
  `${escapeCharacter}(?:\\[([\\d;:]*)m|\\[[0-?]*[ -/]*[@-~]|\\][^${bell}${escapeCharacter}]*(?:${bell}|${escapeCharacter}\\\\)|[ -/]*[0-~])`,
  'g',
);

/** Returns what a terminal shows in the end for a line that overwrites itself, such as a progress bar. */
export function writtenLast(message: string): string {
  const line = message.replace(/\r+$/, '');
  return line.slice(line.lastIndexOf('\r') + 1);
}

export function toPieces(message: string): Piece[] {
  if (!message.includes(escapeCharacter)) return [toPiece(message, plain)];
  const pieces: Piece[] = [];
  let style = plain;
  let at = 0;
  for (const found of message.matchAll(sequences)) {
    if (found.index > at) pieces.push(toPiece(message.slice(at, found.index), style));
    at = found.index + found[0].length;
    if (found[1] !== undefined) style = styled(style, found[1]);
  }
  if (at < message.length) pieces.push(toPiece(message.slice(at), style));
  return pieces;
}

function toPiece(text: string, style: Style): Piece {
  const [fg, bg] = style.isInverse ? [style.bg, style.fg] : [style.fg, style.bg];
  const classes = [
    ...(bg === null && typeof fg === 'number' ? [`fg${fg % 8}`] : []),
    ...(style.isBold ? ['bold'] : []),
    ...(style.isDim ? ['dim'] : []),
    ...(style.isItalic ? ['italic'] : []),
    ...(style.isUnderlined ? ['underline'] : []),
    ...(style.isInverse && fg === null && bg === null ? ['inverse'] : []),
  ];
  const ink = bg === null ? fg : (fg ?? inkOn(toRgb(bg)));
  return {
    text: harmless(text.replaceAll('\t', '    ').replace(/\r$/, '')),
    classes,
    colour: ink === null || (bg === null && typeof ink === 'number') ? null : toCss(ink),
    background: bg === null ? null : toCss(bg),
  };
}

function toRgb(colour: Colour): Rgb {
  return typeof colour === 'number' ? (sixteen[colour] ?? [0, 0, 0]) : colour;
}

function toCss(colour: Colour): string {
  return `rgb(${toRgb(colour).join(' ')})`;
}

/** Black or white, whichever has more contrast (relative luminance, WCAG 2). */
function inkOn(rgb: Rgb): Rgb {
  const [red, green, blue] = rgb.map((byte) => (byte / 255) ** 2.2);
  const luminance = 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0);
  return luminance > 0.179 ? [0, 0, 0] : [255, 255, 255];
}

function styled(before: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).map(Number);
  let style = { ...before };
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] ?? 0;
    if (code === 38 || code === 48) {
      const { colour, taken } = extended(codes, i + 1);
      style[code === 38 ? 'fg' : 'bg'] = colour;
      i += taken;
    } else if (code === 0) style = { ...plain };
    else if (code === 1) style.isBold = true;
    else if (code === 2) style.isDim = true;
    else if (code === 3) style.isItalic = true;
    else if (code === 4) style.isUnderlined = true;
    else if (code === 7) style.isInverse = true;
    else if (code === 22) Object.assign(style, { isBold: false, isDim: false });
    else if (code === 23) style.isItalic = false;
    else if (code === 24) style.isUnderlined = false;
    else if (code === 27) style.isInverse = false;
    else if (code >= 30 && code <= 37) style.fg = code - 30;
    else if (code >= 90 && code <= 97) style.fg = code - 82;
    else if (code >= 40 && code <= 47) style.bg = code - 40;
    else if (code >= 100 && code <= 107) style.bg = code - 92;
    else if (code === 39) style.fg = null;
    else if (code === 49) style.bg = null;
  }
  return style;
}

/** Parses `5;n`, which is one of 256 colours, or `2;r;g;b`. */
function extended(codes: readonly number[], at: number): { readonly colour: Colour; readonly taken: number } {
  const byte = (index: number): number => Math.max(0, Math.min(255, codes[at + index] ?? 0));
  if (codes[at] === 2) return { colour: [byte(1), byte(2), byte(3)], taken: 4 };
  const n = byte(1);
  if (n < 16) return { colour: n, taken: 2 };
  if (n >= 232) {
    const grey = 8 + (n - 232) * 10;
    return { colour: [grey, grey, grey], taken: 2 };
  }
  const of = n - 16;
  return { colour: [level(Math.floor(of / 36)), level(Math.floor(of / 6) % 6), level(of % 6)], taken: 2 };
}

/** The brightness of one component of the 6×6×6 colour cube. */
function level(part: number): number {
  return part === 0 ? 0 : 55 + part * 40;
}
