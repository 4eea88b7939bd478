// What went wrong with a call, for a person and for whoever might try again.

import { ApiProblem, ServerUnreachable } from './api-problem.ts';

/** @throws what is a bug of ours */
export function errorText(error: unknown): string {
  if (error instanceof ServerUnreachable) return error.message;
  if (error instanceof ApiProblem) return error.title === '' ? error.message : `${error.title}: ${error.message}`;
  if (isTimeout(error)) return 'The server took too long to answer.';
  // A connection that broke in the middle of an answer.
  if (error instanceof TypeError || error instanceof SyntaxError) return 'The answer broke off.';
  throw error;
}

/** Worth another try by itself. */
export function isPassing(error: unknown): boolean {
  if (error instanceof ApiProblem) return error.status >= 500 || error.status === 429;
  return (
    error instanceof ServerUnreachable || error instanceof TypeError || error instanceof SyntaxError || isTimeout(error)
  );
}

export function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError';
}

/** Of a stream of news: opened anew it can be had again, if without what happened in between. */
export function isWorthOpeningAnew(error: unknown): boolean {
  return isPassing(error) || (error instanceof ApiProblem && error.slug === 'events-expired');
}
