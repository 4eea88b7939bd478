// The client of the API for Node and browsers: a typed call for each operation, and streams that resume where they
// broke.

import type { AnswerOf, BodyOf, OperationId, PathOf, QueryOf } from '../contract/operations.ts';
import { apiBase, type Route, routes } from '../contract/routes.ts';
import { isFinished } from '../domain/run.ts';
import { problemOf, ServerUnreachable } from './api-problem.ts';
import { isTimeout } from './error-words.ts';
import { type ResumingStream, streamEvents } from './resuming-stream.ts';

/**
 * A part of an operation's input. Absent if the operation has no such part; optional if all its members are optional.
 */
type Part<Key extends string, T> = [T] extends [undefined]
  ? unknown
  : Partial<T> extends T
    ? { readonly [K in Key]?: T }
    : { readonly [K in Key]: T };

/** The input of an operation: `path`, `query` and `body`, as its schemas say. */
type Input<Id extends OperationId> = Part<'path', PathOf<Id>> &
  Part<'query', QueryOf<Id>> &
  Part<'body', BodyOf<Id>> & { readonly headers?: Readonly<Record<string, string>>; readonly signal?: AbortSignal };

type Arguments<Id extends OperationId, More = unknown> =
  Partial<Input<Id>> extends Input<Id> ? [input?: Input<Id> & More] : [input: Input<Id> & More];

type StreamId = 'getRunLogs' | 'getRunEvents' | 'streamRunEvents';

export type Client = {
  /** Returns the JSON of the answer. @throws ApiProblem, ServerUnreachable */
  readonly call: <Id extends OperationId>(id: Id, ...input: Arguments<Id>) => Promise<AnswerOf<Id>>;
  /**
   * Returns a successful answer without reading it. Use it for bytes and text. @throws ApiProblem, ServerUnreachable
   */
  readonly request: <Id extends OperationId>(id: Id, ...input: Arguments<Id>) => Promise<HttpAnswer>;
  /**
   * Streams events and resumes until the stream ends or `input.signal` is aborted. @throws ApiProblem,
   * ServerUnreachable
   */
  readonly stream: <Id extends StreamId>(
    id: Id,
    ...input: Arguments<
      Id,
      {
        /** Called when the server accepts a connection. The stream may lack events that happened before. */
        readonly onOpen?: () => void;
        /** Called once for each break, if the first attempt to resume fails. */
        readonly onBreak?: (error: Error) => void;
      }
    >
  ) => ResumingStream;
};

export type ClientOptions = {
  /** The address without the API's base path, such as `http://127.0.0.1:8080`. */
  readonly baseUrl: string;
  readonly token?: string;
  /** The interface that uses this client; recorded in the runs that it starts. */
  readonly client?: 'cli' | 'console' | 'mcp';
  /** The client acts as an agent, which gets only those scopes of the caller that are in this list (ADR 0064). */
  readonly agentScopes?: readonly string[];
  /** A function to use instead of the global `fetch`. */
  readonly fetch?: Fetch;
};

/** The part of `fetch` that the client uses. */
export type Fetch = (
  url: string,
  init: {
    readonly method: string;
    readonly headers: Record<string, string>;
    readonly body?: string;
    readonly signal?: AbortSignal;
  },
) => Promise<HttpAnswer>;

/**
 * The part of Response that the client uses. Commands use `httpFetch`, which returns only this part, because loading
 * Node's `fetch` would slow them down.
 */
export type HttpAnswer = Pick<Response, 'ok' | 'status' | 'body' | 'text'> & {
  readonly headers: Pick<Headers, 'get'>;
};

type Loose = {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly onOpen?: () => void;
  readonly onBreak?: (error: Error) => void;
};

export function createClient(o: ClientOptions): Client {
  const { fetch: fetchBy = fetch } = o;

  async function send(id: OperationId, input: Loose): Promise<HttpAnswer> {
    const { method, path, isJson = true }: Route = routes[id];
    const headers: Record<string, string> = { accept: isJson ? 'application/json' : '*/*' };
    if (o.token !== undefined) headers.authorization = `Bearer ${o.token}`;
    if (o.client !== undefined) headers['x-flwd-client'] = o.client;
    if (o.agentScopes) headers['x-flwd-agent'] = o.agentScopes.join(' ');
    if (input.body !== undefined) headers['content-type'] = 'application/json';
    const response = await fetchBy(urlOf(o.baseUrl, path, input), {
      method,
      headers: { ...headers, ...input.headers },
      ...(input.body !== undefined && { body: JSON.stringify(input.body) }),
      ...(input.signal && { signal: input.signal }),
    }).catch((error: unknown) => {
      throw input.signal?.aborted ? error : new ServerUnreachable(o.baseUrl, error);
    });
    if (!response.ok) throw await problemOf(response);
    return response;
  }

  async function call<Id extends OperationId>(id: Id, ...[input]: Arguments<Id>): Promise<AnswerOf<Id>> {
    const text = await (await send(id, input ?? {})).text().catch((error: unknown) => {
      throw input?.signal?.aborted ? error : new ServerUnreachable(o.baseUrl, error);
    });
    const answer: AnswerOf<Id> = JSON.parse(text);
    return answer;
  }

  async function hasEnded(runId: string, signal: AbortSignal): Promise<boolean> {
    return isFinished((await call('getRun', { path: { run_id: runId }, signal })).status);
  }

  return {
    call,
    request: (id, ...[input]) => send(id, input ?? {}),
    stream(id, ...[input]) {
      const given: Loose = input ?? {};
      const isOfLog = id === 'getRunLogs';
      const query = isOfLog ? { ...given.query, follow: true } : given.query;
      const runId = given.path?.run_id ?? query?.run_id;
      return streamEvents({
        signal: given.signal,
        onOpen: given.onOpen,
        onBreak: given.onBreak,
        lastEvent: runId === undefined ? undefined : isOfLog ? 'end' : 'run.finished',
        // A log always ends with `end`. A stream of events may lack `run.finished`, because the caller asked for other
        // types of events, or because the event has been removed already.
        ...(typeof runId === 'string' && !isOfLog && { hasEnded: (signal: AbortSignal) => hasEnded(runId, signal) }),
        open: (resumeHeaders, signal) =>
          send(id, {
            ...given,
            ...(query && { query }),
            headers: { ...given.headers, accept: 'text/event-stream', ...resumeHeaders },
            signal,
          }).catch((error: unknown) => {
            throw isTimeout(error) ? new ServerUnreachable(o.baseUrl, error) : error;
          }),
      });
    },
  };
}

function urlOf(baseUrl: string, path: string, { path: members = {}, query = {} }: Loose): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(members[name] ?? ''));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  const text = search.toString();
  return `${baseUrl.replace(/\/$/, '')}${apiBase}${filled}${text && `?${text}`}`;
}
