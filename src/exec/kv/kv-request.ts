// Reads and answers a script's request to the key-value store. libexec/kv.bash writes each request as a file into the
// attempt's out folder and waits there for the answer. Hostile code can write into this folder, too (ADR 0053).

import { isUtf8 } from 'node:buffer';
import { chmodSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kvLimits } from '../../domain/kv.ts';
import { errorCode } from '../../lib/error-code.ts';
import { readUntrustedFile } from '../collect/untrusted-file.ts';

export type KvRequest = {
  /** Identifies the request among the requests of its attempt. */
  readonly id: string;
  /** null means the job's own namespace. */
  readonly namespace: string | null;
  readonly key: string;
} & (
  | { readonly kind: 'get' }
  | { readonly kind: 'delete' }
  | { readonly kind: 'set'; readonly value: Buffer; readonly ifVersion?: number; readonly ttl?: string }
);

export type KvAnswer =
  | { readonly kind: 'done'; readonly version?: number; readonly value?: Uint8Array }
  | { readonly kind: 'missing' }
  /** `message` tells the script's author what is wrong. */
  | { readonly kind: 'error'; readonly message: string };

export type KvReading =
  | { readonly kind: 'request'; readonly request: KvRequest }
  /** The request is still being written, or was withdrawn. */
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly message: string };

const mostRequestBytes = 4096;
const lastLine = '\nend\n';

export function idOfRequest(fileName: string): string | undefined {
  return /^kv-([\w-]{1,64})\.request$/.exec(fileName)?.[1];
}

/** Throws only if the host fails. */
export function readKvRequest(outDir: string, id: string): KvReading {
  const file = readUntrustedFile(pathOf(outDir, id, 'request'), mostRequestBytes, 'nonblocking');
  if (file.kind === 'refused') return refused(`the request ${file.why}`);
  if (file.kind === 'none') return file;
  if (!isUtf8(file.bytes)) return refused('the key or the namespace is not UTF-8 text');
  const text = file.bytes.toString();
  if (!text.endsWith(lastLine)) return { kind: 'none' };
  const [kind, namespace, key, ifVersion, ttl, ...rest] = text.slice(0, -lastLine.length).split('\n');
  if (key === undefined || ttl === undefined || rest.length > 0) return refused('a line of the request is missing');
  const named = { id, namespace: namespace || null, key };
  if (kind === 'get' || kind === 'delete') return { kind: 'request', request: { ...named, kind } };
  if (kind !== 'set') return refused('the request is neither get, set nor delete');
  if (!/^\d{0,15}$/.test(ifVersion ?? '')) return refused('the version is not a number');
  const value = readUntrustedFile(pathOf(outDir, id, 'value'), mostValueBytes, 'nonblocking');
  if (value.kind === 'refused') return refused(`the value ${value.why}`);
  if (value.kind === 'none') return refused('the value is missing');
  return {
    kind: 'request',
    request: {
      ...named,
      kind,
      value: value.bytes,
      ...(ifVersion && { ifVersion: Number(ifVersion) }),
      ...(ttl !== '' && { ttl }),
    },
  };
}

/**
 * How much of a value is read at most. This is more than the store accepts. So if a value is too long for the store,
 * the answer can name its size and the limit.
 */
const mostValueBytes = kvLimits.valueBytes * 16;

/**
 * Writes the answer in one step, and only then removes the request. After a crash in between, the request is carried
 * out once more, which changes nothing. Throws only if the host fails.
 * @returns false if the job prevents the removal of the request
 */
export function answerKvRequest(attemptDir: string, id: string, answer: KvAnswer): boolean {
  const outDir = join(attemptDir, 'out');
  // The draft is outside `out`, so the job cannot change it.
  const draft = join(attemptDir, 'kv-answer');
  writeFileSync(draft, toBytes(answer));
  // Whatever the server's umask is, the job's user must be able to read it.
  chmodSync(draft, 0o644);
  try {
    renameSync(draft, pathOf(outDir, id, 'answer'));
  } catch {
    // The job has put a folder in the place of the answer.
    unlinkSync(draft);
  }
  removeEntry(pathOf(outDir, id, 'value'));
  return removeEntry(pathOf(outDir, id, 'request'));
}

function removeEntry(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    // The job may have replaced the request by a folder.
    return errorCode(error) === 'ENOENT';
  }
}

/** Formats the answer: a line with the outcome, and then the value. */
function toBytes(answer: KvAnswer): Buffer {
  if (answer.kind === 'missing') return Buffer.from('missing\n');
  if (answer.kind === 'error') return Buffer.from(`error ${answer.message.replaceAll(/\s+/g, ' ')}\n`);
  return Buffer.concat([Buffer.from(`done ${answer.version ?? ''}\n`), answer.value ?? Buffer.alloc(0)]);
}

function pathOf(outDir: string, id: string, part: 'request' | 'value' | 'answer'): string {
  return join(outDir, `kv-${id}.${part}`);
}

function refused(message: string): KvReading {
  return { kind: 'refused', message };
}
