// The chaos loop: starts the server, requests runs, ends the server at a random time in a random way, and starts it
// again. At the end it lets all runs finish, and collects the evidence.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { bash, writeJob } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { approve } from './approver.ts';
import { type Clients, startClients } from './clients.ts';
import {
  type Evidence,
  foldersLeft,
  readArtifacts,
  readDatabase,
  readLeft,
  readLog,
  readRunFolders,
  unfinished,
} from './evidence.ts';
import { createFollower, type Follower, replay } from './follower.ts';
import { type Ledger, openLedger } from './ledger.ts';
import { createLoad } from './load.ts';
import { cutPower, prepareSyncs, type Syncs } from './power-cut.ts';
import { readText, sandboxesIn } from './processes-left.ts';
import { createRandom, type Random } from './random.ts';
import { chaosScripts } from './scripts.ts';
import { openSecondEngine } from './second-engine.ts';
import { anyHeld, type Held, writeStale } from './stale-write.ts';
import { stepScripts } from './step-scripts.ts';
import { startVictim, type Victim } from './victim.ts';

export type Chaos = {
  /** The folder of the tested flwd. */
  readonly packageDir: string;
  readonly seed: number;
  /** How many times to kill the server, power cuts included. */
  readonly kills: number;
  /** The share of the kills that are power cuts, from 0 to 1. */
  readonly cutChance: number;
  /** How many clients besides those of the API run at a time. */
  readonly ofEachKind: number;
  readonly say: (line: string) => void;
};

export type Outcome = { readonly evidence: Evidence; readonly root: string; readonly remove: () => void };

const settleMs = 90_000;

export async function wreak(o: Chaos): Promise<Outcome> {
  const root = mkdtempSync(join(tmpdir(), 'flwd-chaos-'));
  const mark = `${process.pid}${o.seed % 1_000_000}`;
  const scripts = { ...chaosScripts(mark), ...stepScripts(mark) };
  for (const [name, { files }] of Object.entries(scripts)) await writeJob(join(root, 'jobs', name), files);
  await writeJob(join(root, 'jobs/litter'), bash('seq 1000 | xargs touch'));
  writeFileSync(join(root, 'flwd.yaml'), JSON.stringify(configuration(root), null, 2));
  const place = { packageDir: o.packageDir, root, syncs: prepareSyncs(root) };
  mkdirSync(join(root, 'data'), { mode: 0o700 });

  const random = createRandom(o.seed);
  const ledger = openLedger();
  const load = createLoad({ ledger, scripts, random: random.fork() });
  const follower = createFollower();
  const clients = startClients({ ...place, ...o, ledger, scripts, random: random.fork() });
  const dbPath = join(root, 'data/flwd.db');
  let held: Held | undefined;
  let awaySinceMs = Date.now();
  const listens = (url: string): void => {
    ledger.absences.push({ fromMs: awaySinceMs, toMs: Date.now() });
    clients.use(url);
  };
  while (ledger.kills < o.kills) {
    const victim = startVictim(place);
    if (random.chance(0.15)) await killWhileStarting(victim, ledger, random);
    else {
      const stop = new AbortController();
      const url = await victim.url;
      listens(url);
      const work = [
        load.run(url, stop.signal),
        follower.follow(url, stop.signal),
        approve(url, ledger, stop.signal),
        watch(root, ledger, stop.signal),
      ];
      const stale = held && writeStale(dbPath, held, ledger);
      await live(victim, root, ledger, random);
      await stale;
      held = anyHeld(dbPath);
      awaySinceMs = Date.now();
      await endVictim(victim, { ...o, ...place, scripts, clients, ledger, random });
      stop.abort();
      await Promise.all(work);
    }
    o.say(`${ledger.kills} of ${o.kills} kills, ${ledger.orders.length} runs asked for`);
  }
  const evidence = await settle({
    victim: startVictim(place),
    root,
    mark,
    ledger,
    follower,
    clients,
    listens,
    scripts,
  });
  return { evidence, root, remove: () => rmSync(root, { recursive: true, force: true }) };
}

function configuration(root: string): unknown {
  return {
    instance: { data_dir: join(root, 'data') },
    sources: [{ name: 'chaos', type: 'fs', path: join(root, 'jobs') }],
    server: { bind: '127.0.0.1:0' },
    scheduler: { global_concurrency: 6 },
    security: { profiles: { secure: { rate_limit: { limit: 1_000_000, window: '1s' } } } },
  };
}

async function killWhileStarting(victim: Victim, ledger: Ledger, random: Random): Promise<void> {
  await delay(random.integer(0, 900));
  ledger.killedAtMs.push(Date.now());
  await victim.end('SIGKILL');
  ledger.kills += 1;
  ledger.killsDuringStart += 1;
}

/** Waits. Now and then, pauses the server or kills another process. */
async function live(victim: Victim, root: string, ledger: Ledger, random: Random): Promise<void> {
  const before = acknowledged(ledger);
  await delay(random.integer(50, 1_200));
  // On a busy machine, the server may not have begun any run yet. Killing it then would test nothing.
  await until(() => acknowledged(ledger) > before, 3_000);
  if (random.chance(0.12)) killShim(root, ledger, random);
  if (random.chance(0.08)) killForkServer(victim, root, ledger);
  if (random.chance(0.08)) {
    process.kill(victim.pid, 'SIGSTOP');
    await delay(random.integer(100, 1_500));
    process.kill(victim.pid, 'SIGCONT');
    ledger.pauses += 1;
  }
  if (ledger.secondEngines.length === 0 || random.chance(0.12)) await openSecondEngine(root, ledger);
  await delay(random.integer(0, 300));
}

