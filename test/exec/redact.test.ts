import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { needlesOf } from '../../src/exec/redact/needles.ts';
import { createRedactor } from '../../src/exec/redact/redact.ts';
import { isInvisible, plainText } from '../../src/lib/plain-text.ts';

const token = 'gh/p_S3cret+Value=';
const redacted = (text: string, ...secrets: string[]) => createRedactor(secrets).bytes(Buffer.from(text)).toString();
const inLines = (text: string, width: number) => text.replaceAll(new RegExp(`.{${width}}`, 'g'), '$&\n');

describe('a secret in a log', () => {
  test('is replaced wherever it occurs, and nothing else is replaced', () => {
    expect(redacted(`a ${token} b ${token}\n${token}`, token)).toBe('a [redacted] b [redacted]\n[redacted]');
  });

  test.each([
    ['hex', Buffer.from(token).toString('hex')],
    ['upper case hex', Buffer.from(token).toString('hex').toUpperCase()],
    ['URL-encoded', 'gh%2Fp_S3cret%2BValue%3D'],
    ['URL-encoded as Python does', 'gh/p_S3cret%2BValue%3D'],
  ])('is found in %s', (_, form) => {
    expect(redacted(`<${form}>`, token)).toBe('<[redacted]>');
  });

  test.each([
    ['a form', 'pass word!', 'q=pass+word%21&x=1', 'q=[redacted]&x=1'],
    ['what curl --data-urlencode sends', 'pass word!', 'q=pass%20word%21', 'q=[redacted]'],
    ['JSON', 'say "hi"\tnow', '{"k":"say \\"hi\\"\\tnow"}', '{"k":"[redacted]"}'],
    ['JSON of PHP', 'a/b-cde', '{"k":"a\\/b-cde"}', '{"k":"[redacted]"}'],
    ['JSON of Go', 'a<b>&c=', '{"k":"a\\u003cb\\u003e\\u0026c="}', '{"k":"[redacted]"}'],
    ['JSON of Gson', "it's=ü", '{"k":"it\\u0027s\\u003dü"}', '{"k":"[redacted]"}'],
    ['JSON of .NET', 'a+"b"/ü', '{"k":"a\\u002B\\u0022b\\u0022/\\u00FC"}', '{"k":"[redacted]"}'],
    [
      'XML',
      'a<b>&"c"',
      '<k v="a&lt;b&gt;&amp;&quot;c&quot;">a&lt;b&gt;&amp;"c"</k>',
      '<k v="[redacted]">[redacted]</k>',
    ],
    ['a URL in small letters', 'a/b+c=ü', '?k=a%2fb%2bc%3d%c3%bc', '?k=[redacted]'],
    ['a word that bash quotes', 'pa$s "w" d', 'x pa\\$s\\ \\"w\\"\\ d', 'x [redacted]'],
    ['ASCII-only JSON', 'geheim-ü', '{"k":"geheim-\\u00fc"}', '{"k":"[redacted]"}'],
    ['a trace of bash', "it's secret", "+ echo 'it'\\''s secret'", "+ echo '[redacted]'"],
    ['JSON in capital hex', 'geheim-ä', '{"k":"geheim-\\u00E4"}', '{"k":"[redacted]"}'],
    ['a word of shlex.quote', "it's secret", `echo 'it'"'"'s secret'`, "echo '[redacted]'"],
    ['a text of Python’s repr', `it's "a\\b"`, `'it\\'s "a\\\\b"'`, "'[redacted]'"],
    ['HTML of Python', `it's "a"`, '<b>it&#x27;s &quot;a&quot;</b>', '<b>[redacted]</b>'],
    ['HTML of Go', `it's "a"`, '<b>it&#39;s &#34;a&#34;</b>', '<b>[redacted]</b>'],
    ['HTML of PHP', `it's "a"`, '<b>it&#039;s &quot;a&quot;</b>', '<b>[redacted]</b>'],
    ['HTML of Handlebars', 'a="b`c"', '<b>a&#x3D;&quot;b&#x60;c&quot;</b>', '<b>[redacted]</b>'],
    ['XML with &apos;', "it's <one>", '<k>it&apos;s &lt;one&gt;</k>', '<k>[redacted]</k>'],
    ['ASCII-only XML', 'geheim-ä&😀', '<k>geheim-&#228;&amp;&#128512;</k>', '<k>[redacted]</k>'],
    [
      'ASCII-only XML in hex',
      'geheim-ä<',
      '<k>geheim-&#xE4;&lt; geheim-&#xe4;&lt;</k>',
      '<k>[redacted] [redacted]</k>',
    ],
    [
      'numeric references',
      'p@ss',
      '<k>p&#64;ss &#112;&#64;&#115;&#115; &#x70;&#x40;&#x73;&#x73;</k>',
      '<k>[redacted] [redacted] [redacted]</k>',
    ],
  ])('is found in %s', (_, secret, given, expected) => {
    expect(redacted(given, secret)).toBe(expected);
  });

  test.each([0, 1, 2])('is found in both alphabets of base64 when %i bytes come before it', (before) => {
    const whole = Buffer.from(`${'x'.repeat(before)}>>>${token}???>>>`);
    for (const alphabet of ['base64', 'base64url'] as const) {
      const text = redacted(`:${whole.toString(alphabet)}:`, token);
      expect(text).toMatch(/^:[\w+/-]{3,7}\[redacted\][\w+/-]{5,10}=*:$/);
    }
  });

  test('is redacted to its last bit when a base64 text ends with it', () => {
    expect(redacted(Buffer.from('token-42').toString('base64'), 'token-42')).toBe('[redacted]=');
  });

  test('is found in base64 and hex that are broken into lines', () => {
    const secret = 'k'.repeat(40) + 'm'.repeat(60);
    const base64 = Buffer.from(secret).toString('base64');
    expect(redacted(inLines(base64, 76), secret)).toBe('[redacted]\n[redacted]==');
    expect(redacted(inLines(base64, 64), secret)).toBe('[redacted]\n[redacted]\n[redacted]==');
    expect(redacted(inLines(Buffer.from(secret).toString('hex'), 60), secret)).toBe(
      '[redacted]\n[redacted]\n[redacted]\n[redacted]',
    );
  });

  test('of several lines is found line by line, with either line ending, and without surrounding white space', () => {
    const key = '-----BEGIN KEY-----\r\nMIIEvQIBADANBg\r\n  hkiG9w0B  \nend\n';
    expect(redacted('> MIIEvQIBADANBg\n> hkiG9w0B.', key)).toBe('> [redacted]\n> [redacted].');
    expect(redacted('pass: hunter22.', 'hunter22\n')).toBe('pass: [redacted].');
  });

  test('of thousands of short lines is found line by line, and does not take seconds to prepare', () => {
    const lines = Array.from({ length: 13_000 }, (_, n) => `${(n + 40_000).toString(36)}~`);
    const startedAt = process.cpuUsage();
    const redactor = createRedactor([lines.join('\n')]);
    const prepared = process.cpuUsage(startedAt);
    expect(prepared.user).toBeLessThan(1_500_000);
    expect(redactor.bytes(Buffer.from(`<${lines[12_999]}> <${lines[7]}>`)).toString()).toBe(
      '<[redacted]> <[redacted]>',
    );
    expect(redactor.text(`(${lines.join('\n')})`)).toMatch(/^\((\[redacted\]\n?)+\)$/);
  });

  test('of more than 256 bytes is found as a whole or as a long part', () => {
    const secret = Array.from({ length: 200 }, (_, n) => `key-${n}`).join('.');
    expect(redacted(`(${secret})`, secret)).toBe('([redacted])');
    expect(redacted(`(${secret.slice(0, 256)})`, secret)).toBe('([redacted])');
  });

  test('that overlaps, adjoins or contains another secret is replaced together with it', () => {
    expect(redacted('xabcdefghx', 'abcdef', 'defgh')).toBe('x[redacted]x');
    expect(redacted('xabcdabcdx', 'abcd')).toBe('x[redacted]x');
    expect(redacted('x-secret-x, secret', 'secret', '-secret-')).toBe('x[redacted]x, [redacted]');
  });

  test('of fewer than four bytes is not redacted, because that would redact half of the log', () => {
    const redactor = createRedactor(['', 'abc']);
    expect(redactor.isEmpty).toBe(true);
    expect(redactor.text('abc')).toBe('abc');
  });

  test('that is not well-formed Unicode is found as it was written', () => {
    expect(redacted('x\ud800secret', '\ud800secret')).toBe('x[redacted]');
  });
});

