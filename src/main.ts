// Puts the parts of a server together, and starts and stops them. With operator.ts and sources.ts the only file that names concrete parts.

import { mkdir, realpath } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createCatalog, type JobSource } from './catalog/catalog.ts';
import { createSnapshots } from './catalog/source/snapshot.ts';
import { type Config, foldersOf } from './config/config.ts';
import { findOwnPaths } from './config/own-paths.ts';
import type { JournalEntry } from './domain/event.ts';
import { createEngine } from './engine/engine.ts';
import { createHub, type Hub } from './engine/hub.ts';
import { recordStart } from './engine/lifetime.ts';
import { createRetention, type Retention } from './engine/retention/retain.ts';
import { openKeyring } from './engine/secrets/keyring.ts';
import { createSealer } from './engine/secrets/seal.ts';
import { countUnopened } from './engine/secrets/unopened-secrets.ts';
import { probeHost } from './exec/host/host.ts';
import { checkHost } from './exec/host/host-checks.ts';
import { closeLimitHost, openLimitHost } from './exec/host/limit-host.ts';
import { trustsJobs } from './exec/host/network-check.ts';
import { isServerRoot } from './exec/job-user.ts';
import { sweepGroups } from './exec/proc/attempt-groups.ts';
import { openForkServer } from './exec/proc/fork-server.ts';
import { createProcExecutor } from './exec/proc/proc-executor.ts';
import { createRunCallers, type RunCallers } from './exec/proc/run-callers.ts';
import { removeCliToken, writeCliToken } from './instance/cli-token.ts';
import { giveUpReserve, keepReserve, lendRoom } from './instance/disk-reserve.ts';
import { openOwnerId } from './instance/owner-id.ts';
import { acquireOwnership, type OwnerInfo, type Ownership } from './instance/owner-lock.ts';
import { packageVersion } from './instance/version.ts';
import { systemClock } from './lib/clock.ts';
import { createLogger } from './lib/logger.ts';
import { startNotifier } from './notify/notifier.ts';
import { openSigner } from './notify/signing.ts';
import { assertGuarded } from './server/admission/exposure.ts';
import { openJwtVerifier } from './server/admission/open-jwt-verifier.ts';
import { createServer } from './server/app.ts';
import { watchLoad } from './server/limits/pressure.ts';
import { openStore, type Store } from './store/open.ts';
import { explainOpening } from './store/sqlite/sqlite-files.ts';

/** Commands wait for 10 s. */
const readWithinMs = 8_000;

/** Of `serve --dev`, which is on loopback alone. */
const devToken = 'dev-token';

export type RunningServer = {
  readonly url: string;
  /** SHA-256 of the certificate that it shows by now; null: plain HTTP. */
  readonly certificate: () => string | null;
  readonly cliToken: string;
  /** Runs that have not begun wait for the next start; those that have go on. */
  readonly startNoRuns: () => void;
  /** Starts this run too, if it waits, in an instance that starts only some. */
  readonly attend: (runId: string) => void;
  /** Resolves when another process has taken the data dir from this one. */
  readonly lost: Promise<OwnerInfo>;
  readonly stop: () => Promise<void>;
};

/** An instance for as long as a command takes: it starts the command's own runs and these, and does nothing by itself. */
export type Ephemeral = {
  /** Of the data dir, which the command has taken already. */
  readonly ownership: Ownership;
  readonly runs: ReadonlySet<string>;
  /** The command is there to remove things: on a full disk, too, at full speed, and down to the last byte. */
  readonly makesRoom?: boolean;
  /** For tests of jobs, which tell nobody how they ended; no job sees these host paths, which are another instance's. */
  readonly trial?: { readonly hides: readonly string[] };
};

/**
 * Starts everything, in the order in which the parts need each other: health answers before runs are resumed.
 * @throws Error when another server owns the data dir, the port is taken, or the database is of a newer version
 */
