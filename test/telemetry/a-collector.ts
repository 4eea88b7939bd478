// A collector of spans and log lines: takes OTLP over HTTP as the standard writes it, and reads protobuf without any of
// flwd's code (https://github.com/open-telemetry/opentelemetry-proto).

import { createServer, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

type SeenSpan = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly state: string;
  readonly name: string;
  readonly kind: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status: { readonly code: number; readonly message: string };
};

type SeenLine = {
  readonly atUs: number;
  readonly severity: number;
  readonly level: string;
  readonly text: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: Readonly<Record<string, unknown>>;
};

export type CollectorOfTest = {
  readonly url: string;
  readonly requests: { readonly path: string; readonly headers: Readonly<Record<string, unknown>> }[];
  /** All spans that were sent, whatever the answer was. */
  readonly seen: SeenSpan[];
  readonly lines: SeenLine[];
  /** The bytes that were sent. */
  readonly bytes: () => string;
  readonly resources: Readonly<Record<string, unknown>>[];
  /** Sets how it answers from now on; at first with 200. */
  answer: (response: ServerResponse) => void;
  readonly close: () => Promise<void>;
};

export async function startCollector(port = 0): Promise<CollectorOfTest> {
  const bodies: Buffer[] = [];
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      bodies.push(body);
      collector.requests.push({ path: request.url ?? '', headers: request.headers });
      const { records, resources } = readExport(body);
      if (request.url?.endsWith('/v1/logs')) collector.lines.push(...records.map(readLine));
      else collector.seen.push(...records.map(readSpan));
      collector.resources.push(...resources);
      collector.answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  const collector: CollectorOfTest = {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    requests: [],
    seen: [],
    lines: [],
    resources: [],
    bytes: () => Buffer.concat(bodies).toString('latin1'),
    answer: (response) => response.end(),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  onTestFinished(collector.close);
  return collector;
}

type Field = { readonly number: number; readonly value: bigint | Buffer };

function* fields(message: Buffer): Generator<Field> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at] ?? 0;
      at += 1;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const take = (length: number): Buffer => {
    at += length;
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const tag = Number(varint());
    const type = tag & 7;
    const number = tag >> 3;
    if (type === 0) yield { number, value: varint() };
    else if (type === 1) yield { number, value: take(8).readBigUInt64LE() };
    else if (type === 2) yield { number, value: take(Number(varint())) };
    else if (type === 5) yield { number, value: BigInt(take(4).readUInt32LE()) };
    else throw new Error(`a field of the type ${type}`);
  }
}

function all(message: Buffer, number: number): Buffer[] {
  return [...fields(message)].flatMap((one) =>
    one.number === number && Buffer.isBuffer(one.value) ? [one.value] : [],
  );
}

function number(message: Buffer, wanted: number): number {
  return Number([...fields(message)].find((one) => one.number === wanted)?.value ?? 0);
}

const text = (message: Buffer, wanted: number): string => all(message, wanted)[0]?.toString() ?? '';
const hex = (message: Buffer, wanted: number): string => all(message, wanted)[0]?.toString('hex') ?? '';

function attributes(pairs: readonly Buffer[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map((pair) => [text(pair, 1), anyValue(all(pair, 2)[0] ?? Buffer.alloc(0))]));
}

/** Texts, numbers, booleans and objects. */
function anyValue(message: Buffer): unknown {
  const [first] = fields(message);
  if (!first) return null;
  if (!Buffer.isBuffer(first.value)) return first.number === 2 ? first.value === 1n : Number(first.value);
  return first.number === 6 ? attributes(all(first.value, 1)) : first.value.toString();
}

/** Spans or log lines: OTLP nests both in the same way. */
function readExport(body: Buffer): { records: Buffer[]; resources: Record<string, unknown>[] } {
  const groups = all(body, 1);
  return {
    resources: groups.map((group) => attributes(all(all(group, 1)[0] ?? Buffer.alloc(0), 1))),
    records: groups.flatMap((group) => all(group, 2)).flatMap((scope) => all(scope, 2)),
  };
}

function readLine(record: Buffer): SeenLine {
  return {
    atUs: number(record, 1) / 1e3,
    severity: number(record, 2),
    level: text(record, 3),
    text: String(anyValue(all(record, 5)[0] ?? Buffer.alloc(0))),
    attributes: attributes(all(record, 6)),
    traceId: hex(record, 9),
    spanId: hex(record, 10),
  };
}

function readSpan(span: Buffer): SeenSpan {
  const [status = Buffer.alloc(0)] = all(span, 15);
  return {
    traceId: hex(span, 1),
    spanId: hex(span, 2),
    state: text(span, 3),
    parentId: hex(span, 4),
    name: text(span, 5),
    kind: number(span, 6),
    fromMs: number(span, 7) / 1e6,
    toMs: number(span, 8) / 1e6,
    attributes: attributes(all(span, 9)),
    links: all(span, 13).map((link) => ({ traceId: hex(link, 1), spanId: hex(link, 2) })),
    status: { message: text(status, 2), code: number(status, 3) },
  };
}
