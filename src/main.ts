// Puts the parts of a server together, starts them and stops them. Only this file, operator.ts and sources.ts name
// concrete implementations.

import { existsSync } from 'node:fs';
import { mkdir, realpath, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Catalog, createCatalog, type JobSource } from './catalog/catalog.ts';
import { createSnapshots } from './catalog/source/snapshot.ts';
import { type Config, foldersOf, ownFolders, pipesDir } from './config/config.ts';
import { findOwnPaths } from './config/own-paths.ts';
import type { AuditDetail } from './domain/audit.ts';
import type { JournalEntry } from './domain/event.ts';
import { createEngine, type Engine, type EngineOptions } from './engine/engine.ts';
import { createHub, type Hub } from './engine/hub.ts';
import { findDowntime, recordStart } from './engine/lifetime.ts';
import { createRetention, type Retention, type RetentionParts } from './engine/retention/retain.ts';
import type { Gap } from './engine/schedule/missed-words.ts';
import { openKeyring, openKeyWords } from './engine/secrets/keyring.ts';
import { createSealer } from './engine/secrets/seal.ts';
import { countUnopened } from './engine/secrets/unopened-secrets.ts';
import { leftChecks } from './engine/trigger/check-process.ts';
import type { Executor } from './exec/executor.ts';
import { closeLimitHost, openLimitHost } from './exec/host/limit-host.ts';
import { trustsJobs } from './exec/host/network-check.ts';
import { isServerRoot } from './exec/job-user.ts';
import { sweepGroups } from './exec/proc/attempt-groups.ts';
import { openForkServer } from './exec/proc/fork-server.ts';
import { createProcExecutor } from './exec/proc/proc-executor.ts';
import { createRunCallers, type RunCallers } from './exec/proc/run-callers.ts';
import type { HostProbe } from './host-probe.ts';
import { removeCliToken, writeCliToken } from './instance/cli-token.ts';
import { assertKinds } from './instance/data-dir.ts';
import { createRoomLender, giveUpReserve, keepReserve, lendRoom } from './instance/disk-reserve.ts';
import { openOwnerId } from './instance/owner-id.ts';
import { acquireOwnership, lastSignAtMs, type OwnerInfo, type Ownership } from './instance/owner-lock.ts';
import { createStop, type OnStop } from './instance/stop.ts';
import { packageVersion } from './instance/version.ts';
import { systemClock as clock } from './lib/clock.ts';
import { readCalendars } from './lib/cron/calendars.ts';
import { assertDescriptors } from './lib/files/descriptor-limit.ts';
import { isOpenToAll } from './lib/files/file-owner.ts';
import { createLogger, type Logger } from './lib/logger.ts';
import { localTimezone } from './lib/timezone.ts';
import { createChannelView } from './notify/channel-view.ts';
import { assertChannels, createChannels } from './notify/channels.ts';
import { createMessages } from './notify/message.ts';
import { answerMs, startNotifier } from './notify/notifier.ts';
import { createReach } from './notify/reach.ts';
import { openSigner } from './notify/signing.ts';
import { assertGuarded } from './server/admission/exposure.ts';
import { openJwtVerifier } from './server/admission/open-jwt-verifier.ts';
import { createServer, type Server, type ServerParts } from './server/app.ts';
import { watchLoad } from './server/limits/pressure.ts';
import { openStore, type Store } from './store/open.ts';
import { explainOpening } from './store/sqlite/sqlite-files.ts';
import { isStorageError } from './store/storage-error.ts';

/**
 * The server tells commands its address when the sources have been read, but at the latest after this time. Commands
 * give up after 10 seconds.
 */
const readWithinMs = 8_000;
/** How long a session of an agent may go unused. */
const mcpIdleMs = 30 * 60_000;

/** The token of `serve --dev`, which listens on loopback only. */
const devToken = 'dev-token';

export type RunningServer = {
  readonly url: string;
  /** SHA-256 of the certificate that the server uses now; null for plain HTTP. */
  readonly certificate: () => string | null;
  readonly cliToken: string;
  /** From now on, pending runs wait for the next start. Running ones continue. */
  readonly startNoRuns: () => void;
  /** For an instance that starts only some runs: starts this run as well, if it is pending. */
  readonly ensureStarted: (runId: string) => void;
  /** Resolves when another process has taken the data dir from this one. */
  readonly lost: Promise<OwnerInfo>;
  readonly stop: () => Promise<void>;
};

