// What every queue does, wherever it keeps its runs. `open` opens a new queue for each test.

import { expect, test } from 'vitest';
import type { Admission, CandidateRun, Claim, Queue, QueueLimits } from '../../src/engine/queue/queue.ts';
import type { Slots } from '../../src/engine/run/slots.ts';
import { ownTrace } from '../../src/store/run/span-ids.ts';

type OpenQueue = {
  readonly queue: Queue;
  /** The slots of this process. */
  readonly slots: Slots;
  /** How often the queue has reported that something may be claimed. */
  readonly readyCount: () => number;
  /** The last reason to wait that each waiting run was given after it was added, by run. */
  readonly told: () => Promise<ReadonlyMap<string, string>>;
};

type Open = (limits: Partial<QueueLimits>) => Promise<OpenQueue>;

export function testQueue(open: Open): void {
  const openWith = async (limits: Partial<QueueLimits> = {}): Promise<OpenQueue> => {
    const opened = await open(limits);
    opened.queue.open();
    return opened;
  };

  test('a run gets a slot at once, until no slot is free', async () => {
    const { queue, slots } = await openWith({ globalConcurrency: 2 });
    expect(await queue.admit(run('a'))).toMatchObject({ kind: 'start' });
    const second = await queue.admit(run('b'));
    expect(slots.running).toBe(2);
    expect(await queue.admit(run('c'))).toMatchObject({ kind: 'wait', waiting: '2 of 2 slots are taken' });
    expect(await queue.outlook(group(), 'queue')).toEqual({ waiting: '2 of 2 slots are taken', refused: null });
    second.giveUp();
    expect(slots.running).toBe(1);
    expect(queue.has('b')).toBe(false);
    expect(queue.has('a')).toBe(true);
  });

  test('of runs admitted at the same moment, only as many start as there are free slots', async () => {
    const { queue, slots } = await openWith({ globalConcurrency: 3 });
    const admissions = await Promise.all(Array.from({ length: 20 }, (_, n) => queue.admit(run(`run_${n}`))));
    expect(admissions.filter(({ kind }) => kind === 'start')).toHaveLength(3);
    expect(slots.running).toBe(3);
    expect(queue.depth).toBe(17);
  });

  test('waiting runs are claimed by priority, then by age, as many as there are free slots', async () => {
    const { queue, slots } = await openWith({ globalConcurrency: 2 });
    const holders = [slots.hold(), slots.hold()];
    for (const [n, priority] of [0, 0, 10, -5].entries()) await wait(queue, run(`run_${n}`, { priority }));
    expect(await queue.claim()).toEqual([]);
    for (const { release } of holders) release();
    const claims = await queue.claim();
    expect(idsOf(claims)).toEqual(['run_2', 'run_0']);
    expect(slots.free).toBe(0);
    for (const { slot } of claims) slot.release();
    expect(idsOf(await queue.claim())).toEqual(['run_1', 'run_3']);
    expect(queue.depth).toBe(0);
  });

  test('slots are shared among tenants by their weights', async () => {
    const weightOf = (tenant: string) => (tenant === 'big' ? 3 : 1);
    const { queue, slots } = await openWith({ globalConcurrency: 8, weightOf });
    const holders = Array.from({ length: 8 }, () => slots.hold());
    for (let n = 0; n < 12; n++) await wait(queue, run(`big_${n}`, { tenant: 'big' }));
    for (let n = 0; n < 12; n++) await wait(queue, run(`small_${n}`, { tenant: 'small' }));
    for (const { release } of holders) release();
    expect(idsOf(await queue.claim()).filter((id) => id.startsWith('small'))).toEqual(['small_0', 'small_1']);
  });

  test('a step of a started run goes before waiting runs of the same priority, but not before those of a higher one', async () => {
    const { queue, slots } = await openWith({ globalConcurrency: 1 });
    const holder = slots.hold();
    await wait(queue, run('waits'));
    const granted: string[] = [];
    expect(queue.requestSlot(facts('started'), 2, () => granted.push('step'))).toBeUndefined();
    await wait(queue, run('urgent', { priority: 10 }));
    holder.release();
    const urgent = await queue.claim();
    expect([idsOf(urgent), granted]).toEqual([['urgent'], []]);
    for (const { slot } of urgent) slot.release();
    expect([await queue.claim(), granted]).toEqual([[], ['step']]);
    expect(slots.running).toBe(1);
  });

  test('a step gets a free slot at once when nothing waits, and a withdrawn step gets no slot', async () => {
    const { queue, slots } = await openWith({ globalConcurrency: 1 });
    const slot = queue.requestSlot(facts('started'), 1, never);
    expect(slot).toBeDefined();
    expect(queue.requestSlot(facts('started'), 2, never)).toBeUndefined();
    queue.withdrawSlot('started', 2);
    slot?.release();
    expect(await queue.claim()).toEqual([]);
    expect(slots.running).toBe(0);
  });

  test('a run does not overtake a waiting step, and says what it waits for', async () => {
    const { queue, slots } = await openWith({ globalConcurrency: 1 });
    const holder = slots.hold();
    queue.requestSlot(facts('started'), 1, never);
    holder.release();
    const waiting = 'steps of running runs wait before it';
    expect(await queue.outlook(group(), 'queue')).toEqual({ waiting, refused: null });
    expect(await queue.startable()).toBeDefined();
  });

  test('a concurrency group delays only its own runs, from the claim to the release', async () => {
    const { queue } = await openWith({ globalConcurrency: 8 });
    const first = await started(queue, run('first', keyed('a')));
    const waiting = "only one run of job with the concurrency key 'a' at a time";
    expect(await wait(queue, run('second', keyed('a')))).toMatchObject({ waiting });
    const other = await started(queue, run('other', keyed('b')));
    expect(await queue.claim()).toEqual([]);
    expect(await queue.startable()).toBeUndefined();
    first.hold.release();
    expect(await queue.startable()).toBe('second');
    expect(idsOf(await queue.claim())).toEqual(['second']);
    other.giveUp();
  });

  test('job_concurrency limits a job across all its keys, including runs that an earlier process started', async () => {
    const { queue } = await openWith({ globalConcurrency: 8, jobConcurrency: 2 });
    const resumed = queue.hold(group(), { id: 'resumed', tenant: 'default' });
    expect(queue.has('resumed')).toBe(true);
    await started(queue, run('a', keyed('a')));
    expect(await wait(queue, run('b', keyed('b')))).toMatchObject({ waiting: 'only 2 runs of job at a time' });
    resumed.release();
    expect(idsOf(await queue.claim())).toEqual(['b']);
  });

  test('the newest limit of a job applies to all its waiting runs', async () => {
    const { queue, slots } = await openWith({ globalConcurrency: 3 });
    await started(queue, run('a', keyed('k', 1)));
    await wait(queue, run('b', keyed('k', 1)));
    const holders = [slots.hold(), slots.hold()];
    await wait(queue, run('c', keyed('k', 3)));
    for (const { release } of holders) release();
    expect(idsOf(await queue.claim())).toEqual(['b', 'c']);
  });

  test('on_conflict: reject counts runs that have started, that wait, and that are being stored', async () => {
    const { queue } = await openWith({ globalConcurrency: 1 });
    const rejected = { ...keyed('a', 3), onConflict: 'reject' } as const;
    await started(queue, run('a', rejected));
    await wait(queue, run('b', rejected));
    const being = await queue.admit(run('c', rejected));
    const conflict = {
      slug: 'concurrency-conflict',
      message:
        "3 of 3 runs of job with the concurrency key 'a' already run or wait, and the job says on_conflict: reject.",
    };
    await expect(queue.admit(run('d', rejected))).rejects.toMatchObject(conflict);
    expect((await queue.outlook(group(rejected.concurrency), 'reject')).refused).toMatchObject(conflict);
    being.giveUp();
    expect(await queue.admit(run('d', rejected))).toMatchObject({ kind: 'wait' });
  });

  test('on_conflict: cancel_running names the oldest runs of the same tenant', async () => {
    const { queue } = await openWith({ globalConcurrency: 1 });
    const replaces = { ...keyed('a', 2), onConflict: 'cancel_running' } as const;
    await started(queue, run('theirs', { ...replaces, tenant: 'acme' }));
    await wait(queue, run('first', replaces));
    expect(await wait(queue, run('second', replaces))).toMatchObject({ replaced: ['first'] });
    expect(await wait(queue, run('third', replaces))).toMatchObject({ replaced: ['first', 'second'] });
  });

  test('max_depth refuses further waiting runs, except sub-runs', async () => {
    const { queue, slots } = await openWith({ globalConcurrency: 1, maxDepth: 2 });
    const holder = slots.hold();
    await wait(queue, run('sub', { trigger: 'job' }));
    await wait(queue, run('a'));
    expect(queue.isFull).toBe(false);
    const being = await queue.admit(run('b'));
    const full = {
      slug: 'queue-full',
      message: '2 runs wait already; scheduler.queue.max_depth is 2.',
      members: { retry_after: 5 },
    };
    await expect(queue.admit(run('c'))).rejects.toMatchObject(full);
    expect((await queue.outlook(group(), 'queue')).refused).toMatchObject(full);
    expect(queue.isFull).toBe(true);
    expect(await queue.admit(run('another_sub', { trigger: 'job' }))).toMatchObject({ kind: 'wait' });
    being.giveUp();
    expect(await queue.admit(run('c'))).toMatchObject({ kind: 'wait' });
    holder.release();
  });

  test('a removed run is not claimed', async () => {
    const { queue, slots } = await openWith({ globalConcurrency: 1 });
    const holder = slots.hold();
    await wait(queue, run('a'));
    await wait(queue, run('b'));
    await queue.remove('a');
    expect([queue.depth, queue.has('a')]).toEqual([1, false]);
    holder.release();
    expect(idsOf(await queue.claim())).toEqual(['b']);
  });

  test('a run that is added twice, or while it runs, is claimed once', async () => {
    const { queue, slots } = await openWith({ globalConcurrency: 4 });
    const holders = Array.from({ length: 4 }, () => slots.hold());
    await wait(queue, run('a'));
    await queue.add({ ...run('a'), waiting: null });
    for (const { release } of holders) release();
    const [claim] = await queue.claim();
    await queue.add({ ...run('a'), waiting: null });
    expect([queue.depth, await queue.claim()]).toEqual([0, []]);
    claim?.giveUp();
    await queue.add({ ...run('a'), waiting: null });
    expect(idsOf(await queue.claim())).toEqual(['a']);
  });

  test('a run whose claim is given up returns to its position in the queue', async () => {
    const { queue, slots } = await openWith({ globalConcurrency: 1 });
    const holder = slots.hold();
    await wait(queue, run('a'));
    await wait(queue, run('b'));
    holder.release();
    const [claim] = await queue.claim();
    claim?.giveUp();
    if (claim) await queue.add(claim.run);
    expect(idsOf(await queue.claim())).toEqual(['a']);
  });

  test('the runs at the head of the queue learn what they wait for now', async () => {
    const { queue, told } = await openWith({ globalConcurrency: 1 });
    const first = await started(queue, run('first', keyed('a')));
    const second = await wait(queue, run('second', keyed('a')));
    expect(second).toMatchObject({ waiting: "only one run of job with the concurrency key 'a' at a time" });
    first.hold.release();
    await queue.claim();
    await expect.poll(told).toEqual(new Map([['second', '1 of 1 slots are taken']]));
  });

  test('nothing starts before the queue is open; once it is open, waiting runs show their real reason', async () => {
    const { queue, slots, told } = await open({ globalConcurrency: 1 });
    const starting = 'the server is starting or stopping';
    expect(await wait(queue, run('a'))).toMatchObject({ waiting: starting });
    expect(queue.requestSlot(facts('started'), 1, never)).toBeUndefined();
    expect([await queue.claim(), await queue.startable()]).toEqual([[], undefined]);
    queue.withdrawSlot('started', 1);
    const holder = slots.hold();
    queue.open();
    await expect.poll(told).toEqual(new Map([['a', '1 of 1 slots are taken']]));
    holder.release();
    expect(idsOf(await queue.claim())).toEqual(['a']);
  });

  test('with startNoRuns, only steps start', async () => {
    const { queue, slots } = await openWith({ globalConcurrency: 1 });
    const holder = slots.hold();
    await wait(queue, run('a'));
    const granted: string[] = [];
    queue.requestSlot(facts('started'), 1, () => granted.push('step'));
    queue.startNoRuns();
    const starting = 'the server is starting or stopping';
    expect(await queue.admit(run('b'))).toMatchObject({ kind: 'wait', waiting: starting });
    holder.release();
    expect([await queue.claim(), granted]).toEqual([[], ['step']]);
  });

  test('a closed queue gives out nothing', async () => {
    const { queue, slots } = await openWith({ globalConcurrency: 1 });
    const holder = slots.hold();
    await wait(queue, run('a'));
    queue.close();
    holder.release();
    expect([await queue.claim(), await queue.startable()]).toEqual([[], undefined]);
    expect(queue.requestSlot(facts('started'), 1, never)).toBeUndefined();
  });

  test('the queue reports when something may be claimed: when a run came or left, or when a group has room', async () => {
    const { queue, slots, readyCount } = await openWith({ globalConcurrency: 1 });
    const { hold } = await started(queue, run('first', keyed('a')));
    slots.hold();
    const isTold = async (work: () => unknown) => {
      const before = readyCount();
      await work();
      expect(readyCount()).toBeGreaterThan(before);
    };
    await isTold(() => wait(queue, run('second', keyed('a'))));
    await isTold(() => hold.release());
    await isTold(() => queue.remove('second'));
    await isTold(() => queue.requestSlot(facts('started'), 1, never));
  });
}

