// `flwd mcp`: serves the jobs to an agent, over MCP on standard input and output.

import { packageVersion } from '../../instance/version.ts';
import type { Options } from '../command.ts';
import { Refusal } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { type Session, withSession } from '../session/session.ts';
import { onInterrupt } from '../session/stop-signal.ts';
import { readAgentScopes } from './agent-scopes.ts';

export async function run(options: Options): Promise<void> {
  const agentScopes = readAgentScopes(options);
  const { jobTools, waitMs, isUntrustedAllowed } = loadConfiguration(options).config.mcp;
  if (process.stdin.isTTY)
    process.stderr.write('flwd: waiting for an MCP client on standard input; flwd mcp config CLIENT sets one up\n');
  const stopping = new AbortController();
  const release = onInterrupt(() => stopping.abort());
  try {
    await withSession(
      options,
      async (session) => {
        await assertOffered(session);
        const { runMcp } = await import('../../mcp/main.ts');
        const settings = { jobTools, waitMs, isUntrustedAllowed };
        await runMcp({ ...session, settings, version: packageVersion() }, stopping.signal);
      },
      { mayCreate: true, agentScopes },
    );
  } finally {
    release();
  }
}

/** @throws Refusal if the instance offers no MCP, or would not take the rights away that an agent must not have */
async function assertOffered({ client, where }: Session): Promise<void> {
  const { extensions, caller } = await client.call('getSystemInfo');
  if (!extensions.includes('mcp'))
    throw new Refusal(`${where} does not offer MCP: add \`mcp\` to \`extensions.enabled\` in its flwd.yaml`);
  if (!caller.name.startsWith('mcp:'))
    throw new Refusal(`${where} does not limit what an agent may do: a proxy may remove the header X-Flwd-Agent`);
}
