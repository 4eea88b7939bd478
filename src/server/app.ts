// Puts the HTTP server together: Fastify, the checks that every request passes, the operations, and start and stop.

import { lookup } from 'node:dns';
import type { RequestListener } from 'node:http';
import { promisify } from 'node:util';
import { type FastifyInstance, type FastifyRequest, fastify, type RouteOptions } from 'fastify';
import type { Catalog } from '../catalog/catalog.ts';
import type { Snapshots } from '../catalog/source/snapshot.ts';
import type { HostCheck } from '../domain/host-check.ts';
import { Problem } from '../domain/problem.ts';
import { withoutHookTokens } from '../domain/trigger/hook-token.ts';
import type { Caller } from '../engine/create.ts';
import type { Engine } from '../engine/engine.ts';
import type { Retention } from '../engine/retention/retain.ts';
import type { Clock } from '../lib/clock.ts';
import { createId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import { isLoopback } from '../lib/loopback.ts';
import type { Store } from '../store/open.ts';
import { createReading } from '../store/reading.ts';
import { type Admission, createAdmission } from './admission/admission.ts';
import { type Authentication, createAuthentication, type JwtVerifier } from './admission/authentication.ts';
import { type Cors, createCors } from './admission/cors.ts';
import { createDelegatedCredentials } from './admission/delegated-credentials.ts';
import { createLocalCallers, type LocalCallers, type RunCallers } from './admission/local-callers.ts';
import { createProxies, type Proxies } from './admission/proxies.ts';
import { createTokens, type Tokens } from './admission/tokens.ts';
import { answerError, answerUnreadable, answerWhatNodeKeeps, pathOf } from './answers/problem-answers.ts';
import { createUsualWork } from './answers/usual-work.ts';
import { type AuditTrail, createAuditTrail } from './audit-trail.ts';
import type { Handlers } from './exchange.ts';
import { createArtifactHandlers } from './handlers/artifacts.ts';
import { createAuditHandlers } from './handlers/audit.ts';
import { createChannelHandlers, type ServerChannels } from './handlers/channels.ts';
import { createEventHandlers } from './handlers/events.ts';
import { createFailureHandlers } from './handlers/failures.ts';
import { createJobFileHandlers } from './handlers/job-files.ts';
import { createJobHandlers } from './handlers/jobs.ts';
import { createKvHandlers } from './handlers/kv.ts';
import { createLogHandlers } from './handlers/logs.ts';
import { createRunHandlers } from './handlers/runs.ts';
import { createBackfillHandlers } from './handlers/schedule/backfills.ts';
import { createScheduleHandlers } from './handlers/schedule/schedules.ts';
import { createSecretHandlers } from './handlers/secrets.ts';
import { createSourceHandlers } from './handlers/sources.ts';
import { callerOf } from './handlers/starting-runs.ts';
import { createStatsHandlers } from './handlers/stats.ts';
import { createStorageHandlers } from './handlers/storage.ts';
import { createSystemHandlers, type SystemHandlers } from './handlers/system.ts';
import { createTokenHandlers } from './handlers/tokens.ts';
import { createTriggerHandlers } from './handlers/triggers.ts';
import { createWebhookHandlers } from './handlers/webhooks.ts';
import { createActivity, createWorkerHandlers } from './handlers/workers.ts';
import { addHookRoutes } from './hook-routes.ts';
import { acceptJson } from './json-body.ts';
import { createBodyRoom } from './limits/body-room.ts';
import { boundConnections, connectionLimit } from './limits/connections.ts';
import type { Load } from './limits/pressure.ts';
import { createRateLimiter, type RateLimiter } from './limits/rate-limits.ts';
import { addMcpRoute, mcpPath, type OpenMcp } from './mcp-route.ts';
import { createMetrics, type NotificationOutcomes } from './metrics/metrics.ts';
import { apiUrlOf } from './other-paths.ts';
import { addOtherRoutes } from './other-routes.ts';
import { addResourceMetadata } from './resource-metadata.ts';
import { addOperations } from './routes.ts';
import type { ServerConfig } from './server-config.ts';
import { createEventFrames } from './streams/event-frames.ts';
import { createStreams, type Streams } from './streams/streams.ts';
import { openTlsCertificate, type TlsCertificate } from './tls.ts';

export type ServerParts = {
  readonly config: ServerConfig;
  readonly catalog: Catalog;
  readonly snapshots: Pick<Snapshots, 'dirOf'>;
  readonly store: Store;
  readonly engine: Engine;
  readonly retention: Retention;
  readonly log: Logger;
  readonly clock: Clock;
  readonly version: string;
  readonly startedAtMs: number;
  readonly notificationOutcomes: NotificationOutcomes;
  readonly channels: ServerChannels;
  readonly hostChecks: () => Promise<readonly HostCheck[]>;
  readonly load: Load;
  /** null: the configuration names no issuer of JWTs. */
  readonly jwt: JwtVerifier | null;
  /** A caller with one of these credentials is the server's own user. */
  readonly ownCredentials: readonly string[];
  /** null: no process of a run can be mistaken for the server's own user, or the operator accepts that. */
  readonly runCallers: RunCallers | null;
  /** null: this instance offers no MCP. */
  readonly openMcp: OpenMcp | null;
};

type Listening = {
  readonly url: string;
  /** SHA-256 of the certificate that new connections get, as `AB:CD:…`; null: plain HTTP. */
  readonly certificate: () => string | null;
};

export type Server = {
  readonly listen: () => Promise<Listening>;
  /** Accepts no new requests, ends streams at once, and gives other requests 2.5 s to finish. */
  readonly close: () => Promise<void>;
};

const closeMs = 2_500;
const sweepMs = 100;

export async function createServer(parts: ServerParts): Promise<Server> {
  const { config, log, clock, engine } = parts;
  const certificate = config.server.tls && openTlsCertificate(config.server.tls, { clock, log });
  const delegated = createDelegatedCredentials();
  const authentication = createAuthentication({ ...parts, delegated });
  const streams = createStreams({
    stallMs: config.server.writeTimeoutMs,
    isStillValid: authentication.isStillValid,
    log,
  });
  const limiter = createRateLimiter({ security: config.security, clock });
  const audit = openAuditTrail(parts);
  let isStopping = false;
  const entrance = createEntrance(parts, { authentication, limiter, isStopping: () => isStopping });
  const app = createApp(parts, { certificate, entrance, note: audit.note });
  const connections = boundConnections(app.server, {
    limit: connectionLimit(),
    stallMs: config.server.writeTimeoutMs,
  });
  app.addHook('onRoute', (route) => logRequests(route, log));

  const tokens = createTokens({ ...parts, ...config.instance, onRevoked: authentication.forget });
  const { handlers, system } = createHandlers(parts, streams, { limiter, tokens });
  const metrics = createMetrics({ ...parts, app, streams });
  const { addArgumentErrors } = engine;
  const { addErrors: addScheduleErrors } = engine.schedules;
  const { load } = parts;
  const takeBodyRoom = createBodyRoom(config.server.bodyLimitBytes);
  addOperations(app, {
    handlers,
    admit: entrance.admission.admit,
    load,
    takeBodyRoom,
    audit,
    addBodyErrors: {
      createRun: addArgumentErrors,
      createPlan: addArgumentErrors,
      createSchedule: addScheduleErrors,
      previewSchedule: addScheduleErrors,
      replaceSchedule: addScheduleErrors,
    },
  });
  addHookRoutes(app, {
    ...entrance,
    webhooks: engine.webhooks,
    ...limiter,
    load,
    takeBodyRoom,
    bodyLimitBytes: config.server.bodyLimitBytes,
  });
  const closeMcp = addMcp(app, parts, { ...entrance, delegated, load, takeBodyRoom, streams });
  addOtherRoutes(app, { ...entrance, metrics, system, version: parts.version });

  return {
    async listen() {
      const { host, port } = config.server.bind;
      const url = await app.listen({ host: host === 'localhost' ? await addressOfLocalhost() : host, port });
      if (!certificate) return { url, certificate: () => null };
      return { url: url.replace(/^http:/, 'https:'), certificate: certificate.fingerprint };
    },
    async close() {
      isStopping = true;
      await closeMcp?.();
      streams.close();
      metrics.close();
      // Node closes idle connections once, and then waits for the connections that become idle later.
      const sweep = setInterval(() => app.server.closeIdleConnections(), sweepMs);
      const timer = setTimeout(() => {
        app.server.closeAllConnections();
        connections.closeIdle();
      }, closeMs);
      await app.close();
      audit.close();
      clearInterval(sweep);
      clearTimeout(timer);
    },
  };
}

function addMcp(
  app: FastifyInstance,
  { openMcp, config }: ServerParts,
  o: Omit<Parameters<typeof addMcpRoute>[1], 'openMcp' | 'stallMs' | 'identity'>,
): ReturnType<typeof addMcpRoute> | null {
  const { auth, server } = config;
  const identity = auth.jwt && { issuer: auth.jwt.issuer, publicUrl: server.publicUrl };
  if (openMcp && identity) addResourceMetadata(app, mcpPath, { ...o, identity });
  return openMcp && addMcpRoute(app, { ...o, openMcp, stallMs: server.writeTimeoutMs, identity });
}

function openAuditTrail({ store, engine, log }: ServerParts): AuditTrail {
  return createAuditTrail({
    store,
    refusals: engine.refusals,
    log,
    tenantOf: {
      run: async (id) => (await store.runs.summary(id))?.tenant,
      schedule: async (id) => (await store.schedules.find(id))?.tenant,
      backfill: async (id) => (await store.backfills.find(id))?.tenant,
      webhook: async (id) => (await store.webhooks.find(id))?.tenant,
      token: async (id) => (await store.tokens.find(id))?.tenant,
    },
  });
}

/** The parts that decide which requests are admitted. */
type Entrance = {
  readonly admission: Admission;
  readonly localCallers: LocalCallers;
  readonly proxies: Proxies;
  readonly cors: Cors;
};

function createEntrance(
  { config, runCallers }: ServerParts,
  o: {
    readonly authentication: Authentication;
    readonly limiter: RateLimiter;
    readonly isStopping: () => boolean;
  },
): Entrance {
  const { auth, server } = config;
  const proxies = createProxies(server.trustProxy);
  const cors = createCors({ origins: server.corsOrigins, isDev: auth.isDev });
  const localCallers = createLocalCallers({ mode: auth.mode, proxies, runs: runCallers });
  const admission = createAdmission({
    authentication: o.authentication,
    localCallers,
    needsLocalName: isLoopback(server.bind.host)
      ? ({ remoteAddress }) => auth.mode === 'none' || !proxies.isTrusted(remoteAddress)
      : () => false,
    cors,
    proxies,
    limit: o.limiter.countRequest,
    isStopping: o.isStopping,
  });
  return { admission, localCallers, proxies, cors };
}

/** Fastify with everything that does not depend on the route. */
function createApp(
  { config, clock, log }: ServerParts,
  o: {
    readonly certificate: TlsCertificate | null;
    readonly entrance: Entrance;
    readonly note: AuditTrail['note'];
  },
): FastifyInstance {
  const { readTimeoutMs, idleTimeoutMs, bodyLimitBytes } = config.server;
  const { certificate, entrance } = o;
  const answering = { log, note: o.note };
  const admitUnrouted = entrance.admission.admit({ scope: 'public' });
  const http = {
    headersTimeout: readTimeoutMs,
    connectionsCheckingInterval: Math.min(1_000, readTimeoutMs),
    // Without this, Node itself would answer a request that has no Host, and would not send a problem document.
    requireHostHeader: false,
  };
  const timeouts = { requestTimeout: readTimeoutMs, keepAliveTimeout: idleTimeoutMs };
  const app = fastify({
    bodyLimit: bodyLimitBytes,
    ...timeouts,
    http,
    ...(certificate && {
      serverFactory: (handler: RequestListener) =>
        certificate.createServer({ ...http, ...timeouts, handshakeTimeout: readTimeoutMs }, handler),
    }),
    ...(config.server.trustProxy && { trustProxy: entrance.proxies.isTrusted }),
    return503OnClosing: false,
    rewriteUrl: apiUrlOf,
    // No route has a Fastify schema, so Fastify need not load its two compilers.
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    // A parameter may be as long as a request line. So an overlong id gives the same error as any unknown id.
    routerOptions: { maxParamLength: 16_384 },
    genReqId: ({ headers }) => {
      const given = headers['x-request-id'];
      const isValid = typeof given === 'string' && /^[A-Za-z0-9._-]{1,128}$/.test(given);
      // The id is stored in the log and in the audit log, so it must not contain a token.
      return isValid && withoutHookTokens(given) === given ? given : createId('req', clock.now());
    },
    // A path that cannot be decoded reaches no route, but it is admitted and counted like any other path.
    frameworkErrors: (error, request, reply) => {
      admitUnrouted(request, reply).then(
        () => answerError(error, request, reply, answering),
        (refusal: unknown) => answerError(refusal, request, reply, answering),
      );
    },
    clientErrorHandler: answerUnreadable,
  });
  app.decorateRequest('principal');
  app.decorateRequest('webhook', undefined);
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply, answering));
  answerWhatNodeKeeps(app.server);
  entrance.localCallers.watch(app.server);
  acceptJson(app);
  return app;
}

