// The headers of answers that clients read. Headers that only browsers, caches and proxies read are not listed.

export const answerHeaders = {
  'Accept-Ranges': { type: 'string', description: '`bytes`: the operation takes `Range`' },
  'Content-Disposition': { type: 'string', description: 'The name under which to save the file' },
  'Content-Range': { type: 'string', description: 'Which bytes the answer has, and how many the whole file has' },
  ETag: { type: 'string', description: 'The version of the answer, for `If-None-Match`' },
  'Idempotent-Replay': {
    type: 'string',
    description: '`true`: the answer to an earlier request with the same `Idempotency-Key`',
  },
  Location: { type: 'string', description: 'The path of the object that the request created' },
  'Retry-After': {
    type: 'integer',
    description: 'After how many seconds to try again; absent if the server does not know',
  },
  'WWW-Authenticate': {
    type: 'string',
    description:
      '`Bearer`: send a token; with `error="invalid_token"`, the token that was sent is unknown, revoked or expired',
  },
  'X-RateLimit-Limit': { type: 'integer', description: 'How many requests the caller may send in a period' },
  'X-RateLimit-Remaining': {
    type: 'integer',
    description: 'How many requests the caller may still send in this period',
  },
  'X-RateLimit-Reset': { type: 'integer', description: 'When the next period begins, in seconds since 1970' },
  'X-Request-Id': { type: 'string', description: 'The id of the request, as in the server’s log and in the audit log' },
} as const satisfies Record<string, { readonly type: 'string' | 'integer'; readonly description: string }>;

export type AnswerHeader = keyof typeof answerHeaders;

/** Every answer has these headers, except when the request is not HTTP or its headers are too large. */
export const usualHeaders = [
  'X-Request-Id',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
] as const satisfies readonly AnswerHeader[];
