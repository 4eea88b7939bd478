// Puts the HTTP server together: Fastify, what every request passes, the operations, and its start and stop.

import { lookup } from 'node:dns/promises';
import type { RequestListener } from 'node:http';
import { type FastifyInstance, fastify, type RouteOptions } from 'fastify';
import type { Catalog } from '../catalog/catalog.ts';
import type { HostCheck } from '../domain/host-check.ts';
import { Problem } from '../domain/problem.ts';
import type { Engine } from '../engine/engine.ts';
import type { Retention } from '../engine/retention/retain.ts';
import type { Clock } from '../lib/clock.ts';
import { createId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import { isLoopback } from '../lib/loopback.ts';
import type { Store } from '../store/open.ts';
import { createReading } from '../store/reading.ts';
import { createAdmission, type Hook } from './admission/admission.ts';
import { createAuthentication, type JwtVerifier } from './admission/authentication.ts';
import { createCors } from './admission/cors.ts';
import { createLocalCallers, type RunCallers } from './admission/local-callers.ts';
import { createProxies, type Proxies } from './admission/proxies.ts';
import { createTokens, type Tokens } from './admission/tokens.ts';
import { answerError, answerUnreadable, answerWhatNodeKeeps, pathOf } from './answers/problem-answers.ts';
import { createAuditTrail } from './audit-trail.ts';
import type { Handlers } from './exchange.ts';
import { createActivity } from './handlers/activity.ts';
import { createArtifactHandlers } from './handlers/artifacts.ts';
import { createAuditHandlers } from './handlers/audit.ts';
import { createEventHandlers } from './handlers/events.ts';
import { createJobHandlers } from './handlers/jobs.ts';
import { createLogHandlers } from './handlers/logs.ts';
import { createRunHandlers } from './handlers/runs.ts';
import { createScheduleHandlers } from './handlers/schedules.ts';
import { createSecretHandlers } from './handlers/secrets.ts';
import { createSystemHandlers, type SystemHandlers } from './handlers/system.ts';
import { createTokenHandlers } from './handlers/tokens.ts';
import { createWorkerHandlers } from './handlers/workers.ts';
import { acceptJson } from './json-body.ts';
import { createBodyRoom } from './limits/body-room.ts';
import { boundConnections, connectionLimit } from './limits/connections.ts';
import type { Load } from './limits/pressure.ts';
import { createRateLimiter, type RateLimiter } from './limits/rate-limits.ts';
import { createMetrics, type NotificationOutcomes } from './metrics/metrics.ts';
import { addOtherRoutes } from './other-routes.ts';
import { addOperations } from './routes.ts';
import type { ServerConfig } from './server-config.ts';
import { createEventFrames } from './streams/event-frames.ts';
import { createStreams, type Streams } from './streams/streams.ts';
import { openTlsCertificate, type TlsCertificate } from './tls.ts';

export type ServerParts = {
  readonly config: ServerConfig;
  readonly catalog: Catalog;
  readonly store: Store;
  readonly engine: Engine;
  readonly retention: Retention;
  readonly log: Logger;
  readonly clock: Clock;
  readonly version: string;
  readonly startedAtMs: number;
  readonly notificationOutcomes: NotificationOutcomes;
  readonly hostChecks: readonly HostCheck[];
  readonly load: Load;
  /** null: no issuer of JWTs is configured. */
  readonly jwt: JwtVerifier | null;
  /** Whoever has one of these is the server's own user. */
  readonly ownCredentials: readonly string[];
  /** null: no run's process can be taken for the server's own user, or the operator has it so. */
  readonly runCallers: RunCallers | null;
};

type Listening = {
  readonly url: string;
  /** SHA-256 of what it shows by now, as `AB:CD:…`; null: plain HTTP. */
  readonly certificate: () => string | null;
};

export type Server = {
  readonly listen: () => Promise<Listening>;
  /** Ends streams at once and short requests within 3 s; takes nothing new. */
  readonly close: () => Promise<void>;
};

const closeMs = 2_500;
const sweepMs = 100;

export async function createServer(parts: ServerParts): Promise<Server> {
  const { config, log, clock } = parts;
  const certificate = config.server.tls && openTlsCertificate(config.server.tls, { clock, log });
  const authentication = createAuthentication(parts);
  const { isStillValid } = authentication;
  const streams = createStreams({ stallMs: config.server.writeTimeoutMs, isStillValid, log });
  let isStopping = false;

  const { store, engine } = parts;
  const audit = createAuditTrail({
    store,
    refusals: engine.refusals,
    log,
    tenantOf: {
      run: async (id) => (await store.runs.summary(id))?.tenant,
      schedule: async (id) => (await store.schedules.find(id))?.tenant,
      token: async (id) => (await store.tokens.find(id))?.tenant,
    },
  });
  const answering = { log, note: audit.note };

  // A path that does not decode never reaches a route; it is admitted all the same.
  const proxies = createProxies(config.server.trustProxy);
  const shared = { certificate, answering, proxies };
  const app = createApp(parts, shared, (request, reply) => admission.admit({ scope: 'public' })(request, reply));
  app.decorateRequest('principal');
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply, answering));
  answerWhatNodeKeeps(app.server);
  boundConnections(app.server, { limit: connectionLimit(), stallMs: config.server.writeTimeoutMs });
  acceptJson(app);
  const limiter = createRateLimiter({ security: config.security, clock });
  const cors = createCors({ origins: config.server.corsOrigins, isDev: config.auth.isDev });
  const localCallers = createLocalCallers({ mode: config.auth.mode, proxies, runs: parts.runCallers });
  localCallers.watch(app.server);
  const admission = createAdmission({
    authentication,
    localCallers,
    asksForLocalName: isLoopback(config.server.bind.host)
      ? ({ remoteAddress }) => config.auth.mode === 'none' || !proxies.isTrusted(remoteAddress)
      : () => false,
    cors,
    proxies,
    limit: limiter.countRequest,
    isStopping: () => isStopping,
  });
  const tokens = createTokens({ ...parts, ...config.instance, onRevoked: authentication.forget });
  const { handlers, system } = createHandlers(parts, streams, { limiter, tokens });

  app.addHook('onRoute', (route) => logRequests(route, log));
  const { addArgumentErrors, schedules } = parts.engine;
  const { addErrors: addScheduleErrors } = schedules;
  const metrics = createMetrics({ ...parts, app, streams });
  addOperations(app, {
    handlers,
    admit: admission.admit,
    load: parts.load,
    takeBodyRoom: createBodyRoom(config.server.bodyLimitBytes),
    audit,
    addBodyErrors: {
      createRun: addArgumentErrors,
      createPlan: addArgumentErrors,
      createSchedule: addScheduleErrors,
      previewSchedule: addScheduleErrors,
      replaceSchedule: addScheduleErrors,
    },
  });
  addOtherRoutes(app, {
    admission,
    cors,
    metrics,
    system,
    version: parts.version,
  });

  return {
    async listen() {
      const { host, port } = config.server.bind;
      const url = await app.listen({ host: host === 'localhost' ? await addressOfLocalhost() : host, port });
      if (!certificate) return { url, certificate: () => null };
      return { url: url.replace(/^http:/, 'https:'), certificate: certificate.fingerprint };
    },
    async close() {
      isStopping = true;
      streams.close();
      metrics.close();
      // Node looks for idle connections once, and then waits for those that become idle.
      const sweep = setInterval(() => app.server.closeIdleConnections(), sweepMs);
      const timer = setTimeout(() => app.server.closeAllConnections(), closeMs);
      await app.close();
      audit.close();
      clearInterval(sweep);
      clearTimeout(timer);
    },
  };
}