describe('a secret that is interrupted by invisible characters', () => {
  test.each([
    [
      'the colours of grep',
      'Bearer \u001b[01;31m\u001b[Kgh/p\u001b[m\u001b[K_S3cret+Value=',
      'Bearer \u001b[01;31m\u001b[K[redacted]',
    ],
    [
      'colours around each character',
      Array.from(token, (letter) => `\u001b[1m${letter}`).join(''),
      '\u001b[1m[redacted]',
    ],
    ['NULs, as in UTF-16', Buffer.from(token, 'utf16le').toString(), '[redacted]\0'],
    ['a link', 'gh/p\u001b]8;;http://x.example\u0007_S3cret+Value=', '[redacted]'],
    ['what ends colours on a terminal', 'gh/p\u001b(B\u001b[m_S3cret+Value=', '[redacted]'],
    ['characters without width', 'gh/p\u200b_S3\u2060cret\ufeff+Value=', '[redacted]'],
    ['colours in JSON', '{"message":"gh/p\\u001b[1m_S3\\u200Bcret\\u001B[m+Value="}', '{"message":"[redacted]"}'],
    [
      'base64 in colours',
      `${Buffer.from(token).toString('base64').slice(0, 9)}\u001b[m${Buffer.from(token).toString('base64').slice(9)}`,
      '[redacted]',
    ],
  ])('is found between %s', (_, text, expected) => {
    expect(redacted(`<${text}>`, token)).toBe(`<${expected}>`);
    expect(createRedactor([token]).json({ k: text })).toEqual({ k: expected });
  });

  test('is found between all characters that the interfaces leave out', () => {
    const redactor = createRedactor([token]);
    const kept: string[] = [];
    for (let code = 0; code <= 0x10ffff; code++) {
      const character = String.fromCodePoint(code);
      if (plainText(`a${character}b`) !== 'ab') continue;
      if (redactor.text(`gh/p${character}_S3cret+Value=`) !== '[redacted]') kept.push(code.toString(16));
    }
    expect(kept).toEqual([]);
  });

  test('is found wherever the stream is split', () => {
    const text = Buffer.from(`${'x'.repeat(70)}\u001b[01;31m\u001b[Kgh/p\u001b[m\u001b[K_S3\u200bcret\0+Value= y`);
    for (let cut = 0; cut <= text.length; cut++) {
      const stream = createRedactor([token]).stream();
      const pieces = [stream.push(text.subarray(0, cut)), stream.push(text.subarray(cut)), stream.flush()];
      expect(Buffer.concat(pieces).toString()).toBe(`${'x'.repeat(70)}\u001b[01;31m\u001b[K[redacted] y`);
    }
  });

  test('is not found across lines, and colours without a secret are returned uncopied', () => {
    expect(redacted('gh/p\u001b[m\n_S3cret+Value=', token)).toBe('gh/p\u001b[m\n_S3cret+Value=');
    const bytes = Buffer.from('\u001b[31mred\u001b[m\n');
    expect(createRedactor([token]).bytes(bytes)).toBe(bytes);
  });
});

