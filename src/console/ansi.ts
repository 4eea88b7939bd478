// A line of a script's output as pieces with their colours. Of everything else that a terminal would act upon, nothing is left.

export type Piece = {
  readonly text: string;
  /** Of the stylesheet: `fg-1`, `bg-4`, `bold`, … */
  readonly classes: string;
  /** Colours outside of the sixteen. */
  readonly colour: string | null;
  readonly background: string | null;
};

type Style = {
  fg: string | null;
  bg: string | null;
  colour: string | null;
  background: string | null;
  isBold: boolean;
  isDim: boolean;
  isItalic: boolean;
  isUnderlined: boolean;
};

const plain: Style = {
  fg: null,
  bg: null,
  colour: null,
  background: null,
  isBold: false,
  isDim: false,
  isItalic: false,
  isUnderlined: false,
};

const escapeCharacter = String.fromCharCode(0x1b);
const bell = String.fromCharCode(0x07);
/** SGR as its group; other CSI sequences, OSC strings, and two-character sequences without one. */
const sequences = new RegExp(
  `${escapeCharacter}(?:\\[([\\d;:]*)m|\\[[0-?]*[ -/]*[@-~]|\\][^${bell}${escapeCharacter}]*(?:${bell}|${escapeCharacter}\\\\)|[ -/]*[0-~])`,
  'g',
);
/** Controls, and what changes the direction of text. */
const unsafe = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

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
  const classes = [
    style.fg,
    style.bg,
    style.isBold && 'bold',
    style.isDim && 'dim',
    style.isItalic && 'italic',
    style.isUnderlined && 'underline',
  ];
  return {
    text: text.replaceAll('\t', '    ').replace(/\r$/, '').replaceAll(unsafe, '�'),
    classes: classes.filter(Boolean).join(' '),
    colour: style.colour,
    background: style.background,
  };
}

function styled(before: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).map(Number);
  let style = { ...before };
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] ?? 0;
    if (code === 38 || code === 48) {
      const { colour, taken } = extended(codes, i + 1);
      if (code === 38)
        Object.assign(style, colour.startsWith('fg-') ? { fg: colour, colour: null } : { fg: null, colour });
      else
        Object.assign(
          style,
          colour.startsWith('fg-')
            ? { bg: colour.replace('fg', 'bg'), background: null }
            : { bg: null, background: colour },
        );
      i += taken;
    } else if (code === 0) style = { ...plain };
    else if (code === 1) style.isBold = true;
    else if (code === 2) style.isDim = true;
    else if (code === 3) style.isItalic = true;
    else if (code === 4) style.isUnderlined = true;
    else if (code === 22) Object.assign(style, { isBold: false, isDim: false });
    else if (code === 23) style.isItalic = false;
    else if (code === 24) style.isUnderlined = false;
    else if (code >= 30 && code <= 37) Object.assign(style, { fg: `fg-${code - 30}`, colour: null });
    else if (code >= 90 && code <= 97) Object.assign(style, { fg: `fg-${code - 82}`, colour: null });
    else if (code >= 40 && code <= 47) Object.assign(style, { bg: `bg-${code - 40}`, background: null });
    else if (code >= 100 && code <= 107) Object.assign(style, { bg: `bg-${code - 92}`, background: null });
    else if (code === 39) Object.assign(style, { fg: null, colour: null });
    else if (code === 49) Object.assign(style, { bg: null, background: null });
  }
  return style;
}

/** `5;n` of 256 colours or `2;r;g;b`. */
function extended(codes: readonly number[], at: number): { readonly colour: string; readonly taken: number } {
  const byte = (index: number): number => Math.max(0, Math.min(255, codes[at + index] ?? 0));
  if (codes[at] === 2) return { colour: `rgb(${byte(1)} ${byte(2)} ${byte(3)})`, taken: 4 };
  const n = byte(1);
  if (n < 16) return { colour: `fg-${n}`, taken: 2 };
  if (n >= 232)
    return {
      colour: `rgb(${Array(3)
        .fill(8 + (n - 232) * 10)
        .join(' ')})`,
      taken: 2,
    };
  const of = n - 16;
  return {
    colour: `rgb(${level(Math.floor(of / 36))} ${level(Math.floor(of / 6) % 6)} ${level(of % 6)})`,
    taken: 2,
  };
}

/** Of a colour's part in the cube of 216. */
function level(part: number): number {
  return part === 0 ? 0 : 55 + part * 40;
}
