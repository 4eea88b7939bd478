// Every form in which a secret may turn up in what a script prints: as it is, line by line, and in the usual encodings.
// A byte string is a latin1 text here, one character a byte: it sorts, compares and hashes natively.

/** Shorter secrets are not looked for: they would redact half of every log. */
const shortestBytes = 4;

/**
 * A longer needle is looked for in pieces of this size. That bounds what a match costs and what a stream holds back,
 * and finds a long secret that is printed in part.
 */
const longestNeedleBytes = 256;

/** More forms than this (a secret of many thousand lines) and only the lines themselves are looked for. */
const mostForms = 50_000;

/** The needles of all secrets, without doubles. Only a multi-line value as it stands has newlines in it. */
export function needlesOf(secrets: Iterable<string>): string[] {
  const values = new Set<string>();
  for (const secret of secrets) {
    for (const line of [secret, ...secret.split(/\r?\n/)]) {
      values.add(line.toWellFormed());
      values.add(line.trim().toWellFormed());
    }
  }
  const forms = new Set<string>();
  for (const value of values) {
    if (Buffer.byteLength(value) < shortestBytes) continue;
    forms.add(toBytes(value));
    if (forms.size < mostForms) for (const form of encodingsOf(value)) forms.add(form);
  }
  return [...new Set([...forms].flatMap(piecesOf))];
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
  yield toBytes(value.replaceAll(/[&<>]/g, (c) => entities[c] ?? c));
  yield toBytes(value.replaceAll(/[&<>"']/g, (c) => entities[c] ?? c));
  // How bash traces (`set -x`) a word with a quote in it, and how its `printf %q` writes one.
  yield toBytes(value.replaceAll("'", "'\\''"));
  yield toBytes(value.replaceAll(/[^\w%+\-./:=@\u0080-\uffff]/g, '\\$&'));
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

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
    yield escaped(form, /[\u0080-\uffff]/g);
    yield escaped(form.replaceAll('/', '\\/'), /[\u0080-\uffff]/g);
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
  if (form.length <= longestNeedleBytes) return [form];
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