function createApp(
  { config, clock }: ServerParts,
  shared: {
    readonly certificate: TlsCertificate | null;
    readonly proxies: Proxies;
    readonly answering: Parameters<typeof answerError>[3];
  },
  admitUnrouted: Hook,
): FastifyInstance {
  const { readTimeoutMs, idleTimeoutMs, bodyLimitBytes } = config.server;
  const { certificate, answering, proxies } = shared;
  const http = {
    headersTimeout: readTimeoutMs,
    connectionsCheckingInterval: Math.min(1_000, readTimeoutMs),
    // Node's own answer to a request without Host is no problem document.
    requireHostHeader: false,
  };
  const timeouts = { requestTimeout: readTimeoutMs, keepAliveTimeout: idleTimeoutMs };
  return fastify({
    bodyLimit: bodyLimitBytes,
    ...timeouts,
    http,
    ...(certificate && {
      serverFactory: (handler: RequestListener) =>
        certificate.createServer({ ...http, ...timeouts, handshakeTimeout: readTimeoutMs }, handler),
    }),
    ...(config.server.trustProxy && { trustProxy: proxies.isTrusted }),
    return503OnClosing: false,
    // No route has a schema of Fastify's, and so none of its two compilers is loaded.
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    // As long as a request line can be: an id that is too long is unknown, not another kind of error.
    routerOptions: { maxParamLength: 16_384 },
    genReqId: ({ headers }) => {
      const given = headers['x-request-id'];
      const isValid = typeof given === 'string' && /^[A-Za-z0-9._-]{1,128}$/.test(given);
      return isValid ? given : createId('req', clock.now());
    },
    frameworkErrors: (error, request, reply) => {
      admitUnrouted(request, reply).then(
        () => answerError(error, request, reply, answering),
        (refusal: unknown) => answerError(refusal, request, reply, answering),
      );
    },
    clientErrorHandler: answerUnreadable,
  });
}

