// The steps of a run are shown correctly, even if the clock was changed while it ran.

import { expect, test } from 'vitest';
import { isKept } from '../../src/client/shown-steps.ts';

const step = { status: 'success', finished_at: '2026-01-01T11:00:02.000Z' } as const;

test('a step that ended before its run was created counts as kept only if the run is a rerun', () => {
  const createdAt = '2026-01-01T12:00:00.000Z';
  expect(isKept({ rerun_of: 'run_1', created_at: createdAt }, step)).toBe(true);
  expect(isKept({ rerun_of: null, created_at: createdAt }, step)).toBe(false);
});
