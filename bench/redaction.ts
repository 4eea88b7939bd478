// How much output of a job can be searched for its secrets in one second of CPU time, by the number of secrets.

import { randomBytes } from 'node:crypto';
import { createRedactor } from '../src/exec/redact/redact.ts';
import { atLeast, type Figure } from './measure.ts';

const pieceBytes = 64 * 1024;
const textBytes = 64 * 1024 * 1024;
const rounds = 5;
const goalMegabytes = 200;

export async function redactionFigures(): Promise<Figure[]> {
  const pieces = cut(logLines(textBytes));
  return [1, 200, 2_000].map((count) => {
    const secrets = Array.from({ length: count }, () => randomBytes(24).toString('base64'));
    const speeds = Array.from({ length: rounds }, () => speedOf(secrets, pieces));
    return atLeast(`output searched for ${count} secret${count === 1 ? '' : 's'}`, 'MB/s', speeds, {
      goal: goalMegabytes,
    });
  });
}

/** User and system CPU time, so that other programs on the machine do not count. */
function speedOf(secrets: readonly string[], pieces: readonly Buffer[]): number {
  const stream = createRedactor(secrets).stream();
  const before = process.cpuUsage();
  let bytes = 0;
  for (const piece of pieces) bytes += stream.push(piece).length;
  bytes += stream.flush().length;
  const { user, system } = process.cpuUsage(before);
  if (bytes !== textBytes) throw new Error('something was redacted that is no secret');
  return textBytes / (user + system);
}

function cut(text: Buffer): Buffer[] {
  return Array.from({ length: Math.ceil(text.length / pieceBytes) }, (_, n) =>
    text.subarray(n * pieceBytes, (n + 1) * pieceBytes),
  );
}

/** Typical output: times, words, numbers, paths, some hex and base64. */
function logLines(size: number): Buffer {
  const lines: string[] = [];
  for (let n = 0, length = 0; length < 1 << 20; n++) {
    const at = new Date(1.7e12 + n * 37).toISOString();
    const line = `${at} INFO worker-${n % 16} copied /srv/data/${n % 997}/file-${n}.tar.gz in ${(n * 7) % 1000} ms ${randomBytes(8).toString('hex')} ${randomBytes(9).toString('base64')}\n`;
    lines.push(line);
    length += line.length;
  }
  const block = Buffer.from(lines.join(''));
  const text = Buffer.alloc(size);
  for (let at = 0; at < size; at += block.length) block.copy(text, at);
  return text;
}