/**
 * An instance that lives as long as one command. It starts only the runs of that command and the runs that are listed
 * here.
 */
export type Ephemeral = {
  /** The command already owns the data dir. */
  readonly ownership: Ownership;
  readonly runs: ReadonlySet<string>;
  /** The command removes data. It works at full speed, and even if the disk is full. */
  readonly makesRoom?: boolean;
  /**
   * Set for tests of jobs. They send no notifications, and their jobs cannot see these host paths, which belong to
   * another instance.
   */
  readonly jobTests?: { readonly hides: readonly string[] };
};

/** The parts that the functions below share while a server starts. */
type Start = {
  readonly config: Config;
  readonly ephemeral: Ephemeral | undefined;
  readonly log: Logger;
  readonly onStop: OnStop;
};

/**
 * Starts all parts, each after the parts that it needs. The health check answers before runs are resumed.
 * @throws Error when another server owns the data dir, the port is taken, or a newer version wrote the database
 */
export async function serve(
  config: Config,
  o: { readonly configFile: string | null; readonly probe: HostProbe; readonly ephemeral?: Ephemeral },
): Promise<RunningServer> {
  const { ephemeral } = o;
  assertDescriptors();
  const log = createLogger({ ...config.logging, ...(ephemeral && { isBrief: isOfHost }) });
  const lost = Promise.withResolvers<OwnerInfo>();
  const ownership =
    ephemeral?.ownership ??
    (await acquireOwnership(config.instance.dataDir, { warn: (message) => log.warn(message), onLost: lost.resolve }));
  const { onStop, stop } = createStop(log);
  onStop('the lock of the data dir', () => ownership.release());
  const start: Start = { config, ephemeral, log, onStop };
  try {
    const parts = await startParts(start, o, ownership);
    return { ...parts, lost: lost.promise, stop };
  } catch (error) {
    await stop().catch(() => undefined);
    throw explainOpening(error, config.persistence.dbPath);
  }
}

async function startParts(
  start: Start,
  { configFile, probe }: { readonly configFile: string | null; readonly probe: HostProbe },
  ownership: Ownership,
): Promise<Omit<RunningServer, 'lost' | 'stop'>> {
  const { config, ephemeral, log, onStop } = start;
  const { dataDir } = config.instance;
  const startedAtMs = clock.now();
  // A start that fails early still waits for the processes that probe the host.
  onStop('the probe of the host', () => Promise.allSettled([probe.capabilities]));

  assertChannels(config.notify.channels);
  const jwt = await openJwtVerifier(config.auth.jwt, { clock, log, defaultTenant: config.instance.defaultTenant });
  await openFolders(config);
  const giveBack = ephemeral?.makesRoom ? await giveUpReserve(dataDir) : await lendRoom(dataDir);
  if (giveBack) onStop('the disk reserve', giveBack);
  const storage = await openStorage(start, jwt !== null);
  const { store } = storage;
  let recording: Promise<() => Promise<void>> | undefined;
  onStop('the audit log', async () => (await recording)?.());
  const cliToken = writeCliToken(dataDir);
  onStop('the CLI token', () => removeCliToken(dataDir, cliToken));
  const jobs = openJobs(start, configFile, store);
  const host = openHost(start);
  const runCallers = createRunCallers();
  const ownerId = openOwnerId(dataDir);
  await enterLeft(runCallers, { store, ownerId, runsDir: foldersOf(config).runsDir });
  const executor = createProcExecutor({ capabilities: await probe.capabilities, ...host });
  const signAtMs = lastSignAtMs(dataDir);
  let found: Promise<Gap | null> | undefined;
  const downtime = () => (found ??= findDowntime(store.audit, { startedAtMs, signAtMs }).catch(() => null));
  const engine = await openEngine(start, { ...storage, ...jobs, executor, runCallers, ownerId, downtime });

  const { listen, retention } = await openServer(start, {
    ...storage,
    ...jobs,
    engine,
    stoppedMs: signAtMs === undefined ? 0 : startedAtMs - signAtMs,
    startedAtMs,
    hostChecks: probe.checks,
    jwt,
    ownCredentials: config.auth.isDev ? [cliToken, devToken] : [cliToken],
    // If root runs the server, jobs run as another user, so no job can be mistaken for the server's own user.
    runCallers: isServerRoot || config.auth.trustJobs ? null : runCallers,
  });
  if (!ephemeral) recording = recordStart({ audit: store.audit, detail: startDetail(config), log });
  const listening = await listen();
  await recording;
  let isClosing = false;
  onStop('the announcement', () => {
    isClosing = true;
    ownership.announce(null);
  });
  const reading = jobs.catalog
    .start()
    .catch((error: unknown) => log.error({ err: error }, 'the sources could not be read'));
  host.forkServer.start();
  engine.start(ephemeral?.runs);
  if (!ephemeral) retention.start();
  openExports(start, { ...storage, engine });
  const reserving = giveBack ? undefined : keepReserve(dataDir);
  onStop('the disk reserve', () => reserving);
  // Commands wait until the address is announced. Before the jobs are read, the server would refuse the commands.
  void Promise.race([reading, delay(readWithinMs, undefined, { ref: false })]).then(() => {
    if (!isClosing) ownership.announce(listening);
  });
  if (ephemeral) await reading;
  return { ...listening, cliToken, startNoRuns: engine.startNoRuns, ensureStarted: engine.ensureStarted };
}

