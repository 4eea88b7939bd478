// Parts of the console that need no browser: colours of output, the filter of runs, and rows of a list.

import { describe, expect, test } from 'vitest';
import { outlookOf } from '../../src/client/run-outlook.ts';
import { workMs } from '../../src/client/took.ts';
import { toPieces, writtenLast } from '../../src/console/log/ansi.ts';
import { groupFailures } from '../../src/console/overview/failure-groups.ts';
import { shortLists } from '../../src/console/run/run-words.ts';
import { readRunQuery, withFilters } from '../../src/console/runs/run-query.ts';
import { type RunRows, withEvent, withNewest, withOlder, withUnderWayEvent } from '../../src/console/runs/run-rows.ts';
import { instantIn, timeIn } from '../../src/console/schedules/zone-time.ts';
import { dayAndTime, harmless, inZone, type RunRow, settingWords, timeZone } from '../../src/console/words.ts';

const esc = String.fromCharCode(27);
const shown = (message: string): string[] =>
  toPieces(message).map(({ text, classes, colour, background }) =>
    [text, classes.join(' '), colour, background].filter((part) => part !== null && part !== '').join('|'),
  );

describe('a line of output', () => {
  test('keeps its colours until they are reset', () => {
    expect(shown(`a ${esc}[1;31mred${esc}[22m still${esc}[0m b`)).toEqual(['a ', 'red|fg1 bold', ' still|fg1', ' b']);
    expect(shown(`${esc}[92mgreen${esc}[39;44mon blue${esc}[m`)).toEqual([
      'green|fg2',
      'on blue|rgb(255 255 255)|rgb(0 0 238)',
    ]);
    expect(shown(`${esc}[38;5;196mx${esc}[48;2;1;2;3my`)).toEqual(['x|rgb(255 0 0)', 'y|rgb(255 0 0)|rgb(1 2 3)']);
    expect(shown(`${esc}[38;5;244mx${esc}[38;5;3my`)).toEqual(['x|rgb(128 128 128)', 'y|fg3']);
  });

  test('is readable on any background colour', () => {
    expect(shown(`${esc}[31;43mred on yellow`)).toEqual(['red on yellow|rgb(205 0 0)|rgb(205 205 0)']);
    expect(shown(`${esc}[48;5;233mdark${esc}[48;2;240;240;240mlight`)).toEqual([
      'dark|rgb(255 255 255)|rgb(18 18 18)',
      'light|rgb(0 0 0)|rgb(240 240 240)',
    ]);
    expect(shown(`${esc}[103mon yellow${esc}[49;91mred`)).toEqual(['on yellow|rgb(0 0 0)|rgb(255 255 0)', 'red|fg1']);
  });

  test('is shown with inverse colours when its sequences say so', () => {
    expect(shown(`${esc}[7mx${esc}[31my${esc}[42mz${esc}[27mw`)).toEqual([
      'x|inverse',
      'y|rgb(255 255 255)|rgb(205 0 0)',
      'z|rgb(0 205 0)|rgb(205 0 0)',
      'w|rgb(205 0 0)|rgb(0 205 0)',
    ]);
    expect(shown(`${esc}[7;42mx`)).toEqual(['x|fg2']);
  });

  test('cannot change the direction of text, and a name cannot either', () => {
    expect(shown('a\u202eb')).toEqual(['a�b']);
    expect(harmless('exe.\u202etxt')).toBe('exe.�txt');
  });

  test('loses every other control sequence', () => {
    expect(shown(`a${esc}[2J${esc}]0;title\u0007b${esc}]8;;http://x${esc}\\c${esc}(Bd`)).toEqual(['a', 'b', 'c', 'd']);
    expect(shown('a\u0000b\u202Ec\rd')).toEqual(['a�b�c�d']);
    expect(shown('50%\r')).toEqual(['50%']);
    expect(['1%\r50%\r100%', '50%\r', '\r\r', 'plain'].map(writtenLast)).toEqual(['100%', '50%', '', 'plain']);
  });
});

