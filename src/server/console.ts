// Serves the console: the files that `npm run build:console` made, read once into a table, and one page for all of its
// addresses. The console is a client of the API, and the server knows nothing else about it (ADR 0024, ADR 0043).

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../domain/problem.ts';
import { pathOf } from './answers/problem-answers.ts';
import { revalidated } from './answers/response-headers.ts';
import { isUnchanged } from './answers/stored-answer.ts';

type File = {
  readonly type: string;
  readonly bytes: Buffer;
  /** null: compression does not make the file smaller. */
  readonly gzipped: Buffer | null;
  readonly etag: string;
};

/** The key is the path on the server, such as `/assets/index-Cg2d0WVe.js`. */
type Files = ReadonlyMap<string, File>;

/** The addresses of the console. All except `/assets/*` get the same page. */
export const consolePaths = [
  '/',
  '/runs',
  '/runs/*',
  '/compare',
  '/jobs',
  '/jobs/*',
  '/schedules',
  '/approvals',
  '/failures',
  '/logs',
  '/admin',
  '/admin/*',
  '/assets/*',
] as const;

export function isConsolePath(path: string): boolean {
  return consolePaths.some((known) => (known.endsWith('*') ? path.startsWith(known.slice(0, -1)) : path === known));
}

/**
 * Allows only scripts of the console, and no other host. `blob:` is for pictures among the artifacts of a run. The
 * console reads them from the API and shows them from memory.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const page = '/index.html';
/** This is for files whose name contains a hash of their content. */
const unchanging = 'public, max-age=31536000, immutable';
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
/** In a checkout the server runs from `src`; in the package it runs from `dist`. */
const builtDir = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../dist/console/' : '../console/', import.meta.url),
);

export type ConsoleAnswer = (request: FastifyRequest, reply: FastifyReply) => FastifyReply;

/** @param unbuilt sends the answer if the console has not been built */
export function createConsole(unbuilt: ConsoleAnswer, dir: string = builtDir): ConsoleAnswer {
  let files: Files | undefined;
  return (request, reply) => {
    files ??= readFiles(dir);
    const path = pathOf(request);
    const isAsset = path.startsWith('/assets/');
    const file = files.get(isAsset ? path : page);
    if (!file && isAsset) throw new Problem('not-found', `The console of this version has no file '${path}'.`);
    if (!file) return unbuilt(request, reply);
    const { type, bytes, gzipped, etag } = file;
    if (!isAsset) reply.raw.setHeader('Content-Security-Policy', policy);
    reply
      .header('etag', etag)
      .header('vary', 'accept-encoding')
      .header('cache-control', isAsset ? unchanging : revalidated);
    if (isUnchanged(request, etag)) return reply.code(304).send();
    reply.type(type);
    if (!gzipped || !takesGzip(request)) return reply.send(bytes);
    return reply.header('content-encoding', 'gzip').send(gzipped);
  };
}

function readFiles(dir: string): Files {
  const names = listFiles(dir);
  return new Map(
    names.map((name): [string, File] => {
      const bytes = readFileSync(`${dir}/${name}`);
      const gzipped = gzipSync(bytes, { level: 9 });
      const hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
      return [
        `/${name}`,
        {
          type: types[extname(name)] ?? 'application/octet-stream',
          bytes,
          gzipped: gzipped.length < bytes.length ? gzipped : null,
          etag: `"${hash}"`,
        },
      ];
    }),
  );
}

function listFiles(dir: string): string[] {
  try {
    const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.parentPath}/${entry.name}`.slice(dir.length).replace(/^\/+/, ''));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

function takesGzip({ raw }: FastifyRequest): boolean {
  const given = raw.headers['accept-encoding'] ?? '';
  return given.split(',').some((coding) => {
    const [name = '', weight = ''] = coding.split(';').map((part) => part.trim().toLowerCase());
    return name === 'gzip' && !/^q=0(?:\.0*)?$/.test(weight);
  });
}