async function openFolders(config: Config): Promise<void> {
  assertKinds(ownFolders(config), config.persistence.dbPath);
  await mkdir(foldersOf(config).runsDir, { recursive: true, mode: 0o700 });
}

/** Opens the database, the feed of its changes, and the keys that protect its content. */
async function openStorage({ config, ephemeral, log, onStop }: Start, hasJwt: boolean) {
  const { dbPath, blobsDir, secretKeyFile, secretKey } = config.persistence;
  // Nothing writes to the database before the hub exists, so no commit is missed.
  let hub: Hub | undefined;
  const onCommit = (entries: readonly JournalEntry[]): void => hub?.publish(entries);
  const store = await openStore({ dbPath, blobsDir, clock, log, onCommit });
  onStop('the database', () => store.close());
  const { mode } = config.auth;
  await assertGuarded({ ...config.server.bind, mode, hasJwt, tokens: store.tokens, nowMs: clock.now() });
  hub = createHub(await store.journal.latestId());

  const keyring = openKeyring(secretKeyFile, secretKey, await store.secrets.count());
  if (keyring.origin === 'file' && isOpenToAll(await stat(secretKeyFile)) && !ephemeral)
    log.warn(`${openKeyWords}: chmod 600 ${secretKeyFile}`);
  const sealer = createSealer(keyring);
  const unopened = await countUnopened(store, sealer);
  if (unopened.secrets > 0 || unopened.runs > 0)
    log.warn(
      unopened,
      'some stored secrets or runs are encrypted with a key that this server does not have: add the key to the key file or to FLWD_SECRET_KEY and restart, or set these secrets again',
    );
  const timezone = await store.instance.timezone();
  const here = localTimezone();
  if (config.scheduler.timezone === null && timezone !== here && !ephemeral)
    log.warn(
      { timezone, host_timezone: here },
      'schedules without a timezone use the time zone of the instance, which differs from that of the host: set scheduler.timezone',
    );
  return { store, hub, keyring, sealer, timezone, signer: openSigner(config.notify.signingKeyFile) };
}

type Storage = Awaited<ReturnType<typeof openStorage>>;

function openJobs({ config, ephemeral, log, onStop }: Start, configFile: string | null, { runs }: Store) {
  const own = findOwnPaths(config, configFile, ephemeral?.jobTests?.hides ?? []);
  const excluded = { exclude: own.now(), excludeLinks: own.links };
  const sources = config.sources.map((source): JobSource => ({ ...source, type: 'fs' }));
  const catalog = createCatalog({ sources, aliases: config.aliases, ...excluded, log, hadJobs: runs.haveSource });
  onStop('the sources', () => catalog.close());
  return { catalog, snapshots: createSnapshots({ dir: foldersOf(config).snapshotsDir, ...excluded }), masked: own.now };
}

type Jobs = ReturnType<typeof openJobs>;

/** Opens what starts processes, and what limits them. */
function openHost({ config, onStop }: Start) {
  const { dataDir } = config.instance;
  const forkServer = openForkServer(pipesDir(config));
  onStop('the fork server', () => forkServer.close());
  const limitHost = openLimitHost(dataDir);
  onStop('the cgroups', () => closeLimitHost(limitHost));
  sweepGroups(limitHost, foldersOf(config).runsDir);
  return { forkServer, limitHost };
}

/**
 * Registers the runs, and the checks of triggers, that an earlier server has left running. Each of them may call the
 * API before it is resumed or ended.
 */