function acknowledged({ orders }: Ledger): number {
  return orders.reduce((sum, { answers }) => sum + answers.length, 0);
}

function killShim(root: string, ledger: Ledger, random: Random): void {
  const shims = sandboxesIn(join(root, 'data/runs')).filter(({ isOver }) => !isOver);
  const chosen = shims[random.integer(0, Math.max(0, shims.length - 1))];
  if (!chosen) return;
  ledger.shimsKilled.add(chosen.runId);
  killProcess(chosen.shimPid);
}

/** A forked process has the fork server's name until it becomes a shim. Only the parent tells them apart. */
function killForkServer(victim: Victim, root: string, ledger: Ledger): void {
  const named = processesWith(root).filter(({ command }) => command.includes('fork-server.bash'));
  const forkServer = named.find(({ pid }) => parentOf(pid) === victim.pid);
  if (!forkServer) return;
  killProcess(forkServer.pid);
  ledger.forkServersKilled.push(Date.now());
}

function parentOf(pid: number): number {
  const stat = readText(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

type Stopped = { root: string; ledger: Ledger; scripts: Evidence['scripts'] };

async function stop(victim: Victim, { root, ledger, scripts }: Stopped): Promise<void> {
  ledger.stops.push(await victim.end('SIGTERM'));
  const stoppedAtMs = Date.now();
  const { runs } = readDatabase(join(root, 'data/flwd.db'));
  // A command may own the data dir by now, and may have ended runs itself.
  const ended = runs.filter((run) => run.finished_at !== null && run.finished_at <= stoppedAtMs).map(({ id }) => id);
  const runFolders = readRunFolders(root).filter(({ runId }) => ended.includes(runId));
  ledger.leftAtStops.push(...foldersLeft({ ledger, runs, scripts, runFolders }));
}

/** Stops the server while it puts away a large folder. */
async function stopAfterLitter(victim: Victim, url: string, o: Stopped): Promise<void> {
  const body = JSON.stringify({ job_id: 'litter' });
  const headers = { 'content-type': 'application/json' };
  await fetch(`${url}/api/v1/runs`, { method: 'POST', headers, body });
  const dbPath = join(o.root, 'data/flwd.db');
  await until(() => unfinished(dbPath) === 0, settleMs, 5);
  await stop(victim, o);
}

async function endVictim(
  victim: Victim,
  o: Stopped & { syncs: Syncs; cutChance: number; clients: Clients; random: Random },
): Promise<void> {
  const { root, ledger, random } = o;
  if (random.chance(0.12)) {
    return stop(victim, o);
  }
  const kill = async (): Promise<void> => {
    ledger.killedAtMs.push(Date.now());
    await victim.end('SIGKILL');
    ledger.kills += 1;
  };
  if (!random.chance(o.cutChance)) return kill();
  await o.clients.withoutNewOnes(async () => {
    await kill();
    ledger.powerCuts.push(await cutPower(root, o.syncs, random));
  });
}

/** Records the current sandboxes, so that their leftovers can be recognized at the end. */
async function watch(root: string, ledger: Ledger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const { initPid, inode } of sandboxesIn(join(root, 'data/runs')))
      ledger.sandboxes.set(`${initPid} ${inode}`, { initPid, inode });
    await delay(100);
  }
}

async function settle(o: {
  victim: Victim;
  root: string;
  mark: string;
  ledger: Ledger;
  follower: Follower;
  clients: Clients;
  listens: (url: string) => void;
  scripts: Evidence['scripts'];
}): Promise<Evidence> {
  const { root, ledger, follower } = o;
  const dbPath = join(root, 'data/flwd.db');
  const url = await o.victim.url;
  o.listens(url);
  const stop = new AbortController();
  const approving = approve(url, ledger, stop.signal);
  await o.clients.finish(settleMs);
  await until(() => unfinished(dbPath) === 0);
  stop.abort();
  await approving;
  const rows = readDatabase(dbPath);
  const { runs } = rows;
  const { scripts } = o;
  await until(() => foldersLeft({ ledger, runs, scripts, ...readLeft(root, o.mark, ledger) }).length === 0, 10_000);
  const last = rows.events.at(-1);
  const lastId = last ? last.id + last.count - 1 : 0;
  await follower.reached(lastId, url, 20_000);
  const replayed = await replay(url, lastId, 20_000);
  const logs = new Map<string, Awaited<ReturnType<typeof readLog>>>();
  const artifacts = new Map<string, string[]>();
  for (const { id, job_id } of rows.runs) {
    logs.set(id, await readLog(url, id));
    if (job_id === 'keeper') artifacts.set(id, await readArtifacts(url, id));
  }
  await stopAfterLitter(o.victim, url, o);
  const look = () => readLeft(root, o.mark, ledger);
  await until(() => look().left.length === 0 && look().cgroups.length === 0, 3_000);
  return { ledger, scripts, ...rows, logs, artifacts, seen: follower.seen, replayed, ...look() };
}

/** Returns after the timeout even if the condition is still false. An invariant reports what is missing then. */
async function until(isSo: () => boolean, timeoutMs: number = settleMs, pauseMs = 100): Promise<void> {
  for (const sinceMs = performance.now(); !isSo() && performance.now() - sinceMs < timeoutMs; ) await delay(pauseMs);
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // The process has just ended.
  }
}
