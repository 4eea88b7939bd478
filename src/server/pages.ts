// Plain pages for people who open the server in a browser. They have no scripts, and nothing from other hosts.

import { createHash } from 'node:crypto';
import { hookOperations } from '../contract/hook-operations.ts';
import { type Operation, operations } from '../contract/operations.ts';
import { apiBase } from '../contract/routes.ts';
import { tags } from '../contract/tags.ts';
import { problems, problemType } from '../domain/problem.ts';

const style =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}code{font-family:ui-monospace,monospace}table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #8886;padding:.3rem .6rem .3rem 0;text-align:left;vertical-align:top}';

export const pageSecurityPolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; frame-ancestors 'none'`;

/** The page that replaces the console if the console has not been built. */
export function startPage(version: string): string {
  return page(
    'flwd',
    `<p>flwd ${escapeHtml(version)} turns scripts into jobs. Its console has not been built. In the checkout, run
<code>npm run build:console</code>, and start the server again.</p>
<ul>
<li><a href="${apiBase}/jobs">${apiBase}/jobs</a>: the API</li>
<li><a href="/docs">/docs</a>: the operations of the API</li>
<li><a href="${apiBase}/health">${apiBase}/health</a>: the health of this instance</li>
</ul>`,
  );
}

export function docsPage(version: string): string {
  const all = [
    ...Object.entries<Operation>(operations).map(([id, one]) => ({ ...one, id, path: apiBase + one.path })),
    ...Object.entries(hookOperations).map(([id, one]) => ({ ...one, id, scope: 'public' as const })),
  ];
  const sections = Object.entries(tags).map(([tag, description]) => {
    const own = all.filter((one) => one.tag === tag);
    return `<h2>${tag}</h2>\n<p>${withCode(description)}</p>\n${own.map(operationText).join('\n')}`;
  });
  return page(
    `flwd API ${version}`,
    `<p>This page as an OpenAPI 3.1 document: <a href="${apiBase}/openapi.json">${apiBase}/openapi.json</a></p>
${sections.join('\n')}
<h2>Problems</h2>
${table(
  ['status', 'type', 'cause', 'what to do'],
  Object.entries(problems).map(([slug, { status, cause, fix }]) => [
    String(status),
    `<code id="${slug}">${slug}</code>`,
    withCode(cause),
    withCode(fix),
  ]),
)}
<p>Errors are answered as <code>application/problem+json</code>, with a type such as <code>${problemType('not-found')}</code>.</p>`,
  );
}

function operationText(operation: Operation & { readonly id: string }): string {
  const { id, method, path, summary, scope, query, body, headers = {} } = operation;
  const inputs = [
    ...Object.entries(headers).map(([name, text]) => [`<code>${name}</code>`, 'header', withCode(text)]),
    ...membersOf(query).map(([name, text]) => [`<code>${name}</code>`, 'query', withCode(text)]),
    ...membersOf(body).map(([name, text]) => [`<code>${name}</code>`, 'body', withCode(text)]),
  ];
  return `<h3 id="${id}"><code>${method} ${path}</code></h3>
<p>${withCode(summary)}. ${scope === 'public' ? 'Needs no scope.' : `Needs the scope <code>${scope}</code>.`}</p>
${inputs.length > 0 ? table(['name', 'in', ''], inputs) : ''}`;
}

function membersOf(schema: object | undefined): [name: string, text: string][] {
  const { properties = {} }: { properties?: Record<string, { description?: string }> } = schema ?? {};
  return Object.entries(properties).map(([name, { description = '' }]) => [name, description]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return `<table>\n${[row(head, 'th'), ...rows.map((cells) => row(cells, 'td'))].join('\n')}\n</table>`;
}

function row(cells: readonly string[], tag: 'td' | 'th'): string {
  return `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><style>${style}</style></head>
<body>
<h1>${escapeHtml(title)}</h1>
${body}
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/** Turns text with code in backticks into HTML. */
function withCode(text: string): string {
  return escapeHtml(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
}