export async function serve(config: Config, configFile: string | null, ephemeral?: Ephemeral): Promise<RunningServer> {
  const startedAtMs = systemClock.now();
  const clock = systemClock;
  const log = createLogger(config.logging);
  const { dataDir } = config.instance;
  const lost = Promise.withResolvers<OwnerInfo>();
  const ownership =
    ephemeral?.ownership ??
    (await acquireOwnership(dataDir, { warn: (message) => log.warn(message), onLost: lost.resolve }));
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
    // Other processes look at the host while this one goes on; where the start fails before they are asked, it waits for them.
    const probing = probeHost();
    const checking = checkHost(probing, config.security, config.auth);
    const checked = Promise.allSettled([checking]);
    opened.push(async () => void (await checked));
    const jwt = await openJwtVerifier(config.auth.jwt, { clock, log, defaultTenant: config.instance.defaultTenant });
    const folders = foldersOf(config);
    const { runsDir, snapshotsDir } = folders;
    await mkdir(runsDir, { recursive: true, mode: 0o700 });
    const giveBack = ephemeral?.makesRoom ? await giveUpReserve(dataDir) : await lendRoom(dataDir);
    if (giveBack) opened.push(giveBack);
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
    const { auth } = config;
    const { bind } = config.server;
    await assertGuarded({ ...bind, mode: auth.mode, hasJwt: jwt !== null, tokens: store.tokens, nowMs: startedAtMs });
    const cliToken = writeCliToken(dataDir);
    opened.push(async () => removeCliToken(dataDir, cliToken));
    hub = createHub(await store.journal.latestId());

    const { secretKeyFile, secretKey } = config.persistence;
    const keyring = openKeyring(secretKeyFile, secretKey, await store.secrets.count());
    const sealer = createSealer(keyring);
    const unopened = await countUnopened(store, sealer);
    if (unopened.secrets > 0 || unopened.runs > 0)
      log.warn(
        unopened,
        'stored secrets or runs are sealed by a key that is not among the keys here: add it to the key file or FLWD_SECRET_KEY and start again, or set these secrets again',
      );
    const signer = openSigner(config.notify.signingKeyFile);
    const own = findOwnPaths(config, configFile, ephemeral?.trial?.hides ?? []);
    const sources = config.sources.map((source): JobSource => ({ ...source, type: 'fs' }));
    const catalog = createCatalog({ sources, aliases: config.aliases, exclude: own.written, log });
    opened.push(() => catalog.close());
    const snapshots = createSnapshots({ dir: snapshotsDir, exclude: own.written });
    const forkServer = openForkServer(join(dataDir, 'pipes'));
    opened.push(() => forkServer.close());
    const limitHost = openLimitHost(dataDir);
    opened.push(async () => closeLimitHost(limitHost));
    sweepGroups(limitHost, runsDir);
    const runCallers = createRunCallers();
    const ownerId = openOwnerId(dataDir);
    await enterLeft(runCallers, { store, ownerId, runsDir });
    const { security } = config;
    const [capabilities] = await Promise.all([probing, giveBack ? undefined : keepReserve(dataDir)]);
    const engine = createEngine({
      store,
      catalog,
      snapshots,
      keyring,
      sealer,
      hub,
      clock,
      log,
      policy: {
        defaultProfile: security.defaultProfile,
        allowProfiles: security.allowProfiles,
        paths: await Promise.all(security.paths.map(resolveLinks)),
        trustsJobs: trustsJobs(auth),
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
        executor: createProcExecutor({ capabilities, limitHost, forkServer }),
        runsDir,
        snapshotDir: (revision) => snapshots.dirOf(revision),
        masked: own.now,
        runCallers,
        passthrough: (plan) => security.profiles[plan.profile].envPassthrough,
        artifactLimits: {
          maxSizeBytes: config.persistence.artifacts.maxSizeBytes,
          quotaBytes: config.persistence.artifacts.quotaHardBytes,
          ttlMs: config.persistence.artifacts.ttlMs,
        },
      },
      defaultTenant: config.instance.defaultTenant,
      syncWaitMs: config.server.syncWaitMs,
      ownerId,
      worker: hostname(),
    });
    opened.push(() => engine.close());
    const notifier = ephemeral?.trial ? undefined : startNotifier({ store, hub, signer, clock, log });
    opened.push(async () => notifier?.close());

    const retention = createRetention({ ...folders, policy: config.persistence.retention, store, clock, log });
    opened.push(() => retention.close());

    const load = watchLoad();
    opened.push(async () => load.close());
    const server = await createServer({
      config,
      catalog,
      store,
      engine,
      retention: ephemeral?.makesRoom ? undisturbed(retention) : retention,
      log,
      clock,
      version: packageVersion(),
      startedAtMs,
      notificationOutcomes: notifier?.outcomes ?? { delivered: 0, retried: 0, failed: 0 },
      hostChecks: await checking,
      load,
      jwt,
      ownCredentials: auth.isDev ? [cliToken, devToken] : [cliToken],
      // A root server's jobs run as another user.
      runCallers: isServerRoot || auth.trustJobs ? null : runCallers,
    });
    opened.push(() => server.close());
    opened.push(async () => engine.endWaits());
    if (!ephemeral)
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
    const listening = await server.listen();
    let isClosing = false;
    opened.push(async () => {
      isClosing = true;
      ownership.announce(null);
    });
    const reading = catalog
      .start()
      .catch((error: unknown) => log.error({ err: error }, 'the sources could not be read'));
    engine.start(ephemeral?.runs);
    if (!ephemeral) retention.start();
    // Commands wait until it is said where they are answered: before the jobs are read they would be refused.
    void Promise.race([reading, delay(readWithinMs, undefined, { ref: false })]).then(() => {
      if (!isClosing) ownership.announce(listening);
    });
    if (ephemeral) await reading;
    const { startNoRuns, attend } = engine;
    return { ...listening, cliToken, startNoRuns, attend, lost: lost.promise, stop: closeAll };
  } catch (error) {
    await closeAll().catch(() => undefined);
    throw explainOpening(error, config.persistence.dbPath);
  }
}

/** Runs that go on can call before they are resumed. */
async function enterLeft(
  runCallers: RunCallers,
  { store, ownerId, runsDir }: { readonly store: Store; readonly ownerId: string; readonly runsDir: string },
): Promise<void> {
  for (const runId of await store.runs.running(ownerId)) {
    const left = await store.runs.remains(runId);
    if (left?.run.security.profile !== 'disabled') runCallers.enterLeft(join(runsDir, runId));
  }
}

/** Nobody else has a use for the time that is left. */
function undisturbed(retention: Retention): Retention {
  return { ...retention, collect: ({ forMs }) => retention.collect({ forMs, share: 1, keptFreeBytes: 0 }) };
}

/** Granted paths are compared with their links followed; one that is not there yet is compared as it is written. */
function resolveLinks(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}