test('settings, times and zones are in the words of the design', () => {
  expect(['1d', '90d', '30m', '1h30m', 'none'].map(settingWords)).toEqual([
    '1 day',
    '90 days',
    '30 min',
    '1 h 30 min',
    'none',
  ]);
  const noon = new Date(2026, 10, 27, 12).getTime();
  const at = (hours: number): string => new Date(noon + hours * 3_600_000).toISOString();
  expect([at(-2), at(-24), at(24)].map((one) => dayAndTime(one, noon))).toEqual([
    'today 10:00',
    'yesterday 12:00',
    'tomorrow 12:00',
  ]);
  expect([timeZone, 'Asia/Kathmandu', 'No/Where'].map((zone) => inZone('Every hour', zone))).toEqual([
    'Every hour',
    'Every hour, Asia/Kathmandu',
    'Every hour, No/Where',
  ]);
});

describe('the filter of runs', () => {
  const now = Date.parse('2026-11-26T10:00:30Z');
  test('is converted to a query of the API', () => {
    expect(readRunQuery('job:backup/daily status:failed since:2d label:team=ops disk full', now)).toEqual({
      query: {
        job_id: 'backup/daily',
        status: 'failed',
        since: '2026-11-24T10:00:00.000Z',
        label: 'team=ops',
        q: 'disk full',
      },
      errors: [],
    });
    expect(readRunQuery('job:shop/ by:mara trigger:mcp -label:kind', now)).toEqual({
      query: { prefix: 'shop', created_by: 'mara', trigger: 'mcp', not_label: 'kind' },
      errors: [],
    });
    expect(readRunQuery('label:"note=two words"', now).query).toEqual({ label: 'note=two words' });
    expect(readRunQuery('until:2026-11-26T09:00:00Z', now).query).toEqual({ until: '2026-11-26T09:00:00.000Z' });
    expect(readRunQuery('10:30 run_01ABC', now)).toEqual({ query: { q: '10:30 run_01ABC' }, errors: [] });
  });

  test('reports what is wrong with it', () => {
    expect(readRunQuery('sttus:failed status:succes trigger:cron', now).errors).toEqual([
      "There is no filter 'sttus:'. Did you mean 'status:'?",
      "There is no status 'succes'. Did you mean 'success'?",
      expect.stringMatching(/^There is no trigger 'cron'\. Use one of api, cli, /),
    ]);
    // `job:` is as short as `foo:`, but too different to be suggested.
    expect(readRunQuery('foo:bar', now).errors).toEqual([
      expect.stringMatching(/^There is no filter 'foo:'\. Use one of job:, /),
    ]);
    expect(readRunQuery('status:lost', now).errors).toEqual([
      "There is no status 'lost'. Use one of pending, running, success, failed, cancelled, waiting_approval.",
    ]);
    expect(readRunQuery('since:soon', now).errors).toEqual([
      "'soon' is not a time. Write 2d, 90m, 2026-11-26 or 2026-11-26T10:00.",
    ]);
    expect(readRunQuery('status:failed status:running', now).errors).toEqual(["Use 'status:' only once."]);
    expect(readRunQuery('machine:failed', now).errors).toEqual([
      "There is no filter 'machine:'. Use one of job:, status:, label:, -label:, by:, trigger:, since:, until:, source:, tenant:.",
    ]);
  });

  test('can get a status, replace it and lose it', () => {
    expect(withFilters('job:a text', { status: 'failed' })).toBe('status:failed job:a text');
    expect(withFilters('status:failed job:a "label:b c"', { status: 'running' })).toBe(
      'status:running job:a "label:b c"',
    );
    expect(withFilters('status:failed job:a', { status: null })).toBe('job:a');
  });
});

describe('a time in the zone of a schedule', () => {
  test('has the day of that zone', () => {
    const now = Date.parse('2026-11-28T13:00:00Z');
    const there = (at: string) => timeIn('Asia/Tokyo', at, now);
    expect(there('2026-11-28T13:30:00Z')).toBe('22:30');
    expect(there('2026-11-28T15:30:00Z')).toBe('tomorrow 00:30');
    expect(there('2026-11-27T14:00:00Z')).toBe('yesterday 23:00');
    expect(there('2026-11-24T01:00:00Z')).toBe('Tue 10:00');
    expect(there('2026-10-01T16:00:00Z')).toBe('2 Oct');
    expect(there('2027-01-01T03:00:00Z')).toBe('1 Jan 2027');
    expect(timeIn('No/Zone', '2026-10-01T12:00:00Z', now)).toBe('1 Oct');
  });
});

