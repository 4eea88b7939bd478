// Any other service. flwd.yaml sets the method and the headers, and an expression makes the body.

import { evaluateForNotification } from '../../catalog/expression/expression.ts';
import { ExpressionError } from '../../catalog/expression/expression-error.ts';
import type { JsonObject } from '../../domain/job.ts';
import { ChannelError, type ToRequest } from './request.ts';

export const toTemplate: ToRequest = ({ url, method, headers, body: expression }, message) => {
  if (expression === null) return { method, url, headers, body: null, isSigned: false };
  const { headline, reason, context, lines, url: link, event, run } = message;
  const about = { headline, reason, context, log: lines.join('\n'), url: link ?? '' };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a run is what the API answers, so it is JSON
  const scope = { event, message: about, run: run as unknown as JsonObject };
  try {
    const value = evaluateForNotification(expression, scope);
    const isText = typeof value === 'string';
    const type = isText ? 'text/plain; charset=utf-8' : 'application/json';
    const body = isText ? value : JSON.stringify(value);
    // Names are in lower case, so that a header of the channel replaces a default header instead of being sent twice.
    const own = Object.fromEntries(Object.entries(headers).map(([name, each]) => [name.toLowerCase(), each]));
    return { method, url, headers: { 'content-type': type, ...own }, body, isSigned: false };
  } catch (error) {
    if (error instanceof ExpressionError) throw new ChannelError(`\`body\` has no value: ${error.message}`);
    throw error;
  }
};