/** Where `localhost` has two, Fastify would serve the second one by a server of its own, which none of our listeners hears. */
async function addressOfLocalhost(): Promise<string> {
  const { address } = await lookup('localhost', { order: 'ipv4first' });
  return address;
}

function noCompiler(): never {
  throw new Error('routes are checked by the contract (validation.ts), and not by Fastify');
}

function createHandlers(
  { config, catalog, store, engine, retention, hostChecks, clock, version, load, log }: ServerParts,
  streams: Streams,
  { limiter, tokens }: { readonly limiter: RateLimiter; readonly tokens: Tokens },
): { handlers: Handlers; system: SystemHandlers } {
  const { hub } = engine;
  const jobIdOf = (idOrAlias: string): string => {
    try {
      return catalog.find(idOrAlias).definition.id;
    } catch (error) {
      // Runs outlive their job: its id still names them.
      if (error instanceof Problem) return idOrAlias;
      throw error;
    }
  };
  const { runs, artifacts } = createReading(store);
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
  });
  const handlers: Handlers = {
    ...createJobHandlers({ catalog, runs, defaultProfile: config.security.defaultProfile, clock }),
    ...createScheduleHandlers({ schedules: engine.schedules, jobIdOf }),
    ...createSecretHandlers({ engine, defaultTenant: config.instance.defaultTenant }),
    ...createRunHandlers({ runs, engine, jobIdOf, countRun: limiter.countRun }),
    ...createLogHandlers({ runs, hub, streams }),
    ...createEventHandlers({
      runs,
      journal: store.journal,
      frames: createEventFrames(store.logs),
      hub,
      streams,
      jobIdOf,
    }),
    ...createArtifactHandlers({ artifacts, stallMs: config.server.writeTimeoutMs, jobIdOf, log }),
    ...createTokenHandlers(tokens),
    ...createWorkerHandlers({ engine, activityOf, clock, version }),
    ...createAuditHandlers({ audit: store.audit, streams }),
    getHealth: system.getHealth,
    getSystemInfo: system.getSystemInfo,
    collectGarbage: system.collectGarbage,
  };
  return { handlers, system };
}

/** What changes something is logged; reading only where the operator asks for it, since it costs as much as the answer. */
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
