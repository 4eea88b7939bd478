// Reads a request's body: UTF-8, JSON, and not nested so deep that something later would run out of stack.

import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { Problem } from '../domain/problem.ts';

const mostNesting = 64;

export function acceptJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    const { 'content-encoding': coding = 'identity' } = request.headers;
    if (coding !== 'identity') {
      return done(new Problem('unsupported-media-type', 'The body must not be compressed.'));
    }
    // No body at all: whether the operation needs one is not for here.
    if (body.length === 0) return done(null, undefined);
    if (!isUtf8(body)) return done(new Problem('malformed-request', 'The body is not UTF-8.'));
    const text = body.toString('utf8');
    if (isTooDeep(text)) {
      return done(new Problem('malformed-request', `The body is nested deeper than ${mostNesting} levels.`));
    }
    return void parse(request, text, done);
  });
}

function isTooDeep(text: string): boolean {
  let depth = 0;
  let isInString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (isInString) {
      if (char === '\\') at++;
      else if (char === '"') isInString = false;
    } else if (char === '"') isInString = true;
    else if (char === '[' || char === '{') {
      depth += 1;
      if (depth > mostNesting) return true;
    } else if (char === ']' || char === '}') depth -= 1;
  }
  return false;
}
