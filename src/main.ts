// The composition root: the only file that names concrete parts and puts them together.

import { mkdir, realpath } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createCatalog, type JobSource } from './catalog/catalog.ts';
import { createSnapshots } from './catalog/snapshot.ts';
import type { Config } from './config/config.ts';
import { type AnswerOf, type BodyOf, operations, type QueryOf } from './contract/operations.ts';
import { type AuditDetail, operatorEntry } from './domain/audit.ts';
import type { JournalEntry } from './domain/event.ts';
import { type HostCheck, ok } from './domain/host-check.ts';
import { localPrincipal } from './domain/principal.ts';
import { createEngine } from './engine/engine.ts';
import { createHub, type Hub } from './engine/hub.ts';
import { recordStart } from './engine/lifetime.ts';
import { createOperatorSecrets, type OperatorSecrets } from './engine/operator-secrets.ts';
import { type Collected, createRetention } from './engine/retain.ts';
import { sweepGroups } from './exec/attempt-groups.ts';
import { checkDataDir } from './exec/data-dir-check.ts';
import { openForkServer } from './exec/fork-server.ts';
import { probeHost } from './exec/host.ts';
import { checkHost } from './exec/host-checks.ts';
import { openKeyring } from './exec/keyring.ts';
import { closeLimitHost, openLimitHost } from './exec/limit-host.ts';
import { runsAlive } from './exec/live-attempts.ts';
import { createSealer } from './exec/seal.ts';
import { removeCliToken, writeCliToken } from './lib/cli-token.ts';
import { systemClock, toTimerDelay } from './lib/clock.ts';
import { giveUpReserve, keepReserve } from './lib/disk-reserve.ts';
import { createLogger, type Logger } from './lib/logger.ts';
import { acquireOwnership, type OwnerInfo } from './lib/owner-lock.ts';
import { StartError } from './lib/start-error.ts';
import { packageVersion } from './lib/version.ts';
import { startNotifier } from './notices/notifier.ts';
import { openSigner } from './notices/signing.ts';
import { createServer, type Listening } from './server/app.ts';
import { assertGuarded } from './server/exposure.ts';
import { openJwtVerifier } from './server/open-jwt-verifier.ts';
import { watchLoad } from './server/pressure.ts';
import { createTokens } from './server/tokens.ts';
import { assertBody } from './server/validation.ts';
import { type AuditFile, openAuditFile } from './store/audit-file.ts';
import type { AuditVerdict } from './store/audit-verify.ts';
import { type BackupRequest, type BackupSummary, createBackup, type Places } from './store/backup.ts';
import type { Transaction } from './store/database.ts';
import { openStore, type Store } from './store/open.ts';
import { type RestoreRequest, type RestoreSummary, restoreBackup } from './store/restore.ts';

/** Of `serve --dev`, which is on loopback alone. */
const devToken = 'dev-token';

export type RunningServer = { readonly url: string; readonly stop: () => Promise<void> };

/**
 * Starts everything, in the order in which the parts need each other: health answers before runs are taken up.
 * @throws Error when another server owns the data dir, the port is taken, or the database is of a newer version
 */
