// The addresses of webhooks, as the OpenAPI document describes them. The sender chooses the form of the body and signs
// it. So src/server/hook-routes.ts serves these addresses, and the typed client has no functions for them.

import { type TSchema, Type } from 'typebox';
import type { Operation } from './operations.ts';
import { startProblems } from './run-schemas.ts';
import { json, named, nullable, runStatus } from './schema-parts.ts';

type HookOperation = Omit<Operation, 'body' | 'scope'> & {
  readonly bodies: Readonly<Record<string, TSchema>>;
  /** Says in words what proves that the sender may start the job. */
  readonly proof: string;
};

const outcome = {
  run_id: Type.String(),
  status: Type.Optional(runStatus),
  exit_code: Type.Optional(nullable(Type.Integer())),
  result: Type.Optional(nullable(Type.Object({ value: Type.Unknown() }))),
};

const accepted = named('DeliveryAccepted', outcome);

const answered = Type.Union(
  [
    Type.Object(outcome, { description: 'With `wait`: the run has ended' }),
    Type.Object(
      { run_id: Type.String(), duplicate: Type.Literal(true) },
      { description: 'An earlier delivery has started this run' },
    ),
    Type.Object({ skipped: Type.Literal(true) }, { description: 'The webhook’s `if` is false' }),
    Type.Object({ pong: Type.Literal(true) }, { description: 'The answer to a `ping` of GitHub' }),
    Type.Object({ challenge: Type.String() }, { description: 'The answer to a `url_verification` of Slack' }),
  ],
  { $id: 'DeliveryAnswer' },
);

const common = {
  method: 'POST',
  tag: 'Webhooks',
  bodies: {
    'application/json': Type.Unknown({
      description: 'The data of the sender; the expressions of the webhook make the job’s arguments from it',
    }),
    'application/x-www-form-urlencoded': Type.Unknown({
      description: 'Fields, or one field `payload` that contains JSON',
    }),
  },
  headers: {
    traceparent: 'The trace to which the run belongs (W3C Trace Context)',
    tracestate: 'Further data of this trace',
  },
  answers: [
    json(200, answered, 'The run has ended, an earlier delivery has started it, or this delivery starts no run'),
    json(202, accepted, 'The delivery has started a run'),
  ],
  problems: ['webhook-not-found', 'signature-invalid', ...startProblems],
} as const;

export const hookOperations = {
  deliverToJob: {
    ...common,
    path: '/hooks/{job_id}/{name}',
    summary: 'Send a delivery to a webhook of a job file',
    proof: 'the signature of its scheme, in the header that the webhook names',
  },
  deliverByToken: {
    ...common,
    path: '/hooks/{token}',
    summary: 'Send a delivery to a webhook that was created by the API',
    proof: 'the token in the address and, with a scheme, its signature in the header that the webhook names',
  },
} as const satisfies Record<string, HookOperation>;
