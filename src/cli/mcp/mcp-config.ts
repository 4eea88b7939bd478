// `flwd mcp config CLIENT`: prints how an MCP client starts `flwd mcp`, for the same instance.

import { resolve } from 'node:path';
import { instance, type Options } from '../command.ts';
import { Refusal } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { isCalledByNpx } from '../session/command-text.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { remoteOf } from '../session/session.ts';
import { readAgentScopes } from './agent-scopes.ts';

type Server = { readonly command: string; readonly args: readonly string[] };

/** Where each client reads it, and in which form. */
const clients: Readonly<Record<string, { readonly where: string; readonly form: (server: Server) => object }>> = {
  claude: {
    where: '.mcp.json of a project for Claude Code, or claude_desktop_config.json for Claude Desktop',
    form: (server) => ({ mcpServers: { flwd: server } }),
  },
  cursor: {
    where: '.cursor/mcp.json of a project, or ~/.cursor/mcp.json for all',
    form: (server) => ({ mcpServers: { flwd: server } }),
  },
  vscode: {
    where: '.vscode/mcp.json of a project',
    form: (server) => ({ servers: { flwd: { type: 'stdio', ...server } } }),
  },
};

export async function run(options: Options, operands: readonly string[]): Promise<void> {
  const name = oneOperand(operands, 'flwd mcp config claude, cursor or vscode');
  const client = Object.hasOwn(clients, name) ? clients[name] : undefined;
  if (!client) throw new Refusal(`\`${name}\` is not a known client: use claude, cursor or vscode`);
  if (options.has('scopes')) readAgentScopes(options);
  const isByNpx = isCalledByNpx();
  const server: Server = {
    command: isByNpx ? 'npx' : 'flwd',
    args: [...(isByNpx ? ['-y', 'flwd'] : []), 'mcp', ...optionsOf(options)],
  };
  process.stdout.write(`${JSON.stringify(client.form(server), null, 2)}\n`);
  process.stderr.write(`flwd: paste this into ${client.where}\n`);
}

/** The client starts flwd in a folder of its own choice, so every path is absolute, and nothing is left to be found. */
function optionsOf(options: Options): string[] {
  const remote = remoteOf(options);
  const { file } = loadConfiguration(options);
  const given = instance.flatMap(({ name }) => {
    if (name === 'remote' || name === 'config') return [];
    return (options.get(name) ?? []).flatMap((path) => [`--${name}`, resolve(path)]);
  });
  const [scopes] = options.get('scopes') ?? [];
  return [
    ...(remote === undefined ? [] : ['--remote', remote]),
    ...(file === null ? [] : ['--config', resolve(file)]),
    ...given,
    ...(scopes === undefined ? [] : ['--scopes', scopes]),
  ];
}