export async function serve(config: Config, configFile: string | null): Promise<RunningServer> {
  const startedAtMs = systemClock.now();
  const clock = systemClock;
  const log = createLogger(config.logging);
  const { dataDir } = config.instance;
  let listening: Listening | undefined;
  const owner: OwnerInfo = {
    pid: process.pid,
    get url() {
      return listening?.url ?? null;
    },
    get certificate() {
      return listening?.certificate() ?? null;
    },
  };
  const ownership = await acquireOwnership(dataDir, owner, (message) => log.warn(message));
  const opened: (() => Promise<void>)[] = [() => ownership.release()];
  const closeAll = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (const close of opened.toReversed()) {
      await close().catch((error: unknown) => {
        log.error({ err: error }, 'a part of the server could not be closed');
        failures.push(error);
      });
    }
    if (failures.length > 0) throw new AggregateError(failures, 'not everything could be closed');
  };

  try {
    const jwt = await openJwtVerifier(config.auth.jwt, { clock, log, defaultTenant: config.instance.defaultTenant });
    const { runsDir, snapshotsDir } = retentionParts(config);
    await mkdir(runsDir, { recursive: true, mode: 0o700 });
    // Commits can only come once something writes, and nothing does before the hub exists.
    let hub: Hub | undefined;
    const store = await openStore({
      dbPath: config.persistence.dbPath,
      blobsDir: config.persistence.blobsDir,
      clock,
      log,
      onCommit: (entries: readonly JournalEntry[]) => hub?.publish(entries),
    });
    opened.push(() => store.close());
    let recordStop: (() => Promise<void>) | undefined;
    opened.push(async () => recordStop?.());
    await keepReserve(dataDir);
    const { auth } = config;
    const { bind } = config.server;
    await assertGuarded({ ...bind, mode: auth.mode, hasJwt: jwt !== null, tokens: store.tokens, nowMs: startedAtMs });
    const cliToken = writeCliToken(dataDir);
    opened.push(async () => removeCliToken(dataDir));
    hub = createHub(store.journal.latestId());

    const keyring = openKeyring(config.persistence.secretKeyFile, config.persistence.secretKey);
    const signer = openSigner(config.notify.signingKeyFile);
    // It may name a database with its password, and more that is the operator's alone.
    const ofOperator = configFile === null ? [] : [await resolveLinks(configFile)];
    const masked = [...(await ownPaths(config)), ...ofOperator];
    const sources = config.sources.map((source): JobSource => ({ ...source, type: 'fs' }));
    const catalog = createCatalog({ sources, aliases: config.aliases, exclude: masked, log });
    opened.push(() => catalog.close());
    const snapshots = createSnapshots({ dir: snapshotsDir, exclude: masked });
    const forkServer = openForkServer(join(dataDir, 'pipes'));
    opened.push(() => forkServer.close());
    const limitHost = openLimitHost(dataDir);
    opened.push(async () => closeLimitHost(limitHost));
    sweepGroups(limitHost, runsDir);
    const { security } = config;
    const host = await probeHost();
    const engine = createEngine({
      store,
      catalog,
      snapshots,
      keyring,
      sealer: createSealer(keyring),
      host,
      hub,
      clock,
      log,
      policy: {
        defaultProfile: security.defaultProfile,
        allowProfiles: security.allowProfiles,
        paths: await Promise.all(security.paths.map(resolveLinks)),
        masked,
        mayGrant: (profile) => security.profiles[profile].mayGrant,
        resources: (profile) => security.profiles[profile].resources,
      },
      limits: {
        globalConcurrency: config.scheduler.globalConcurrency,
        jobConcurrency: config.scheduler.jobConcurrency,
        maxDepth: config.scheduler.queue.maxDepth,
        weightOf(tenant) {
          const { weights, defaultWeight } = config.scheduler.queue;
          return Object.hasOwn(weights, tenant) ? (weights[tenant] ?? defaultWeight) : defaultWeight;
        },
      },
      execution: {
        forkServer,
        runsDir,
        snapshotDir: (revision) => snapshots.dirOf(revision),
        masked,
        limitHost,
        passthrough: (plan) => security.profiles[plan.profile].envPassthrough,
        artifactLimits: {
          maxSizeBytes: config.persistence.artifacts.maxSizeBytes,
          quotaBytes: config.persistence.artifacts.quotaHardBytes,
          ttlMs: config.persistence.artifacts.ttlMs,
        },
      },
      defaultTenant: config.instance.defaultTenant,
      syncWaitMs: config.server.syncWaitMs,
      worker: hostname(),
    });
    opened.push(() => engine.close());
    const notifier = startNotifier({ store, hub, signer, clock, log });
    opened.push(() => notifier.close());

    const retention = createRetention({ ...retentionParts(config), store, clock, log });
    opened.push(() => retention.close());

    const load = watchLoad();
    opened.push(async () => load.close());
    const server = await createServer({
      config,
      catalog,
      store,
      engine,
      retention,
      log,
      clock,
      version: packageVersion(),
      startedAtMs,
      noticeOutcomes: notifier.outcomes,
      hostChecks: await checkHost(host, security),
      load,
      jwt,
      ownCredentials: auth.isDev ? [cliToken, devToken] : [cliToken],
    });
    opened.push(() => server.close());
    opened.push(async () => engine.endWaits());
    recordStop = await recordStart({
      audit: store.audit,
      detail: {
        version: packageVersion(),
        pid: process.pid,
        bind: `${config.server.bind.host}:${config.server.bind.port}`,
        auth: config.auth.mode,
        default_profile: security.defaultProfile,
        allow_profiles: security.allowProfiles,
      },
      log,
    });
    listening = await server.listen();
    engine.start();
    retention.start();
    void catalog.start().catch((error: unknown) => log.error({ err: error }, 'the sources could not be read'));
    return { url: listening.url, stop: closeAll };
  } catch (error) {
    await closeAll().catch(() => undefined);
    throw error;
  }
}