test('without secrets everything is returned unchanged and uncopied', () => {
  const redactor = createRedactor([]);
  const bytes = Buffer.from('plain');
  const value = { a: [1, 'x'] };
  expect(redactor.bytes(bytes)).toBe(bytes);
  expect(redactor.json(value)).toBe(value);
  expect(redactor.stream().push(bytes)).toBe(bytes);
});

test('bytes that contain no secret are returned uncopied', () => {
  const bytes = Buffer.from('plain\n');
  expect(createRedactor([token]).bytes(bytes)).toBe(bytes);
});

describe('in JSON', () => {
  test('keys, texts and numbers that contain secrets are redacted, and everything else is kept', () => {
    const redactor = createRedactor([token, '12345', 'first line\nab\nlast line']);
    expect(
      redactor.json({
        [`my ${token}`]: [1, null, true, `a ${token}`],
        pin: 12345,
        other: 123456,
        text: 'first line\nab\nlast line',
      }),
    ).toEqual({
      'my [redacted]': [1, null, true, 'a [redacted]'],
      pin: '[redacted]',
      other: '[redacted]6',
      text: '[redacted]',
    });
  });

  test('members whose keys become equal are all kept', () => {
    const hex = Buffer.from(token).toString('hex');
    expect(createRedactor([token]).json({ [token]: 1, [hex]: 2, ['__proto__']: 3 })).toEqual(
      Object.fromEntries([
        ['[redacted]', 1],
        ['[redacted] (2)', 2],
        ['__proto__', 3],
      ]),
    );
  });
});