async function enterLeft(
  runCallers: RunCallers,
  { store, ownerId, runsDir }: { readonly store: Store; readonly ownerId: string; readonly runsDir: string },
): Promise<void> {
  for (const runId of await store.runs.running(ownerId)) {
    const left = await store.runs.withAttempts(runId);
    if (left?.run.security.profile !== 'disabled') runCallers.enterLeft(join(runsDir, runId));
  }
  for (const name of await leftChecks(runsDir)) runCallers.enterLeft(join(runsDir, name));
}

async function openEngine(
  { config, ephemeral, log, onStop }: Start,
  {
    masked,
    executor,
    runCallers,
    ...parts
  }: Storage &
    Jobs & { readonly executor: Executor; readonly runCallers: RunCallers } & Pick<
      EngineOptions,
      'ownerId' | 'downtime'
    >,
): Promise<Engine> {
  const { security, scheduler } = config;
  const { artifacts } = config.persistence;
  const room = createRoomLender(config.instance.dataDir);
  onStop('the disk reserve', () => room.takeBack());
  const engine = createEngine({
    ...parts,
    clock,
    log,
    policy: {
      defaultProfile: security.defaultProfile,
      allowProfiles: security.allowProfiles,
      paths: await Promise.all(security.paths.map(resolveLinks)),
      runAs: security.runAs,
      trustsJobs: trustsJobs(config.auth),
      mayGrant: (profile) => security.profiles[profile].mayGrant,
      resources: (profile) => security.profiles[profile].resources,
      runTimeoutMs: (profile) => security.profiles[profile].runTimeoutMs,
    },
    limits: {
      globalConcurrency: scheduler.globalConcurrency,
      jobConcurrency: scheduler.jobConcurrency,
      maxDepth: scheduler.queue.maxDepth,
      weightOf(tenant) {
        const { weights, defaultWeight } = scheduler.queue;
        return Object.hasOwn(weights, tenant) ? (weights[tenant] ?? defaultWeight) : defaultWeight;
      },
    },
    execution: {
      executor,
      runsDir: foldersOf(config).runsDir,
      ownFolders: [...ownFolders(config), pipesDir(config)],
      snapshotDir: (revision) => parts.snapshots.dirOf(revision),
      masked,
      runCallers,
      passthrough: (plan) => security.profiles[plan.profile].envPassthrough,
      artifactLimits: {
        maxSizeBytes: artifacts.maxSizeBytes,
        quotaBytes: artifacts.quotaHardBytes,
        ttlMs: artifacts.ttlMs,
      },
    },
    notifyRules: config.notify.rules,
    channels: config.notify.channels.map(({ name }) => name),
    defaultTenant: config.instance.defaultTenant,
    timezone: scheduler.timezone ?? parts.timezone,
    calendars: await readCalendars(scheduler.calendars, clock.now()),
    arePaused: scheduler.schedulesPaused,
    triggersPaused: scheduler.triggersPaused,
    syncWaitMs: config.server.syncWaitMs,
    worker: hostname(),
    room,
  });
  onStop('the engine', () => engine.close());
  if (ephemeral) {
    onStop('the runs of a data dir that is gone', async () => {
      // Ends the processes of a command's runs, because no command would find them again. The runs of a server
      // continue, because its operator may put the database back.
      if (!existsSync(config.persistence.dbPath)) await engine.kill();
    });
  }
  return engine;
}

/**
 * Follows the links of a path, because granted paths are compared without links. A path that does not exist is compared
 * as it is written.
 */