let count = 0;

function run(id: string, more: Partial<CandidateRun> = {}): CandidateRun {
  count += 1;
  const concurrency = { limit: null, key: null };
  const of = { jobId: 'job', tenant: 'default', priority: 0, trigger: 'api', createdAtMs: count } as const;
  return { id, ...of, concurrency, onConflict: 'queue', ...more };
}

function keyed(key: string, limit = 1): Pick<CandidateRun, 'concurrency'> {
  return { concurrency: { limit, key } };
}

function group(of: CandidateRun['concurrency'] = { limit: null, key: null }) {
  return { jobId: 'job', ...of };
}

function facts(runId: string) {
  return {
    run_id: runId,
    job_id: 'job',
    tenant: 'default',
    args: {},
    trigger: { type: 'api' },
    created_by: 'local',
    created_at: '2026-01-01T00:00:00.000Z',
    labels: {},
    trace: ownTrace(runId),
    priority: 0,
  } as const;
}

async function wait(queue: Queue, candidate: CandidateRun): Promise<Admission> {
  const admission = await queue.admit(candidate);
  if (admission.kind === 'start') throw new Error(`${candidate.id} is not to start`);
  await queue.add({ ...candidate, waiting: admission.waiting });
  return admission;
}

async function started(queue: Queue, candidate: CandidateRun) {
  const admission = await queue.admit(candidate);
  if (admission.kind === 'wait') throw new Error(`${candidate.id} is to start: ${admission.waiting}`);
  return admission;
}

function idsOf(claims: readonly Claim[]): string[] {
  return claims.map(({ run }) => run.id);
}

function never(): never {
  throw new Error('nobody is to be granted this');
}
