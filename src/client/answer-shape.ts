// Finds members that the contract requires but an answer lacks. This happens if the server has another version. A
// command looks for them only after it has failed.

import type { Operation, OperationId } from '../contract/operations.ts';
import { apiBase } from '../contract/routes.ts';
import type { Client } from './client.ts';

export type KnownAnswers = {
  readonly client: Client;
  /** Says which versions of flwd do not fit together; null if the last answers lack nothing. */
  readonly versionMismatch: (server: string, ownVersion: string) => Promise<string | null>;
};

/** Remembers the last answer of each operation. */
export function keepAnswers(client: Client): KnownAnswers {
  const answers = new Map<OperationId, unknown>();
  return {
    client: {
      ...client,
      async call(id, ...input) {
        const answer = await client.call(id, ...input);
        answers.set(id, answer);
        return answer;
      },
    },
    async versionMismatch(server, ownVersion) {
      const { operations } = await import('../contract/operations.ts');
      for (const [id, answer] of answers) {
        const { method, path, answers: promised }: Operation = operations[id];
        const schemas: Schema[] = promised.flatMap(({ content: { 'application/json': schema } }) => schema ?? []);
        const lacks = schemas.map((schema) => lackedMember(schema, answer, ''));
        const [lacked] = lacks;
        if (!lacked || lacks.includes(null)) continue;
        return `${server} answers ${method} ${apiBase}${path} without \`${lacked.slice(1)}\`: ${await versionWords(client)}, this command is flwd ${ownVersion}. Use the command of the server's version, or update the server.`;
      }
      return null;
    },
  };
}

async function versionWords(client: Client): Promise<string> {
  const health = await client.call('getHealth').catch(() => null);
  return health ? `it is flwd ${health.version}` : 'it does not say its version';
}

type Schema = {
  readonly type?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
};

/** The path of the first required member that is missing; null if no member is missing. */
function lackedMember(schema: Schema, value: unknown, path: string): string | null {
  if (value === null) return null;
  if (schema.anyOf) {
    const lacks = schema.anyOf.filter(({ type }) => type !== 'null').map((one) => lackedMember(one, value, path));
    return lacks.includes(null) ? null : (lacks[0] ?? null);
  }
  if (Array.isArray(value)) {
    const { items } = schema;
    return firstOf(items ? value.map((item, index) => lackedMember(items, item, `${path}/${index}`)) : []);
  }
  if (typeof value !== 'object') return null;
  const members = new Map<string, unknown>(Object.entries(value));
  const absent = schema.required?.find((name) => !members.has(name));
  if (absent !== undefined) return `${path}/${absent}`;
  return firstOf(
    Object.entries(schema.properties ?? {}).map(([name, one]) =>
      lackedMember(one, members.get(name), `${path}/${name}`),
    ),
  );
}

function firstOf(lacks: readonly (string | null)[]): string | null {
  return lacks.find((lacked) => lacked !== null) ?? null;
}
