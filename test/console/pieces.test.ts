// What the pages are made of and needs no browser: colours of a line, the text query of runs, and rows that are kept up to date.

import { describe, expect, test } from 'vitest';
import { toPieces } from '../../src/console/ansi.ts';
import { readRunQuery, withFilter } from '../../src/console/run-query.ts';
import { type RunRows, withEvent, withNewest, withOlder } from '../../src/console/run-rows.ts';
import type { RunRow } from '../../src/console/words.ts';

const esc = String.fromCharCode(27);
const shown = (message: string): string[] =>
  toPieces(message).map(({ text, classes, colour, background }) =>
    [text, classes, colour, background].filter((part) => part !== null && part !== '').join('|'),
  );

describe('a line of output', () => {
  test('keeps its colours, until they end', () => {
    expect(shown(`a ${esc}[1;31mred${esc}[22m still${esc}[0m b`)).toEqual(['a ', 'red|fg-1 bold', ' still|fg-1', ' b']);
    expect(shown(`${esc}[92mgreen${esc}[39;44mon blue${esc}[m`)).toEqual(['green|fg-10', 'on blue|bg-4']);
    expect(shown(`${esc}[38;5;196mx${esc}[48;2;1;2;3my`)).toEqual(['x|rgb(255 0 0)', 'y|rgb(255 0 0)|rgb(1 2 3)']);
    expect(shown(`${esc}[38;5;244mx${esc}[38;5;3my`)).toEqual(['x|rgb(128 128 128)', 'y|fg-3']);
  });

  test('does nothing else to the page', () => {
    expect(shown(`a${esc}[2J${esc}]0;title\u0007b${esc}]8;;http://x${esc}\\c${esc}(Bd`)).toEqual(['a', 'b', 'c', 'd']);
    expect(shown('a\u0000b\u202Ec\rd')).toEqual(['a�b�c�d']);
    expect(shown('50%\r')).toEqual(['50%']);
  });
});

describe('the query of runs', () => {
  const now = Date.parse('2026-11-26T10:00:30Z');
  test('is read as a person writes it', () => {
    expect(readRunQuery('job:backup/daily status:failed since:2d label:team=ops disk full', now)).toEqual({
      query: {
        job_id: 'backup/daily',
        status: 'failed',
        since: '2026-11-24T10:00:00.000Z',
        label: 'team=ops',
        q: 'disk full',
      },
      faults: [],
    });
    expect(readRunQuery('label:"note=two words"', now).query).toEqual({ label: 'note=two words' });
    expect(readRunQuery('until:2026-11-26T09:00:00Z', now).query).toEqual({ until: '2026-11-26T09:00:00.000Z' });
    expect(readRunQuery('10:30 run_01ABC', now)).toEqual({ query: { q: '10:30 run_01ABC' }, faults: [] });
  });

  test('says what is wrong with it', () => {
    expect(readRunQuery('status:lost', now).faults).toEqual([
      "There is no status 'lost': pending, running, success, failed, cancelled.",
    ]);
    expect(readRunQuery('since:soon', now).faults).toEqual([
      "'soon' is no time: 2d, 90m, 2026-11-26 or 2026-11-26T10:00.",
    ]);
    expect(readRunQuery('state:failed', now).faults).toEqual([
      "There is no filter 'state:'; there is job, status, tenant, label, source, since, until.",
    ]);
  });

  test('gets a filter, another one in its place, and loses it', () => {
    expect(withFilter('job:a text', 'status', 'failed')).toBe('status:failed job:a text');
    expect(withFilter('status:failed job:a "label:b c"', 'status', 'running')).toBe('status:running job:a "label:b c"');
    expect(withFilter('status:failed job:a', 'status', null)).toBe('job:a');
  });
});

describe('rows of runs', () => {
  const row = (id: number, status: RunRow['status'] = 'running'): RunRow => ({
    run_id: `run_${id}`,
    job_id: 'a',
    status,
    created_at: '2026-11-26T10:00:00.000Z',
    finished_at: null,
    tenant: 'default',
    reason: null,
    waiting: null,
    started_at: null,
    exit_code: null,
    attempt: 1,
    priority: 0,
    trigger: { type: 'api' },
    created_by: 'local',
    labels: {},
    progress: null,
  });
  const page = (cursor: string | null, ...ids: number[]) => ({
    runs: ids.map((id) => row(id)),
    next_cursor: cursor,
    total: 9,
  });
  const ids = ({ rows }: RunRows): string => rows.map(({ run_id: id }) => id.slice(4)).join(' ');

  test('get what is new in front, and keep what was read behind', () => {
    const held = withOlder(withNewest(null, page('c3', 5, 4, 3)), page('c1', 2, 1));
    const grown = withNewest(held, page('c4', 6, 5, 4));
    expect([ids(grown), grown.cursor]).toEqual(['6 5 4 3 2 1', 'c1']);
  });

  test('are read anew where too much came for one page', () => {
    const held = withNewest(null, page('c3', 5, 4, 3));
    const anew = withNewest(held, page('c7', 9, 8, 7));
    expect([ids(anew), anew.cursor]).toEqual(['9 8 7', 'c7']);
  });

  test('change where an event says so, however far down', () => {
    const held = withNewest(null, page(null, 2, 1));
    const frame = (event: string, data: object) => ({ id: '1', event, data: { ...data, timestamp: 'T' } });
    const changed = withEvent(held, frame('run.finished', { run_id: 'run_1', status: 'failed' }));
    expect(changed.rows[1]).toMatchObject({ status: 'failed', finished_at: 'T' });
    expect(withEvent(held, frame('step.finished', { run_id: 'run_1', status: 'failed' }))).toBe(held);
    expect(withEvent(held, frame('run.finished', { run_id: 'run_9', status: 'failed' }))).toBe(held);
  });
});
