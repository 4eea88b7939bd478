// Every form in which a secret may turn up in what a script prints: as it is, line by line, and in the usual encodings.
// A byte string is a latin1 text here, one character a byte: it sorts, compares and hashes natively.

/** Shorter secrets are not looked for: they would redact half of every log. */
const shortestBytes = 4;

/**
 * A longer needle is looked for in pieces of this size. That bounds what a match costs and what a stream holds back,
 * and finds a long secret that is printed in part.
 */
const longestNeedleBytes = 256;

/** More forms than this, or longer ones together, and only the secrets themselves are looked for. */
const mostForms = 50_000;
const mostFormBytes = 8 * 2 ** 20;
/** Of a secret with more lines, which is a list rather than a key, each line is looked for as it is only: 13,000 took seconds. */
const mostEncodedLines = 256;

/** The needles of all secrets, without doubles. Only a multi-line value as it stands has newlines in it. */
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
  // How bash traces (`set -x`) a word with a quote in it, how Python's shlex.quote and how its repr write one.
  yield value.replaceAll("'", "'\\''");
  yield value.replaceAll("'", `'"'"'`);
  yield value.replaceAll(/['\\]/g, '\\$&');
  // bash's `printf %q`.
  yield value.replaceAll(/[^\w%+\-./:=@\u0080-\uffff]/g, '\\$&');
}

/**
 * Libraries agree on `&`, `<` and `>`: of the rest some escape nothing, some a quote, some both, each in its own spelling.
 * In this order: XML's writers, PHP and most template engines, XML's five, Go and Jinja, Python, PHP before 8.1, lodash, Handlebars, OWASP.
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
  // Whatever is no letter or digit, or everything.
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

/** RFC 8259 leaves open what is escaped, and how: so do the libraries. */
function* jsonFormsOf(value: string): Generator<string> {
  const json = JSON.stringify(value).slice(1, -1);
  // Go escapes the second kind, Rails too; Gson the third; PHP the slash; Python the first, and .NET all of them.
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
 * Base64 shifts with the number of bytes before the secret: three alignments. Each gives the characters that hang on the
 * secret alone, and those up to its end where nothing follows it.
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
  // The last line may be a scrap of the secret: too short to look for, as a secret of that size would be.
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
