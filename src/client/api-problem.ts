// The errors of a call: the server's problem document, or a server that cannot be reached.

import { trustError } from './server-trust.ts';

export class ApiProblem extends Error {
  readonly status: number;
  /** The last part of the problem's `type`, such as `job-not-found`. */
  readonly slug: string;
  readonly title: string;
  /** The members beyond RFC 9457, such as `errors`. */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(status: number, document: Readonly<Record<string, unknown>>) {
    const { type, title, status: _, detail, instance: __, ...members } = document;
    super(typeof detail === 'string' ? detail : `The server answered ${status}.`);
    this.name = 'ApiProblem';
    this.status = status;
    this.slug = typeof type === 'string' ? type.slice(type.lastIndexOf('/') + 1) : 'unknown';
    this.title = typeof title === 'string' ? title : '';
    this.members = members;
  }
}

export class ServerUnreachable extends Error {
  constructor(baseUrl: string, cause: unknown) {
    super(trustError(baseUrl, cause) ?? `No server can be reached at ${baseUrl}.`, { cause });
    this.name = 'ServerUnreachable';
  }
}

/**
 * Reads the problem in an unsuccessful answer. If a proxy has replaced the document, it makes a problem from the
 * status.
 */
export async function problemOf(response: Pick<Response, 'status' | 'text'>): Promise<ApiProblem> {
  const text = await response.text().catch(() => '');
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document === 'object' && document !== null) return new ApiProblem(response.status, { ...document });
  } catch {
    // The answer is not JSON, so only its status is known.
  }
  return new ApiProblem(response.status, {});
}
