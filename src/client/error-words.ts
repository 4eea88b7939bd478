// Describes the error of a call, and decides whether another attempt may help.

import { ApiProblem, ServerUnreachable } from './api-problem.ts';

/** @throws the error itself if it is a bug */
export function errorText(error: unknown): string {
  if (error instanceof ServerUnreachable) return error.message;
  if (error instanceof ApiProblem) return error.title === '' ? error.message : `${error.title}: ${error.message}`;
  if (isTimeout(error)) return 'The server took too long to answer.';
  // The connection broke in the middle of an answer.
  if (error instanceof TypeError || error instanceof SyntaxError) return 'The connection broke during the answer.';
  throw error;
}

/** Another attempt may succeed. */
export function isPassing(error: unknown): boolean {
  if (error instanceof ApiProblem) return error.status >= 500 || error.status === 429;
  return (
    error instanceof ServerUnreachable || error instanceof TypeError || error instanceof SyntaxError || isTimeout(error)
  );
}

export function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError';
}

/** Whether it helps to open a stream of events again. After `events-expired`, the new stream lacks some events. */
export function isWorthReopening(error: unknown): boolean {
  return isPassing(error) || (error instanceof ApiProblem && error.slug === 'events-expired');
}