/**
 * If `localhost` has two addresses, Fastify opens a second server for the other address, and our listeners never see
 * that server.
 */
async function addressOfLocalhost(): Promise<string> {
  const { address } = await promisify(lookup)('localhost', { order: 'ipv4first' });
  return address;
}

function noCompiler(): never {
  throw new Error('validation.ts checks requests against the contract; Fastify must not have schemas');
}

function createHandlers(
  parts: ServerParts,
  streams: Streams,
  { limiter, tokens }: { readonly limiter: RateLimiter; readonly tokens: Tokens },
): { handlers: Handlers; system: SystemHandlers } {
  const { config, catalog, snapshots, store, engine, retention, channels } = parts;
  const { hostChecks, clock, version, load, log } = parts;
  const { hub } = engine;
  const jobIdOf = (idOrAlias: string): string => {
    try {
      return catalog.find(idOrAlias).definition.id;
    } catch (error) {
      // If the job has been removed, its runs may still exist.
      if (error instanceof Problem) return idOrAlias;
      throw error;
    }
  };
  const starterOf = (request: FastifyRequest): Caller => ({
    ...callerOf(request),
    countRun: (profile) => limiter.countRun(request, profile),
  });
  const { runs, artifacts, stats } = createReading(store);
  const activityOf = createActivity({ engine, runs });
  const system = createSystemHandlers({
    activityOf,
    config,
    catalog,
    engine,
    retention,
    hostChecks,
    version,
    load,
    store,
  });
  const { runsMs: runsKeptMs } = config.persistence.retention;
  const ofSchedules = { schedules: engine.schedules, catalog, jobIdOf, starterOf, runsKeptMs, clock };
  const handlers: Handlers = {
    ...createJobHandlers({ catalog, runs, defaultProfile: config.security.defaultProfile, clock }),
    ...createJobFileHandlers({ catalog, runs, dirOf: snapshots.dirOf }),
    ...createSourceHandlers({ catalog, sources: config.sources }),
    ...createScheduleHandlers(ofSchedules),
    ...createBackfillHandlers(ofSchedules),
    ...createTriggerHandlers({ ...config.instance, triggers: engine.triggers, store, catalog, jobIdOf }),
    ...createWebhookHandlers({ ...engine, store, jobIdOf, starterOf, ...config.server }),
    ...createChannelHandlers({ channels, notifications: store.notifications }),
    ...createSecretHandlers({ engine, catalog, webhooks: store.webhooks, config }),
    ...createKvHandlers({ kv: engine.kv, defaultTenant: config.instance.defaultTenant }),
    ...createRunHandlers({ runs, engine, usual: createUsualWork({ store, hub }), jobIdOf, starterOf }),
    ...createLogHandlers({ runs, hub, streams, jobIdOf }),
    ...createFailureHandlers({ runs, jobIdOf }),
    ...createEventHandlers({
      runs,
      journal: store.journal,
      frames: createEventFrames(store.logs),
      hub,
      streams,
      jobIdOf,
    }),
    ...createArtifactHandlers({ artifacts, stallMs: config.server.writeTimeoutMs, jobIdOf, log }),
    ...createStatsHandlers({ stats, runs, clock }),
    ...createTokenHandlers(tokens),
    ...createWorkerHandlers({ engine, activityOf, clock, version }),
    ...createAuditHandlers({ audit: store.audit, streams }),
    ...createStorageHandlers({
      store,
      quotas: config.persistence.artifacts,
      retention: config.persistence.retention,
      checks: engine.health,
    }),
    getHealth: system.getHealth,
    getSystemInfo: system.getSystemInfo,
    collectGarbage: system.collectGarbage,
  };
  return { handlers, system };
}

/** Logs every change. Reads are logged only at `debug`, because logging a read takes as long as answering it. */
function logRequests(route: RouteOptions, log: Logger): void {
  const level = route.method === 'GET' || route.method === 'HEAD' ? 'debug' : 'info';
  if (!log.isLevelEnabled(level)) return;
  route.onResponse = (request, reply, done) => {
    log[level](
      {
        request_id: request.id,
        method: request.method,
        path: pathOf(request),
        status: reply.statusCode,
        principal: request.principal.name,
        ms: Math.round(reply.elapsedTime),
      },
      'request',
    );
    done();
  };
}
