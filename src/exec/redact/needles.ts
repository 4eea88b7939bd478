// Finds the forms in which a script may print a secret: as it is, line by line, and in the usual encodings. Byte
// strings are latin1 text here, one character per byte, because text sorts, compares and hashes natively.

/** Shorter secrets are not searched for, because that would redact half of every log. */
const shortestBytes = 4;

/**
 * A longer needle is searched for in pieces of this size. That limits the cost of a match and the bytes that a stream
 * holds back, and finds a long secret that is printed in part.
 */
const longestNeedleBytes = 256;

/** If there are more forms than this, or they are longer in total, only the secrets themselves are searched for. */
const mostForms = 50_000;
const mostFormBytes = 8 * 2 ** 20;
/**
 * A secret with more lines than this is a list rather than a key, so its lines are searched for only without encoding.
 * Encoding 13,000 lines took seconds.
 */
const mostEncodedLines = 256;

/**
 * Returns the needles of all secrets, without duplicates. Only a secret of several lines yields a needle with newlines.
 */
export function needlesOf(secrets: Iterable<string>): string[] {
  const encoded = new Set<string>();
  const plain = new Set<string>();
  for (const secret of secrets) {
    addTo(encoded, secret);
    const lines = secret.split(/\r?\n/);
    for (const line of lines) addTo(lines.length > mostEncodedLines ? plain : encoded, line);
  }
  const forms = new Set<string>();
  let formBytes = 0;
  for (const value of encoded) {
    forms.add(toBytes(value));
    if (forms.size >= mostForms || formBytes >= mostFormBytes) continue;
    for (const form of encodingsOf(value)) {
      forms.add(form);
      formBytes += form.length;
    }
  }
  for (const value of plain) forms.add(toBytes(value));
  const needles = new Set<string>();
  for (const form of forms) {
    if (form.length <= longestNeedleBytes) needles.add(form);
    else for (const piece of piecesOf(form)) needles.add(piece);
  }
  return [...needles];
}

function addTo(values: Set<string>, text: string): void {
  const trimmed = text.trim();
  if (Buffer.byteLength(trimmed) >= shortestBytes) values.add(trimmed.toWellFormed());
  if (trimmed !== text && Buffer.byteLength(text) >= shortestBytes) values.add(text.toWellFormed());
}

function* encodingsOf(value: string): Generator<string> {
  const bytes = Buffer.from(value);
  for (const base64 of base64FormsOf(bytes)) {
    yield base64;
    yield base64.replaceAll('+', '-').replaceAll('/', '_');
  }
  const hex = bytes.toString('hex');
  for (const form of [hex, ...wrapped(hex, 60, 2)]) {
    yield form;
    yield form.toUpperCase();
  }
  yield* urlFormsOf(value);
  for (const json of jsonFormsOf(value)) yield toBytes(json);
  for (const markup of markupFormsOf(value)) yield toBytes(markup);
  for (const quoted of quotedFormsOf(value)) yield toBytes(quoted);
}