describe('a stream of output', () => {
  test('finds a secret that is split in two, and holds nothing back after a newline', () => {
    const stream = createRedactor([token]).stream();
    const given = [`a ${token.slice(0, 7)}`, `${token.slice(7)} b`, ' c\n', 'd\n'].map((piece) =>
      stream.push(Buffer.from(piece)).toString(),
    );
    expect(given.join('')).toBe('a [redacted] b c\nd\n');
    expect(given[3]).toBe('d\n');
    expect(stream.heldBytes).toBe(0);
  });

  test('returns the bytes that it held back when it is flushed', () => {
    const stream = createRedactor([token]).stream();
    expect(stream.push(Buffer.from('gh/p')).toString()).toBe('');
    expect(stream.heldBytes).toBe(4);
    expect(stream.flush().toString()).toBe('gh/p');
    expect(stream.heldBytes).toBe(0);
  });

  test('splits no character, and never a mark from the letter after it', () => {
    const redactor = createRedactor(['needle-of-32-bytes-in-its-hex-form']);
    const text = Buffer.from(`${'\u001eEoh '.repeat(60)}${'äöü€😀'.repeat(60)}`);
    for (let cut = 200; cut < text.length; cut++) {
      const given = redactor.stream().push(text.subarray(0, cut));
      expect(given.at(-1)).not.toBe(0x1e);
      const whole = text.subarray(0, given.length).toString();
      expect(whole).not.toContain('\ufffd');
    }
  });

  test('keeps no part of the given buffer, because the owner writes over it', () => {
    const stream = createRedactor([token]).stream();
    const buffer = Buffer.from(`x ${token.slice(0, 9)}`);
    const first = stream.push(buffer).toString();
    buffer.fill('#');
    expect(first + stream.push(Buffer.from(`${token.slice(9)}\n`)).toString()).toBe('x [redacted]\n');
  });
});

