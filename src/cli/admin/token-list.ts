// All tokens of an instance, those that are revoked or expired too.

import type { AnswerOf } from '../../contract/operations.ts';
import { everyPage } from '../session/pages.ts';
import type { Session } from '../session/session.ts';

export async function listTokens({ client }: Session): Promise<AnswerOf<'listTokens'>> {
  const pages = await everyPage((from) => client.call('listTokens', { query: { limit: 1_000, ...from } }));
  return { ...pages[0], tokens: pages.flatMap(({ tokens }) => tokens), next_cursor: null };
}
