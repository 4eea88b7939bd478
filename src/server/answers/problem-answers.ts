// Answers every error as application/problem+json (RFC 9457). An error that is not a Problem is a bug: it is logged
// with the id of the request, and the caller sees only that id.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem, type ProblemSlug, problems, problemType } from '../../domain/problem.ts';
import { withoutHookTokens } from '../../domain/trigger/hook-token.ts';
import type { Logger } from '../../lib/logger.ts';
import { sizeWords } from '../../lib/units.ts';
import { storageProblem } from '../../store/storage-error.ts';
import { safetyHeaders } from './response-headers.ts';

// An `import` evaluates all exports of the module, which would load Node's `fetch` too: 30 ms of every start.
const http = process.getBuiltinModule('node:http');

export const problemMediaType = 'application/problem+json';

export function answerError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { log, note }: { readonly log: Logger; readonly note: (problem: Problem, request: FastifyRequest) => void },
): FastifyReply {
  const known = toProblem(error, request.routeOptions.bodyLimit) ?? storageProblem(error);
  if (!known)
    log.error({ err: error, request_id: request.id, method: request.method, path: pathOf(request) }, 'internal error');
  const problem =
    known ??
    new Problem(
      'internal-error',
      `An unexpected error occurred. The log of the server describes it under the id ${request.id}.`,
    );
  note(problem, request);
  const retryAfter = problem.members.retry_after;
  if (typeof retryAfter === 'number') reply.header('retry-after', Math.max(1, Math.ceil(retryAfter)));
  if (problem.slug === 'unauthenticated') {
    // RFC 6750, section 3.1
    const isGiven = request.raw.headers.authorization !== undefined;
    const metadata = request.routeOptions.config.metadataUrl?.(request) ?? null;
    const details = [
      ...(isGiven ? ['error="invalid_token"'] : []),
      ...(metadata === null ? [] : [`resource_metadata="${metadata}"`]),
    ];
    reply.header('www-authenticate', ['Bearer', details.join(', ')].join(' ').trimEnd());
  }
  // Fastify would add a charset to a string, but this media type has no charset. So the document is sent as bytes.
  return reply
    .code(problem.status)
    .type(problemMediaType)
    .send(Buffer.from(toDocument(problem, pathIn(request.originalUrl))));
}

/** The path of the request, safe to show. It is still encoded, and lacks the query and the token of a webhook. */
export function pathOf({ raw }: { readonly raw: IncomingMessage }): string {
  return pathIn(raw.url);
}

function pathIn(url = ''): string {
  const path = url.replace(/^https?:\/\/[^/]*/i, '').replace(/[?#].*$/s, '') || '/';
  const decoded = decodeAscii(path);
  const shown = withoutHookTokens(decoded);
  if (shown !== decoded) return path.includes('%') ? encodeURI(shown) : shown;
  // A single segment after `/hooks/` is a token, or was meant to be a token.
  return /^(?:\/api\/v1)?\/hooks\/[^/]+\/?$/is.test(decoded) ? '/hooks/[redacted]' : path;
}

/**
 * Decodes ASCII characters up to three times. The router decodes a path once, and a proxy in front of it may have
 * encoded the path again.
 */
function decodeAscii(path: string): string {
  let decoded = path;
  for (let times = 0; times < 3 && decoded.includes('%'); times += 1) {
    decoded = decoded.replaceAll(/%([0-7][\dA-Fa-f])/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  }
  return decoded;
}

/** Answers input that never became a request. Either it is not HTTP, or its headers are too long or never end. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  // After the answer, the rest of a refused request is read and dropped. Otherwise a reset could overtake the answer.
  if (socket.writableEnded && !socket.destroyed) return;
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswering(socket)) {
    socket.destroy(error);
    return;
  }
  const [slug, detail] = unreadable[error.code ?? ''] ?? (['malformed-request', 'This is not HTTP.'] as const);
  endWith(new Problem(slug, detail), socket);
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(timer));
}

const lingerMs = 1_000;

/** Answers a client that speaks plain HTTP to an HTTPS port. */
export function answerPlainHttp(socket: Duplex): void {
  endWith(new Problem('malformed-request', 'This port speaks HTTPS; use an https:// URL.'), socket);
}

/**
 * Whether an answer has begun. Then writing to the socket would corrupt the answer. Node has no public name for the
 * current answer of a socket.
 */
function isAnswering(socket: Socket): boolean {
  const answer: unknown = Reflect.get(socket, '_httpMessage');
  return answer instanceof http.ServerResponse && answer.headersSent;
}

/**
 * Answers the requests that Node handles before Fastify sees them. Node would close CONNECT without an answer, and
 * answer an unknown `Expect` with an empty 417.
 */
export function answerWhatNodeKeeps(server: Server): void {
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    // From here on, no other code listens to the errors of the socket.
    socket.on('error', () => socket.destroy());
    endWith(new Problem('malformed-request', 'This server is not a proxy, so CONNECT is not supported.'), socket);
  });
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    const problem = new Problem('malformed-request', 'The header `Expect` can only be `100-continue`.');
    const document = toDocument(problem, pathOf({ raw: request }));
    const headers = {
      ...Object.fromEntries(safetyHeaders),
      'content-type': problemMediaType,
      'content-length': Buffer.byteLength(document),
      connection: 'close',
    };
    response.writeHead(problem.status, headers).end(document);
  });
}

/** Writes the answer to the socket itself, because there is no response object. */
function endWith(problem: Problem, socket: Duplex): void {
  const document = toDocument(problem, '/');
  const head = [
    `HTTP/1.1 ${problem.status} ${http.STATUS_CODES[problem.status]}`,
    ...safetyHeaders.map(([name, value]) => `${name}: ${value}`),
    `Content-Type: ${problemMediaType}`,
    `Content-Length: ${Buffer.byteLength(document)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${document}`);
}

const unreadable: Readonly<Record<string, readonly [ProblemSlug, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['malformed-request', 'The request did not arrive within server.read_timeout.'],
  HPE_HEADER_OVERFLOW: ['headers-too-large', 'The request line and headers are larger than 16 KiB.'],
};

function toDocument(problem: Problem, instance: string): string {
  const { slug, status, message, members } = problem;
  const { title } = problems[slug];
  const document = { type: problemType(slug), title, status, detail: message, instance, ...members };
  return withoutHookTokens(JSON.stringify(document));
}

function toProblem(error: unknown, bodyLimitBytes: number): Problem | undefined {
  if (error instanceof Problem) return error;
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Problem('unsupported-media-type', 'The body must be application/json.');
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Problem(
        'body-too-large',
        `The body is larger than ${sizeWords(bodyLimitBytes)}. The limit is server.body_limit, but at most 1 MiB for a webhook.`,
      );
    case 'FST_ERR_BAD_URL':
      return new Problem('malformed-request', 'The path is not well-formed percent-encoded UTF-8.');
    case 'ECONNRESET':
      return new Problem('malformed-request', 'The connection ended before the whole body had arrived.');
    default:
      return isRefusal(error) ? new Problem('malformed-request', 'The request cannot be read.') : undefined;
  }
}

/** Whether Fastify refused the request for a reason that is not listed above. */
function isRefusal(error: Error): boolean {
  const status = 'statusCode' in error ? Number(error.statusCode) : 500;
  return error.name === 'FastifyError' && status >= 400 && status < 500;
}