function resolveLinks(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

/** Opens the HTTP server, with the notifications and the retention whose state it reports. */
async function openServer(
  { config, ephemeral, log, onStop }: Start,
  parts: Pick<Storage, 'store' | 'hub' | 'signer'> &
    Pick<
      ServerParts,
      'catalog' | 'snapshots' | 'engine' | 'startedAtMs' | 'hostChecks' | 'jwt' | 'ownCredentials' | 'runCallers'
    > &
    Pick<RetentionParts, 'stoppedMs'>,
): Promise<{ readonly listen: Server['listen']; readonly retention: Retention }> {
  const { store, hub, signer, engine } = parts;
  const { channels, messages } = openChannels(config, parts);
  const late = { catalog: parts.catalog, rules: config.notify.rules, onSeen: engine.late.onSeen };
  const tenantSecret = (tenant: string, name: string) => engine.secrets.valueOf(tenant, name);
  const untrusted = config.sources.filter(({ trusted }) => !trusted).map(({ mountPath }) => mountPath);
  const reachOf = createReach(untrusted, config.notify.allow);
  const notifying = { store, hub, channels, messages, signer, late, tenantSecret, reachOf, clock, log };
  const notifier = ephemeral?.jobTests ? undefined : startNotifier(notifying);
  onStop('notifications', () => notifier?.close());
  const channelView = createChannelView({ channels, messages, signer, clock, timeoutMs: answerMs });
  onStop('tests of channels', channelView.close);
  const policy = config.persistence.retention;
  const retention = createRetention({
    ...foldersOf(config),
    policy,
    store,
    clock,
    log,
    stoppedMs: parts.stoppedMs,
    room: createRoomLender(config.instance.dataDir, { forRemoval: true }),
  });
  onStop('retention', () => retention.close());
  const load = watchLoad();
  onStop('the watch for overload', () => load.close());
  const server = await createServer({
    ...parts,
    config,
    retention: ephemeral?.makesRoom ? atFullSpeed(retention) : retention,
    log,
    clock,
    version: packageVersion(),
    channels: channelView,
    notificationOutcomes: notifier?.outcomes ?? { delivered: 0, retried: 0, failed: 0 },
    load,
    openMcp: config.extensions.includes('mcp') && !ephemeral ? openMcpOf(config, parts.catalog) : null,
  });
  onStop('the HTTP server', () => server.close());
  onStop('waiting requests', () => engine.endWaits());
  return { listen: server.listen, retention };
}

/** Loads the code that sends spans and log lines only if there is a collector. */
function openExports(
  { config, ephemeral, log, onStop }: Start,
  { store, hub, engine }: Pick<Storage, 'store' | 'hub'> & { readonly engine: Engine },
): void {
  const { collector, instance } = config;
  if (!collector || ephemeral?.jobTests) return;
  const beginsAt = hub.latestId + 1;
  const exporting = import('./telemetry/start-exports.ts').then(({ startExports }) =>
    startExports({
      store,
      hub,
      collector,
      signals: collector.signals,
      secretOf: (name) => engine.secrets.valueOf(instance.defaultTenant, name),
      clock,
      log,
      version: packageVersion(),
      instance: instance.name,
      beginsAt,
    }),
  );
  onStop('the export to a collector', async () => (await exporting).close());
}

function openChannels({ notify, server, instance }: Config, { store, engine }: Pick<ServerParts, 'store' | 'engine'>) {
  const secretOf = (name: string) => engine.secrets.valueOf(instance.defaultTenant, name);
  return {
    channels: createChannels({ channels: notify.channels, smtp: notify.smtp, secretOf }),
    messages: createMessages({
      store,
      publicUrl: server.publicUrl,
      instance: instance.name,
      host: hostname(),
      timezone: engine.schedules.timezone,
      scheduleOf: engine.schedules.find,
    }),
  };
}

/** Loads the code for agents when an agent sends its first request. */
function openMcpOf(
  { mcp: settings, sources }: Config,
  { onChange }: Pick<Catalog, 'onChange'>,
): ServerParts['openMcp'] {
  return async (api) => {
    const { openHttpMcp } = await import('./mcp/http.ts');
    return openHttpMcp({
      ...api,
      settings,
      version: packageVersion(),
      ensureStarted: () => undefined,
      onJobsChange: onChange,
      untrustedSources: sources.filter(({ trusted }) => !trusted).map(({ name }) => name),
      nowMs: () => clock.monotonicMs(),
      idleMs: mcpIdleMs,
    });
  };
}

/** Removes data at full speed, because nobody else needs the time or the disk. */
function atFullSpeed(retention: Retention): Retention {
  return { ...retention, collect: ({ forMs }) => retention.collect({ forMs, share: 1, keptFreeBytes: 0 }) };
}

/**
 * Whether the host caused the error. Then the message says enough. Any other error needs its stack, so that the bug can
 * be reported.
 */
function isOfHost(error: unknown): boolean {
  return isStorageError(error) || (error instanceof Error && 'errno' in error);
}

function startDetail({ server: { bind }, auth, security }: Config): AuditDetail {
  return {
    version: packageVersion(),
    pid: process.pid,
    bind: `${bind.host}:${bind.port}`,
    auth: auth.mode,
    default_profile: security.defaultProfile,
    allow_profiles: security.allowProfiles,
  };
}