function* quotedFormsOf(value: string): Generator<string> {
  // How bash's `set -x`, Python's shlex.quote and Python's repr write a word that contains a quote.
  yield value.replaceAll("'", "'\\''");
  yield value.replaceAll("'", `'"'"'`);
  yield value.replaceAll(/['\\]/g, '\\$&');
  // How bash's `printf %q` writes a word with special characters.
  yield value.replaceAll(/[^\w%+\-./:=@\u0080-\uffff]/g, '\\$&');
}

/**
 * HTML and XML libraries agree on `&`, `<` and `>`. They differ in how they escape quotes and other characters. These
 * are the forms of XML, PHP, Go, Python, common template engines, lodash, Handlebars and OWASP.
 */
const escapes: readonly Readonly<Record<string, string>>[] = [
  {},
  { '"': '&quot;' },
  { '"': '&quot;', "'": '&#39;' },
  { '"': '&quot;', "'": '&apos;' },
  { '"': '&#34;', "'": '&#39;' },
  { '"': '&quot;', "'": '&#x27;' },
  { '"': '&quot;', "'": '&#039;' },
  { '"': '&quot;', "'": '&#39;', '`': '&#96;' },
  { '"': '&quot;', "'": '&#x27;', '`': '&#x60;' },
  { '"': '&quot;', "'": '&#x27;', '`': '&#x60;', '=': '&#x3D;' },
  { '"': '&quot;', "'": '&#x27;', '/': '&#x2F;' },
];
const everywhere = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

function* markupFormsOf(value: string): Generator<string> {
  for (const own of escapes) {
    const entities: Readonly<Record<string, string>> = { ...everywhere, ...own };
    const form = value.replaceAll(/[&<>"'`=/]/g, (c) => entities[c] ?? c);
    yield form;
    for (const spell of spellings) yield form.replaceAll(/[\u0080-\u{10ffff}]/gu, spell);
  }
  // Some libraries escape everything except letters and digits, and some escape everything.
  for (const characters of [/[^A-Za-z0-9]/gu, /[\s\S]/gu]) {
    for (const spell of spellings) yield value.replaceAll(characters, spell);
  }
}

const spellings: readonly ((c: string) => string)[] = [
  (c) => `&#${c.codePointAt(0)};`,
  (c) => `&#x${c.codePointAt(0)?.toString(16)};`,
  (c) => `&#x${c.codePointAt(0)?.toString(16).toUpperCase()};`,
];

function* urlFormsOf(value: string): Generator<string> {
  const component = encodeURIComponent(value);
  const strict = component.replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  for (const form of [
    component,
    strict,
    strict.replaceAll('%2F', '/'),
    new URLSearchParams([['', value]]).toString().slice(1),
  ]) {
    yield form;
    yield form.replaceAll(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase());
  }
}

function escaped(json: string, characters: RegExp, isUpper = false): string {
  return json.replaceAll(characters, (c) => {
    const code = c.charCodeAt(0).toString(16).padStart(4, '0');
    return `\\u${isUpper ? code.toUpperCase() : code}`;
  });
}

/** RFC 8259 allows any character to be escaped, and libraries differ in what they escape and how. */
function* jsonFormsOf(value: string): Generator<string> {
  const json = JSON.stringify(value).slice(1, -1);
  // Go and Rails escape `<`, `>` and `&`. Gson also escapes `=` and `'`. PHP escapes the slash, and Python everything
  // beyond ASCII. The last form is that of .NET.
  for (const form of [json, escaped(json, /[<>&]/g), escaped(json, /[<>&='\u2028\u2029]/g)]) {
    yield form;
    yield form.replaceAll('/', '\\/');
    for (const isUpper of [false, true]) {
      yield escaped(form, /[\u0080-\uffff]/g, isUpper);
      yield escaped(form.replaceAll('/', '\\/'), /[\u0080-\uffff]/g, isUpper);
    }
  }
  yield escaped(json.replaceAll('\\"', '"'), /[<>&'"+`\u0080-\uffff]/g, true);
}

/**
 * The base64 form of a secret depends on how many bytes are before it, so there are three alignments. For each
 * alignment, this yields the characters that depend only on the secret. It also yields the form that a secret has at
 * the end of a text, which can be one character longer.
 */
function* base64FormsOf(bytes: Buffer): Generator<string> {
  for (const before of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const first = Math.ceil((before * 8) / 6);
    yield text.slice(first, Math.floor(((before + bytes.length) * 8) / 6));
    yield text.slice(first).replace(/=+$/, '');
    // `base64` breaks its lines at 76 characters, `openssl base64` at 64.
    if (before === 0) yield* [...wrapped(text, 76, 4 / 3), ...wrapped(text, 64, 4 / 3)];
  }
}

function wrapped(text: string, width: number, charactersPerByte: number): string[] {
  if (text.length <= width) return [];
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += width) lines.push(text.slice(at, at + width).replace(/=+$/, ''));
  // The last line is left out if it is too short to be searched for.
  return lines.filter((line) => line.length >= shortestBytes * charactersPerByte);
}

function piecesOf(form: string): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < form.length; at += longestNeedleBytes) {
    const end = Math.min(at + longestNeedleBytes, form.length);
    pieces.push(form.slice(end - longestNeedleBytes, end));
  }
  return pieces;
}

function toBytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}