/**
 * Retention on an instance that no server has, to its end.
 * @throws DataDirOwned where a server has it: that one does it when asked
 */
export async function collectGarbage(
  config: Config,
  o: { readonly isDryRun: boolean; readonly signal: AbortSignal },
): Promise<Collected['removed']> {
  return withStore(config, async (store, log) => {
    const parts = retentionParts(config);
    await mkdir(parts.runsDir, { recursive: true, mode: 0o700 });
    const retention = createRetention({ ...parts, store, clock: systemClock, log });
    o.signal.addEventListener('abort', () => void retention.close());
    if (o.isDryRun) return retention.preview();
    const { removed } = await retention.collect({ forMs: toTimerDelay(Infinity), share: 1, keptFreeBytes: 0 });
    const entry = operatorEntry({ action: 'gc', object: { kind: 'instance', id: null }, tenant: '*', detail: removed });
    // Where a disk is full, what was removed is removed all the same.
    await store.audit
      .record(entry)
      .catch((error: unknown) => log.warn({ err: error, audit: entry }, 'not in the audit log'));
    return removed;
  });
}

/** As the server's own user. */
type OwnTokens = {
  readonly create: (request: BodyOf<'createToken'>) => Promise<AnswerOf<'createToken'>>;
  readonly list: (page: QueryOf<'listTokens'>) => Promise<AnswerOf<'listTokens'>>;
  readonly revoke: (id: string) => Promise<void>;
};

/**
 * Tokens of an instance that no server has.
 * @throws DataDirOwned where a server has it
 */
export async function manageTokens<T>(config: Config, work: (tokens: OwnTokens) => Promise<T>): Promise<T> {
  return withStore(config, (store) => {
    const { defaultTenant } = config.instance;
    const tokens = createTokens({ store, clock: systemClock, defaultTenant, onRevoked: () => undefined });
    return work({
      async create(request) {
        assertBody(operations.createToken, request);
        return tokens.create(request, localPrincipal, recordOwn('token.create', { ...request }));
      },
      list: (page) => tokens.list(page, localPrincipal),
      revoke: (id) => tokens.revoke(id, localPrincipal, recordOwn('token.revoke', null)),
    });
  });
}

/**
 * Stored secrets of an instance that no server has, and the key that seals them.
 * @throws DataDirOwned where a server has it, StartError where there is no key
 */
export async function manageSecrets<T>(config: Config, work: (secrets: OperatorSecrets) => Promise<T>): Promise<T> {
  return withStore(config, (store, log) => {
    const keyring = openKeyring(config.persistence.secretKeyFile, config.persistence.secretKey);
    return work(createOperatorSecrets({ store, keyring, sealer: createSealer(keyring), clock: systemClock, log }));
  });
}

function recordOwn(action: 'token.create' | 'token.revoke', detail: AuditDetail | null) {
  return (tx: Transaction, { id, tenant }: { readonly id: string; readonly tenant: string }): void =>
    tx.record(operatorEntry({ action, object: { kind: 'token', id }, tenant, detail }));
}

/** @throws DataDirOwned where a server has the data dir */
async function withStore<T>(config: Config, work: (store: Store, log: Logger) => Promise<T>): Promise<T> {
  const log = createLogger(config.logging);
  const { dataDir } = config.instance;
  const ownership = await acquireOwnership(dataDir, { pid: process.pid, url: null }, (message) => log.warn(message));
  try {
    await giveUpReserve(dataDir);
    const { dbPath, blobsDir } = config.persistence;
    const store = await openStore({ dbPath, blobsDir, clock: systemClock, log, onCommit: () => undefined });
    try {
      return await work(store, log);
    } finally {
      await store.close();
      await keepReserve(dataDir);
    }
  } finally {
    await ownership.release();
  }
}

