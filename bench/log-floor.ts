// The floor of bench/reading.ts, in its own process: it decompresses a run's segments and sends them in pieces of 64
// KiB, or turns each of their lines into JSON. A client sends a letter and gets the whole answer.

import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { eachLine, readChunk } from '../src/store/log/log-chunk.ts';

const pieceBytes = 64 * 1024;

process.once('message', ({ dir, runId }: { dir: string; runId: string }) => {
  const server = createServer((socket) => {
    socket.once('data', (asked) => void answer(socket, String(asked) === 't' ? asText : asJson));
  });
  server.listen(0, '127.0.0.1', () => process.send?.(server.address()));

  async function answer(socket: Socket, show: (file: Buffer, socket: Socket) => Promise<void>): Promise<void> {
    for (const file of segments(dir, runId)) await show(file, socket);
    socket.end('.');
  }
});
process.once('disconnect', () => process.exit());

function* segments(dir: string, runId: string): Generator<Buffer> {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes(runId));
  const n = (name: string): number => Number(name.split('.').at(-2));
  for (const name of names.toSorted((a, b) => n(a) - n(b))) {
    const stored = readFileSync(join(dir, name));
    yield name.endsWith('.zst') ? zstdDecompressSync(stored) : stored;
  }
}

async function asText(file: Buffer, socket: Socket): Promise<void> {
  for (let at = 0; at < file.length; at += pieceBytes) {
    if (socket.write(file.subarray(at, at + pieceBytes))) continue;
    await new Promise((resolve) => socket.once('drain', resolve));
  }
}

/** Turns each line into JSON and sends nothing. */
async function asJson(file: Buffer): Promise<void> {
  let length = 0;
  for (let at = 0; at < file.length; ) {
    const chunk = readChunk(file, at);
    eachLine({ chunk, from: 0, until: chunk.lineCount }, (index, _flags, start, end) => {
      const line = {
        seq: chunk.firstSeq + index,
        timestamp: '2026-11-27T12:00:00.000000Z',
        level: 'info',
        message: file.toString('utf8', start, end),
        step_id: chunk.stepId,
        stream: 'stdout',
        attempt: chunk.attempt,
      };
      length += JSON.stringify(line).length;
    });
    at = chunk.end;
  }
  if (length === 0 && file.length > pieceBytes) throw new Error('there were no lines');
}
