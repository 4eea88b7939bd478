// Reads the outputs of a step: `key=value` lines and `key<<END` blocks in FLWD_OUTPUT_FILE. A later value replaces an
// earlier one of the same key.

import { isUtf8 } from 'node:buffer';
import { join } from 'node:path';
import { readUntrustedFile } from './untrusted-file.ts';

export type OutputsReading =
  | { readonly kind: 'outputs'; readonly outputs: Record<string, string> }
  | { readonly kind: 'invalid'; readonly message: string };

const maxSizeBytes = 1024 * 1024;
const maxKeys = 256;
const keyPattern = /^[A-Za-z_][A-Za-z0-9_-]{0,127}$/;

/** Throws only if the host fails. A message never quotes the file, because the file may contain a secret. */
export function readOutputs(outDir: string): OutputsReading {
  const file = readUntrustedFile(join(outDir, 'output'), maxSizeBytes);
  if (file.kind === 'none') return { kind: 'outputs', outputs: {} };
  if (file.kind === 'refused') return invalid(` ${file.why}`);
  if (!isUtf8(file.bytes)) return invalid(' is not UTF-8');
  return parseOutputs(file.bytes.toString());
}

function parseOutputs(text: string): OutputsReading {
  const lines = text.split('\n');
  const outputs = new Map<string, string>();
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    const where = `, line ${at + 1}: `;
    if (line === '') continue;
    const [, key, operator, rest] = /^(.*?)(=|<<)(.*)$/s.exec(line) ?? [];
    if (key === undefined || rest === undefined) return invalid(`${where}expected key=value or key<<END`);
    if (!keyPattern.test(key)) {
      return invalid(`${where}a key must have at most 128 letters, digits, _ and -, and begin with a letter or _`);
    }
    let value = rest;
    if (operator === '<<') {
      const end = rest === '' ? -1 : lines.indexOf(rest, at + 1);
      if (end < 0) return invalid(`${where}the block has no line that ends it`);
      value = lines.slice(at + 1, end).join('\n');
      at = end;
    }
    if (value.includes('\0')) return invalid(`${where}a value must not contain a NUL character`);
    outputs.set(key, value);
    if (outputs.size > maxKeys) return invalid(`${where}more than ${maxKeys} keys`);
  }
  return { kind: 'outputs', outputs: Object.fromEntries(outputs) };
}

function invalid(why: string): OutputsReading {
  return { kind: 'invalid', message: `FLWD_OUTPUT_FILE${why}` };
}