const secretText = fc.oneof(
  fc.string({ minLength: 4, maxLength: 40 }),
  fc.string({ unit: fc.constantFrom('a', 'b', '+', '/'), minLength: 4, maxLength: 12 }),
  fc.string({ unit: 'binary', minLength: 4, maxLength: 20 }),
  fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 250, maxLength: 600 }),
);
const encoding = fc.constantFrom<(text: string) => string>(
  (text) => text,
  (text) => encodeURIComponent(text.toWellFormed()),
  (text) => new URLSearchParams([['', text]]).toString().slice(1),
  (text) => JSON.stringify(text.toWellFormed()).slice(1, -1),
  (text) => Buffer.from(text).toString('hex'),
  (text) => Buffer.from(text).toString('base64'),
  (text) => Buffer.from(`x${text}`).toString('base64url'),
  (text) => Buffer.from(`xy${text}z`).toString('base64'),
);

/** Whether the text or its JSON has characters that a reader does not see. If so, more than its needles is redacted. */
const hides = (text: string) =>
  JSON.stringify(text.toWellFormed()).includes('\\u') ||
  Array.from(text.toWellFormed()).some((character) => isInvisible(character.codePointAt(0) ?? 0));

/** Secrets, bytes that contain them in any form, and places to cut those bytes. */
const scene = fc
  .record({
    secrets: fc.array(secretText, { minLength: 1, maxLength: 4 }),
    parts: fc.array(
      fc.oneof(
        fc.record({ noise: fc.string({ unit: fc.constantFrom('a', 'b', '\n', ' ', '\u001eE', 'é'), maxLength: 30 }) }),
        fc.record({ secret: fc.nat(), encode: encoding }),
      ),
      { maxLength: 12 },
    ),
    cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 }),
  })
  .filter(({ secrets }) => !secrets.some(hides))
  .map(({ secrets, parts, cuts }) => {
    const bytes = Buffer.concat(
      parts.map((part) =>
        Buffer.from('noise' in part ? part.noise : part.encode(secrets[part.secret % secrets.length] ?? '')),
      ),
    );
    const places = [...cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length].toSorted((a, b) => a - b);
    const pieces = places.map((place, i) => bytes.subarray(places[i - 1] ?? 0, place));
    return { secrets, bytes, pieces };
  });

/** Searches for every needle at every position, slowly and plainly. */
function expectedOf(secrets: readonly string[], bytes: Buffer): string {
  const text = bytes.toString('latin1');
  const isSecret = new Uint8Array(text.length);
  for (const needle of needlesOf(secrets).filter((needle) => !needle.includes('\n'))) {
    for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + 1)) {
      isSecret.fill(1, at, at + needle.length);
    }
  }
  let out = '';
  for (let i = 0; i < text.length; i++) {
    if (!isSecret[i]) out += text.charAt(i);
    else if (!isSecret[i - 1]) out += '[redacted]';
  }
  return out;
}

describe('for any secrets, surrounding text and splits', () => {
  test('a stream returns exactly the text with every needle replaced', () => {
    fc.assert(
      fc.property(scene, ({ secrets, bytes, pieces }) => {
        const stream = createRedactor(secrets).stream();
        const given = Buffer.concat([...pieces.map((piece) => Buffer.from(stream.push(piece))), stream.flush()]);
        expect(given.toString('latin1')).toBe(expectedOf(secrets, bytes));
      }),
      { numRuns: 500 },
    );
  });

  test('resuming at the offset that a stream reports reveals no part of a needle', () => {
    fc.assert(
      fc.property(scene, ({ secrets, bytes, pieces }) => {
        const redactor = createRedactor(secrets);
        const first = redactor.stream();
        const second = redactor.stream();
        const half = Math.ceil(pieces.length / 2);
        const before = pieces.slice(0, half).map((piece) => Buffer.from(first.push(piece)));
        const read = pieces.slice(0, half).reduce((sum, piece) => sum + piece.length, 0);
        const after = [second.push(bytes.subarray(read - first.heldBytes)), second.flush()];
        const given = Buffer.concat([...before, ...after]).toString('latin1');
        // The replacement of a secret that was cut may appear twice.
        expect(given.replaceAll('[redacted][redacted]', '[redacted]')).toBe(expectedOf(secrets, bytes));
      }),
      { numRuns: 500 },
    );
  });
});
