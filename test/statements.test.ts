// Tests the check that every statement in test/conformance/statements.ts has a test.

import { expect, test } from 'vitest';
import { statements } from './conformance/statements.ts';
import { type SeenTest, unknownStatements, unshownStatements } from './support/every-statement.ts';

const ids = Object.keys(statements);
const [first = '', ...others] = ids;
const seen = (state: SeenTest['state'], shows: readonly string[]): SeenTest => ({ name: 'a test', state, shows });
const firstIsMissing = [
  `${first} is shown by no test that passed: By default the server listens at http://localhost:8080/api/v1.`,
];

test('a statement is shown if any passed test names it', () => {
  expect(unshownStatements([seen('passed', others), seen('passed', [first, 'jobs.get'])])).toEqual([]);
});

test('a run without tests shows nothing', () => {
  expect(unshownStatements([])).toHaveLength(ids.length);
});

test.each(['failed', 'skipped', 'pending'] as const)('a test that has %s shows nothing', (state) => {
  expect(unshownStatements([seen('passed', others), seen(state, [first])])).toEqual(firstIsMissing);
});

test('an unknown statement that a test names is reported, whether the test passed or not', () => {
  expect(unknownStatements([seen('passed', ids), seen('failed', ['jobs.lst'])])).toEqual([
    "jobs.lst is no statement; the test 'a test' names it",
  ]);
});
