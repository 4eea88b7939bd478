// The addresses of webhooks. They accept bodies of any type and leave them as they arrived, because the sender has
// signed exactly these bytes (ADR 0066).

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { apiBase } from '../contract/routes.ts';
import type { JsonObject, JsonValue } from '../domain/job.ts';
import { invariant, Problem } from '../domain/problem.ts';
import type { OpenWebhook } from '../engine/webhook/find-webhook.ts';
import type { Webhooks } from '../engine/webhook/webhooks.ts';
import type { Admission } from './admission/admission.ts';
import { pathOf } from './answers/problem-answers.ts';
import { traceParentOf } from './handlers/starting-runs.ts';
import { createJsonReader } from './json-body.ts';
import type { createBodyRoom } from './limits/body-room.ts';
import type { Load } from './limits/pressure.ts';
import type { RateLimiter } from './limits/rate-limits.ts';
import { assertRoom } from './limits/shedding.ts';

const hookPath = '/hooks/*';
const otherMethods = ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const longestBody = 2 ** 20;

type HookRoute = { Params: { '*': string } };

type Parts = {
  readonly admission: Pick<Admission, 'admitDelivery'>;
  readonly webhooks: Webhooks;
  readonly countRun: RateLimiter['countRun'];
  readonly countDelivery: RateLimiter['countDelivery'];
  readonly load: Load;
  readonly takeBodyRoom: ReturnType<typeof createBodyRoom>;
  readonly bodyLimitBytes: number;
};

export function addHookRoutes(app: FastifyInstance, o: Parts): void {
  const { webhooks } = o;
  const readJson = createJsonReader(app);
  const found = new WeakMap<FastifyRequest, OpenWebhook>();

  async function enter(request: FastifyRequest<HookRoute>, reply: FastifyReply): Promise<void> {
    await o.admission.admitDelivery(request, reply);
    assertRoom(o.load);
    // The webhook is looked up before the body is read. So only somebody who knows an address can make the server read
    // a body.
    const open = await webhooks.find(request.params['*']);
    found.set(request, open);
    request.webhook = open.webhook;
    o.takeBodyRoom(request, reply);
  }

  /**
   * Refuses other methods before the webhook is looked up, so that the answer does not show whether the webhook exists.
   */
  async function refuseMethod(request: FastifyRequest, reply: FastifyReply): Promise<never> {
    await o.admission.admitDelivery(request, reply);
    reply.header('allow', 'POST');
    throw new Problem('method-not-allowed', `'${pathOf(request)}' supports POST, not ${request.method}.`);
  }

  async function receive(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const open = found.get(request);
    invariant(open, 'the webhook of a delivery is found before its body is read');
    const { webhook, principal } = open;
    const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const delivery = { raw, read: (name: string) => headerOf(request, name), query: queryOf(request) };
    await webhooks.assertSigned(webhook, delivery);
    // The delivery is counted only after its signature has been checked. So nobody else can use up the limit of the
    // sender.
    o.countDelivery(webhook);
    request.principal = principal;
    const parse = () => bodyOf(request, raw, readJson);
    const { status, body } = await webhooks.accept(
      webhook,
      { ...delivery, parse },
      {
        principal,
        requestId: request.id,
        from: request.ip,
        countRun: (profile) => o.countRun(request, profile),
        traceParent: traceParentOf(request),
      },
    );
    return reply.code(status).send(body);
  }

  void app.register((scope, _, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) => parsed(null, body));
    const options = {
      onRequest: enter,
      bodyLimit: Math.min(longestBody, o.bodyLimitBytes),
      config: { operation: hookPath },
    };
    for (const url of [hookPath, apiBase + hookPath]) {
      scope.post<HookRoute>(url, options, (request, reply) => receive(request, reply));
      scope.route({ ...options, method: otherMethods, url, onRequest: refuseMethod, handler: refuseMethod });
    }
    done();
  });
}

/** Returns undefined if the header is missing or occurs more than once. */
function headerOf({ raw }: FastifyRequest, name: string): string | undefined {
  const values = raw.headersDistinct[name] ?? [];
  return values.length === 1 ? values[0] : undefined;
}

function queryOf({ query }: FastifyRequest): JsonObject {
  const given: Readonly<Record<string, unknown>> = { ...asObject(query) };
  const members = Object.entries(given).map(([name, value]): [string, JsonValue] => [
    name,
    Array.isArray(value) ? value.map(String) : String(value),
  ]);
  return Object.fromEntries(members);
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

/** @throws Problem unsupported-media-type, malformed-request */
function bodyOf(request: FastifyRequest, raw: Buffer, readJson: ReturnType<typeof createJsonReader>): JsonValue {
  if (raw.length === 0) return null;
  const { 'content-type': type = '', 'content-encoding': coding = 'identity' } = request.headers;
  if (coding !== 'identity') throw new Problem('unsupported-media-type', 'The body must not be compressed.');
  const media = type.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (/^application\/(?:[\w.+-]+\+)?json$/.test(media)) return jsonOf(request, raw, readJson);
  if (media !== 'application/x-www-form-urlencoded') {
    throw new Problem('unsupported-media-type', 'The body must be application/json or a form (x-www-form-urlencoded).');
  }
  const fields = new URLSearchParams(raw.toString());
  const names = [...new Set(fields.keys())];
  // GitHub and Slack can send JSON as the form field `payload`.
  if (names.join() === 'payload') return jsonOf(request, Buffer.from(fields.get('payload') ?? ''), readJson);
  return Object.fromEntries(names.map((name) => [name, fields.get(name)]));
}

function jsonOf(request: FastifyRequest, raw: Buffer, readJson: ReturnType<typeof createJsonReader>): JsonValue {
  let parsed: JsonValue = null;
  readJson(request, raw, (error, value) => {
    if (error) throw error;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it was parsed from JSON
    parsed = value as JsonValue;
  });
  return parsed;
}