describe('a local time in the zone of a schedule', () => {
  test('that occurs twice is the first, in a gap is the time before the gap, and is null for other text', () => {
    const there = (wall: string) => instantIn('Europe/Berlin', wall);
    expect(there('2026-11-02T00:00')).toBe('2026-11-01T23:00:00.000Z');
    expect(there('2026-10-25T02:30')).toBe('2026-10-25T00:30:00.000Z');
    expect(there('2026-03-29T02:30')).toBe('2026-03-29T00:30:00.000Z');
    expect(there('2026-03-29T03:00')).toBe('2026-03-29T01:00:00.000Z');
    expect(instantIn('Pacific/Kiritimati', '2026-11-02T00:00')).toBe('2026-11-01T10:00:00.000Z');
    expect(there('')).toBeNull();
  });

  test('is null while the year is being typed', () => {
    const there = (wall: string) => instantIn('Europe/Berlin', wall);
    const years = ['0001', '0020', '0202', '0999', '1899', '12026'];
    for (const year of years) expect(there(`${year}-11-02T00:00`)).toBeNull();
    expect(there('9998-12-31T23:59')).toBe('9998-12-31T22:59:00.000Z');
    expect(there('1900-01-01T00:00')).toBe('1899-12-31T23:00:00.000Z');
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
    waiting_approval: [],
    approval_ms: 0,
    expected_ms: null,
    expected_end_at: null,
    args_text: '',
    started_at: null,
    exit_code: null,
    attempt: 1,
    priority: 0,
    trigger: { type: 'api' },
    created_by: 'local',
    labels: {},
    progress: null,
    error: null,
  });
  test('exclude the time that a run waited for approval from its duration, as the usual duration does', () => {
    const at = (minutes: number): string => new Date(Date.UTC(2026, 10, 26, 10, minutes)).toISOString();
    const nowMs = Date.parse(at(30));
    const running = { ...row(1), started_at: at(0) };
    const asking = { step_id: 'ask', question: null, since: at(12) };
    const minutes = (run: RunRow): number => (workMs(run, nowMs) ?? Number.NaN) / 60_000;
    expect([
      minutes(running),
      minutes({ ...running, approval_ms: 18 * 60_000 }),
      minutes({ ...running, waiting_approval: [asking] }),
      minutes({ ...row(1, 'success'), started_at: at(0), finished_at: at(20), approval_ms: 15 * 60_000 }),
      workMs(row(1, 'pending'), nowMs),
    ]).toEqual([30, 12, 12, 5, null]);
    const late = (run: RunRow): boolean => outlookOf(run, 15 * 60_000, nowMs).isLong;
    expect([late(running), late({ ...running, approval_ms: 18 * 60_000 })]).toEqual([true, false]);
  });

  test('estimate the remaining time from the progress of the run, even if it has just started', () => {
    const nowMs = Date.UTC(2026, 10, 26, 10, 30);
    const started = (minutesAgo: number): RunRow => ({
      ...row(1),
      started_at: new Date(nowMs - minutesAgo * 60_000).toISOString(),
      progress: { percent: 40, message: '' },
    });
    expect(outlookOf(started(20), 100 * 60_000, nowMs)).toMatchObject({ share: 0.4, words: 'about 30 min left' });
    expect(outlookOf(started(1), 100 * 60_000, nowMs)).toMatchObject({ share: 0.4, words: 'about 1 h left' });
    expect(outlookOf(started(20), null, nowMs).words).toBe('about 30 min left');
    // The usual duration of the job has not been loaded yet.
    expect(outlookOf(started(1), undefined, nowMs)).toMatchObject({ share: 0.4, words: '' });
  });

  test('are grouped as one failure if their programs say the same, however they ended', () => {
    const failed = (id: number, message: string): RunRow => ({ ...row(id, 'failed'), error: { message } });
    const groups = groupFailures([
      failed(3, 'exited with code 1: no price list'),
      failed(2, 'exited with code 2: no price list'),
      failed(1, 'exited with code 1'),
    ]);
    expect(groups.map(({ message, runs }) => [message, runs.length])).toEqual([
      ['no price list', 2],
      ['exited with code 1', 1],
    ]);
  });

  test('are grouped as one failure if only an address, a time or a number differs, under the newest message', () => {
    const failed = (id: number, message: string): RunRow => ({ ...row(id, 'failed'), error: { message } });
    const groups = groupFailures([
      failed(3, 'exited with code 1: upstream 10.0.0.3 refused connection'),
      failed(2, 'exited with code 1: upstream 10.0.0.2 refused connection'),
      failed(1, 'exited with code 1: HTTP 500'),
      failed(0, 'exited with code 1: HTTP 404'),
    ]);
    expect(groups.map(({ message, runs }) => [message, runs.length])).toEqual([
      ['upstream 10.0.0.3 refused connection', 2],
      ['HTTP 500', 1],
      ['HTTP 404', 1],
    ]);
  });

  test('compare lists by their lengths first', () => {
    expect(shortLists('["a","b","c"]', '["a"]')).toEqual({ was: '3', is: '1' });
    expect(shortLists('["a","b"]', '["a",1]')).toEqual({ was: 'a, b', is: 'a, 1' });
    expect(shortLists('[a', 'b')).toEqual({ was: '[a', is: 'b' });
  });

  const page = (cursor: string | null, ...ids: number[]) => ({
    runs: ids.map((id) => row(id)),
    next_cursor: cursor,
    total: 9,
    total_exact: true,
  });
  const ids = ({ rows }: RunRows): string => rows.map(({ run_id: id }) => id.slice(4)).join(' ');

  test('get new runs at their beginning and keep the older ones', () => {
    const held = withOlder(withNewest(null, page('c3', 5, 4, 3)), page('c1', 2, 1));
    const grown = withNewest(held, page('c4', 6, 5, 4));
    expect([ids(grown), grown.cursor]).toEqual(['6 5 4 3 2 1', 'c1']);
  });

  test('are replaced if more new runs arrived than fit on one page', () => {
    const held = withNewest(null, page('c3', 5, 4, 3));
    const replaced = withNewest(held, page('c7', 9, 8, 7));
    expect([ids(replaced), replaced.cursor]).toEqual(['9 8 7', 'c7']);
  });

  test('are updated by an event, however far down they are', () => {
    const held = withNewest(null, page(null, 2, 1));
    const frame = (event: string, data: object) => ({ id: '1', event, data: { ...data, timestamp: 'T' } });
    const changed = withEvent(held, frame('run.finished', { run_id: 'run_1', status: 'failed' }));
    expect(changed.rows[1]).toMatchObject({ status: 'failed', finished_at: 'T' });
    const running = withEvent(held, frame('run.finished', { run_id: 'run_1', status: 'failed' }), 'running');
    expect(ids(running)).toBe('2');
    expect(withEvent(held, frame('step.finished', { run_id: 'run_1', status: 'failed' }))).toBe(held);
    expect(withEvent(held, frame('run.finished', { run_id: 'run_9', status: 'failed' }))).toBe(held);
  });

  test('of the running or pending list are updated by an event, or read again if the event does not suffice', () => {
    const one = row(1);
    const held = { ...page(null, 2), runs: [row(2), one], total: 2 };
    const after = (event: string, data: object, status: 'running' | 'pending' = 'running', now = held) =>
      withUnderWayEvent(now, { id: '1', event, data: { ...data } }, status);
    expect(after('run.finished', { run_id: 'run_2' })).toMatchObject({ runs: [one], total: 1 });
    expect(after('run.finished', { run_id: 'run_9' })).toBe(held);
    expect(after('run.started', { run_id: 'run_1' }, 'pending')).toMatchObject({ total: 1 });
    const told = after('run.progress', { run_id: 'run_1', percent: 40, message: 'half' });
    expect(told?.runs[1]?.progress).toEqual({ percent: 40, message: 'half' });
    for (const [event, run_id] of [
      ['run.started', 'run_9'],
      ['run.waiting', 'run_1'],
      ['step.waiting_approval', 'run_1'],
    ])
      expect(after(String(event), { run_id }), event).toBeNull();
    const asking = {
      ...held,
      runs: [{ ...one, waiting_approval: [{ step_id: 'ask', question: null, since: 'T' }] }],
      total: 1,
    };
    expect(after('step.finished', { run_id: 'run_1' }, 'running', asking)).toBeNull();
    expect(after('step.finished', { run_id: 'run_1' })).toBe(held);
    expect(after('run.finished', { run_id: 'run_1' }, 'running', { ...held, total: 60 })).toBeNull();
  });
});
