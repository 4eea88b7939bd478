// Adds a route for each operation. A route checks scope, load and input, and then calls the handler.

import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Operation, type OperationId, operations } from '../contract/operations.ts';
import { apiBase, restParameter } from '../contract/routes.ts';
import type { Admission } from './admission/admission.ts';
import type { AuditTrail } from './audit-trail.ts';
import type { Handlers, Incoming } from './exchange.ts';
import type { createBodyRoom } from './limits/body-room.ts';
import type { Load } from './limits/pressure.ts';
import { assertRoom, isShed } from './limits/shedding.ts';
import { type AddBodyErrors, createInputReader } from './validation.ts';

export function addOperations(
  app: FastifyInstance,
  o: {
    readonly handlers: Handlers;
    readonly admit: Admission['admit'];
    readonly audit: Pick<AuditTrail, 'hooksOf' | 'recorderOf'>;
    readonly load: Load;
    readonly takeBodyRoom: ReturnType<typeof createBodyRoom>;
    readonly addBodyErrors: Readonly<Partial<Record<OperationId, AddBodyErrors>>>;
  },
): void {
  const handlers: Readonly<Record<string, (exchange: never) => unknown>> = o.handlers;
  const addBodyErrors: Readonly<Record<string, AddBodyErrors>> = o.addBodyErrors;
  for (const [id, operation] of operationList) {
    const readInput = createInputReader(operation, addBodyErrors[id]);
    const toPath = pathReader(operation.path);
    const handle = handlers[id];
    const admit = o.admit(operation);
    const isSheddable = isShed(id, operation);
    const mayHaveBody = operation.method !== 'GET';
    app.route({
      method: operation.method,
      url: toRoute(operation.path),
      config: { operation: id },
      async onRequest(request, reply) {
        await admit(request, reply);
        if (isSheddable) assertRoom(o.load);
        if (mayHaveBody) o.takeBodyRoom(request, reply);
      },
      ...o.audit.hooksOf(operation),
      handler: (request: Incoming, reply: FastifyReply) => {
        const record = o.audit.recorderOf(operation, request);
        const exchange = { request, reply, path: toPath(request), ...readInput(request), record };
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it was checked by the schemas of this operation
        return handle?.(exchange as never);
      },
    });
  }
}

/** The methods that the API has for a path. HEAD is added where there is GET. Empty for an unknown path. */
export function methodsOf(path: string): string[] {
  const methods = operationList
    .filter(([, operation]) => patternOf(operation.path).test(path))
    .flatMap(([, { method }]) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  return [...new Set(methods)];
}

const operationList = Object.entries<Operation>(operations);

function toRoute(path: string): string {
  return apiBase + path.replace(restParameter, '*').replaceAll(/\{(\w+)\}/g, ':$1');
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${apiBase}${path.replace(restParameter, '.*').replaceAll(/\{\w+\}/g, '[^/]+')}$`);
}

function pathReader(path: string): (request: Incoming) => Readonly<Record<string, string>> {
  const [, rest] = restParameter.exec(path) ?? [];
  if (rest === undefined) return ({ params }) => params;
  return ({ params: { '*': value = '', ...others } }) => ({ ...others, [rest]: value });
}