/** For the operator: works beside a server as well as without one, and changes nothing. */
export async function examineHost(config: Config): Promise<{ checks: HostCheck[]; canRunDefault: boolean }> {
  const host = await probeHost();
  const now = new Date(systemClock.now()).toISOString();
  const checks = [
    ...(await checkHost(host, config.security)),
    await checkDataDir(config.instance.dataDir),
    ok('clock', `${now} UTC; schedules and tokens go by it`),
  ];
  return { checks, canRunDefault: host[config.security.defaultProfile].available };
}

export async function backUp(
  config: Config,
  o: Pick<BackupRequest, 'destination' | 'includesKey'>,
): Promise<BackupSummary> {
  return createBackup({ ...o, places: placesOf(config), version: packageVersion() });
}

/** @throws DataDirOwned where a server has the data dir, StartError where scripts of it run on without one */
export async function restore(
  config: Config,
  o: Pick<RestoreRequest, 'source' | 'force' | 'onProgress'>,
): Promise<RestoreSummary> {
  const warn = (message: string): void => o.onProgress(message);
  const ownership = await acquireOwnership(config.instance.dataDir, { pid: process.pid, url: null }, warn);
  try {
    const alive = runsAlive(retentionParts(config).runsDir);
    if (alive.length > 0) {
      const [first] = alive;
      const others = alive.length > 1 ? ` and ${alive.length - 1} more` : '';
      throw new StartError(
        `scripts of this data dir are still running: ${first}${others}; start its server and cancel them first`,
      );
    }
    const restored = await restoreBackup({ ...o, places: placesOf(config) });
    await recordRestore(config, restored.createdAt);
    return restored;
  } finally {
    await ownership.release();
  }
}

/** In the chain of the backup: what came after it is gone. */
async function recordRestore(config: Config, asOf: string): Promise<void> {
  const { dbPath, blobsDir } = config.persistence;
  const log = createLogger(config.logging);
  const store = await openStore({ dbPath, blobsDir, clock: systemClock, log, onCommit: () => undefined });
  try {
    const object = { kind: 'instance', id: null } as const;
    await store.audit.record(operatorEntry({ action: 'restore', object, tenant: '*', detail: { as_of: asOf } }));
  } finally {
    await store.close();
  }
}

/** To be closed. @throws StartError where there is none */
export function openAudit(config: Config): AuditFile {
  return openAuditFile(config.persistence.dbPath);
}

/** @throws StartError where there is no audit log */
export async function verifyAudit(config: Config): Promise<AuditVerdict> {
  const audit = openAudit(config);
  try {
    return await audit.verify();
  } finally {
    audit.close();
  }
}

function retentionParts({ instance, persistence }: Config) {
  return {
    runsDir: join(instance.dataDir, 'runs'),
    snapshotsDir: join(instance.dataDir, 'snapshots'),
    policy: persistence.retention,
  };
}

function placesOf(config: Config): Places {
  const { dbPath, blobsDir, secretKeyFile } = config.persistence;
  const { signingKeyFile } = config.notify;
  const { runsDir, snapshotsDir } = retentionParts(config);
  return {
    dataDir: config.instance.dataDir,
    dbPath,
    logsDir: join(blobsDir, 'logs'),
    artifactsDir: join(blobsDir, 'artifacts'),
    snapshotsDir,
    runsDir,
    secretKeyFile,
    signingKeyFile,
  };
}

/** Where the server keeps its own, links followed: no job may see it. To be called once all of it exists. */
async function ownPaths({ instance, server, auth, persistence, notify }: Config): Promise<string[]> {
  const { dbPath, blobsDir, secretKeyFile } = persistence;
  const database = await realpath(dbPath);
  const foreign = [
    // With keys of the environment there is no file of them.
    secretKeyFile,
    // Whoever may write the keys of JWTs decides who is let in.
    ...(auth.jwt && 'file' in auth.jwt.keys ? [auth.jwt.keys.file] : []),
    ...(server.tls ? [server.tls.keyFile] : []),
  ];
  const others = await Promise.all([instance.dataDir, blobsDir, notify.signingKeyFile].map((path) => realpath(path)));
  const edge = await Promise.all(foreign.map(resolveLinks));
  return [...others, ...edge, database, `${database}-wal`, `${database}-shm`];
}

/** Granted paths are compared with their links followed; one that is not there yet is compared as it is written. */
function resolveLinks(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}
