// Reads the body of a request as UTF-8 and JSON. Refuses bodies nested so deeply that later code could run out of
// stack.

import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from '../domain/problem.ts';
import { isTooDeep, mostNesting } from '../lib/json-nesting.ts';

export function acceptJson(app: FastifyInstance): void {
  const read = createJsonReader(app);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    const { 'content-encoding': coding = 'identity' } = request.headers;
    if (coding !== 'identity') {
      return done(new Problem('unsupported-media-type', 'The body must not be compressed.'));
    }
    // The request has no body. validation.ts decides whether the operation needs one.
    if (body.length === 0) return done(null, undefined);
    read(request, body, done);
  });
}

type Done = (error: Error | null, value?: unknown) => void;

/** @returns a function that parses a body, and calls `done` before it returns */
export function createJsonReader(app: FastifyInstance): (request: FastifyRequest, body: Buffer, done: Done) => void {
  const parse = app.getDefaultJsonParser('error', 'error');
  return (request, body, done) => {
    if (!isUtf8(body)) return done(new Problem('malformed-request', 'The body is not UTF-8.'));
    const text = body.toString('utf8');
    if (isTooDeep(text)) {
      return done(new Problem('malformed-request', `The body is nested deeper than ${mostNesting} levels.`));
    }
    void parse(request, text, (error, value) => {
      done(error && new Problem('malformed-request', whyNot(text)), value);
    });
  };
}

/**
 * Says why the parser refused the text. The parser also refuses members that could change the prototype of an object.
 */
function whyNot(text: string): string {
  try {
    // The parser skips a byte order mark, and JSON.parse does not.
    JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return 'The body is not well-formed JSON.';
  }
  return 'The body has a member `__proto__`, or a member `constructor` with a member `prototype`.';
}
