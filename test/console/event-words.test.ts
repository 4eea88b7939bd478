// The words for the events of a run, without a browser.

import { expect, test } from 'vitest';
import { eventWords } from '../../src/console/run/event-words.ts';
import { triggerTypes } from '../../src/domain/run.ts';

test('the first event of a run says what created it, whatever started it', () => {
  const words = triggerTypes.map((trigger) => {
    const event = { event: 'run.created', id: 1, timestamp: '2026-11-30T00:00:00Z', trigger };
    return `${trigger}: ${eventWords(event).what}`;
  });
  expect(words).toEqual([
    'api: The run was created through the API',
    'cli: The run was created from the command line',
    'console: The run was created in the console',
    'rerun: The run was created as a rerun',
    'schedule: The run was created by a schedule',
    'backfill: The run was created by a backfill of a schedule',
    'webhook: The run was created by a webhook',
    'job: The run was created by a step of another run',
    'job_ended: The run was created after the end of another run',
    'file: The run was created for a file',
    'check: The run was created by a check',
    'mcp: The run was created through MCP',
  ]);
});

test.each([
  ['success', 'The run succeeded after 2.0 s', 'build succeeded, attempt 2'],
  ['failed', 'The run failed after 2.0 s', 'build failed, attempt 2'],
  ['cancelled', 'The run was cancelled after 2.0 s', 'build was cancelled, attempt 2'],
])('the end of a run or a step with the status %s is a sentence', (status, ofRun, ofStep) => {
  const event = { id: 1, timestamp: '2026-11-30T00:00:00Z', status };
  expect(eventWords({ ...event, event: 'run.finished', duration_ms: 2_000 }).what).toBe(ofRun);
  expect(eventWords({ ...event, event: 'step.finished', step_id: 'build', attempt: 2 }).what).toBe(ofStep);
});

test('if a cancel sends a signal, the event says that the server sent it', () => {
  const event = { id: 1, timestamp: '2026-11-30T00:00:00Z', event: 'run.cancelling' };
  expect(eventWords(event)).toEqual({ what: 'The run was asked to stop', why: '' });
  expect(eventWords({ ...event, by: 'mara' }).what).toBe('The run was asked to stop by mara');
  expect(eventWords({ ...event, by: 'run:run_01' }).what).toBe('The run was asked to stop by run_01');
  expect(eventWords({ ...event, step_id: 'build', signal: 'TERM', message: 'sent TERM to 2 processes' })).toEqual({
    what: 'The server sent TERM to 2 processes',
    why: '',
  });
});
