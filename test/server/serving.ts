// Starts the server with its real store, catalog and engine in this process. A test can add runs, log lines and
// artifacts without executing a script.

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { type Catalog, createCatalog, type JobSource } from '../../src/catalog/catalog.ts';
import { createSnapshots } from '../../src/catalog/source/snapshot.ts';
import { type JobDefinition, stepIdOfSingle } from '../../src/domain/job.ts';
import { localPrincipal, type Scope } from '../../src/domain/principal.ts';
import type { RunMove } from '../../src/domain/run.ts';
import { createEngine } from '../../src/engine/engine.ts';
import type { Hub } from '../../src/engine/hub.ts';
import { createRetention, type RetentionPolicy } from '../../src/engine/retention/retain.ts';
import { probeHost } from '../../src/exec/host/host.ts';
import { openForkServer } from '../../src/exec/proc/fork-server.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { createId } from '../../src/lib/ids.ts';
import type { HttpMcpOptions } from '../../src/mcp/http.ts';
import type { RunCallers } from '../../src/server/admission/local-callers.ts';
import { createTokens } from '../../src/server/admission/tokens.ts';
import { createServer } from '../../src/server/app.ts';
import type { Load } from '../../src/server/limits/pressure.ts';
import type { OpenMcp } from '../../src/server/mcp-route.ts';
import type { RateLimit, ServerConfig } from '../../src/server/server-config.ts';
import type { LogWriter } from '../../src/store/log/logs.ts';
import type { Store } from '../../src/store/open.ts';
import type { NewRun, RunChange } from '../../src/store/run/runs.ts';
import { moveRun } from '../store/moves.ts';
import { openWithHub } from '../store/open-with-hub.ts';
import { aJob } from '../support/a-job.ts';
import { engineOptions } from '../support/engine-options.ts';
import { type JobFiles, writeJob } from '../support/jobs.ts';
import { keepsAll } from '../support/keeps-all.ts';

export type ServingOptions = {
  /**
   * Sources in addition to `local-fs`, which is trusted and has no `mountPath`. Each source has a folder below the
   * root.
   */
  readonly sources?: readonly (Pick<JobSource, 'name' | 'mountPath' | 'trusted' | 'mayUse'> & {
    readonly jobs?: Readonly<Record<string, JobFiles>>;
  })[];
  readonly jobs?: Readonly<Record<string, JobFiles>>;
  readonly aliases?: readonly { readonly from: string; readonly to: string }[];
  readonly watch?: boolean;
  /** If true, the sources are never read, as in the first moments after a start. */
  readonly unread?: boolean;
  readonly rateLimit?: RateLimit;
  readonly server?: Partial<ServerConfig['server']>;
  readonly ownCredentials?: readonly string[];
  readonly runCallers?: RunCallers;
  readonly quotaSoftBytes?: number;
  readonly authMode?: ServerConfig['auth']['mode'];
  readonly isDev?: boolean;
  /** If true, the engine executes runs. By default, the test moves them from status to status itself. */
  readonly executes?: boolean;
  readonly clock?: Clock;
  /** If true, flwd.yaml pauses all schedules. */
  readonly arePaused?: boolean;
  /** If true, flwd.yaml pauses all triggers and webhooks. */
  readonly triggersPaused?: boolean;
  /** How long objects are kept; forever by default. */
  readonly retention?: Partial<RetentionPolicy>;
  /** The current time for retention. */
  readonly nowMs?: number;
  /** The overload of the server. By default, the server is not overloaded. */
  readonly load?: Load;
  readonly profiles?: Partial<ServerConfig['security']['profiles']>;
  readonly openMcp?: OpenMcp;
  readonly mcp?: Partial<Pick<HttpMcpOptions, 'idleMs'> & HttpMcpOptions['settings']>;
  /** Called with each line of the server's own log. */
  readonly onLog?: (line: Readonly<Record<string, unknown>>) => void;
};

