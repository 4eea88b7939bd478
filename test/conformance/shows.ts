// How a test says which statements of the API reference it shows. What counts is that it passes (every-statement.ts).

import { TestRunner } from 'vitest';
import type { StatementId } from './statements.ts';

declare module 'vitest' {
  interface TaskMeta {
    shows?: readonly StatementId[];
  }
}

export function shows(...ids: readonly StatementId[]): void {
  const test = TestRunner.getCurrentTest();
  if (!test) throw new Error('shows() belongs into a test');
  test.meta.shows = ids;
}
