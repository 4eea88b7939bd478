// `flwd mcp`: serves the jobs to agents, and prints how their clients start it.

import { closeSync, openSync, readSync, realpathSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { settingAt } from '../../config/settings.ts';
import { agentScopes, type Scope, scopes, usualAgentScopes } from '../../domain/principal.ts';
import { packageVersion } from '../../instance/version.ts';
import type { Options } from '../command.ts';
import { hint } from '../command-line.ts';
import { Refusal } from '../exit-code.ts';
import { oneOperand, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { remoteOf, type Session, withSession } from '../session/session.ts';
import { abortOnStop } from '../session/stop-signal.ts';

type Server = { readonly command: string; readonly args: readonly string[] };

/** Where each client reads its configuration, and in which form. */
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

/** `flwd mcp`: serves the jobs to an agent, over MCP on standard input and output. */
export async function serve(options: Options): Promise<void> {
  const granted = readAgentScopes(options);
  const { jobTools, waitMs, isUntrustedAllowed } = loadConfiguration(options).config.mcp;
  if (process.stdin.isTTY)
    process.stderr.write(
      `flwd: waiting for an MCP client on standard input; ${ownName} mcp config CLIENT sets one up\n`,
    );
  const stopped = abortOnStop();
  await withSession(
    options,
    async (session) => {
      await assertOffered(session);
      const { runMcp } = await import('../../mcp/main.ts');
      const settings = { jobTools, waitMs, isUntrustedAllowed };
      const unreachable =
        remoteOf(options) === undefined
          ? `Ask a person to start one with \`${session.command('serve')}\`, or to restart this MCP server, which then does the work itself.`
          : 'Ask a person whether that server is running.';
      await runMcp({ ...session, settings, version: packageVersion(), unreachable }, stopped);
    },
    { mayCreate: true, agentScopes: granted },
  );
}

/** `flwd mcp config CLIENT`: prints how an MCP client starts `flwd mcp`, for the same instance. */
export async function config(options: Options, operands: readonly string[]): Promise<void> {
  const name = oneOperand(operands, `${ownName} mcp config claude, cursor or vscode`);
  const client = Object.hasOwn(clients, name) ? clients[name] : undefined;
  if (!client) throw new Refusal(`\`${name}\` is not a known client: use claude, cursor or vscode`);
  if (options.has('scopes')) readAgentScopes(options);
  const { command, args } = findProgram();
  const server: Server = { command, args: [...args, 'mcp', ...optionsOf(options)] };
  process.stdout.write(`${JSON.stringify(client.form(server), null, 2)}\n`);
  process.stderr.write(`flwd: paste this into ${client.where}\n`);
}

/**
 * Returns the command that starts this program. It has full paths, because the client may have another PATH, in
 * which a name may mean another program.
 */
function findProgram(): Server {
  const script = realpathSync(process.argv[1] ?? '');
  const [, digest] = /\/([0-9a-f]{64})\/bin\/flwd\.js$/.exec(script) ?? [];
  const file = digest === undefined ? undefined : findSingleFile(digest);
  return file === undefined ? { command: process.execPath, args: [script] } : { command: file, args: [] };
}

/**
 * Finds the single file that has unpacked this program (ADR 0054). After an upgrade, its path starts the new version.
 */
function findSingleFile(digest: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  return folders.map((folder) => join(folder, 'flwd')).find((path) => beginningOf(path).includes(`digest=${digest}`));
}

function beginningOf(path: string): string {
  const bytes = Buffer.alloc(2_048);
  try {
    const file = openSync(path, 'r');
    try {
      return bytes.toString('latin1', 0, readSync(file, bytes));
    } finally {
      closeSync(file);
    }
  } catch {
    return '';
  }
}

/** The client starts flwd in a folder of its own choice and without this shell's variables. */
function optionsOf(options: Options): string[] {
  const asked = readValue(options, 'scopes');
  return [...instanceOf(options), ...(asked === undefined ? [] : ['--scopes', asked])];
}

function instanceOf(options: Options): string[] {
  const remote = remoteOf(options);
  const { config, file, settings } = loadConfiguration(options);
  const ofFile = file === null ? [] : ['--config', resolve(file)];
  if (remote !== undefined) return ['--remote', remote, ...ofFile];
  const isOfFile = (kind: string | undefined) => file !== null && (kind === 'file' || kind === 'default');
  const dataDir = isOfFile(settingAt(settings, 'instance.data_dir')?.origin.kind) ? [] : [config.instance.dataDir];
  const jobs = file !== null && !options.has('jobs') ? [] : config.sources.map(({ path }) => path);
  return [
    ...ofFile,
    ...dataDir.flatMap((path) => ['--data-dir', resolve(path)]),
    ...jobs.flatMap((path) => ['--jobs', resolve(path)]),
  ];
}

/**
 * @throws Refusal if the instance does not offer MCP, or does not notice that the caller is an agent. In the second
 * case, it would not limit what the agent may do.
 */
async function assertOffered({ client, where }: Session): Promise<void> {
  const { extensions, caller } = await client.call('getSystemInfo');
  if (!extensions.includes('mcp'))
    throw new Refusal(`${where} does not offer MCP: add \`mcp\` to \`extensions.enabled\` in its flwd.yaml`);
  if (!caller.name.startsWith('mcp:'))
    throw new Refusal(`${where} does not limit what an agent may do: perhaps a proxy removes the header X-Flwd-Agent`);
}

/** The scopes that the agent gets. @throws Refusal */
function readAgentScopes(options: Options): readonly Scope[] {
  const listed = readValue(options, 'scopes');
  if (listed === undefined) return usualAgentScopes;
  return listed.split(',').map((word) => toScope(word.trim()));
}

/** @throws Refusal */
function toScope(word: string): Scope {
  const scope = scopes.find((known) => known === word);
  if (scope && agentScopes.includes(scope)) return scope;
  if (scope) throw new Refusal(`--scopes: an agent never gets \`${scope}\`; use a token if a program needs it`);
  const known = hint(word, agentScopes) ?? `; use ${agentScopes.join(', ')}`;
  throw new Refusal(`--scopes: unknown scope \`${word}\`${known}`);
}