export type Serving = {
  readonly url: string;
  readonly root: string;
  readonly store: Store;
  readonly hub: Hub;
  /** Fetches a path below /api/v1, or from the root if the path starts with `//`. */
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>;
  readonly post: (path: string, body: unknown, headers?: Readonly<Record<string, string>>) => Promise<Response>;
  /** Creates a token. */
  readonly token: (o?: TestTokenOptions) => Promise<TestToken>;
  /**
   * Adds a run that is not executed. Its first `move` happens before an engine can find the run. The test makes all
   * later moves.
   */
  readonly addRun: (o?: Partial<NewRun>, move?: RunMove) => Promise<TestRun>;
  /** Writes a job into the folder of the source. */
  readonly addJob: (folder: string, files: JobFiles) => Promise<void>;
  readonly addArtifact: (run: TestRun, o: TestArtifact) => Promise<string>;
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

export type TestTokenOptions = {
  /** `admin` by default. */
  readonly scopes?: readonly Scope[];
  /** `default` by default. */
  readonly tenant?: string;
  /** A new name by default. */
  readonly name?: string;
  readonly expiresIn?: string;
  readonly only?: readonly string[];
  readonly secrets?: readonly string[];
  readonly agent?: boolean;
  readonly approval?: 'always';
};

export type TestToken = {
  readonly id: string;
  readonly name: string;
  readonly credential: string;
  readonly headers: { readonly authorization: string };
};

export type TestRun = {
  readonly id: string;
  readonly jobId: string;
  readonly tenant: string;
  readonly move: (move: RunMove, change?: Partial<RunChange>) => Promise<void>;
  /** Adds lines to the log as if a script had printed them, with marks, and announces them as the engine does. */
  readonly print: (...lines: readonly string[]) => Promise<void>;
  /** Closes the log and ends the run. */
  readonly finish: (move?: RunMove) => Promise<void>;
};

type TestArtifact = {
  readonly name: string;
  readonly content: string | Buffer;
  readonly mediaType?: string;
  readonly expiresAtMs?: number;
};

const quiet = { rateLimit: null, envPassthrough: [], mayGrant: [] };

const team = { name: 'team', type: 'slack', origin: 'https://example.org', problem: null } as const;

export async function startServing(o: ServingOptions = {}): Promise<Serving> {
  const root = await mkdtemp(join(tmpdir(), 'flwd-serving-'));
  const jobsDir = join(root, 'jobs');
  const dataDir = join(root, 'data');
  for (const dir of [jobsDir, join(dataDir, 'runs')]) await mkdir(dir, { recursive: true });
  for (const [folder, files] of Object.entries(o.jobs ?? {})) await writeJob(join(jobsDir, folder), files);

  const { clock = systemClock } = o;
  const log = pino({ level: o.onLog ? 'debug' : 'silent' }, { write: (line) => o.onLog?.(JSON.parse(line)) });
  const { store, hub } = await openWithHub(dataDir, { clock, log });
  const source = {
    name: 'local-fs',
    type: 'fs',
    path: jobsDir,
    mountPath: '.',
    watch: o.watch ?? true,
    trusted: true,
  } as const;
  const sources: JobSource[] = [source];
  for (const { jobs = {}, ...more } of o.sources ?? []) {
    const path = join(root, more.name);
    await mkdir(path);
    for (const [folder, files] of Object.entries(jobs)) await writeJob(join(path, folder), files);
    sources.push({ ...source, path, ...more });
  }
  const catalog = createCatalog({ sources, aliases: o.aliases ?? [], exclude: [dataDir], log });
  const snapshots = createSnapshots({ dir: join(dataDir, 'snapshots'), exclude: [dataDir] });
  const forkServer = openForkServer(join(dataDir, 'pipes'));
  const engine = createEngine({
    ...engineOptions(dataDir, { snapshots, forkServer, capabilities: await probeHost() }),
    arePaused: o.arePaused ?? false,
    triggersPaused: o.triggersPaused ?? false,
    syncWaitMs: o.server?.syncWaitMs ?? 60_000,
    store,
    catalog,
    hub,
    clock: { ...systemClock, ...clock },
    log,
  });
  const retention = createRetention({
    store,
    runsDir: join(dataDir, 'runs'),
    snapshotsDir: join(dataDir, 'snapshots'),
    policy: { ...keepsAll, ...o.retention },
    clock: { ...systemClock, now: () => o.nowMs ?? clock.now() },
    log,
    stoppedMs: 0,
  });
  const secure = { ...quiet, rateLimit: o.rateLimit ?? { limit: 100_000, windowMs: 1_000 } };
  const server = await createServer({
    config: {
      instance: { name: 'examples', defaultTenant: 'default' },
      auth: { mode: o.authMode ?? 'auto', isDev: o.isDev ?? false, jwt: null },
      server: {
        bind: { host: '127.0.0.1', port: 0 },
        readTimeoutMs: 10_000,
        writeTimeoutMs: 10_000,
        // Longer than a busy machine needs between two requests.
        idleTimeoutMs: 120_000,
        syncWaitMs: 60_000,
        publicUrl: null,
        bodyLimitBytes: 65_536,
        tls: null,
        corsOrigins: [],
        trustProxy: false,
        ...o.server,
      },
      sources,
      security: { defaultProfile: 'secure', profiles: { secure, permissive: quiet, disabled: quiet, ...o.profiles } },
      persistence: {
        artifacts: { quotaSoftBytes: o.quotaSoftBytes ?? null, quotaHardBytes: 2 ** 30 },
        retention: { ...keepsAll, ...o.retention },
      },
      extensions: ['mcp'],
      notify: { channels: [], smtp: null },
      collector: null,
    },
    catalog,
    snapshots,
    store,
    engine,
    retention,
    log,
    clock,
    version: '1.2.3',
    startedAtMs: clock.now(),
    load: o.load ?? { complaint: () => null },
    // Channels that send are tested in test/e2e/channels.test.ts.
    channels: {
      list: async () => [team],
      test: async (name) => (name === team.name ? { channel: team, error: null } : undefined),
    },
    notificationOutcomes: { delivered: 3, retried: 2, failed: 1 },
    hostChecks: async () => [{ name: 'seccomp', status: 'ok', detail: 'system calls can be filtered', fix: null }],
    jwt: null,
    ownCredentials: o.ownCredentials ?? [],
    runCallers: o.runCallers ?? null,
    openMcp: o.openMcp ?? ((api) => openMcp({ ...api, ...catalog, sources }, o.mcp)),
  });
  const { url } = await server.listen();
  if (!o.unread) await catalog.start();
  if (o.executes) engine.start();

  const served = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(path.startsWith('//') ? url + path.slice(1) : `${url}/api/v1${path}`, init);

  async function close(): Promise<void> {
    await server.close();
    await retention.close();
    await engine.close();
    await catalog.close();
    await forkServer.close();
    await store.close();
    // A job continues without its server, and may still write to its folder.
    await rm(root, { recursive: true, force: true, maxRetries: 10 });
  }

  return {
    url,
    root,
    store,
    hub,
    fetch: served,
    post: (path, body, headers = {}) =>
      served(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    token: (token) => addToken(store, clock, token),
    addJob: (folder, files) => writeJob(join(jobsDir, folder), files),
    addRun: (run, move) => addRun(store, run, move),
    addArtifact: (run, artifact) => addArtifact(store, root, run, artifact),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function openMcp(
  {
    url,
    delegate,
    onChange,
    sources,
  }: Parameters<OpenMcp>[0] & Pick<Catalog, 'onChange'> & { sources: readonly JobSource[] },
  { idleMs = 60_000, ...settings }: ServingOptions['mcp'] = {},
): ReturnType<OpenMcp> {
  const { openHttpMcp } = await import('../../src/mcp/http.ts');
  return openHttpMcp({
    url,
    delegate,
    settings: { jobTools: 25, waitMs: 50_000, isUntrustedAllowed: false, ...settings },
    version: '1.2.3',
    ensureStarted: () => undefined,
    onJobsChange: onChange,
    untrustedSources: sources.filter(({ trusted }) => !trusted).map(({ name }) => name),
    nowMs: () => performance.now(),
    idleMs,
  });
}

async function addToken(store: Store, clock: Clock, o: TestTokenOptions = {}): Promise<TestToken> {
  const { scopes = ['admin'], tenant = 'default', name = `t-${randomBytes(4).toString('hex')}`, expiresIn } = o;
  const tokens = createTokens({ store, clock, defaultTenant: 'default', onRevoked: () => undefined });
  const { only, secrets, agent, approval } = o;
  const request = {
    name,
    scopes: [...scopes],
    tenant,
    ...(expiresIn && { expires_in: expiresIn }),
    ...(only && { only: [...only] }),
    ...(secrets && { secrets: [...secrets] }),
    ...(agent && { agent }),
    ...(approval && { approval }),
  };
  const { id, token: credential } = await tokens.create(request, localPrincipal);
  return { id, name, credential, headers: { authorization: `Bearer ${credential}` } };
}

async function addRun(store: Store, over: Partial<NewRun> = {}, first?: RunMove): Promise<TestRun> {
  const { jobId = 'demo', tenant = 'default' } = over;
  const createdAtMs = systemClock.now();
  const id = createId('run', createdAtMs);
  let writer: LogWriter | undefined;
  let spoolEnd = 0;
  await store.db.transact(async (tx) => {
    await store.runs.add(tx, {
      id,
      jobId,
      tenant,
      createdAtMs,
      args: { target: '/mnt/backup' },
      sealed: null,
      labels: { team: 'ops' },
      priority: 0,
      trigger: { type: 'api' },
      createdBy: 'local',
      requestId: null,
      source: { name: 'local-fs', type: 'fs', revision: '0123456789abcdef' },
      security: {
        profile: 'secure',
        isolation: {
          pid_namespace: true,
          network: 'none',
          filesystem: 'workspace',
          environment: 'clean',
          no_new_privileges: true,
          uid: 65534,
        },
      },
      grants: [],
      limits: { log_bytes: 1_073_741_824 },
      waiting: null,
      steps: [{ step_id: 'step_01', n: 1, name: 'Demo', kind: 'command', needs: [] }],
      concurrency: { limit: null, key: null },
      rerunOf: null,
      parent: null,
      plan: {
        job,
        revision: '0123456789abcdef',
        profile: 'secure',
        network: 'none',
        read: [],
        write: [],
        resolvedArgs: {},
      },
      ...over,
    });
    if (first) await moveRun(tx, store.runs, id, first, { atMs: systemClock.now() });
  });

  const move: TestRun['move'] = async (name, change = {}) => {
    await store.db.transact((tx) => moveRun(tx, store.runs, id, name, { atMs: systemClock.now(), ...change }));
  };
  return {
    id,
    jobId,
    tenant,
    move,
    async print(...lines) {
      const { epoch = 0 } = (await store.runs.withAttempts(id)) ?? {};
      writer ??= await store.logs.openWriter({ runId: id, epoch, maxSizeBytes: 2 ** 30 });
      const bytes = Buffer.from(`${lines.join('\n')}\n`);
      spoolEnd += bytes.length;
      const { firstSeq, count } = writer.append({ attempt: 1, stepId: stepIdOfSingle, bytes, spoolEnd });
      await writer.ready();
      await store.db.transact(async (tx) =>
        tx.emit({ type: 'run.output', runId: id, jobId, tenant, firstSeq, lineCount: count }),
      );
    },
    async finish(name = 'succeed') {
      await writer?.close();
      await move(name, { exitCode: name === 'succeed' ? 0 : 1 });
    },
  };
}

async function addArtifact(store: Store, root: string, run: TestRun, artifact: TestArtifact): Promise<string> {
  const createdAtMs = systemClock.now();
  const path = join(root, randomBytes(8).toString('hex'));
  await writeFile(path, artifact.content);
  const blob = await store.artifacts.stage(path, {
    id: createId('artifact', createdAtMs),
    within: root,
    mayLink: false,
  });
  await store.db.transact((tx) =>
    store.artifacts.add(tx, [
      {
        ...blob,
        runId: run.id,
        jobId: run.jobId,
        tenant: run.tenant,
        stepId: stepIdOfSingle,
        name: artifact.name,
        path: `/workspace/${artifact.name}`,
        mediaType: artifact.mediaType ?? 'application/octet-stream',
        createdAtMs,
        expiresAtMs: artifact.expiresAtMs ?? null,
      },
    ]),
  );
  return blob.id;
}

const job: JobDefinition = {
  ...aJob,
  id: 'demo',
  name: 'demo',
  namespace: '',
  title: null,
  path: 'demo',
  cancel: { signal: 'TERM', graceMs: 1_000 },
};
