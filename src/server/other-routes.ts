// The routes that are not operations of the API: the console, probes, metrics, the OpenAPI document and /docs.
// Everything else is refused here.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { apiBase } from '../contract/routes.ts';
import { Problem } from '../domain/problem.ts';
import type { Admission } from './admission/admission.ts';
import type { Cors } from './admission/cors.ts';
import { pathOf } from './answers/problem-answers.ts';
import { consolePaths, createConsole, isConsolePath } from './console.ts';
import type { SystemHandlers } from './handlers/system.ts';
import { expositionType } from './metrics/exposition.ts';
import type { Metrics } from './metrics/metrics.ts';
import { createOpenApi } from './openapi.ts';
import { docsPage, pageSecurityPolicy, startPage } from './pages.ts';
import { methodsOf } from './routes.ts';

export function addOtherRoutes(
  app: FastifyInstance,
  o: {
    readonly admission: Admission;
    readonly cors: Cors;
    readonly metrics: Pick<Metrics, 'text'>;
    readonly system: Pick<SystemHandlers, 'assertHealthy' | 'assertReady'>;
    readonly version: string;
  },
): void {
  const { admit, admitAnyone } = o.admission;
  const admitPublic = admit({ scope: 'public' });
  const start = startPage(o.version);
  const docs = once(() => docsPage(o.version));
  const openApi = once(() => JSON.stringify(createOpenApi(o.version)));
  const open = new Map<string, (reply: FastifyReply) => FastifyReply>([
    ['/docs', (reply) => sendPage(reply, docs())],
    [
      '/healthz',
      (reply) => {
        o.system.assertHealthy();
        return reply.code(204).send();
      },
    ],
    [
      '/readyz',
      (reply) => {
        o.system.assertReady();
        return reply.code(204).send();
      },
    ],
  ]);
  for (const [path, answer] of open) {
    app.get(path, { onRequest: admitAnyone, config: { operation: path } }, (_, reply) => answer(reply));
  }
  const showConsole = createConsole((_, reply) => sendPage(reply, start));
  for (const path of consolePaths) {
    app.get(path, { onRequest: admitAnyone, config: { operation: path } }, showConsole);
  }
  const metricsPath = '/metrics';
  app.get(
    metricsPath,
    { onRequest: admit({ scope: 'metrics:read', isInstanceWide: true }), config: { operation: metricsPath } },
    async (_, reply) => reply.type(expositionType).send(await o.metrics.text()),
  );
  const openApiPath = `${apiBase}/openapi.json`;
  app.get(openApiPath, { onRequest: admitPublic, config: { operation: openApiPath } }, (_, reply) =>
    reply.type('application/json; charset=utf-8').send(openApi()),
  );

  async function refuse(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const path = pathOf(request);
    const isOther = open.has(path) || isConsolePath(path) || path === openApiPath || path === metricsPath;
    const allowed = isOther ? ['GET', 'HEAD'] : methodsOf(path);
    if (allowed.length > 0 && o.cors.isPreflight(request.raw)) {
      o.admission.admitPreflight(request, reply);
      o.cors.setPreflightHeaders(reply.raw, allowed);
      void reply.code(204).send();
      return;
    }
    if (allowed.length === 0 && isForPerson(request)) {
      await admitAnyone(request, reply);
      showConsole(request, reply.code(404));
      return;
    }
    await admitPublic(request, reply);
    if (allowed.length === 0) throw new Problem('not-found', `'${path}' is not part of the API.`);
    reply.header('allow', allowed.join(', '));
    throw new Problem('method-not-allowed', `'${path}' supports ${allowed.join(', ')}, not ${request.method}.`);
  }

  // Requests without a route are refused before the body is read, because the caller is not known yet.
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) return done();
    refuse(request, reply).catch(done);
  });
}

/**
 * Whether a person opened an unknown address in a browser. Then the console says that the page does not exist, with a
 * link back.
 */
function isForPerson({ method, headers, url }: FastifyRequest): boolean {
  return method === 'GET' && !url.startsWith('/api/') && (headers.accept ?? '').startsWith('text/html');
}

/** Makes a text when it is first requested. Few people ever request it. */
function once(make: () => string): () => string {
  let made: string | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function sendPage(reply: FastifyReply, html: string): FastifyReply {
  reply.raw.setHeader('Content-Security-Policy', pageSecurityPolicy);
  return reply.type('text/html; charset=utf-8').send(html);
}
