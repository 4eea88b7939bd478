// Commands on an instance: on its data dir where no server has it, else by asking that server, as its own user.

import { ApiProblem, ServerUnreachable } from '../client/api-problem.ts';
import { type Client, createClient } from '../client/client.ts';
import type { Config } from '../config/config.ts';
import { Problem } from '../domain/problem.ts';
import { readCliToken } from '../lib/cli-token.ts';
import { DataDirOwned } from '../lib/owner-lock.ts';
import { type ExitCode, exitCodes, Refusal } from './exit-code.ts';
import { createPinnedFetch } from './pinned-fetch.ts';
import { explainedStart } from './start-failure.ts';

/**
 * @param o.alone throws DataDirOwned where a server has the data dir
 * @throws Refusal for what the user can mend
 */
export async function onInstance<T>(
  { instance: { dataDir } }: Config,
  o: { readonly alone: () => Promise<T>; readonly byOwner: (client: Client) => Promise<T> },
): Promise<T> {
  try {
    return await o.alone();
  } catch (error) {
    if (!(error instanceof DataDirOwned)) throw explainedProblem(explainedStart(error));
    if (!error.owner?.url) throw new Refusal(error.message, exitCodes.refused);
    const token = readCliToken(dataDir);
    const { url, certificate } = error.owner;
    const pinned = certificate ? { fetch: createPinnedFetch(certificate) } : {};
    const client = createClient({ baseUrl: url, client: 'cli', ...(token && { token }), ...pinned });
    return await o.byOwner(client).catch((refused: unknown) => {
      throw explainedProblem(refused);
    });
  }
}

/** A Refusal, or the error itself where it is a bug. */
function explainedProblem(error: unknown): unknown {
  if (error instanceof ServerUnreachable) return new Refusal(error.message, exitCodes.unreachable);
  if (!(error instanceof ApiProblem || error instanceof Problem)) return error;
  return new Refusal(error.message, exitCodeOf(error.status));
}

function exitCodeOf(status: number): ExitCode {
  if (status === 401 || status === 403) return exitCodes.notAllowed;
  if (status === 404 || status === 410) return exitCodes.notFound;
  return status === 400 || status === 422 ? exitCodes.wrongUse : exitCodes.refused;
}
